// SPDX-License-Identifier: MPL-2.0
//! One connection, and who uses it.

use std::{
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{ear::Ear, event::Event, reason::Reason, stats::ClientStats};
use crate::{
    fanout::Counts,
    net::{Connection, Error, was_of_use},
};

/// A sender whose turn it is has so long to begin, where others wait.
const TURN: Duration = Duration::from_secs(1);

/// Bytes of it that nobody has read are looked at again after so long.
const UNREAD: Duration = Duration::from_millis(100);

/// A connection. Each direction comes to its end by itself, or both at once.
pub(super) struct Link {
    pub id: u64,
    pub connection: Arc<Connection>,
    pub reading: Reading,
    pub writing: Writing,
    /// What this side waits for, with the system.
    pub watched: Option<mio::Interest>,
    /// What sending has ended with, for the reader to find as well.
    pub fault: Option<Arc<Error>>,
    pub hearing: Hearing,
    /// Until then the peer may begin to send, where others wait.
    pub turn: Instant,
    /// The peer has said that it understands records.
    pub understands: bool,
    /// With lockstep: so many of the frames received have been a turn.
    answered: u64,
    end: Option<End>,
}

/// What becomes of what the peer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// The reader has not taken it yet.
    Unclaimed,
    /// The reader has it.
    Claimed,
    /// It is thrown away. Left unread, it would stop the peer, and turn the end of the connection into a reset.
    Discarded,
    /// The peer's stream is over.
    Done,
}

/// What the peer says of records.
pub(super) enum Hearing {
    /// Nothing that is listened to here.
    Deaf,
    /// What it asks for, or nothing yet.
    Listening(Option<Box<Ear>>),
}

/// What the peer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    /// Nothing yet.
    Unclaimed,
    /// The same until then, or until the peer has said whether it understands records.
    Greeting(Instant),
    /// What this client of the stream is.
    Claimed(usize),
    /// Nothing any more, after this.
    Done(Counts),
}

/// Why both directions end.
pub(super) struct End {
    pub reason: Reason,
    pub cause: Option<Error>,
}

impl Link {
    pub fn new(id: u64, connection: Arc<Connection>, reading: Reading, writing: Writing) -> Self {
        Self {
            id,
            turn: connection.opened() + TURN,
            connection,
            reading,
            writing,
            watched: None,
            fault: None,
            hearing: Hearing::Deaf,
            understands: false,
            answered: 0,
            end: None,
        }
    }

    /// The client of the stream.
    pub fn client(&self) -> Option<usize> {
        match self.writing {
            Writing::Claimed(client) => Some(client),
            Writing::Unclaimed | Writing::Greeting(_) | Writing::Done(_) => None,
        }
    }

    /// What listens to the peer, to be put back.
    pub fn take_ear(&mut self) -> Option<Box<Ear>> {
        match mem::replace(&mut self.hearing, Hearing::Deaf) {
            Hearing::Deaf => None,
            Hearing::Listening(ear) => Some(ear.unwrap_or_else(|| Box::new(Ear::new()))),
        }
    }

    /// With lockstep: how many frames have been received that have not been a turn. Now they are.
    pub fn take_turns(&mut self) -> u64 {
        let received = self.connection.received().frames.get();
        received - mem::replace(&mut self.answered, received)
    }

    /// Whether some of what was sent is not with the kernel. Where the connection is lost, that does not matter.
    pub fn has_unsent(&self) -> bool {
        self.connection.flush().is_ok_and(|is_flushed| !is_flushed)
    }

    /// Whether the turn of a peer that has sent no header is over. What it has sent and nobody has read may be one.
    pub fn is_turn_over(&mut self, now: Instant) -> bool {
        if self.turn <= now && self.connection.has_unread() {
            self.turn = now + UNREAD;
        }
        self.turn <= now
    }

    /// Whether nobody reads any more.
    pub fn has_read_all(&self) -> bool {
        matches!(self.reading, Reading::Discarded | Reading::Done)
    }

    /// Whether nothing is sent any more.
    pub fn has_written_all(&self) -> bool {
        matches!(self.writing, Writing::Done(_))
    }

    /// Makes its reader, if it has one, let go of it.
    pub fn wake_reader(&self) {
        if self.reading != Reading::Unclaimed {
            self.connection.abandon();
        }
    }

    /// Both directions are to end, unless that is so for another reason.
    pub fn end(&mut self, reason: Reason, cause: Option<Error>) {
        self.end.get_or_insert(End { reason, cause });
    }

    /// Whether both directions are to end.
    pub fn is_ending(&self) -> bool {
        self.end.is_some()
    }

    /// Why they end. Where there is no reason, the peer has ended the last of them.
    pub fn take_end(&mut self) -> End {
        self.end.take().unwrap_or(End {
            reason: Reason::ClosedByPeer,
            cause: None,
        })
    }

    /// What is to be told of its end, the client of the stream having been counted this.
    pub fn disconnected(
        &self,
        counts: Counts,
        reason: Reason,
        cause: Option<Arc<Error>>,
        was_of_use: bool,
        goes_on: bool,
    ) -> Event {
        Event::Disconnected {
            id: self.id,
            peer: self.connection.peer(),
            reason,
            stats: ClientStats::new(self.id, &self.connection, counts, Instant::now()),
            cause,
            was_of_use,
            goes_on,
        }
    }

    /// Whether it was more than a connection to a peer that accepts and closes.
    pub fn was_of_use(&self, counts: Counts) -> bool {
        let received = self.connection.received().frames.get();
        let unacknowledged = self.connection.unacknowledged() as u64;
        let taken = counts.sent.payload_bytes.saturating_sub(unacknowledged);
        was_of_use(received, taken, self.connection.age(Instant::now()))
    }
}
