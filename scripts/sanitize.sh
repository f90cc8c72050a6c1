#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Looks for undefined behaviour, leaks and races: Miri over the rooms that are pure, AddressSanitizer with LeakSanitizer
# and ThreadSanitizer over all rooms below the elements, GStreamer's leaks tracer and memcheck over what the elements
# promise.
#
#   scripts/sanitize.sh [miri] [address] [thread] [leaks] [memcheck]     all of them, or those
#
# The rooms are built without GStreamer (tests/rooms). Of its C code the sanitizers see nothing: to ThreadSanitizer each
# lock of GLib's would be none. What is left out is said at its place below.
# Status 77: there is no nightly toolchain, or no valgrind, with the reason in the last line.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

SKIPPED=77
PATH="$PATH:${HOME:-}/.cargo/bin"
TARGET=$(realpath -m "${CARGO_TARGET_DIR:-target}")/sanitize

main() {
    local status=0 tool
    [ $# -gt 0 ] || set -- miri address thread leaks memcheck
    for tool in "$@"; do
        echo "==== $tool"
        "with_$tool" || { status=1; echo "$tool: FAILED"; }
    done
    exit "$status"
}

with_miri() {
    nightly miri
    # The time is asked for. Cases of proptest are few there (cfg(miri)): an interpreter takes a thousand times as long.
    # A thousand clients, and simulations of minutes, take hours, and do nothing that a few do not.
    MIRIFLAGS="-Zmiri-disable-isolation" in_rooms miri test --no-default-features -- wire:: fanout:: \
        --skip fanout::standing::tests --skip frames_are_kept_once_for_all --skip notes_that_nobody_takes
}

with_address() {
    nightly
    # LeakSanitizer looks at the end of the process, with nothing suppressed.
    RUSTFLAGS="-Zsanitizer=address" in_rooms test --target "$(host)"
}

with_thread() {
    nightly rust-src
    # The standard library is built as well, for its locks and atomics to be seen. Without TLS: aws-lc is C and assembler.
    RUSTFLAGS="-Zsanitizer=thread" in_rooms test -Zbuild-std --target "$(host)" --no-default-features
}

# What is alive at the end of the tests although nobody refers to it. Two tests are left out, for what GStreamer keeps in
# them: a pool that cannot start, which the test makes, what it has allocated; audioconvert a buffer that comes before caps.
with_leaks() {
    local log=$TARGET/leaks.log alive
    mkdir -p "$TARGET"
    GST_TRACERS=leaks GST_DEBUG=GST_TRACER:7 GST_DEBUG_NO_COLOR=1 GST_DEBUG_FILE=$log \
        cargo test --test promises -- --skip a_pool_that_cannot_be_used \
        --skip raw_frames_without_caps_are_one_error || return 1
    alive=$(grep -o 'object-alive, type-name=(string)[A-Z][A-Za-z0-9_-]*' "$log")
    [ -z "$alive" ] || { sort <<<"$alive" | uniq -c; return 1; }
}

# Memory that is not, or no more, to be used, in GStreamer's code as well. What is computed with uninitialised values is
# not looked at: GStreamer's vector code reads past its rows. Nor is whether the tests pass: some of them time pauses.
with_memcheck() {
    local log=$TARGET/memcheck.log program
    command -v valgrind >/dev/null 2>&1 || skip "memcheck needs valgrind"
    mkdir -p "$TARGET"
    program=$(cargo test --no-run --test promises 2>&1 | sed -n 's/^ *Executable .*(\(.*\))$/\1/p')
    G_SLICE=always-malloc CARGO_MANIFEST_DIR=$PWD valgrind --undef-value-errors=no --fair-sched=yes --num-callers=40 \
        --log-file="$log" "${program:?}"
    if grep -q 'Process terminating' "$log" || ! grep -q 'ERROR SUMMARY: 0 errors' "$log"; then
        cat "$log"
        return 1
    fi
}

in_rooms() {
    # The same versions as the plugin's.
    cp Cargo.lock tests/rooms/
    (cd tests/rooms && CARGO_TARGET_DIR=$TARGET/$tool cargo +nightly "$@")
}

# nightly COMPONENT...: it is there, or fetched.
nightly() {
    command -v rustup >/dev/null 2>&1 || skip "there is no rustup to have a nightly toolchain by"
    rustup run nightly rustc --version >/dev/null 2>&1 \
        || rustup toolchain install nightly --profile minimal --no-self-update \
        || skip "rustup could not fetch a nightly toolchain"
    [ $# -eq 0 ] || rustup +nightly component add "$@" 2>/dev/null || skip "the nightly toolchain has no $*"
}

host() {
    rustc -vV | sed -n 's/^host: //p'
}

skip() {
    echo "$*" >&2
    exit "$SKIPPED"
}

main "$@"
