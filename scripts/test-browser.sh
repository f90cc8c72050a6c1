#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Runs the tests of camera_server's page in Chromium, without a screen.
# usage: test-browser.sh                  runs tests/browser
#        test-browser.sh PROGRAM...       runs a program of that folder
# Status 77: there is no Chromium, with the reason in the last line.
set -eu
cd "$(dirname "$0")/.."

SKIPPED=77
PATH="$PATH:${HOME:-}/.cargo/bin"

main() {
    scripts/setup.sh
    scripts/setup.sh --browser || true
    has chromedriver || skip "there is no chromedriver, which apt has in chromium-driver"
    python=$(python_with_selenium) || skip "no Python has selenium, which apt has in python3-selenium"
    cargo build --example camera_server
    [ $# -gt 0 ] || set -- -m unittest discover -s tests/browser
    exec "$python" "$@"
}

# That which apt has installed it for may not be the first.
python_with_selenium() {
    for python in python3 /usr/bin/python3; do
        "$python" -c "import selenium" 2>/dev/null && echo "$python" && return
    done
    return 1
}

has() {
    command -v "$1" >/dev/null 2>&1
}

skip() {
    echo "$*" >&2
    exit "$SKIPPED"
}

main "$@"
