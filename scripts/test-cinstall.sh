#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Installs the plugin by cargo-c into a folder of its own, as docs/GUIDE.md says, and looks whether GStreamer finds it.
# Status 77: there is no cargo-c, with the reason in the last line.
set -eu
cd "$(dirname "$0")/.."

SKIPPED=77
PATH="$PATH:${HOME:-}/.cargo/bin"

cargo cinstall --version >/dev/null 2>&1 || {
    echo "there is no cargo-c: cargo install --locked cargo-c" >&2
    exit "$SKIPPED"
}
command=$(sed -n 's/^    \(cargo cinstall .*\)$/\1/p' docs/GUIDE.md)
[ -n "$command" ]
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
$command --destdir="$root"
plugin=$(find "$root" -name 'libgstvideosocket.*' | head -n 1)
[ -n "$plugin" ]
GST_REGISTRY="$root/registry" GST_PLUGIN_PATH=$(dirname "$plugin") gst-inspect-1.0 videosocket
