#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Checks all that is built with the oldest Rust that Cargo.toml allows.
# Status 77: rustup does not have it, with the reason in the last line.
set -eu
cd "$(dirname "$0")/.."

SKIPPED=77
PATH="$PATH:${HOME:-}/.cargo/bin"

main() {
    version=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
    command -v rustup >/dev/null 2>&1 || skip "there is no rustup to have Rust $version by"
    rustup run "$version" cargo --version >/dev/null 2>&1 \
        || rustup toolchain install "$version" --profile minimal --no-self-update \
        || skip "rustup could not fetch Rust $version"
    exec rustup run "$version" cargo check --all-targets --target-dir "${CARGO_TARGET_DIR:-target}/oldest-rust"
}

skip() {
    echo "$*" >&2
    exit "$SKIPPED"
}

main
