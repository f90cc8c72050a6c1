#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Lets two video chats, Ada's and Bob's, talk over loopback, and shows what each received from the other.
# usage: demo.sh VIDEOCHAT [FILM]       with FILM, Bob sends that instead of a test picture
set -eu

OUT=demo-output
TIME_TOGETHER=10
SNAPSHOTS=5

main() {
    videochat=$1
    film=${2:-}
    [ -z "$film" ] || [ -r "$film" ] || fail "There is no film $film"
    rm -rf "$OUT"
    mkdir -p "$OUT"
    talk
    for who in ada bob; do
        received "$who" || fail "Nothing came through to $who:" "$(tail -n 5 "$OUT/ada.log" "$OUT/bob.log")"
    done
    table
    contact_sheet
    echo "What each of them received: $OUT/contact-sheet.png"
}

# Ada takes a free port and hangs up when the time is over; Bob calls that port and ends when Ada does.
talk() {
    echo "Ada and Bob talk for $TIME_TOGETHER seconds..."
    common="--size 640x360 --every $((TIME_TOGETHER / SNAPSHOTS))"
    # It is looked into before she may have written anything.
    : >"$OUT/ada.log"
    # shellcheck disable=SC2086 # one option a word
    "$videochat" listen localhost:0 --name Ada --test-picture bars --duration "$TIME_TOGETHER" $common --sound \
        --snapshots "$OUT/ada" --report "$OUT/ada.report" >"$OUT/ada.log" 2>&1 &
    ada=$!
    trap 'kill "$ada" 2>/dev/null' EXIT
    port=$(port_of_ada Listening) && sound=$(port_of_ada Sound) || fail "Ada does not listen: $(cat "$OUT/ada.log")"
    if [ -n "$film" ]; then
        set -- --file "$film" --loop
    else
        set -- --name Bob --test-picture ball
    fi
    # shellcheck disable=SC2086
    "$videochat" connect "localhost:$port" "$@" $common --sound "$sound" \
        --snapshots "$OUT/bob" --report "$OUT/bob.report" >"$OUT/bob.log" 2>&1 || kill "$ada" 2>/dev/null || true
    wait "$ada" || true
    trap - EXIT
}

# port_of_ada WORD: that which she tells in the line that begins with it.
port_of_ada() {
    tries=100
    while [ "$tries" -gt 0 ] && kill -0 "$ada" 2>/dev/null; do
        port=$(sed -n "s/^$1 at .* port \([0-9]*\)\$/\1/p" "$OUT/ada.log" | head -n 1)
        [ -z "$port" ] || { echo "$port"; return; }
        tries=$((tries - 1))
        sleep 0.1
    done
    return 1
}

received() {
    [ "$(figure "$1" frames_received)" -gt 0 ] 2>/dev/null && [ -f "$OUT/$1/peer-00000.png" ]
}

# figure WHO NAME
figure() {
    sed -n "s/^$2=//p" "$OUT/$1.report" 2>/dev/null
}

table() {
    echo
    row "" frames arrived dropped fps kB/s "delay ms" "99 % below"
    direction "Ada to Bob" ada bob
    direction "Bob to Ada" bob ada
    echo
    for who in ada bob; do
        echo "Picture and sound as $who has them: $(figure "$who" sound_apart_median_ms) ms apart" \
            "(99 % within $(figure "$who" sound_apart_99_percent_ms) ms)"
    done
}

# direction TITLE FROM TO
direction() {
    row "$1" "$(figure "$2" frames_sent)" "$(figure "$3" frames_received)" "$(figure "$2" frames_dropped)" \
        "$(figure "$3" fps_received)" "$(figure "$3" kilobytes_per_second_received)" \
        "$(figure "$3" delay_median_ms)" "$(figure "$3" delay_99_percent_ms)"
}

row() {
    printf '%-12s %7s %8s %8s %7s %7s %9s %11s\n' "$@"
}

contact_sheet() {
    "$(dirname "$0")/contact-sheet.sh" "$OUT/contact-sheet.png" "$SNAPSHOTS" \
        "$OUT/ada" "What Ada received from Bob: $(in_words bob ada)" \
        "$OUT/bob" "What Bob received from Ada: $(in_words ada bob)"
}

# in_words FROM TO
in_words() {
    echo "$(figure "$2" frames_received) of $(figure "$1" frames_sent) frames," \
        "$(figure "$2" fps_received) per second, $(figure "$2" kilobytes_per_second_received) kB/s," \
        "$(figure "$2" delay_median_ms) ms under way"
}

fail() {
    echo "$*" >&2
    exit 1
}

main "$@"
