#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Fails where a room uses what it does without, and where a file does not say its licence.
cd "$(dirname "$0")/.." || exit 1

GSTREAMER='gst|gst_base|gst_video|glib|gio|gstreamer|gstreamer_base'
status=0

# without ROOM NAMES: no path begins with one of these names.
without() {
    [ -d "src/$1" ] || { echo "src/$1 is missing" >&2; status=1; return; }
    if grep -rnE "(^|[^[:alnum:]_])($2)::" "src/$1"; then
        echo "src/$1 does without $2" >&2
        status=1
    fi
}

# without_clock ROOM: the time is an argument, but in tests.
without_clock() {
    for file in $(find "src/$1" -name '*.rs' ! -name tests.rs ! -path '*/tests/*'); do
        if awk '/^mod tests \{/ { exit } /Instant::now/ { print FILENAME ":" FNR ": " $0; found = 1 } END { exit !found }' "$file"; then
            echo "src/$1 does without a clock" >&2
            status=1
        fi
    done
}

# Behind the line that says what runs it, if there is one. A copy of the tree without its history is not looked at.
says_licence() {
    for file in $(git ls-files '*.rs' '*.py' '*.sh' .ci/run 2>/dev/null); do
        if [ -f "$file" ] && ! head -n 2 "$file" | grep -q "SPDX-License-Identifier: MPL-2.0"; then
            echo "$file does not begin with: SPDX-License-Identifier: MPL-2.0" >&2
            status=1
        fi
    done
}

says_licence
for room in wire fanout net transport; do
    without "$room" "$GSTREAMER"
done
# What is pure knows no socket and no thread.
without wire "socket2|mio|libc|std::net|std::thread|crate::(fanout|net|transport|metadata)"
without fanout "socket2|mio|libc|std::net|std::thread|crate::(net|transport|metadata)"
without_clock wire
without_clock fanout
without net "crate::(fanout|transport|metadata)"
without transport "crate::metadata"
# Values in, values out.
without metadata "socket2|mio|crate::(fanout|net|transport|shared|videosocketsink|videosocketsrc)"
exit "$status"
