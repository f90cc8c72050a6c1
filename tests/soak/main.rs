// SPDX-License-Identifier: MPL-2.0
//! Clients that come, go, stall and break in any order disturb nobody who stays, and leave nothing behind.
//!
//! A single test with a process of its own: it counts this process's threads, file descriptors and memory.

#[path = "../support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "the helpers serve the other tests too"
)]
mod support;

mod callers;
mod listeners;
mod random;
mod stream;
mod viewer;

use gst::glib;
use support::*;

#[test]
fn whatever_peers_do_the_others_get_every_byte_and_nothing_stays_behind() {
    init();
    // GStreamer's own threads would else wait for other work after a stop, for a while and in varying number.
    glib::ThreadPool::set_max_unused_threads(Some(0));
    round(1, 2_000);
    eventually("threads of the warm-up end", || {
        Usage::now().threads.len() <= IDLE_THREADS
    });
    let (before, memory) = (Usage::now(), memory_in_use());
    round(2, 2_000);
    eventually(&format!("no more than {before:?} is in use"), || {
        Usage::now().within(&before)
    });
    let grown = memory_in_use().saturating_sub(memory);
    assert!(grown < MEMORY_NOISE, "memory has grown by {grown} bytes");
}

fn round(seed: u64, events: usize) {
    callers::soak(seed, "next-keyframe", events * 3 / 4);
    callers::soak(seed, "latest-keyframe", events / 4);
    listeners::soak(seed, events / 10);
}

/// The test runner's main thread and the test's own.
const IDLE_THREADS: usize = 2;

/// Several frames, or a few hundred bytes for each client that ever was, are more.
const MEMORY_NOISE: u64 = 200_000;
