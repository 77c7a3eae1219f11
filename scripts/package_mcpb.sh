#!/usr/bin/env bash
# Builds the bundle that desktop clients install (.mcpb), and the registry entry (server.json) with its hash.
#
# usage: package_mcpb.sh MCPB [FOLDER]
#
# MCPB is the packer (npm: @anthropic-ai/mcpb). The bundle and server.json are written to FOLDER (default: target/package).
set -euo pipefail
cd "$(dirname "$0")/.."
mcpb=${1:?name the packer, as in node_modules/.bin/mcpb}
folder=${2:-target/package}

profile=${PROFILE:-dist}
cargo build --locked --profile "$profile" --quiet --bin api-patterns
rm -rf "$folder"
mkdir -p "$folder/bundle/server"
cp packaging/manifest.json LICENSE-MIT LICENSE-APACHE "$folder/bundle/"
cp "target/$profile/api-patterns" "$folder/bundle/server/"
"$mcpb" validate "$folder/bundle/manifest.json"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
bundle=$folder/api-patterns-$version-linux-$(uname -m).mcpb
"$mcpb" pack "$folder/bundle" "$bundle" > /dev/null
hash=$(sha256sum "$bundle" | cut -d' ' -f1)
sed "s/\"fileSha256\": \"0*\"/\"fileSha256\": \"$hash\"/" server.json > "$folder/server.json"
grep -q "$hash" "$folder/server.json"
grep -q "\"version\": \"$version\"" packaging/manifest.json server.json
echo "$bundle"
