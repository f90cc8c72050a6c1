//! The I/O thread: connects, accepts, and sends what a socket did not take at once.

use std::{
    any::Any,
    collections::VecDeque,
    io::{self, IoSlice},
    mem,
    net::SocketAddr,
    os::fd::AsRawFd,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, event::Event as Readiness, unix::SourceFd};

use super::{
    ear::{Ear, Heard},
    endpoint::Endpoint,
    event::{Event, Observer},
    link::{Hearing, Link, Reading, Writing},
    locked::Locked,
    reason::{Reason, sending_ended},
    state::{Future, State},
    target::Mode,
    teller::Teller,
    user::User,
};
use crate::{
    fanout::{Metadata, Overflow, Payload, TICK},
    net::{Arrival, Arrivals, Connection, Error, Established},
};

pub(super) const WAKE: Token = Token(0);

/// Of sockets from which connections come.
pub(super) const ARRIVALS: Token = Token(1);

/// Of links: the first.
const LINKS: usize = 1 << 16;

const EVENTS: usize = 256;

/// How often clients are looked at that give no sign.
const INSPECTION: Duration = Duration::from_secs(1);

/// How often, while peers take the last of the stream: the kernel does not tell when they have.
const DRAIN_CHECK: Duration = Duration::from_millis(2);

/// Peers of whom the application is asked at the same time.
const MAX_ASKED: usize = 16;

/// Clients accepted before others have their turn.
const ACCEPTS_AT_ONCE: usize = 16;

/// A peer that wants records says so as soon as it can: within a round trip and this, which it takes to get to it.
/// Others wait in vain, but no longer than that.
const GREETING: Duration = Duration::from_millis(20);
const MAX_GREETING: Duration = Duration::from_millis(500);

/// Reads from a client that is not listened to, before others have their turn.
const DISCARDS_AT_ONCE: usize = 16;

pub(super) struct Io<P: Payload> {
    endpoint: Arc<Endpoint<P>>,
    poll: Poll,
    arrivals: Arrivals,
    inspected: Instant,
    /// Some clients have been told that no more follows, and are taking the rest.
    drains: bool,
    /// Links of which there was more to read.
    talkative: Vec<usize>,
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
            talkative: Vec::new(),
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
        loop {
            self.open();
            self.tend();
            if self.endpoint.lock().stopping {
                return Ok(());
            }
            match self.poll.poll(&mut events, self.timeout()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            for key in mem::take(&mut self.talkative) {
                self.discard(key);
            }
            for readiness in &events {
                self.react(readiness);
            }
        }
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

    /// Nothing can be sent any more. Where the peer's stream has ended before, reading does not tell.
    fn hang_up(&mut self, key: usize) {
        let mut state = self.endpoint.lock();
        let Some(link) = state.links.get(key) else {
            return;
        };
        let Some(client) = link.client() else { return };
        let error = match link.connection.take_error() {
            // The peer takes the rest, and then has.
            None if state.fanout.is_draining(client) => return,
            None => io::ErrorKind::BrokenPipe.into(),
            Some(error) => error,
        };
        let (reason, cause) = sending_ended(link.connection.peer(), error);
        state.end_writing(key, reason, cause);
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

    /// What a peer sends when nobody reads it. It may ask for something.
    fn discard(&mut self, key: usize) {
        let link = self.endpoint.lock().links.get_mut(key).map(|link| {
            let is_discarded = link.reading == Reading::Discarded;
            let ear = if is_discarded { link.take_ear() } else { None };
            (is_discarded, link.connection.clone(), ear)
        });
        let Some((true, connection, mut ear)) = link else {
            return;
        };
        let mut talks = false;
        let mut end = None;
        for _ in 0..DISCARDS_AT_ONCE {
            let received = match &mut ear {
                Some(ear) => connection.overhear(&mut ear.read_slice()),
                None => connection.discard(),
            };
            match received {
                Ok(n) if n > 0 => {
                    talks = true;
                    ear = ear.and_then(|ear| self.listen(key, ear, n));
                }
                result => {
                    end = Some(result);
                    break;
                }
            }
        }
        let endpoint = self.endpoint.clone();
        let mut state = endpoint.lock();
        if let (Some(ear), Some(link)) = (ear, state.links.get_mut(key)) {
            link.hearing = Hearing::Listening(Some(ear));
        }
        let client = state.links.get(key).and_then(Link::client);
        if let Some(client) = client.filter(|_| talks) {
            state.fanout.peer_talks(client);
        }
        match end {
            None => self.talkative.push(key),
            Some(Ok(_)) => {
                endpoint.end_greeting(&mut state, key);
                let client = state.links.get(key).and_then(Link::client);
                if let Some(client) = client {
                    state.fanout.peer_ended(client);
                }
            }
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => (),
            Some(Err(source)) => {
                let peer = connection.peer();
                state.end_writing(key, Reason::Failed, Some(Error::Send { peer, source }));
            }
        }
    }

    /// So many bytes have come of a peer that is listened to. Returns what goes on listening.
    fn listen(&mut self, key: usize, mut ear: Box<Ear>, bytes: usize) -> Option<Box<Ear>> {
        ear.advance(bytes);
        let endpoint = self.endpoint.clone();
        loop {
            let heard = ear.next(Instant::now());
            if heard == Heard::Nothing {
                return Some(ear);
            }
            let mut state = endpoint.lock();
            let peer = state.links.get(key)?.connection.peer();
            let error = match heard {
                Heard::Nothing => None,
                Heard::Hello => {
                    endpoint.understand(&mut state, key);
                    None
                }
                Heard::Request(request) => {
                    state.ask_writer(request);
                    None
                }
                Heard::Noise => {
                    endpoint.end_greeting(&mut state, key);
                    return None;
                }
                Heard::Bad(source) => Some(Error::Header { peer, source }),
                Heard::Flood => Some(Error::Flood { peer }),
            };
            if let Some(error) = error {
                endpoint.totals.protocol_errors.add(1);
                state.end_writing(key, Reason::Failed, Some(error));
                return None;
            }
        }
    }

    /// Makes connections, or takes those that wait.
    fn open(&mut self) {
        self.arrivals.advance(self.poll.registry());
        let now = Instant::now();
        // A client has somebody to let it in, and to be told of it.
        let state = self.endpoint.lock();
        let is_attended = !state.reader.is_absent() || state.writer.is_active();
        let is_exclusive = state.is_exclusive();
        drop(state);
        if !is_attended {
            return;
        }
        self.hear_answers();
        if is_exclusive {
            self.open_one(now);
        } else {
            self.open_many(now);
        }
    }

    fn open_many(&mut self, now: Instant) {
        for _ in 0..ACCEPTS_AT_ONCE {
            // Further ones wait with the kernel.
            if self.asked.len() >= MAX_ASKED || !self.welcome_next(now) {
                return;
            }
        }
        // Others first: a wake-up makes the next poll return at once.
        self.endpoint.wake();
    }

    fn open_one(&mut self, now: Instant) {
        while self.asked.is_empty() && self.endpoint.lock().is_opening() {
            if !self.welcome_next(now) {
                return;
            }
        }
        self.look_who_waits(now);
    }

    /// Deals with the next arrival, if there is one.
    fn welcome_next(&mut self, now: Instant) -> bool {
        match self.arrivals.next(self.poll.registry(), now) {
            None => return false,
            Some(Arrival::Established(established)) => self.welcome(established),
            Some(Arrival::Waiting(waiting)) => {
                self.tell(&mut self.endpoint.lock(), Event::Waiting(waiting));
                return false;
            }
            Some(Arrival::Warning(error)) => self.warn(error),
            Some(Arrival::Failed(error)) => self.fail(error),
        }
        true
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
    /// the network, and could not say so.
    fn look_who_waits(&mut self, now: Instant) {
        let state = self.endpoint.lock();
        let current = state.link().map(|link| link.connection.clone());
        let Some(current) = current.filter(|_| state.reconnects) else {
            return;
        };
        drop(state);
        let host = |address: Option<SocketAddr>| address.map(|address| address.ip().to_canonical());
        let registry = self.poll.registry();
        let fault = self.arrivals.look_who_waits(registry, now, |address| {
            if host(address) == host(current.peer().address()) {
                current.probe();
            }
        });
        if let Some(error) = fault {
            self.warn(error);
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
                let rtt = connection.rtt().unwrap_or_default();
                let greeting = (GREETING + 2 * rtt).min(MAX_GREETING);
                Writing::Greeting(Instant::now() + greeting)
            }
            User::Gone => Writing::Done(Default::default()),
            User::Active(_) | User::Absent | User::Awaited | User::Admitted => Writing::Unclaimed,
        };
        let mut link = Link::new(id, connection, reading, writing);
        if metadata != Metadata::Off {
            link.hearing = Hearing::Listening(None);
        }
        let key = state.links.insert(link);
        if state.writer.is_active() && writing == Writing::Unclaimed {
            endpoint.claim(&mut state, key, 0);
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
            self.talkative.push(key);
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
        endpoint.note_needs(&state);
        drop(state);
        self.take_leave();
    }

    /// Closes what nobody has a use for any more.
    fn end_links(&mut self, state: &mut State<P>) {
        while let Some(key) = state.find_over() {
            self.end_link(state, key);
        }
        if mem::take(&mut state.has_left) {
            self.endpoint.notify(state);
        }
    }

    /// Closes a link with which both directions are done.
    fn end_link(&mut self, state: &mut State<P>, key: usize) {
        let endpoint = self.endpoint.clone();
        endpoint.end_greeting(state, key);
        state.leave(key);
        let mut link = state.links.remove(key);
        if link.watched.is_some() {
            // The reader may keep it, and its end is not to be taken for that of the next.
            let fd = link.connection.as_raw_fd();
            let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
        }
        let end = link.take_end();
        let counts = state.counts(&link);
        let was_of_use = link.was_of_use(counts);
        if link.reading != Reading::Claimed {
            self.leaving.push(link.connection.clone());
        }
        if !state.is_exclusive() {
            let event = link.disconnected(counts, end.reason, None, was_of_use, true);
            return self.tell(state, event);
        }
        let goes_on = state.goes_on_after(end.reason);
        let is_in_order = end.reason == Reason::EndOfStream;
        self.arrivals.ended(is_in_order || was_of_use);
        let cause = end.cause.map(Arc::new);
        let event = link.disconnected(counts, end.reason, cause.clone(), was_of_use, goes_on);
        self.tell(state, event);
        if goes_on {
            state.fanout.await_peer();
        } else {
            endpoint.totals.dropped.add(state.fanout.await_nobody());
            state.future = match cause {
                None if is_in_order && state.may_begin_anew() => Future::Resting,
                Some(cause) if state.reader.is_absent() => Future::Failed(cause),
                cause => Future::Over(cause),
            };
        }
        state.wake_reader();
        endpoint.notify(state);
        // Opening is the beginning of the next round.
        endpoint.wake();
    }

    fn timeout(&self) -> Option<Duration> {
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
        if let Some(at) = self.arrivals.deadline() {
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
    }

    fn warn(&self, error: Error) {
        self.tell(&mut self.endpoint.lock(), Event::Warning(Arc::new(error)));
    }

    /// The end of the thread: what is still open is closed.
    fn close(mut self) {
        let endpoint = self.endpoint.clone();
        let mut state = endpoint.lock();
        endpoint.end_greetings(&mut state, |_| true);
        self.tell_newcomers(&mut state);
        let observers = state.observers();
        for (_, link) in mem::take(&mut state.links) {
            let last_word = link.client().map(|client| state.fanout.last_word(client));
            if let Some(last_word) = last_word.filter(|last_word| !last_word.is_empty()) {
                // The peer may be gone, or take nothing: then it is a cut stream to it.
                let _ = link.connection.send(&[IoSlice::new(last_word)]);
            }
            let counts = state.counts(&link);
            let was_of_use = link.was_of_use(counts);
            let event = link.disconnected(counts, Reason::Stopped, None, was_of_use, false);
            self.teller.tell(event, observers.clone());
            self.leaving.push(link.connection);
        }
        state.fanout.end();
        state.future = match mem::replace(&mut state.future, Future::Over(None)) {
            Future::Open | Future::Resting => Future::Over(None),
            future => future,
        };
        state.wake_reader();
        self.endpoint.notify(&state);
        drop(state);
        self.take_leave();
    }

    /// Of peers that may still be speaking. With one that floods it takes a while, for which nobody else waits.
    fn take_leave(&mut self) {
        for connection in self.leaving.drain(..) {
            connection.take_leave();
        }
    }
}

/// How often clients are looked at.
fn inspection<P: Payload>(state: &State<P>) -> Duration {
    let timeout = state.fanout.flow().timeout;
    timeout.map_or(INSPECTION, |timeout| {
        (timeout / 4).clamp(Duration::from_millis(5), INSPECTION)
    })
}

/// Tells each client that has got everything that no more follows, and lets go those that know. Says whether some
/// still take the rest.
fn drain<P: Payload>(endpoint: &Endpoint<P>, state: &mut State<P>, now: Instant) -> bool {
    let mut drains = false;
    let links = state.links.iter();
    let clients: Vec<_> = links
        .filter_map(|(key, link)| Some((key, link.client()?, link.connection.clone())))
        .collect();
    for (key, client, connection) in clients {
        let fanout = &mut state.fanout;
        // A flush takes back the end of the stream, not the word given to a client.
        if !fanout.is_draining(client) {
            if !fanout.is_finishing() {
                continue;
            }
            state.totals.dropped.add(fanout.inspect_end(client, now));
            // What was in the way of the last word may be gone.
            endpoint.send_over(state, key);
            let fanout = &mut state.fanout;
            if !fanout.is_draining(client) {
                if !fanout.is_idle(client) {
                    continue;
                }
                if connection.flush().is_ok_and(|is_flushed| !is_flushed)
                    && fanout.flow().overflow == Overflow::Block
                {
                    // It is waited for as for a frame.
                    fanout.set_writable(client, false);
                    continue;
                }
                fanout.begin_drain(client, now);
            }
        }
        // The end may have had no room.
        let _ = connection.flush();
        if state.fanout.is_to_end(client) && connection.end_sending().is_err() {
            // There is nobody to tell any more.
            state.end_writing(key, Reason::EndOfStream, None);
            continue;
        }
        if state
            .fanout
            .is_drained(client, connection.unacknowledged(), now)
        {
            state.end_writing(key, Reason::EndOfStream, None);
        } else {
            drains = true;
        }
    }
    drains
}

/// Finds clients that take nothing, or are gone without a word. The system is asked client by client, and others have
/// the lock in between.
fn inspect<P: Payload>(state: &mut Locked<'_, P>, now: Instant) {
    let mut key = 0;
    while key < state.links.capacity() {
        if let Some((link, client)) = state.links.get(key).and_then(|l| Some((l, l.client()?))) {
            let connection = link.connection.clone();
            inspect_client(state, (key, client), &connection, now);
            state.give_way();
        }
        key += 1;
    }
}

fn inspect_client<P: Payload>(
    state: &mut State<P>,
    (key, client): (usize, usize),
    connection: &Connection,
    now: Instant,
) {
    if state.fanout.flow().timeout.is_some() {
        state
            .fanout
            .inspect(client, connection.unacknowledged(), now);
    }
    if connection.has_vanished() {
        let peer = connection.peer();
        let source = io::Error::from_raw_os_error(libc::ETIMEDOUT);
        // A reader of the same connection is to learn it as well.
        connection.abort(libc::ETIMEDOUT);
        state.end_writing(key, Reason::Failed, Some(Error::Send { peer, source }));
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let message = panic.downcast_ref::<&str>().map(ToString::to_string);
    message
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked".into())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use mio::Waker;

    use super::*;
    use crate::{
        net::Script,
        transport::{Role, Target, Users},
    };

    fn endpoint(poll: &Poll) -> Arc<Endpoint<()>> {
        let target = Target {
            mode: Mode::Listen,
            host: String::new(),
            port: 0,
            connect_timeout: None,
            reconnect: true,
            qos_dscp: None,
            socket: None,
            tls: None,
        };
        let waker = Arc::new(Waker::new(poll.registry(), WAKE).unwrap());
        let users = Users::One(Role::Reader);
        Arc::new(Endpoint::new(target, users, false, Vec::new(), waker))
    }

    #[test]
    fn nobody_waits_while_leave_is_taken_of_a_peer() {
        let poll = Poll::new().unwrap();
        let endpoint = endpoint(&poll);
        let arrivals = Arrivals::doors(Vec::new(), ARRIVALS, poll.registry()).unwrap();
        let (teller, _telling) = Teller::spawn().unwrap();
        let mut io = Io::new(endpoint.clone(), poll, arrivals, teller);
        let connection = Arc::new(Connection::scripted(Script::default()));
        let writing = Writing::Done(Default::default());
        let link = Link::new(1, connection.clone(), Reading::Done, writing);
        endpoint.lock().links.insert(link);
        // It is read until there is nothing more, and that is not known before this is let go of.
        let input = connection.script().input.lock().unwrap();
        let tending = thread::spawn(move || io.tend());
        let (ended, has_ended) = mpsc::channel();
        thread::spawn(move || {
            while !endpoint.lock().links.is_empty() {
                thread::yield_now();
            }
            ended.send(())
        });
        let result = has_ended.recv_timeout(Duration::from_secs(5));
        drop(input);
        result.expect("the state is free");
        tending.join().unwrap();
    }
}
