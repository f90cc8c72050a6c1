// SPDX-License-Identifier: MPL-2.0
//! What a source does with it.

use std::sync::{Arc, atomic::Ordering::SeqCst};

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
        self.await_tellings(state);
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

    /// The reader has received a frame, and counted it. With lockstep it is a turn for the sender.
    pub fn frame_received(&self) {
        if self.grants_turns.load(SeqCst) {
            let mut state = self.lock();
            state.grant_turns();
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

#[cfg(test)]
mod tests {
    use std::thread;

    use mio::{Poll, Token};

    use super::*;
    use crate::{
        fanout::{Flow, Frame, Piece},
        net::{Answer, Script},
        transport::{
            event::Event,
            link::{Link, Writing},
            target::{Mode, Target, Users},
        },
        wire::HeaderFormat,
    };

    const FRAME: &[u8] = b"00000000";

    struct Deaf;

    impl Observer for Deaf {
        fn notice(&self, _: &Event) {}
    }

    fn flow(lockstep: bool) -> Flow {
        Flow {
            lockstep,
            ..Flow::default()
        }
    }

    /// A chat with a peer that has come, and has the first word.
    struct Chat {
        endpoint: Arc<Endpoint<()>>,
        connection: Arc<Connection>,
        _poll: Poll,
    }

    impl Chat {
        fn new() -> Self {
            let target = Target {
                mode: Mode::Listen,
                host: String::new(),
                port: 0,
                connect_timeout: None,
                reconnect: false,
                qos_dscp: None,
                socket: None,
                tls: None,
                last_id: Arc::default(),
            };
            let poll = Poll::new().unwrap();
            let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
            let listening = Vec::new();
            let endpoint = Endpoint::new(target, Users::Pair, false, listening, waker.clone());
            endpoint.attach_reader(Arc::new(Deaf), waker, Vec::new());
            let connection = Arc::new(Connection::scripted(Script::default()));
            let link = Link::new(1, connection.clone(), Reading::Claimed, Writing::Unclaimed);
            endpoint.lock().insert(link);
            Self {
                endpoint: Arc::new(endpoint),
                connection,
                _poll: poll,
            }
        }

        fn attach_writer(&self) {
            let observer = Arc::new(Deaf);
            self.endpoint
                .attach_writer(observer, flow(true), Vec::new());
        }

        fn receive(&self) {
            self.connection.received.add(0);
            self.endpoint.frame_received();
        }

        /// Says how many frames have been sent then.
        fn send(&self) -> usize {
            let header = HeaderFormat::default().encode(0).unwrap();
            let frame = Frame {
                header,
                lead: None,
                payload: (),
                len: 0,
                keyframe: true,
                repeats_header: false,
                is_note: false,
                piece: Piece::Whole,
                time: None,
            };
            self.endpoint.send(&mut [frame].into()).unwrap();
            self.connection.script().sent.lock().unwrap().len() / FRAME.len()
        }
    }

    #[test]
    fn each_frame_received_is_one_turn() {
        let chat = Chat::new();
        chat.attach_writer();
        assert_eq!(chat.send(), 0);
        for turn in 1..4 {
            chat.receive();
            assert_eq!(chat.send(), turn);
            assert_eq!(chat.send(), turn);
        }
    }

    #[test]
    fn all_that_is_received_before_there_is_a_sender_is_one_turn() {
        let chat = Chat::new();
        chat.receive();
        chat.connection.received.add(0);
        chat.attach_writer();
        // The reader comes to it when there is one.
        chat.endpoint.frame_received();
        assert_eq!(chat.send(), 1);
        assert_eq!(chat.send(), 1);
    }

    #[test]
    fn a_frame_that_is_received_while_the_sender_begins_is_a_turn() {
        let chat = Chat::new();
        // As long as a frame.
        chat.endpoint.set_edges(b"preamble", b"");
        let script = chat.connection.script();
        let all = Answer::Moves(FRAME.len());
        script.sends.lock().unwrap().push_back(all);
        let sent = script.sent.lock().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| chat.attach_writer());
            // Until it sends, having looked at what was received before.
            while !script.sends.lock().unwrap().is_empty() {
                thread::yield_now();
            }
            let comes_to_know = chat.endpoint.grants_turns.load(SeqCst);
            chat.connection.received.add(0);
            scope.spawn(|| chat.endpoint.frame_received());
            drop(sent);
            assert!(comes_to_know, "the reader gives nobody a turn");
        });
        assert_eq!(chat.send(), 2);
        assert_eq!(chat.send(), 2);
    }

    #[test]
    fn turns_are_granted_from_when_they_are_taken() {
        let chat = Chat::new();
        chat.attach_writer();
        chat.endpoint.set_flow(flow(false));
        (0..3).for_each(|_| chat.receive());
        chat.endpoint.set_flow(flow(true));
        let sent = chat.send();
        chat.receive();
        assert_eq!(chat.send(), sent + 1);
        assert_eq!(chat.send(), sent + 1);
    }

    #[test]
    fn what_was_left_of_another_connection_is_no_turn() {
        let chat = Chat::new();
        chat.attach_writer();
        // A frame of it has been counted there.
        chat.endpoint.frame_received();
        assert_eq!(chat.send(), 0);
    }
}
