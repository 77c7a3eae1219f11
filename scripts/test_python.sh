#!/usr/bin/env bash
# Builds the wheel and tests it in new virtual environments: alone, with mitmproxy, and on Spark if Java is installed.
#
# usage: [PROFILE=ci] [PROGRAM=FILE] test_python.sh [FOLDER]     (PROGRAM: the program of the wheel; it is built where none is given)
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-target/python}
mkdir -p "$folder"

if [ ! -x "$folder/build/bin/maturin" ]; then
  python3 -m venv "$folder/build"
  "$folder/build/bin/pip" -q install 'maturin>=1.16,<2' mypy==1.18.2
fi
rm -rf "$folder/wheels"
if [ -z "${PROGRAM:-}" ]; then
  cargo build --locked --release --quiet --bin api-patterns
  PROGRAM=target/release/api-patterns
fi
PATH=$PWD/$folder/build/bin:$PATH cargo xtask make wheel --profile "${PROFILE:-release}" \
  --program "$PROGRAM" --output "$folder/wheels"

# Test the installed wheel: the folder python/ must not be on the module path.
environment() {
  local name=$1
  shift
  rm -rf "${folder:?}/$name"
  python3 -m venv "$folder/$name"
  "$folder/$name/bin/pip" -q install pytest "$@" "$folder"/wheels/*.whl
}
run() {
  local name=$1
  shift
  (cd python/tests && "$OLDPWD/$folder/$name/bin/python" -m pytest -q -p no:cacheprovider -o tmp_path_retention_policy=none "$@")
}

environment plain
run plain test_api.py test_program.py test_documents.py
environment server 'mcp==2.3.0' pandas polars
run server test_api.py test_compat.py
environment proxy 'mitmproxy==11.0.2'
run proxy test_addon.py
# The proxy in an environment without the package takes the addon of another.
rm -rf "$folder/alone"
python3 -m venv "$folder/alone"
"$folder/alone/bin/pip" -q install pytest 'mitmproxy==11.0.2'
PROGRAM=$PWD/$folder/plain/bin/api-patterns run alone test_addon_of_another.py
"$folder/build/bin/mypy" --strict --python-executable "$folder/proxy/bin/python" --ignore-missing-imports \
  --follow-imports=silent python/api_patterns/__init__.py python/api_patterns/report.py
if ! command -v java > /dev/null && [ "$(id -u)" = 0 ]; then
  apt-get install -y -qq default-jre-headless > /dev/null || echo "Java cannot be installed"
fi
environment spark 'pyspark==4.3.0' 'pandas<3' pyarrow
run spark test_spark.py
