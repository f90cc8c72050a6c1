// SPDX-License-Identifier: MPL-2.0
//! Who comes, and is let in.

use std::{
    mem,
    net::SocketAddr,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use super::Io;
use crate::{
    fanout::{Metadata, Payload},
    net::{Arrival, Connection, Error, Established, Later},
    transport::{
        event::{Event, Observer},
        link::{Hearing, Link, Reading, Writing},
        target::Mode,
        user::User,
    },
};

/// Peers of whom the application is asked at the same time.
const MAX_ASKED: usize = 16;

/// Clients accepted before others have their turn.
const ACCEPTS_AT_ONCE: usize = 16;

/// A peer that wants records says so as soon as it can: within a round trip and this, which it takes to get to it.
/// Others wait in vain, but no longer than that.
const GREETING: Duration = Duration::from_millis(20);
const MAX_GREETING: Duration = Duration::from_millis(500);

impl<P: Payload> Io<P> {
    /// Makes connections, or takes those that wait. Says when to come again at the latest.
    pub(super) fn open(&mut self, now: Instant) -> Option<Instant> {
        self.arrivals.advance(self.poll.registry());
        let again = self.let_in(now);
        again.into_iter().chain(self.arrivals.deadline(now)).min()
    }

    fn let_in(&mut self, now: Instant) -> Option<Instant> {
        // A client has somebody to let it in, and to be told of it.
        let state = self.endpoint.lock();
        let is_attended = !state.reader.is_absent() || state.writer.is_active();
        let is_exclusive = state.is_exclusive();
        drop(state);
        if !is_attended {
            return None;
        }
        self.hear_answers();
        if is_exclusive {
            self.open_one(now)
        } else {
            self.open_many(now)
        }
    }

    fn open_many(&mut self, now: Instant) -> Option<Instant> {
        for _ in 0..ACCEPTS_AT_ONCE {
            // Further ones wait with the kernel, until there is an answer.
            if self.asked.len() >= MAX_ASKED {
                return None;
            }
            if let Err(Later(again)) = self.welcome_next(now) {
                return again;
            }
        }
        // Others first.
        Some(now)
    }

    fn open_one(&mut self, now: Instant) -> Option<Instant> {
        while self.asked.is_empty() && self.endpoint.lock().is_opening() {
            if let Err(Later(again)) = self.welcome_next(now) {
                return again;
            }
        }
        let again = self.look_who_waits(now);
        again.into_iter().chain(self.give_way(now)).min()
    }

    /// A sender that has not begun has had its turn, where another has something to say. Says when it will have.
    fn give_way(&mut self, now: Instant) -> Option<Instant> {
        if !self.arrivals.has_spoken() {
            return None;
        }
        let mut state = self.endpoint.lock();
        state.displace_unheard(now);
        state.unheard().map(|(_, until)| until)
    }

    /// Deals with the next arrival, if there is one.
    fn welcome_next(&mut self, now: Instant) -> Result<(), Later> {
        match self.arrivals.next(self.poll.registry(), now)? {
            Arrival::Established(established) => self.welcome(established),
            Arrival::Waiting(waiting) => {
                self.tell(&mut self.endpoint.lock(), Event::Waiting(waiting));
            }
            Arrival::Warning(error) => self.warn(error),
            Arrival::Failed(error) => self.fail(error),
        }
        Ok(())
    }

    /// Lets in whoever needs no leave, and asks for the others.
    fn welcome(&mut self, established: Established) {
        if !self.has_room() {
            return established.refuse();
        }
        let writer = self.endpoint.lock().writer.observer().cloned();
        let is_choosy = |observer: &Arc<dyn Observer>| {
            self.endpoint.target.mode == Mode::Listen && observer.is_choosy()
        };
        let Some(observer) = writer.filter(is_choosy) else {
            return self.join(established);
        };
        let (answer, waker) = (self.answer.clone(), self.endpoint.waker.clone());
        let (address, certificate) = (established.address, established.certificate.clone());
        self.teller
            .ask(observer, address, certificate, move |admits| {
                // Both fail only where the I/O thread is gone.
                let _ = answer.send(admits);
                let _ = waker.wake();
            });
        self.asked.push_back(established);
    }

    fn hear_answers(&mut self) {
        if !self.asked.is_empty() && !self.endpoint.lock().writer.is_active() {
            // Nobody's leave is needed any more, nor awaited.
            (self.answer, self.answers) = mpsc::channel();
            for established in mem::take(&mut self.asked) {
                self.join(established);
            }
        }
        while let Ok(admits) = self.answers.try_recv() {
            match self.asked.pop_front() {
                Some(established) if admits => self.join(established),
                Some(established) => established.refuse(),
                None => (),
            }
        }
    }

    fn has_room(&self) -> bool {
        let state = self.endpoint.lock();
        let max = state.fanout.flow().max_clients;
        let clients = state.fanout.num_clients() + state.greetings().count();
        state.is_exclusive() || max.is_none_or(|max| clients < max)
    }

    /// Where the peer seems to come anew, the connection that it has may be none any more: it lost power, or
    /// the network, and could not say so. Says when to look again.
    fn look_who_waits(&mut self, now: Instant) -> Option<Instant> {
        let state = self.endpoint.lock();
        let current = state.link().map(|link| link.connection.clone());
        let reconnects = state.reconnects;
        let may_follow = reconnects || state.unheard().is_some();
        let current = current.filter(|_| may_follow)?;
        drop(state);
        let host = |address: Option<SocketAddr>| address.map(|address| address.ip().to_canonical());
        loop {
            let registry = self.poll.registry();
            let fault = self.arrivals.look_who_waits(registry, now, |address| {
                if reconnects && host(address) == host(current.peer().address()) {
                    current.probe();
                }
            });
            match fault {
                Ok(error) => self.warn(error),
                Err(Later(again)) => return again,
            }
        }
    }

    /// Begins to use a connection.
    fn join(&mut self, established: Established) {
        if !self.has_room() {
            return established.refuse();
        }
        let endpoint = self.endpoint.clone();
        let connection = match Connection::new(established, endpoint.target.qos_dscp) {
            Ok(connection) => Arc::new(connection),
            // It is lost already; the next one may be better.
            Err(error) if endpoint.lock().was_given => return self.fail(Error::Socket(error)),
            Err(error) => return self.warn(Error::Socket(error)),
        };
        let mut state = endpoint.lock();
        let id = state.next_id();
        let reading = match state.reader {
            User::Absent | User::Gone => Reading::Discarded,
            User::Awaited | User::Admitted | User::Active(_) => Reading::Unclaimed,
        };
        let metadata = state.fanout.flow().metadata;
        let writing = match state.writer {
            User::Active(_) if metadata == Metadata::OnRequest => {
                let now = Instant::now();
                let rtt = connection.rtt(now).unwrap_or_default();
                let greeting = (GREETING + 2 * rtt).min(MAX_GREETING);
                Writing::Greeting(now + greeting)
            }
            User::Gone => Writing::Done(Default::default()),
            User::Active(_) | User::Absent | User::Awaited | User::Admitted => Writing::Unclaimed,
        };
        let mut link = Link::new(id, connection, reading, writing);
        if metadata != Metadata::Off {
            link.hearing = Hearing::Listening(None);
        }
        let key = state.insert(link);
        if state.writer.is_active() && writing == Writing::Unclaimed {
            endpoint.claim(&mut state, key);
        }
        state.wake_reader();
        self.watch(&mut state, key);
        let hello = state.reader_hello.clone();
        endpoint.speak(&mut state, key, &hello);
        endpoint.send_over(&mut state, key);
        endpoint.note_needs(&state);
        endpoint.notify(&state);
        if !matches!(writing, Writing::Greeting(_)) {
            state.tell_of_link(key);
        }
        self.tell_newcomers(&mut state);
    }
}
