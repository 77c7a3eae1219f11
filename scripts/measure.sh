#!/usr/bin/env bash
# Compares `api-patterns analyze` with `cat`, mitmproxy's FlowReader and the original tool in one run: measure.sh [FOLDER]
# Needs Rust and Python 3.11; writes about 1.1 GB into FOLDER (default: a temporary one that is removed).
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/measure_setup.sh
[ -s "$folder/large.mitm" ] || "$generate" mitmproxy 200000 > "$folder/large.mitm"
"$folder/venv/bin/python" scripts/measure.py target/dist/api-patterns "$folder"
