#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Builds the tests for another architecture and runs them by qemu, in a suite that is kept for that: its GStreamer is of
# that architecture, the programs too. What builds them is of this one, Debian's own Rust: a build by qemu takes hours.
# The examples are left out.
# usage, in such a suite: test-cross.sh ARCH [OPTIONS OF CARGO TEST]
# Status 77: the packages cannot be had, with the reason in the last line.
# shellcheck disable=SC2086 # the lists below are to be split
set -euf
cd "$(dirname "$0")/.."

SKIPPED=77
TRIES=3
NATIVE="make python3 gcc pkg-config cargo rustc iproute2 openssl qemu-user"
FOREIGN="libc6-dev libstd-rust-dev libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev gstreamer1.0-tools
gstreamer1.0-plugins-base gstreamer1.0-x gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly
gstreamer1.0-libav"
# Debian's Rust, before any other.
PATH=/usr/sbin:/usr/bin:/sbin:/bin

main() {
    arch=${1:?ARCH}
    shift
    case "$arch" in
        arm64) machine=aarch64 ;;
        *) fail "unknown: $arch; it can be arm64" ;;
    esac
    set_up
    libraries=/usr/lib/$machine-linux-gnu
    compiler=$machine-linux-gnu-gcc
    name=$(echo "$machine" | tr '[:lower:]' '[:upper:]')
    # The qemu of the suite runs the tests; that of the host, which the kernel knows, runs what they start.
    # Nobody debugs there, and without what that takes all is linked sooner.
    env PKG_CONFIG_ALLOW_CROSS=1 PKG_CONFIG_LIBDIR="$libraries/pkgconfig:/usr/share/pkgconfig" \
        "CC_${machine}_unknown_linux_gnu=$compiler" \
        "CARGO_TARGET_${name}_UNKNOWN_LINUX_GNU_LINKER=$compiler" \
        "CARGO_TARGET_${name}_UNKNOWN_LINUX_GNU_RUNNER=qemu-$machine" \
        CARGO_PROFILE_DEV_DEBUG=0 G_DEBUG=fatal-criticals \
        cargo test --package gst-plugin-videosocket --no-fail-fast --target "$machine-unknown-linux-gnu" "$@"
}

set_up() {
    # dpkg wants to know which, where there are two of a name.
    packages="$NATIVE libc6-dev:$(dpkg --print-architecture) gcc-$machine-linux-gnu"
    for package in $FOREIGN; do
        packages="$packages $package:$arch"
    done
    dpkg --add-architecture "$arch"
    try=1
    until dpkg -s $packages >/dev/null 2>&1 || install; do
        [ "$try" -lt "$TRIES" ] || skip "$arch: no package mirror answered in $TRIES tries"
        try=$((try + 1))
    done
}

install() {
    echo "apt installs what is of $arch, which takes some minutes..."
    apt-get update -qq -o APT::Update::Error-Mode=any || return 1
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $packages
}

skip() {
    echo "$*" >&2
    exit "$SKIPPED"
}

fail() {
    echo "$*" >&2
    exit 2
}

main "$@"
