// SPDX-License-Identifier: MPL-2.0
//! One peer that the stream is sent to.

use std::time::{Duration, Instant};

use super::{
    edge::{Edge, Edges},
    flow::Progress,
    place::Place,
    standing::Standing,
};
use crate::wire::record::RecordHead;

/// At the end of the stream a peer has this long to take more of the rest of it. What is left then, the
/// kernel delivers.
pub(super) const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// The same where the kernel would not: what a peer sends to a closed socket is answered by a reset.
const TALKATIVE_DRAIN_LIMIT: Duration = Duration::from_secs(20);

/// What a peer is told last that understands records.
static END: [u8; RecordHead::LEN] = *b"E0000000";

pub(super) struct Client<P> {
    pub place: Place<P>,
    pub edges: Edges,
    /// What it was sent and lost.
    pub sent: Progress,
    pub dropped: u64,
    /// With lockstep: frames that it may be sent.
    pub turns: u64,
    /// The kernel may take more.
    pub writable: bool,
    pub standing: Standing,
    drain: Option<Drain>,
    taken: Taken,
    /// It has sent something, and what it sends is thrown away.
    pub peer_talks: bool,
    /// It has ended its sending side, and stays.
    pub peer_ended: bool,
}

/// It is told that no more follows, and takes the rest.
struct Drain {
    /// The sending side has been ended.
    has_ended: bool,
    /// What it has not acknowledged, and since when it is no less.
    unacknowledged: usize,
    since: Instant,
}

/// What a client takes, and when it last took something.
struct Taken {
    /// Bytes that the kernel was given.
    written: u64,
    /// Bytes of those that were acknowledged.
    acknowledged: u64,
    written_at: Instant,
    acknowledged_at: Instant,
}

impl<P> Client<P> {
    pub fn new(place: Place<P>, edges: Edges, turns: u64, now: Instant) -> Self {
        Self {
            place,
            edges,
            sent: Progress::default(),
            dropped: 0,
            turns,
            writable: true,
            standing: Standing::default(),
            drain: None,
            taken: Taken {
                written: 0,
                acknowledged: 0,
                written_at: now,
                acknowledged_at: now,
            },
            peer_talks: false,
            peer_ended: false,
        }
    }

    /// The peer understands records. Of the end of the stream it is told by one.
    pub fn understand(&mut self, hello: &[u8]) {
        self.place.understand(hello);
        if self.is_open() {
            self.edges.eos_frame = Edge::record(&END);
        }
    }

    /// What it is told where the stream stops.
    pub fn last_word(&self) -> &'static [u8] {
        if self.is_open() && self.place.is_described() && self.place.is_between_frames() {
            &END
        } else {
            &[]
        }
    }

    /// Whether it is sent what comes.
    pub fn is_open(&self) -> bool {
        self.drain.is_none()
    }

    /// The kernel has been given so many more bytes.
    pub fn wrote(&mut self, bytes: usize, now: Instant) {
        let taken = &mut self.taken;
        if taken.written == taken.acknowledged {
            taken.acknowledged_at = now;
        }
        taken.written += bytes as u64;
        taken.written_at = now;
    }

    /// Since when no more is with the kernel.
    pub fn written_at(&self) -> Instant {
        self.taken.written_at
    }

    /// For how long the kernel has taken nothing, of what has waited for so long.
    pub fn blocked_for(&self, oldest: Option<Instant>, now: Instant) -> Duration {
        oldest.map_or(Duration::ZERO, |oldest| {
            now.saturating_duration_since(oldest.max(self.taken.written_at))
        })
    }

    /// Nothing more follows: it has some time from now on to take what waits.
    pub fn restart_clock(&mut self, now: Instant) {
        self.taken.written_at = now;
    }

    /// For how long the peer has taken nothing, having left so many bytes unacknowledged. What waits here since
    /// `oldest` counts as well.
    pub fn stalled_for(
        &mut self,
        unacknowledged: usize,
        oldest: Option<Instant>,
        now: Instant,
    ) -> Duration {
        let taken = &mut self.taken;
        let acknowledged = taken.written.saturating_sub(unacknowledged as u64);
        if acknowledged > taken.acknowledged {
            (taken.acknowledged, taken.acknowledged_at) = (acknowledged, now);
        }
        let since = match oldest {
            // Until then it had all.
            Some(oldest) if unacknowledged == 0 => oldest.max(taken.acknowledged_at),
            None if unacknowledged == 0 => {
                taken.acknowledged_at = now;
                now
            }
            _ => taken.acknowledged_at,
        };
        now.saturating_duration_since(since)
    }

    /// The peer has been told that no more follows. The rest is up to it.
    pub fn begin_drain(&mut self, now: Instant) {
        self.drain = Some(Drain {
            has_ended: false,
            unacknowledged: usize::MAX,
            since: now,
        });
    }

    /// Whether nothing is left but to end the sending side. Once.
    pub fn is_to_end(&mut self) -> bool {
        let is_said = self.edges.eos_frame.is_sent();
        let drain = self.drain.as_mut().filter(|_| is_said);
        drain.is_some_and(|drain| !std::mem::replace(&mut drain.has_ended, true))
    }

    /// Whether the connection can be closed without a loss, the peer having left so many bytes unacknowledged.
    /// A close while its bytes keep coming is a reset, which would destroy what it has not taken yet.
    pub fn is_drained(&mut self, left: usize, now: Instant) -> bool {
        let Some(drain) = &mut self.drain else {
            return false;
        };
        if left < drain.unacknowledged {
            (drain.unacknowledged, drain.since) = (left, now);
        }
        let limit = if self.peer_talks && left > 0 {
            TALKATIVE_DRAIN_LIMIT
        } else {
            DRAIN_LIMIT
        };
        let has_all = left == 0 && self.edges.eos_frame.is_sent();
        (has_all && (self.peer_ended || !self.peer_talks))
            || now.saturating_duration_since(drain.since) >= limit
    }
}
