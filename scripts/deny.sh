#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Asks cargo-deny whether what the plugin is built from may be: licences, duplicates, sources, and advisories where
# their list can be fetched.
# Status 77: there is no cargo-deny, with the reason in the last line.
set -eu
cd "$(dirname "$0")/.."

SKIPPED=77
PATH="$PATH:${HOME:-}/.cargo/bin"

main() {
    command -v cargo-deny >/dev/null 2>&1 || skip "there is no cargo-deny: cargo install --locked cargo-deny"
    cargo deny --workspace check -D warnings licenses bans sources
    if cargo deny fetch db; then
        cargo deny --workspace check --disable-fetch advisories
    else
        echo "Not checked: the list of advisories cannot be fetched"
    fi
}

skip() {
    echo "$*" >&2
    exit "$SKIPPED"
}

main
