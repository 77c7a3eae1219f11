# Sourced by measure.sh and measure_formats.sh, with the folder to work in as $1 (default: a temporary one that is removed):
# builds the programs, generates the small dump, and installs the original. Sets $folder and $generate.
folder=${1:-}
if [ -z "$folder" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
fi
mkdir -p "$folder"

cargo build --profile dist --quiet
cargo build --profile dist --quiet -p api-patterns-tools
generate=target/dist/generate
[ -s "$folder/small.mitm" ] || "$generate" mitmproxy 20000 > "$folder/small.mitm"
if [ ! -x "$folder/venv/bin/python" ]; then
  python3 -m venv "$folder/venv"
  scripts/install_original.sh "$folder/venv"
fi
