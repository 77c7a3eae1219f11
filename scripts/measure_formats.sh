#!/usr/bin/env bash
# Compares reading of HAR, JSON lines and the database of mitmproxy-mcp with other readers in one run: measure_formats.sh [FOLDER]
# Needs Rust, Python 3.11 and npm; writes about 700 MB into FOLDER (default: a temporary one that is removed).
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/measure_setup.sh
[ -s "$folder/minified.har" ] || "$generate" har 70300 > "$folder/minified.har"
[ -s "$folder/pretty.har" ] || "$generate" har-pretty 55600 > "$folder/pretty.har"
[ -s "$folder/lines.jsonl" ] || "$generate" jsonl 200000 > "$folder/lines.jsonl"
if [ ! -x "$folder/node_modules/.bin/redocly" ]; then
  npm install --silent --no-audit --no-fund --prefix "$folder" @redocly/cli@2.77.0
fi
"$folder/venv/bin/python" scripts/measure_formats.py target/dist "$folder"
