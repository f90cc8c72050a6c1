#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Installs what a build, the tests and the demo need and this machine lacks; silent when nothing is missing.
# Rust comes first, by whoever sits there. Debian and its children: by apt, which says what it takes before it does.
# Elsewhere: prints the command and fails.
# usage: setup.sh [--peers] [--opencv] [--browser]     with these also, by apt alone:
#        --peers      the libraries that tests meet where they are
#        --opencv     of those the one that brings GStreamer along
#        --browser    what tests/browser needs
# shellcheck disable=SC2086 # the lists below are to be split
set -euf

PATH="$PATH:${HOME:-}/.cargo/bin"

DEBIAN="make python3 gcc libc6-dev pkg-config libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev gstreamer1.0-tools
gstreamer1.0-plugins-base gstreamer1.0-x gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
gstreamer1.0-plugins-ugly gstreamer1.0-libav iproute2 openssl"
FEDORA="make python3 gcc pkgconf-pkg-config gstreamer1-devel gstreamer1-plugins-base-devel gstreamer1-plugins-good
gstreamer1-plugins-bad-free gstreamer1-plugins-ugly gstreamer1-plugin-libav iproute openssl"
ARCH="make python gcc pkgconf gstreamer gst-plugins-base gst-plugins-good gst-plugins-bad gst-plugins-ugly gst-libav
iproute2 openssl"
SUSE="make python3 gcc pkg-config gstreamer-devel gstreamer-plugins-base-devel gstreamer-utils gstreamer-plugins-good
gstreamer-plugins-bad gstreamer-plugins-ugly gstreamer-plugins-libav iproute2 openssl"

RUSTUP="curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"

OPENCV="python3-opencv"
PEERS="python3-twisted python3-pyqt5 erlang-base libnetty-java $OPENCV
python3-venv python3-setuptools python3-wheel"
BROWSER="chromium chromium-driver python3-selenium fonts-dejavu-core"

main() {
    look_for_rust
    lack=$(missing)
    if [ -n "$lack" ]; then
        echo "Missing:" $lack
        install
        lack=$(missing)
        [ -z "$lack" ] || fail "Still missing after the installation:" $lack
    fi
    for option; do
        case "$option" in
            --peers) install_also $PEERS ;;
            --opencv) install_also $OPENCV ;;
            --browser) install_also $BROWSER ;;
            *) fail "unknown: $option" ;;
        esac
    done
}

# Before apt takes minutes for what is of no use without it.
look_for_rust() {
    needed=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$(dirname "$0")/../Cargo.toml")
    has cargo || fail "Rust comes first, and is missing. By rustup (https://rustup.rs), which needs curl and" \
        "ca-certificates: $RUSTUP -- then open a new shell, and come back."
    found=$(cargo --version | cut -d ' ' -f 2)
    oldest=$(printf '%s\n' "$needed" "$found" | sort -V | head -n 1)
    [ "$oldest" = "$needed" ] || fail "Rust comes first: here is $found, and $needed or later is needed." \
        "By rustup: rustup update, or, where there is none yet: $RUSTUP"
}

install_also() {
    has apt-get || return 0
    dpkg -s "$@" >/dev/null 2>&1 || apt_install "$@"
}

missing() {
    for program in make python3 openssl cc pkg-config gst-launch-1.0 gst-inspect-1.0; do
        has "$program" || echo "$program"
    done
    [ "$(uname -s)" != Linux ] || has ip || echo ip
    for library in gstreamer-1.0 gstreamer-base-1.0 gstreamer-app-1.0 gstreamer-video-1.0 gstreamer-audio-1.0; do
        has pkg-config && pkg-config --exists "$library" || echo "$library"
    done
    for element in videotestsrc videoconvert videoscale clockoverlay compositor decodebin3 jpegenc jpegdec pngenc \
        pngdec imagefreeze multifilesink autovideosink qtdemux h264parse x264enc avdec_h264 \
        hlssink2 fakevideosink fakeaudiosink; do
        has gst-inspect-1.0 && gst-inspect-1.0 --exists "$element" || echo "$element"
    done
}

install() {
    if has apt-get; then
        as_root apt-get update -qq
        apt_install $DEBIAN
    elif has dnf; then
        fail "Install it with: sudo dnf install" $FEDORA
    elif has pacman; then
        fail "Install it with: sudo pacman -S --needed" $ARCH
    elif has zypper; then
        fail "Install it with: sudo zypper install" $SUSE
    elif has brew; then
        fail "Install it with: brew install gstreamer pkgconf python openssl"
    else
        fail "Install GStreamer 1.20 or later with its development files and its base, good, bad, ugly and libav plugins."
    fi
}

# Says how much it takes, and then nothing unless it fails.
apt_install() {
    as_root env LC_ALL=C apt-get install --assume-no --no-install-recommends "$@" 2>/dev/null \
        | grep -E '^(Need to get|After this operation)' || true
    echo "apt installs it, which may take some minutes..."
    said=$(as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" 2>&1) \
        || fail "$said"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        has sudo || fail "Not root, and no sudo. Have somebody run: $*"
        sudo "$@"
    fi
}

has() {
    command -v "$1" >/dev/null 2>&1
}

fail() {
    echo "$*" >&2
    exit 1
}

main "$@"
