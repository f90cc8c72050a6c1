// SPDX-License-Identifier: MPL-2.0
//! Counters, which any thread reads without waiting.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Counts one kind of event.
///
/// One who counts and then looks whether somebody cares, and one who begins to care and then looks at the count, do not
/// both miss the other.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, SeqCst);
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.load(SeqCst)
    }
}

/// Frames and the bytes of their payloads.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Whole frames.
    pub frames: Counter,
    /// Their payloads, in bytes.
    pub bytes: Counter,
}

impl Traffic {
    pub fn add(&self, payload_len: usize) {
        self.frames.add(1);
        self.bytes.add(payload_len as u64);
    }
}

/// What an endpoint has counted since it was opened.
#[derive(Debug, Default)]
pub struct Totals {
    /// Frames handed to the kernel, each once for every client.
    pub sent: Traffic,
    /// Frames received whole.
    pub received: Traffic,
    /// Connections made or accepted.
    pub connections: Counter,
    /// Frames not sent to a client that was to get them.
    pub dropped: Counter,
    /// Frames cut off by the end of their connection.
    pub truncated: Counter,
    /// What a peer has sent against the rules: headers that are none, records that are refused, floods.
    pub protocol_errors: Counter,
}
