#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Runs the tests on another suite of Debian, and so with another GStreamer, inside a folder of its own.
# usage: test-on.sh SUITE                  copies the working tree there, builds it and runs `make test`
#        test-on.sh SUITE --binaries       runs the test programs that were built here, as they are
#        test-on.sh SUITE -- COMMAND...    runs a command in a copy of the working tree
#        test-on.sh SUITE --arch ARCH [OPTIONS OF CARGO TEST]
#                                          builds the Rust tests for another architecture and runs them by qemu
# Status 77: the suite cannot be had, with the reason in the last line.
#
# The suites are kept in VIDEOSOCKET_SUITES (~/.cache/videosocket/suites), with what is installed and built there.
set -eu

SKIPPED=77
TRIES=3
TREE=$(cd "$(dirname "$0")/.." && pwd)
SUITES=${VIDEOSOCKET_SUITES:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/videosocket/suites}
PATH="$PATH:${HOME:-}/.cargo/bin:/usr/sbin:/sbin"

main() {
    suite=${1:-}
    [ -n "$suite" ] || fail "usage: $0 SUITE [--binaries | --arch ARCH | -- COMMAND...], with a SUITE such as trixie"
    shift
    root=$SUITES/$suite
    [ "${1:-}" != --arch ] || root=$root-${2:?ARCH}
    [ "$(id -u)" -eq 0 ] || skip "$suite needs root, for debootstrap and chroot: run it by sudo -E"
    [ -d "$root" ] || make_suite
    toolchain=$(rustc --print sysroot) || skip "$suite needs the Rust of this machine, by rustup"
    case "$toolchain" in
        /usr | /) skip "$suite needs a Rust by rustup: that of $toolchain does not run elsewhere" ;;
    esac
    target=${CARGO_TARGET_DIR:-$TREE/target}
    mkdir -p "$target"
    [ "${1:-}" = --arch ] || set_up
    case "${1:-}" in
        "") enter /src make --no-print-directory test ;;
        --) shift && enter /src "$@" ;;
        --binaries) run_binaries ;;
        --arch) shift && test_arch "$@" ;;
        *) fail "unknown: $1" ;;
    esac
}

# In a folder that gets its name when it is complete.
make_suite() {
    has debootstrap || install_debootstrap || skip "$suite needs debootstrap"
    # Younger suites than debootstrap have no script of their own; they are made like this one.
    script=
    [ -e "/usr/share/debootstrap/scripts/$suite" ] || script=/usr/share/debootstrap/scripts/sid
    mkdir -p "$SUITES"
    try=1
    # The empty argument is the mirror: its own choice.
    until rm -rf "$root.part" && debootstrap --variant=minbase --include=ca-certificates "$suite" "$root.part" "" $script; do
        [ "$try" -lt "$TRIES" ] || skip "$suite could not be fetched in $TRIES tries"
        try=$((try + 1))
    done
    # No service is to start in there.
    printf '#!/bin/sh\nexit 101\n' >"$root.part/usr/sbin/policy-rc.d"
    chmod 755 "$root.part/usr/sbin/policy-rc.d"
    # A mirror that lags behind serves for tests as well.
    echo 'Acquire::Check-Valid-Until "false";' >"$root.part/etc/apt/apt.conf.d/90mirror"
    mv "$root.part" "$root"
}

install_debootstrap() {
    has apt-get && apt-get update -qq && apt-get install -y --no-install-recommends debootstrap
}

# Installs what is missing. A mirror that does not answer is no fault of the tests.
set_up() {
    copy_tree
    enter /src true || fail "there is no way into $root"
    try=1
    until enter /src scripts/setup.sh; do
        enter /src apt-get update -qq -o APT::Update::Error-Mode=any && fail "the set-up fails on $suite"
        [ "$try" -lt "$TRIES" ] || skip "$suite: no package mirror answered in $TRIES tries"
        try=$((try + 1))
    done
    # Each suite has it with its own GStreamer. Without it the tests of its recipes say that they are skipped.
    enter /src scripts/setup.sh --opencv || echo "$suite goes without OpenCV" >&2
}

# Times stay, by which cargo sees what has changed.
copy_tree() {
    rm -rf "$root/src"
    mkdir -p "$root/src"
    (cd "$TREE" && git ls-files --cached --others --exclude-standard -z \
        | tar --create --null --files-from=- --ignore-failed-read 2>/dev/null) | tar --extract --directory="$root/src"
}

# The kernel hands the programs to qemu, those that tests start as well.
test_arch() {
    ls /proc/sys/fs/binfmt_misc/qemu-* >/dev/null 2>&1 \
        || { has apt-get && apt-get update -qq && apt-get install -y --no-install-recommends qemu-user-static; } \
        || skip "$suite for $1 needs qemu-user-static"
    copy_tree
    enter /src scripts/test-cross.sh "$@"
}

# Each as cargo runs it: in the tree, which is where it was built.
run_binaries() {
    here=$(pkg-config --modversion gstreamer-1.0)
    there=$(enter /src pkg-config --modversion gstreamer-1.0)
    oldest=$(printf '%s\n' "$here" "$there" | sort -V | head -n 1)
    [ "$oldest" = "$here" ] || skip "what was built with GStreamer $here is not for $there, which is older"
    programs=$(cd "$TREE" && cargo test --no-run 2>&1 | sed -n 's/^ *Executable .*(\(.*\))$/\1/p')
    [ -n "$programs" ] || fail "There are no test programs"
    status=0
    for program in $programs; do
        echo "     Running $program"
        enter "$TREE" env CARGO_MANIFEST_DIR="$TREE" "$program" || status=1
    done
    return "$status"
}

# enter FOLDER COMMAND...: in the suite, where it sees the tree at its own place, read-only but for what is built.
# The mounts go with the process.
enter() {
    cp /etc/resolv.conf /etc/hosts "$root/etc/"
    mkdir -p "${CARGO_HOME:=$HOME/.cargo}/registry"
    export SUITE_ROOT="$root" SUITE_TREE="$TREE" SUITE_TARGET="$target" SUITE_RUST="$toolchain" \
        SUITE_CARGO="$CARGO_HOME" SUITE_FOLDER="$1"
    shift
    unshare --mount sh -euc '
        mount -t proc proc "$SUITE_ROOT/proc"
        mount --rbind /dev "$SUITE_ROOT/dev"
        mount --rbind /sys "$SUITE_ROOT/sys"
        mount -t tmpfs tmpfs "$SUITE_ROOT/tmp"
        # Only now: the tree may be in /tmp.
        for folder in /opt/rust /opt/cargo "$SUITE_TREE" "$SUITE_TARGET"; do
            mkdir -p "$SUITE_ROOT$folder"
        done
        mount --bind "$SUITE_RUST" "$SUITE_ROOT/opt/rust"
        mount --bind "$SUITE_CARGO" "$SUITE_ROOT/opt/cargo"
        mount --bind "$SUITE_TREE" "$SUITE_ROOT$SUITE_TREE"
        mount -o remount,bind,ro "$SUITE_ROOT$SUITE_TREE"
        mount --bind "$SUITE_TARGET" "$SUITE_ROOT$SUITE_TARGET"
        exec chroot "$SUITE_ROOT" /usr/bin/env -i HOME=/root PATH=/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            LANG=C.UTF-8 CARGO_HOME=/opt/cargo CARGO_TARGET_DIR=/target ${RUST_BACKTRACE:+RUST_BACKTRACE=$RUST_BACKTRACE} \
            sh -euc "cd \"\$0\"; exec \"\$@\"" "$SUITE_FOLDER" "$@"
    ' sh "$@"
}

has() {
    command -v "$1" >/dev/null 2>&1
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
