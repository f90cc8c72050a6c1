#!/bin/sh
# Builds and runs the program of docs/GUIDE.md that links the crate, by itself and outside of the tree, as the page has it.
set -eu
cd "$(dirname "$0")/.."

PAGE=docs/GUIDE.md
PATH="$PATH:${HOME:-}/.cargo/bin"

tree=$(pwd)
# What the tests have built serves it too.
target=$(readlink -m "${CARGO_TARGET_DIR:-target}")
crate=$(mktemp -d)
trap 'rm -rf "$crate"' EXIT
mkdir "$crate/src"

# block LANGUAGE: what stands in the page's fence of that language.
block() {
    awk -v fence="\`\`\`$1" '$0 == "```" { inside = 0 } inside; $0 == fence { inside = 1 }' "$PAGE"
}

{
    printf '[package]\nname = "linking"\nversion = "0.0.0"\nedition = "2024"\n\n'
    block toml | sed "s|\"\.\./videosocket\"|\"$tree\"|"
} >"$crate/Cargo.toml"
block rust >"$crate/src/main.rs"
# The versions that are here already.
cp Cargo.lock "$crate/"
said=$(CARGO_TARGET_DIR="$target" cargo run --quiet --manifest-path "$crate/Cargo.toml")
echo "It says: $said"
[ "$said" = videosocketsink0 ]
