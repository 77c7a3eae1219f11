#!/usr/bin/env bash
# Measures HAR and the database of mitmproxy-mcp beside other readers, in one run: measure_formats.sh [FOLDER]
# Needs Rust, Python 3.11 and npm; writes about 600 MB into FOLDER (default: a temporary one that is removed). FOLDER may be
# the one of measure.sh, whose virtual environment is then used.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-}
if [ -z "$folder" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
fi
mkdir -p "$folder"

cargo build --release --quiet
cargo build --release --quiet --examples
generate=target/release/examples/generate
[ -s "$folder/minified.har" ] || "$generate" har 70300 > "$folder/minified.har"
[ -s "$folder/pretty.har" ] || "$generate" har-pretty 55600 > "$folder/pretty.har"
[ -s "$folder/lines.jsonl" ] || "$generate" jsonl 200000 > "$folder/lines.jsonl"
[ -s "$folder/small.mitm" ] || "$generate" mitmproxy 20000 > "$folder/small.mitm"
if [ ! -x "$folder/venv/bin/python" ]; then
  python3 -m venv "$folder/venv"
  scripts/install_original.sh "$folder/venv"
fi
if [ ! -x "$folder/node_modules/.bin/redocly" ]; then
  npm install --silent --no-audit --no-fund --prefix "$folder" @redocly/cli@2.77.0
fi
"$folder/venv/bin/python" scripts/measure_formats.py target/release "$folder"
