#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Puts the first pictures of some folders on one sheet: a row a folder, under its caption.
# usage: contact-sheet.sh SHEET.png COLUMNS [FOLDER CAPTION]...
set -eu

WIDTH=320
HEIGHT=180
GAP=12
CAPTION=40

sheet=$1
columns=$2
shift 2
rows=$(($# / 2))
sheet_width=$((columns * (WIDTH + GAP) + GAP))
places=""
number=0
top=0

# place LEFT TOP: where the next input of the compositor goes
place() {
    places="$places sink_$number::xpos=$1 sink_$number::ypos=$2"
    number=$((number + 1))
}

# Each turn takes a folder and its caption from the front, and puts the inputs for them at the end.
while [ "$rows" -gt 0 ]; do
    folder=$1
    caption=$2
    shift 2
    set -- "$@" videotestsrc num-buffers=1 pattern=solid-color foreground-color=0xff000000 \
        ! "video/x-raw,width=$sheet_width,height=$CAPTION" \
        ! textoverlay "text=$caption" font-desc="Sans 20px" auto-resize=false draw-shadow=false halignment=left valignment=center xpad=$GAP \
        ! "sheet.sink_$number"
    place 0 "$top"
    left=$GAP
    for picture in $(find "$folder" -name '*.png' | sort | head -n "$columns"); do
        set -- "$@" filesrc "location=$picture" ! pngdec ! videoconvert ! videoscale \
            ! "video/x-raw,width=$WIDTH,height=$HEIGHT" ! "sheet.sink_$number"
        place "$left" $((top + CAPTION))
        left=$((left + WIDTH + GAP))
    done
    top=$((top + CAPTION + HEIGHT + GAP))
    rows=$((rows - 1))
done

# shellcheck disable=SC2086 # one property a word
gst-launch-1.0 -q compositor name=sheet background=black $places ! "video/x-raw,width=$sheet_width,height=$top" \
    ! videoconvert ! pngenc snapshot=true ! filesink "location=$sheet" "$@"
