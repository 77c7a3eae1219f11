#!/usr/bin/env bash
# Runs every fuzzer of fuzz/ for a number of seconds: fuzz.sh [SECONDS] [TARGET...]. Seeds come from the fixtures. Needs cargo-fuzz
# (cargo install cargo-fuzz); RUSTC_BOOTSTRAP lets it instrument code with a stable compiler.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(dump har lines url headers state bodies description)
export RUSTC_BOOTSTRAP=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=1

seeds=fuzz/seeds
rm -rf "$seeds"
mkdir -p "$seeds"/{dump,har,lines,url,headers,state,bodies,description}
python3 - "$seeds" <<'PYTHON'
import json, pathlib, sqlite3, subprocess, sys
seeds = pathlib.Path(sys.argv[1])
fixtures = pathlib.Path("fixtures")

def seed(target, number, data):
    (seeds / target / f"{number:04}").write_bytes(data if isinstance(data, bytes) else data.encode())

dump = (fixtures / "demo.mitm").read_bytes()
at = number = 0
while at < len(dump):
    colon = dump.index(b":", at)
    end = colon + 1 + int(dump[at:colon]) + 1
    seed("dump", number, dump[at:end])
    at, number = end, number + 1
seed("dump", number, dump[:30000])
for name in ("demo.har", "demo.chromium.har"):
    har = json.loads((fixtures / name).read_text())
    for entry in har["log"]["entries"]:
        seed("url", number, entry["request"]["url"])
        seed("har", number, json.dumps({"log": {"entries": [entry]}}))
        seed("lines", number, json.dumps({"id": "f", "method": entry["request"]["method"], "url": entry["request"]["url"],
                                         "status": entry["response"]["status"], "timestamp": entry["startedDateTime"]}))
        number += 1
    bodies = [entry["response"].get("content", {}).get("text", "") for entry in har["log"]["entries"]]
    seed("bodies", number, "\n".join(body.replace("\n", " ") for body in bodies if body[:1] in ("{", "[")))
    har["log"]["entries"] = har["log"]["entries"][:3]
    seed("har", number, json.dumps(har, indent=1))
for row in sqlite3.connect(f"file:{fixtures}/demo.db?mode=ro", uri=True).execute("SELECT request_headers FROM flows"):
    seed("headers", number, row[0])
    number += 1
seed("headers", number, json.dumps({"a": "1", "\u00e9": None}))
PYTHON
for format in yaml json; do
  for version in 3.1 3.0; do
    cargo run --quiet -- openapi -q --domain api.shop.example --format "$format" --openapi "$version" fixtures/demo.har \
      > "$seeds/description/$format$version"
  done
done
cargo run --quiet --example state -- fixtures/demo.mitm fixtures/demo.har > "$seeds/state/0000"
head -c 13 /dev/zero | cat - "$seeds/state/0000" > "$seeds/state/0001"
tail -c +14 "$seeds/state/0000" > "$seeds/state/0002"

for target in "${targets[@]}"; do
  mkdir -p "fuzz/corpus/$target"
  echo "== $target, $seconds s"
  log=$(mktemp)
  status=0
  cargo fuzz run --sanitizer none "$target" "fuzz/corpus/$target" "$seeds/$target" -- \
    -max_total_time="$seconds" -timeout=20 -rss_limit_mb=600 -max_len=20000 -print_final_stats=1 > "$log" 2>&1 || status=$?
  grep -E "^stat::(number_of_executed_units|new_units_added|peak_rss_mb)|panicked|ERROR|SUMMARY|Test unit|^error" "$log" || true
  rm -f "$log"
  if [ "$status" -ne 0 ]; then
    echo "$target found something, or could not be built: see fuzz/artifacts/$target" >&2
    exit 1
  fi
done
