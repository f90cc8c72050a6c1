// SPDX-License-Identifier: MPL-2.0
//! Who becomes a client, and what peers are told first.

use std::{io::IoSlice, sync::atomic::Ordering::Relaxed, time::Instant};

use super::Endpoint;
use crate::{
    fanout::{Metadata, Payload},
    transport::{
        link::{Link, Writing},
        reason::Reason,
        state::State,
        target::Mode,
    },
};

impl<P: Payload> Endpoint<P> {
    /// The peer of a link becomes one that the stream is sent to. With lockstep all that was received before is one
    /// turn: the newest frame answers it.
    pub(in crate::transport) fn claim(&self, state: &mut State<P>, key: usize) {
        let State { fanout, links, .. } = state;
        let Some(link) = links.get_mut(key) else {
            return;
        };
        let turns = self.first_turns() + link.take_turns().min(1);
        let (client, lost) = fanout.join(turns, Instant::now());
        self.totals.dropped.add(lost);
        link.writing = Writing::Claimed(client);
        link.apply(fanout.flow());
        if link.understands && fanout.flow().metadata != Metadata::Off {
            fanout.understand(client);
        }
        self.note_needs(state);
    }

    /// Ends the time in which the peer of a link may ask for records before it is sent anything.
    pub(in crate::transport) fn end_greeting(&self, state: &mut State<P>, key: usize) {
        let is_greeting = |link: &Link| matches!(link.writing, Writing::Greeting(_));
        if !state.links.get(key).is_some_and(is_greeting) {
            return;
        }
        self.claim(state, key);
        state.forget_greeting(key);
        state.tell_of_link(key);
        self.send_over(state, key);
        self.notify(state);
        self.wake();
    }

    /// Ends those that last until such a time.
    pub(in crate::transport) fn end_greetings(
        &self,
        state: &mut State<P>,
        is_over: impl Fn(Instant) -> bool,
    ) {
        let over = state.greetings().filter(|(_, until)| is_over(*until));
        let keys: Vec<_> = over.map(|(key, _)| key).collect();
        for key in keys {
            self.end_greeting(state, key);
        }
    }

    /// The peer understands records.
    pub(in crate::transport) fn understand(&self, state: &mut State<P>, key: usize) {
        let Some(link) = state.links.get_mut(key) else {
            return;
        };
        link.understands = true;
        match link.writing {
            Writing::Greeting(_) => self.end_greeting(state, key),
            Writing::Claimed(client) if state.fanout.flow().metadata != Metadata::Off => {
                state.fanout.understand(client);
                self.note_needs(state);
                self.send_over(state, key);
            }
            _ => (),
        }
    }

    /// Sends the peer something of the reader's.
    pub(in crate::transport) fn speak(&self, state: &mut State<P>, key: usize, bytes: &[u8]) {
        let is_of_use = |link: &Link| link.writing == Writing::Unclaimed && !link.is_ending();
        if bytes.is_empty() {
            return;
        }
        // Without a stream of its own the connection has nobody who sends.
        if state.writer.is_absent() && state.links.get(key).is_some_and(is_of_use) {
            self.claim(state, key);
        }
        let Some(link) = state.links.get_mut(key) else {
            return;
        };
        match link.writing {
            Writing::Claimed(client) => {
                state.fanout.tell(client, bytes);
                self.send_over(state, key);
                self.wake();
            }
            // Nothing has been sent yet, so that there is room.
            Writing::Unclaimed | Writing::Greeting(_) => {
                let sent = link.connection.send(&[IoSlice::new(bytes)]);
                if sent.is_ok_and(|sent| sent.bytes < bytes.len()) {
                    state.abandon(key, Reason::Failed);
                }
            }
            Writing::Done(_) => (),
        }
    }

    /// Whether frames are to have their records with them.
    pub fn needs_records(&self) -> bool {
        self.needs_records.load(Relaxed)
    }

    pub(in crate::transport) fn note_needs(&self, state: &State<P>) {
        let is_asked = state.greetings().next().is_some();
        let needs = is_asked || state.fanout.needs_records();
        self.needs_records.store(needs, Relaxed);
    }

    /// In the turn-taking chat the one who connects begins.
    pub(in crate::transport) fn first_turns(&self) -> u64 {
        (self.target.mode == Mode::Connect).into()
    }
}
