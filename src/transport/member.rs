//! A client and its connection.

use std::{io, sync::Arc, time::Instant};

use super::{
    reason::{Reason, sending_ended},
    stats::ClientStats,
    write::write,
};
use crate::{
    fanout::{Client, Counts, Flow, Overflow, Payload, Sent, StreamHeaders},
    net::{Connection, Error, Totals},
};

pub(super) struct Member<P> {
    pub id: u64,
    pub client: Client<P>,
    pub connection: Option<Arc<Connection>>,
    /// Why the connection is to end, as soon as the I/O thread comes to it.
    leaving: Option<(Reason, Option<Error>)>,
}

impl<P: Payload> Member<P> {
    /// One that is yet to be connected.
    pub fn awaiting(now: Instant) -> Self {
        Self {
            id: 0,
            client: Client::awaiting(now),
            connection: None,
            leaving: None,
        }
    }

    /// One of many.
    pub fn joining(id: u64, client: Client<P>, connection: Arc<Connection>, flow: &Flow) -> Self {
        let member = Self {
            id,
            client,
            connection: Some(connection),
            leaving: None,
        };
        member.apply(flow);
        member
    }

    /// Takes over a connection in place of the one that it had. Returns how many frames are lost.
    pub fn connect(
        &mut self,
        id: u64,
        connection: Arc<Connection>,
        turns: u64,
        flow: &Flow,
        headers: &StreamHeaders<P>,
        now: Instant,
    ) -> u64 {
        self.id = id;
        self.connection = Some(connection);
        self.leaving = None;
        self.apply(flow);
        self.client.connect(turns, flow, headers, now)
    }

    /// Frames that may be dropped are to wait here, not in the kernel.
    pub fn apply(&self, flow: &Flow) {
        if let Some(connection) = &self.connection {
            connection.limit_unsent(flow.overflow != Overflow::Block);
        }
    }

    /// Its connection has ended, or is for somebody else.
    pub fn disconnect(&mut self) {
        self.connection = None;
        self.leaving = None;
        self.client.disconnect();
    }

    /// Its connection is to end, unless that is so for another reason.
    pub fn leave(&mut self, reason: Reason, error: Option<Error>) {
        if self.leaving.is_none() {
            self.leaving = Some((reason, error));
            self.client.leave();
        }
    }

    pub fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    pub fn take_leaving(&mut self) -> Option<(Reason, Option<Error>)> {
        self.leaving.take()
    }

    /// Sends what the kernel takes. Returns whether it took anything.
    pub fn send_waiting(&mut self, totals: &Totals, now: Instant) -> bool {
        let Some(connection) = self.connection.clone() else {
            return false;
        };
        let mut any = false;
        loop {
            let Some((frames, before)) = self.client.unsent() else {
                return any;
            };
            let written = write(&connection, frames, before);
            match written {
                Ok(written) => {
                    any = true;
                    let progress = self.client.sent(written.bytes, written.is_short, now);
                    totals.sent.frames.add(progress.frames);
                    totals.sent.bytes.add(progress.payload_bytes);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.client.set_writable(false);
                }
                Err(error) => {
                    let (reason, error) = sending_ended(connection.peer(), error);
                    self.leave(reason, error);
                }
            }
        }
    }

    /// Deals with what waits for it beyond the limits.
    pub fn keep_within(&mut self, flow: &Flow, now: Instant) -> Sent {
        let (sent, is_too_slow) = self.client.keep_within(flow, now);
        if let Some(connection) = &self.connection
            && is_too_slow
        {
            let peer = connection.peer();
            self.leave(Reason::TooSlow, Some(Error::TooSlow { peer }));
        }
        sent
    }

    /// Tells the peer that no more follows. Fails where there is none any more.
    pub fn begin_drain(&mut self, now: Instant) -> io::Result<()> {
        self.client.begin_drain(now);
        self.connection
            .as_ref()
            .map_or(Ok(()), |connection| connection.end_sending())
    }

    /// Whether the connection can be closed without a loss.
    pub fn is_drained(&mut self, now: Instant) -> bool {
        let connection = self.connection.as_ref();
        let left = connection.map_or(0, |connection| connection.unacknowledged());
        self.client.is_drained(left, now)
    }

    /// Its counters, where it is connected.
    pub fn stats(&self, now: Instant) -> Option<ClientStats> {
        let connection = self.connection.as_ref()?;
        Some(self.stats_of(connection, now))
    }

    /// Its counters, where it was connected by this connection.
    pub fn stats_of(&self, connection: &Connection, now: Instant) -> ClientStats {
        let Counts {
            sent,
            dropped,
            queued,
            oldest,
        } = self.client.counts();
        ClientStats {
            frames_sent: sent.frames,
            bytes_sent: sent.payload_bytes,
            frames_dropped: dropped,
            bytes_queued: queued as u64,
            oldest: oldest.map(|since| now.saturating_duration_since(since)),
            ..ClientStats::of(self.id, connection)
        }
    }
}
