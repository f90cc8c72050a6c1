// SPDX-License-Identifier: MPL-2.0
//! What a source does with it.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use mio::Waker;

use super::Endpoint;
use crate::{
    fanout::Payload,
    net::{Connection, Error},
    transport::{
        event::{Observer, Request},
        link::Reading,
        reason::Reason,
        state::Future,
        user::User,
    },
};

/// What there is for a reader.
#[derive(Debug)]
pub enum Offer {
    /// Nothing yet. The reader's waker will tell.
    Pending,
    /// A connection.
    Connection(Arc<Connection>),
    /// There will be no further one.
    Over,
    /// The endpoint has failed, as an event tells as well.
    Failed(Arc<Error>),
}

impl<P: Payload> Endpoint<P> {
    /// Begins to receive. `waker` is woken when there may be an [`offer`](Self::offer). Each peer is told `hello`
    /// first.
    pub fn attach_reader(&self, observer: Arc<dyn Observer>, waker: Arc<Waker>, hello: Vec<u8>) {
        let mut state = self.lock();
        let stale = state.links.iter().find_map(|(key, link)| {
            let is_stale = link.reading != Reading::Unclaimed && !link.is_ending();
            is_stale.then_some(key)
        });
        state.welcome(&observer);
        match stale {
            // Another has read from it. The next one begins with a frame.
            Some(key) if state.reconnects => state.abandon(key, Reason::Stopped),
            Some(_) => state.warn_of_spent(&observer),
            None => {
                if let Some((key, _)) = state.links.iter().next() {
                    self.speak(&mut state, key, &hello);
                }
            }
        }
        state.reader_hello = hello;
        state.reader = User::Active(observer);
        state.reader_waker = Some(waker);
        state.begin_anew();
        self.wake();
    }

    /// Ends receiving. What the peer still sends is thrown away while the connection is open.
    pub fn detach_reader(&self) {
        let mut state = self.lock();
        state.reader_waker = None;
        if !state.writer.is_in_use() {
            return self.close(state);
        }
        state.reader = User::Gone;
        if let Some(link) = state.link_mut() {
            link.reading = Reading::Discarded;
        }
        self.wake();
    }

    /// The connection to read from.
    pub fn offer(&self) -> Offer {
        let mut state = self.lock();
        match &state.future {
            Future::Open => (),
            Future::Resting => return Offer::Pending,
            Future::Over(_) => return Offer::Over,
            Future::Failed(error) => return Offer::Failed(error.clone()),
        }
        let reconnects = state.reconnects;
        let Some(link) = state.link_mut() else {
            return Offer::Pending;
        };
        match link.reading {
            Reading::Unclaimed if !link.is_ending() => {
                link.reading = Reading::Claimed;
                Offer::Connection(link.connection.clone())
            }
            Reading::Done | Reading::Discarded if !reconnects => Offer::Over,
            Reading::Unclaimed | Reading::Claimed | Reading::Done | Reading::Discarded => {
                Offer::Pending
            }
        }
    }

    /// Waits for whoever sends, who may be about to [note](Connection::failure) what the connection has ended with.
    pub(in crate::transport) fn await_sender(&self) {
        drop(self.lock());
    }

    /// The reader has come to the end of the peer's stream, or with a `fault`, of the connection.
    pub fn release(&self, connection: &Arc<Connection>, fault: Option<Reason>) {
        let mut state = self.lock();
        if let Some(link) = state.link_mut()
            && Arc::ptr_eq(&link.connection, connection)
        {
            link.reading = Reading::Done;
            if let Some(reason) = fault {
                link.end(reason, None);
            }
        }
        drop(state);
        self.wake();
    }

    /// The reader has received a frame, for which lockstep grants the sender a turn.
    pub fn frame_received(&self) {
        if self.grants_turns.load(Relaxed) {
            let mut state = self.lock();
            state.fanout.grant_turn();
            self.send_waiting(&mut state);
            if state.fanout.is_finishing() {
                // It may have been the last.
                self.wake();
            }
        }
    }

    /// The reader has been told that the peer understands records.
    pub(in crate::transport) fn peer_understands(&self, connection: &Arc<Connection>) {
        let mut state = self.lock();
        if let Some(key) = state.key_of(connection) {
            self.understand(&mut state, key);
        }
    }

    /// The reader has been asked for something that is the sender's.
    pub(in crate::transport) fn pass_request(&self, request: Request) {
        let mut state = self.lock();
        state.ask_writer(request);
        self.wake();
    }

    /// Asks the peer for something, which is a record.
    pub fn request(&self, record: &[u8]) {
        let mut state = self.lock();
        let first = state.links.iter().next().map(|(key, _)| key);
        if let Some(key) = first {
            self.speak(&mut state, key, record);
        }
    }
}
