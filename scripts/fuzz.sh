#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# fuzz.sh SECONDS [TARGET...]: runs the fuzz targets one after the other, for so many seconds in all, and says how many
# inputs each has had. What is worth keeping stays in fuzz/corpus; what fails stands in fuzz/artifacts.
# Status 77: nightly Rust or cargo-fuzz is missing, with the reason in the last line.
set -euo pipefail
cd "$(dirname "$0")/.."

SKIPPED=77
PATH="$PATH:${HOME:-}/.cargo/bin"
# Longer ones find nothing that shorter ones do not.
MAX_LEN=1200
# An input that takes so many seconds is a fault.
TIMEOUT=5

main() {
    local seconds=${1:?SECONDS is missing} target status=0
    shift
    command -v cargo-fuzz >/dev/null || skip "there is no cargo-fuzz: cargo install --locked cargo-fuzz"
    cargo +nightly --version >/dev/null 2>&1 || skip "there is no nightly Rust: rustup toolchain install nightly"
    [ $# -gt 0 ] || mapfile -t targets < <(cargo +nightly fuzz list)
    [ $# -eq 0 ] || targets=("$@")
    # What is in C is not instrumented, and what is in Rust is safe: a sanitizer would cost time and find nothing.
    cargo +nightly fuzz build --sanitizer none
    summary=$(mktemp)
    trap 'rm -f "$summary"' EXIT
    for target in "${targets[@]}"; do
        run "$target" $(((seconds + ${#targets[@]} - 1) / ${#targets[@]})) || status=1
    done
    echo "===="
    cat "$summary"
    return "$status"
}

# run TARGET SECONDS
run() {
    local target=$1 seconds=$2 log status=0
    log=$(mktemp)
    echo "==== $target, $seconds s"
    mkdir -p "fuzz/corpus/$target"
    cargo +nightly fuzz run --sanitizer none "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
        -max_total_time="$seconds" -max_len="$MAX_LEN" -timeout="$TIMEOUT" -print_final_stats=1 -verbosity=0 \
        >"$log" 2>&1 || status=1
    if [ "$status" -ne 0 ]; then
        tail -n 60 "$log"
        echo "$target: FAILED" >>"$summary"
    else
        awk -v target="$target" '
            /^stat::number_of_executed_units/ { runs = $2 }
            /^stat::average_exec_per_sec/ { rate = $2 }
            END { printf "%s: %d inputs, %d a second\n", target, runs, rate }' "$log" >>"$summary"
        tail -n 1 "$summary"
    fi
    rm -f "$log"
    return "$status"
}

skip() {
    echo "$*" >&2
    exit "$SKIPPED"
}

main "$@"
