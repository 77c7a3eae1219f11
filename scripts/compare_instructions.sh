#!/usr/bin/env bash
# Compares two commits by the instructions per flow, which do not depend on the load of the machine.
#
# usage: compare_instructions.sh [BEFORE [AFTER]]     (BEFORE: the commit before the last one; AFTER: the working tree)
#
# Needs valgrind. Each commit is measured with its own benches/instructions.rs.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v valgrind > /dev/null || { echo "valgrind is not installed" >&2; exit 1; }
before=${1:-HEAD~1} after=${2:-}
target=$PWD/target/instructions
mkdir -p "$target"

# Builds the benchmark of a commit (of the working tree if none is given), and prints the path of the program.
build() {
  local folder=$PWD
  if [ -n "$1" ]; then
    folder=$target/$(git rev-parse --short "$1")
    [ -d "$folder" ] || git worktree add --quiet --force --detach "$folder" "$1"
  fi
  [ -f "$folder/benches/instructions.rs" ] || return 0
  # Cargo would reuse a newer build of this package from another folder, so remove it.
  (cd "$folder" && cargo clean --quiet --locked -p api-patterns) >&2
  (cd "$folder" && cargo bench --quiet --locked --no-run --bench instructions --message-format json) |
    python3 -c 'import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and message["target"]["name"] == "instructions":
        print(message["executable"])'
}

# Instructions per flow: the difference between 4 and 2 repeats of 2,000 flows.
instructions() {
  local counted=()
  for repeats in 2 4; do
    counted+=("$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$1" "$2" "$repeats" 2>&1 > /dev/null |
      sed -n 's/.*Collected : //p')")
  done
  echo $(((counted[1] - counted[0]) / 4000))
}

remove_worktrees() { for folder in "$target"/*/; do [ ! -e "$folder/.git" ] || git worktree remove --force "$folder" 2> /dev/null || true; done; }
trap remove_worktrees EXIT

if ! git rev-parse --quiet --verify "$before^{commit}" > /dev/null; then
  echo "there is no commit $before here; only what is now is counted"
  before=
fi
export CARGO_TARGET_DIR=$target/build
old=
[ -z "$before" ] || old=$(build "$before")
# Copy the program, since the second build would overwrite it.
[ -z "$old" ] || { cp "$old" "$target/before" && old=$target/before; }
new=$(build "$after")
[ -z "$before" ] || [ -n "$old" ] || echo "$before has no such bench; only what is now is counted"

printf '%-12s %10s %10s %8s\n' "a flow" before after change
for workload in observe mitmproxy har lines database; do
  now=$(instructions "$new" "$workload")
  if [ -n "$old" ]; then
    then=$(instructions "$old" "$workload")
    printf '%-12s %10s %10s %+7.1f%%\n' "$workload" "$then" "$now" "$(python3 -c "print(100 * ($now - $then) / $then)")"
  else
    printf '%-12s %10s %10s\n' "$workload" - "$now"
  fi
done
