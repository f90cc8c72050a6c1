#!/bin/sh
# Fails where GStreamer or GLib is used in a room that does without it.
cd "$(dirname "$0")/.." || exit 1
for room in src/wire src/transport; do
    [ -d "$room" ] || { echo "$room is missing" >&2; exit 1; }
done
if grep -rnE '\b(gst|gst_base|glib|gio|gstreamer|gstreamer_base)::' src/wire src/transport; then
    echo "src/wire and src/transport do without GStreamer and GLib" >&2
    exit 1
fi
