#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Takes the moving pictures of the pages anew: docs/chat.webp, what two video chats see of each other, and docs/page.webp,
# camera_server's page with a viewer that stalls. Needs img2webp, which apt has in webp, and what tests/browser needs.
set -eu
cd "$(dirname "$0")/.."

PATH="$PATH:${HOME:-}/.cargo/bin"
SECONDS_SHOWN=4
PER_SECOND=5
QUALITY=60

main() {
    command -v img2webp >/dev/null 2>&1 || fail "there is no img2webp, which apt has in webp"
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    cargo build --quiet --example videochat
    chat "${CARGO_TARGET_DIR:-target}/debug/examples/videochat"
    join "$folder/chat" docs/chat.webp
    mkdir "$folder/page"
    scripts/test-browser.sh tests/browser/animation.py "$folder/page" "$SECONDS_SHOWN" "$PER_SECOND"
    join "$folder/page" docs/page.webp
}

# chat VIDEOCHAT: side by side.
chat() {
    common="--size 640x360 --every 0.$((10 / PER_SECOND))"
    # shellcheck disable=SC2086 # one option a word
    "$1" listen localhost:0 --name Ada --test-picture bars --duration "$((SECONDS_SHOWN + 1))" $common \
        --snapshots "$folder/ada" >"$folder/ada.log" &
    until port=$(sed -n 's/^Listening at .* port //p' "$folder/ada.log" | head -n 1) && [ -n "$port" ]; do
        kill -0 $! || fail "Ada does not listen"
        sleep 0.1
    done
    # shellcheck disable=SC2086
    "$1" connect "localhost:$port" --name Bob --test-picture ball $common --snapshots "$folder/bob" >/dev/null
    wait
    mkdir "$folder/chat"
    # A busy machine has fewer.
    count=$(for who in ada bob; do find "$folder/$who" -name '*.png' | wc -l; done | sort -n | head -n 1)
    # shellcheck disable=SC2046 # one property a word
    gst-launch-1.0 -q compositor name=both background=black sink_0::xpos=8 sink_0::ypos=8 sink_1::xpos=496 sink_1::ypos=8 \
        ! video/x-raw,width=984,height=286 ! videoconvert ! pngenc ! multifilesink "location=$folder/chat/%03d.png" \
        $(side ada 0) text="Ada sees Bob" ! both.sink_0 $(side bob 1) text="Bob sees Ada" ! both.sink_1
}

# side WHO: what is seen there, up to a caption.
side() {
    echo "multifilesrc location=$folder/$1/peer-%05d.png stop-index=$((count - 1))" \
        "caps=image/png,framerate=$PER_SECOND/1 ! pngdec ! videoconvert ! videoscale ! video/x-raw,width=480,height=270" \
        "! textoverlay valignment=bottom halignment=left shaded-background=true"
}

# join FOLDER FILE
join() {
    img2webp -loop 0 -lossy -q "$QUALITY" -m 6 -d "$((1000 / PER_SECOND))" "$1"/*.png -o "$2"
    ls -l "$2"
}

fail() {
    echo "$*" >&2
    exit 1
}

main
