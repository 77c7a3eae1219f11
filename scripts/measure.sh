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
  scripts/install_original.sh "$folder/venv"
fi
"$folder/venv/bin/python" scripts/measure.py target/release/api-patterns "$folder"
