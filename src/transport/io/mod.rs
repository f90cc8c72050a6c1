// SPDX-License-Identifier: MPL-2.0
//! The I/O thread: connects, accepts, and sends what a socket did not take at once.

mod ending;
mod hearing;
mod joining;
#[cfg(test)]
mod tests;

use std::{
    any::Any,
    collections::{BTreeSet, VecDeque},
    io, mem,
    os::fd::AsRawFd,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, event::Event as Readiness, unix::SourceFd};

use self::ending::{drain, inspect, inspection};
use super::{
    endpoint::Endpoint,
    event::Event,
    link::{Link, Reading},
    reason::Reason,
    state::{Future, State},
    teller::Teller,
};
use crate::{
    fanout::{Payload, TICK},
    net::{Arrivals, Connection, Error, Established},
};

pub(super) const WAKE: Token = Token(0);

/// Of sockets from which connections come.
pub(super) const ARRIVALS: Token = Token(1);

/// Of links: the first.
const LINKS: usize = 1 << 16;

const EVENTS: usize = 256;

/// How often, while peers take the last of the stream: the kernel does not tell when they have.
const DRAIN_CHECK: Duration = Duration::from_millis(2);

pub(super) struct Io<P: Payload> {
    endpoint: Arc<Endpoint<P>>,
    poll: Poll,
    arrivals: Arrivals,
    inspected: Instant,
    /// Some clients have been told that no more follows, and are taking the rest.
    drains: bool,
    /// Links of which there was more to read.
    talkative: BTreeSet<usize>,
    /// Of links that have ended: still to be closed in good order.
    leaving: Vec<Arc<Connection>>,
    teller: Teller,
    /// Those of whom the application is asked whether they may join, in the order of the questions.
    asked: VecDeque<Established>,
    answer: mpsc::Sender<bool>,
    answers: mpsc::Receiver<bool>,
}

impl<P: Payload> Io<P> {
    pub fn new(endpoint: Arc<Endpoint<P>>, poll: Poll, arrivals: Arrivals, teller: Teller) -> Self {
        let (answer, answers) = mpsc::channel();
        Self {
            endpoint,
            poll,
            arrivals,
            inspected: Instant::now(),
            drains: false,
            talkative: BTreeSet::new(),
            leaving: Vec::new(),
            teller,
            asked: VecDeque::new(),
            answer,
            answers,
        }
    }

    pub fn run(mut self) {
        let result = catch_unwind(AssertUnwindSafe(|| self.serve()));
        let error = match result {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Error::Exhausted(error)),
            Err(panic) => Some(Error::Internal(panic_message(&*panic))),
        };
        if let Some(error) = error {
            self.fail(error);
        }
        self.close();
    }

    fn serve(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        while self.round(&mut events, Instant::now())? {}
        Ok(())
    }

    /// Does what there is to do, and waits for more. Says whether another round is to follow.
    pub(super) fn round(&mut self, events: &mut Events, now: Instant) -> io::Result<bool> {
        let open_at = self.open(now);
        // Nobody would act upon another: the poll would return at once, for good.
        debug_assert!(open_at.is_none_or(|at| at >= now), "a time that is past");
        self.tend();
        if self.endpoint.lock().stopping {
            return Ok(false);
        }
        match self.poll.poll(events, self.timeout(open_at)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            result => result?,
        }
        for key in mem::take(&mut self.talkative) {
            self.discard(key);
        }
        for readiness in &*events {
            self.react(readiness);
        }
        Ok(true)
    }

    fn react(&mut self, readiness: &Readiness) {
        let Some(key) = readiness.token().0.checked_sub(LINKS) else {
            // The others are looked at in every round.
            self.arrivals.is_ready(readiness.token());
            return;
        };
        if readiness.is_readable() || readiness.is_read_closed() || readiness.is_error() {
            self.discard(key);
        }
        if readiness.is_writable() {
            self.send(key);
        }
        if readiness.is_error() || readiness.is_write_closed() {
            self.hang_up(key);
        }
    }

    /// A socket has room again.
    fn send(&mut self, key: usize) {
        let mut state = self.endpoint.lock();
        let client = state.links.get(key).and_then(Link::client);
        if let Some(client) = client.filter(|&client| !state.fanout.is_writable(client)) {
            state.fanout.set_writable(client, true);
            if self.endpoint.send_over(&mut state, key) {
                self.endpoint.notify(&state);
            }
        }
    }

    /// Asks the system to tell of a link: for sending, and for discarding as soon as nobody reads.
    fn watch(&mut self, state: &mut State<P>, key: usize) {
        let has_writer = !state.writer.is_absent();
        let is_sent_over = |link: &&mut Link| has_writer || link.client().is_some();
        let Some(link) = state.links.get_mut(key).filter(is_sent_over) else {
            return;
        };
        let interest = match link.reading {
            Reading::Discarded => Interest::READABLE | Interest::WRITABLE,
            Reading::Unclaimed | Reading::Claimed | Reading::Done => Interest::WRITABLE,
        };
        if link.watched == Some(interest) {
            return;
        }
        if link.reading == Reading::Discarded && link.connection.holds_more() {
            self.talkative.insert(key);
        }
        let fd = link.connection.as_raw_fd();
        let (registry, token) = (self.poll.registry(), Token(LINKS + key));
        let result = match link.watched.replace(interest) {
            None => registry.register(&mut SourceFd(&fd), token, interest),
            Some(_) => registry.reregister(&mut SourceFd(&fd), token, interest),
        };
        if let Err(error) = result {
            state.end_writing(key, Reason::Failed, Some(Error::Exhausted(error)));
        }
    }

    /// Ends what is to be ended.
    fn tend(&mut self) {
        let endpoint = self.endpoint.clone();
        let mut state = endpoint.lock();
        let now = Instant::now();
        self.tell_newcomers(&mut state);
        if now.saturating_duration_since(self.inspected) >= inspection(&state) {
            self.inspected = now;
            inspect(&mut state, now);
        }
        endpoint.end_greetings(&mut state, |until| until <= now);
        if state.burst.is_ticking() && state.burst.tick(now) {
            endpoint.send_waiting(&mut state);
        }
        // The last word may have been sent before a flush.
        self.drains |= state.fanout.take_begun_drain();
        if state.fanout.is_finishing() || self.drains {
            self.drains = drain(&endpoint, &mut state, now);
        }
        endpoint.judge(&mut state);
        if state.fanout.flow().lockstep {
            self.drains |= state.end_turns(now);
        }
        self.end_links(&mut state);
        if state.is_exclusive()
            && let Some((key, _)) = state.links.iter().next()
        {
            self.watch(&mut state, key);
        }
        drop(state);
        self.take_leave();
    }

    fn timeout(&self, open_at: Option<Instant>) -> Option<Duration> {
        let now = Instant::now();
        let state = self.endpoint.lock();
        let mut timeout = None;
        let mut no_later =
            |at: Duration| timeout = Some(timeout.map_or(at, |other: Duration| other.min(at)));
        if !self.talkative.is_empty() {
            no_later(Duration::ZERO);
        }
        if state.fanout.num_clients() > 0 {
            let next = self.inspected + inspection(&state);
            no_later(next.saturating_duration_since(now));
            if self.drains {
                no_later(DRAIN_CHECK);
            }
            if state.burst.is_ticking() {
                no_later(TICK);
            }
        }
        if let Some(until) = state.greetings().map(|(_, until)| until).min() {
            no_later(until.saturating_duration_since(now));
        }
        if let Some(at) = open_at {
            no_later(at.saturating_duration_since(now));
        }
        timeout
    }

    /// The endpoint goes no further. Whoever waits learns it from the state, the elements from the event.
    fn fail(&mut self, error: Error) {
        let error = Arc::new(error);
        let mut state = self.endpoint.lock();
        state.future = Future::Failed(error.clone());
        state.wake_reader();
        self.endpoint.notify(&state);
        self.tell(&mut state, Event::Failed(error));
    }

    /// Tells those who are there.
    fn tell(&self, state: &mut State<P>, event: Event) {
        self.tell_newcomers(state);
        self.teller.tell(event, state.observers());
    }

    fn tell_newcomers(&self, state: &mut State<P>) {
        for (event, observer) in state.untold.drain(..) {
            self.teller.tell(event, vec![observer]);
        }
        for mark in state.marks.drain(..) {
            self.teller.let_go(mark);
        }
    }

    fn warn(&self, error: Error) {
        self.tell(&mut self.endpoint.lock(), Event::Warning(Arc::new(error)));
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let message = panic.downcast_ref::<&str>().map(ToString::to_string);
    message
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked".into())
}
