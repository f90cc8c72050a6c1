#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Builds and runs a program that is not of this tree, and links the plugin as the documentation of the crate says
# (src/lib.rs), from what `cargo package` would publish.
set -eu
cd "$(dirname "$0")/.."

PATH="$PATH:${HOME:-}/.cargo/bin"
TARGET=$(readlink -f "${CARGO_TARGET_DIR:-target}")
FRAMES=5
LIMIT=30

main() {
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    cargo package -q -p gst-plugin-videosocket --allow-dirty --no-verify --target-dir "$TARGET"
    version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
    tar --extract --gzip --directory="$folder" --file="$TARGET/package/gst-plugin-videosocket-$version.crate"
    mkdir -p "$folder/program/src"
    {
        printf '[package]\nname = "program"\nedition = "2024"\n\n'
        block toml
        printf '\n[patch.crates-io]\ngst-plugin-videosocket = { path = "../gst-plugin-videosocket-%s" }\n' "$version"
    } >"$folder/program/Cargo.toml"
    block rust >"$folder/program/src/main.rs"
    # What is built already is not built again.
    cp Cargo.lock "$folder/program/"
    (cd "$folder/program" && cargo build --quiet --target-dir "$TARGET/test-crate")
    received=$(receive "$TARGET/test-crate/debug/program")
    [ "$received" = "$FRAMES frames" ] || fail "The program sent: $received"
    echo "test result: ok. 1 passed; 0 failed"
}

# block LANGUAGE: that block of the crate's documentation, in which lines for rustdoc alone are hidden.
block() {
    sed -n '/^\/\/! ```'"$1"'/,/^\/\/! ```$/ { /^\/\/! ```/d; s/^\/\/! \{0,1\}//; s/^# //; p }' src/lib.rs
}

# receive PROGRAM: lets it send to a plain socket.
receive() {
    timeout $LIMIT python3 - "$1" <<'EOF'
import socket, subprocess, sys

listener = socket.create_server(("localhost", 0))
uri = f"videosocket://localhost:{listener.getsockname()[1]}"
program = subprocess.Popen([sys.argv[1], uri])
stream = listener.accept()[0].makefile("rb")
frames = 0
while header := stream.read(8):
    assert stream.read(int(header)).startswith(b"\xff\xd8")
    frames += 1
assert program.wait() == 0
print(frames, "frames")
EOF
}

fail() {
    echo "$*" >&2
    exit 1
}

main
