// SPDX-License-Identifier: MPL-2.0
//! What is known of a connection at a moment.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{fanout::Counts, net::Connection};

/// A reading of what changes from moment to moment.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Bytes that wait in this process, headers included.
    pub queued: u64,
    /// Smoothed round-trip time of the connection, of the slowest where there are many.
    pub rtt: Option<Duration>,
    /// One for each connected client.
    pub clients: Vec<ClientStats>,
}

/// One client's counters.
#[derive(Clone, Debug)]
pub struct ClientStats {
    /// Its number, counted from 1 since the endpoint was opened.
    pub id: u64,
    /// Its address; nothing where a socket that was handed over has none.
    pub address: Arc<str>,
    /// Whole frames sent.
    pub frames_sent: u64,
    /// Their payloads, in bytes.
    pub bytes_sent: u64,
    /// Whole frames received.
    pub frames_received: u64,
    /// Their payloads, in bytes.
    pub bytes_received: u64,
    /// Frames not sent because the client was too slow.
    pub frames_dropped: u64,
    /// Bytes that wait for it in this process, headers included.
    pub bytes_queued: u64,
    /// Since it was accepted.
    pub connected: Duration,
    /// For how long the oldest of its queued frames has waited.
    pub oldest: Option<Duration>,
    /// Smoothed round-trip time.
    pub rtt: Option<Duration>,
}

impl ClientStats {
    /// Those of a connection over which this was sent.
    pub(super) fn new(id: u64, connection: &Connection, counts: Counts, now: Instant) -> Self {
        let Counts {
            sent,
            dropped,
            queued,
            oldest,
        } = counts;
        Self {
            id,
            address: connection.address().clone(),
            frames_sent: sent.frames,
            bytes_sent: sent.payload_bytes,
            frames_received: connection.received().frames.get(),
            bytes_received: connection.received().bytes.get(),
            frames_dropped: dropped,
            bytes_queued: queued as u64,
            connected: connection.age(now),
            oldest: oldest.map(|since| now.saturating_duration_since(since)),
            rtt: connection.rtt(now),
        }
    }
}
