#!/usr/bin/env bash
# Measures `api-patterns analyze` beside `cat`, mitmproxy's FlowReader and the original tool, in one run: measure.sh [FOLDER]
# Needs Rust and Python 3.11; writes about 1.1 GB into FOLDER (default: a temporary one that is removed).
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-}
if [ -z "$folder" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
fi
mkdir -p "$folder"

cargo build --release --quiet
cargo build --release --quiet --example generate
generate=target/release/examples/generate
[ -s "$folder/large.mitm" ] || "$generate" mitmproxy 200000 > "$folder/large.mitm"
[ -s "$folder/small.mitm" ] || "$generate" mitmproxy 20000 > "$folder/small.mitm"
if [ ! -x "$folder/venv/bin/python" ]; then
  python3 -m venv "$folder/venv"
  "$folder/venv/bin/pip" -q install mitmproxy==11.0.2
  # mitmproxy-mcp declares a newer Python than the parts that are measured need.
  "$folder/venv/bin/pip" -q install 'mcp==1.26.0' curl-cffi structlog jsonpath-ng beautifulsoup4 google-re2 --no-deps
  "$folder/venv/bin/pip" -q install pydantic pydantic-settings python-dotenv httpx httpx-sse anyio starlette sse-starlette \
    uvicorn jsonschema python-multipart pyjwt soupsieve jsonpath-ng cffi --no-deps
  "$folder/venv/bin/pip" -q install pydantic-core annotated-types typing-inspection typing-extensions httpcore sniffio idna \
    certifi click referencing rpds-py attrs jsonschema-specifications pycparser ply --no-deps
  "$folder/venv/bin/pip" -q install mitmproxy-mcp==0.6.0 --no-deps --ignore-requires-python
fi
"$folder/venv/bin/python" scripts/measure.py target/release/api-patterns "$folder"
