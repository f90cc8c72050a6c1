#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Builds the Debian package, and installs, runs and removes it: as root, on a machine that may be changed, such as by
#     scripts/test-on.sh trixie -- scripts/test-deb.sh
# Status 77: there is no cargo-deb, or this is no Debian, with the reason in the last line.
set -eu
cd "$(dirname "$0")/.."

SKIPPED=77
PACKAGE=gstreamer1.0-videosocket
FRAMES=5
LIMIT=30
PATH="$PATH:${HOME:-}/.cargo/bin"

main() {
    [ "$(id -u)" -eq 0 ] && has apt-get || skip "a package is installed as root, on Debian"
    cargo deb --version >/dev/null 2>&1 || skip "there is no cargo-deb: cargo install --locked cargo-deb"
    has dpkg-shlibdeps || apt_get install dpkg-dev
    passed=0 failed=0
    GST_REGISTRY=$(mktemp)
    export GST_REGISTRY
    make --no-print-directory deb
    deb=$(ls -t "${CARGO_TARGET_DIR:-target}/debian/$PACKAGE"_*.deb | head -n 1)
    check "has the plugin in the folder of the architecture, and pages" has_files
    check "depends on GStreamer" depends
    check "is installed" apt_get install "$(readlink -f "$deb")"
    check "has the elements" gst-inspect-1.0 videosocket
    check "moves frames" moves_frames
    check "is removed" apt_get purge "$PACKAGE"
    check "leaves no element behind" is_gone
    # As cargo says it.
    [ "$failed" -eq 0 ] && result=ok || result=FAILED
    echo "test result: $result. $passed passed; $failed failed"
    [ "$failed" -eq 0 ]
}

check() {
    if said=$(shift && "$@" 2>&1); then
        passed=$((passed + 1))
        echo "The package $1: ok"
    else
        failed=$((failed + 1))
        echo "The package $1: FAILED" "$said"
    fi
}

has_files() {
    files=$(dpkg-deb --contents "$deb")
    plugin=$(pkg-config --variable=pluginsdir gstreamer-1.0)/libgstvideosocket.so
    for file in "$plugin" "/usr/share/doc/$PACKAGE/README.md" "/usr/share/doc/$PACKAGE/copyright"; do
        echo "$files" | grep -q " \.$file\$" || { echo "$file is not among" "$files"; return 1; }
    done
}

depends() {
    dpkg-deb --field "$deb" Depends | grep "libgstreamer1.0-0" | grep "libc6"
}

apt_get() {
    env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends "$@"
}

moves_frames() {
    socket_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("localhost", 0)); print(s.getsockname()[1])')
    timeout $LIMIT gst-launch-1.0 -q videosocketsrc mode=listen port="$socket_port" num-buffers=$FRAMES ! fakesink &
    receiver=$!
    timeout $LIMIT gst-launch-1.0 -q videotestsrc num-buffers=$FRAMES ! jpegenc ! videosocketsink port="$socket_port"
    wait "$receiver"
}

is_gone() {
    ! gst-inspect-1.0 --exists videosocketsink
}

has() {
    command -v "$1" >/dev/null 2>&1
}

skip() {
    echo "$*" >&2
    exit "$SKIPPED"
}

main
