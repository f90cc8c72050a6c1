// SPDX-License-Identifier: MPL-2.0
//! The properties that show the state of an element.

use gst::{glib, prelude::*};

/// What a sink's `stats` have besides.
pub const CLIENTS_BLURB: &str = ". And clients, a structure for each with id, address, frames-sent, bytes-sent, \
     frames-received and bytes-received (by a source with the same connection-id), frames-dropped, bytes-queued, and in \
     nanoseconds time-connected, oldest-queued (the age of the oldest frame that waits for it) and rtt";

/// What a source's `stats` have besides.
pub const TIMING_BLURB: &str = ". And with times of the sender: clock-offset (what to add to its clock, the shortest \
     way included, in nanoseconds; 0 = both have the same clock, or nothing is known), clock-drift (how much this \
     clock gains on the sender's, in ppm), frames-late (that took longer than latency allows), jitter (how much the \
     ways of successive frames differ, in nanoseconds)";

/// Those of both elements.
pub fn read_only_properties(more_stats: &str) -> [glib::ParamSpec; 2] {
    const STATS: &str = "Counters since the last start, kept after the stop: frames-sent, frames-received, \
        bytes-sent and bytes-received (of payload), connections, frames-dropped (for slow clients), \
        frames-truncated, protocol-errors. As it is now: bytes-queued, rtt (round-trip time in nanoseconds, 1.5 s old at most; \
        0 = unknown)";
    [
        glib::ParamSpecUInt::builder("current-port")
            .blurb("TCP port that the element listens on, from PAUSED on (0 = it does not listen)")
            .maximum(65535)
            .read_only()
            .build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
            .blurb(&format!("{STATS}{more_stats}"))
            .read_only()
            .build(),
    ]
}
