//! The I/O thread: connects, accepts, and sends what a socket did not take at once.

use std::{
    any::Any,
    collections::VecDeque,
    io, mem,
    net::SocketAddr,
    os::fd::{AsRawFd, RawFd},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, event::Event as Readiness, unix::SourceFd};
use socket2::Socket;

use super::{
    endpoint::Endpoint,
    event::Event,
    member::Member,
    reason::{Reason, sending_ended},
    state::{Link, OpenLink, Side, State},
    stats::ClientStats,
    target::{Mode, Roles},
    teller::Teller,
};
use crate::{
    fanout::{Overflow, Payload, TICK},
    net::{Connection, Dial, Error, Established, Listener},
};

pub(super) const WAKE: Token = Token(0);
const LINK: Token = Token(1);
const DIAL: Token = Token(2);
const LISTENERS: usize = 16;
const CLIENTS: usize = 1 << 16;

const EVENTS: usize = 256;

/// How often clients are looked at that give no sign.
const INSPECTION: Duration = Duration::from_secs(1);

/// How often, while peers take the last of the stream: the kernel does not tell when they have.
const DRAIN_CHECK: Duration = Duration::from_millis(2);

/// A system without a free descriptor may have one again after this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Peers that wait for the one before them, and have been looked at.
const MAX_WAITING: usize = 16;

/// Clients accepted before others have their turn.
const ACCEPTS_AT_ONCE: usize = 16;

/// Reads from a client that is not listened to, before others have their turn.
const DISCARDS_AT_ONCE: usize = 16;

pub(super) struct Worker<P: Payload> {
    endpoint: Arc<Endpoint<P>>,
    poll: Poll,
    listeners: Vec<Door>,
    /// Those who come while another has its turn.
    waiting: VecDeque<Established>,
    /// Accepting failed; it is tried again then.
    accept_again: Option<Instant>,
    /// That has been told.
    accept_has_failed: bool,
    given: Option<Socket>,
    dial: Option<Dial>,
    has_connected: bool,
    inspected: Instant,
    /// Clients of which there was more to read.
    talkative: Vec<Token>,
    teller: Teller,
    /// Those of whom the application is asked whether they may join, in the order of the questions.
    asked: VecDeque<Established>,
    answer: mpsc::Sender<bool>,
    answers: mpsc::Receiver<bool>,
}

struct Door {
    listener: Listener,
    /// Someone may be waiting.
    is_ready: bool,
}

impl<P: Payload> Worker<P> {
    pub fn new(
        endpoint: Arc<Endpoint<P>>,
        poll: Poll,
        listeners: Vec<Listener>,
        given: Option<Socket>,
        teller: Teller,
    ) -> Result<Self, Error> {
        let (answer, answers) = mpsc::channel();
        for (i, listener) in listeners.iter().enumerate() {
            let token = Token(LISTENERS + i);
            register(&poll, listener.as_raw_fd(), token, Interest::READABLE)
                .map_err(Error::Exhausted)?;
        }
        Ok(Self {
            endpoint,
            poll,
            listeners: listeners
                .into_iter()
                .map(|listener| Door {
                    listener,
                    is_ready: true,
                })
                .collect(),
            waiting: VecDeque::new(),
            accept_again: None,
            accept_has_failed: false,
            given,
            dial: None,
            has_connected: false,
            inspected: Instant::now(),
            talkative: Vec::new(),
            teller,
            asked: VecDeque::new(),
            answer,
            answers,
        })
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
            for token in std::mem::take(&mut self.talkative) {
                self.discard(token);
            }
            for readiness in &events {
                self.react(readiness);
            }
        }
    }

    fn react(&mut self, readiness: &Readiness) {
        match readiness.token() {
            // What they are about is looked at in every round.
            WAKE | DIAL => (),
            Token(i) if (LISTENERS..LISTENERS + self.listeners.len()).contains(&i) => {
                self.listeners[i - LISTENERS].is_ready = true;
            }
            token => {
                if readiness.is_readable() || readiness.is_read_closed() || readiness.is_error() {
                    self.discard(token);
                }
                self.send(token);
                if readiness.is_error() || readiness.is_write_closed() {
                    self.hang_up(token);
                }
            }
        }
    }

    /// Nothing can be sent any more. Where the peer's stream has ended before, reading does not tell.
    fn hang_up(&mut self, token: Token) {
        let mut state = self.endpoint.lock();
        let State {
            clients, leaving, ..
        } = &mut *state;
        let member = key(token).and_then(|key| Some((key, clients.get_mut(key)?)));
        if let Some((key, member)) = member
            && let Some(connection) = &member.connection
        {
            let error = match connection.take_error() {
                // The peer takes the rest, and then has.
                None if member.client.is_draining() => return,
                None => io::ErrorKind::BrokenPipe.into(),
                Some(error) => error,
            };
            let (reason, error) = sending_ended(connection.peer(), error);
            member.leave(reason, error);
            leaving.push(key);
        }
    }

    /// A client's socket has room again.
    fn send(&mut self, token: Token) {
        let mut state = self.endpoint.lock();
        let State {
            clients, leaving, ..
        } = &mut *state;
        let Some(key) = key(token) else { return };
        let Some(member) = clients.get_mut(key) else {
            return;
        };
        member.client.set_writable(true);
        let any = member.send_waiting(&self.endpoint.totals, Instant::now());
        if member.is_leaving() {
            leaving.push(key);
        }
        if any {
            self.endpoint.notify(&state);
        }
    }

    /// What a client sends when nobody wants it. Left unread, it would stop the peer, and turn the end of
    /// the connection into a reset.
    fn discard(&mut self, token: Token) {
        let mut state = self.endpoint.lock();
        if !discards(&self.endpoint, &state) {
            return;
        }
        let State {
            clients, leaving, ..
        } = &mut *state;
        let Some(key) = key(token) else { return };
        let Some(member) = clients.get_mut(key) else {
            return;
        };
        let Some(connection) = member.connection.clone() else {
            return;
        };
        for _ in 0..DISCARDS_AT_ONCE {
            match connection.discard() {
                Ok(0) => {
                    member.client.peer_ended();
                    return;
                }
                Ok(_) => member.client.peer_talks(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(source) => {
                    let peer = connection.peer();
                    let error = Error::Send { peer, source };
                    member.leave(Reason::Failed, Some(error));
                    leaving.push(key);
                    return;
                }
            }
        }
        self.talkative.push(token);
    }

    /// Makes connections, or takes those that wait.
    fn open(&mut self) {
        let now = Instant::now();
        if self.accept_again.is_some_and(|again| again <= now) {
            self.accept_again = None;
        }
        // A client has somebody to let it in, and to be told of it.
        if self.endpoint.roles == Roles::Writer && !self.endpoint.lock().writer.is_active() {
            return;
        }
        self.hear_answers();
        if !self.endpoint.is_exclusive() {
            for _ in 0..ACCEPTS_AT_ONCE {
                // Further ones wait with the kernel.
                if self.asked.len() >= MAX_WAITING {
                    return;
                }
                let Some(established) = self.accept(now) else {
                    return;
                };
                if self.has_room() {
                    self.welcome(established);
                }
            }
            // Others first: a wake-up makes the next poll return at once.
            self.endpoint.wake();
            return;
        }
        while self.asked.is_empty() && self.is_opening() {
            match self.next_established(now) {
                None => return,
                Some(Ok(established)) => self.welcome(established),
                Some(Err(error)) => self.fail(error),
            }
        }
        self.look_who_waits(now);
    }

    /// Lets in whoever needs no leave, and asks for the others.
    fn welcome(&mut self, established: Established) {
        let writer = match &self.endpoint.lock().writer {
            Side::Active(observer) if self.endpoint.target.mode == Mode::Listen => {
                Some(observer.clone())
            }
            _ => None,
        };
        let Some(observer) = writer.filter(|observer| observer.is_choosy()) else {
            return self.join(established);
        };
        let (answer, waker) = (self.answer.clone(), self.endpoint.waker.clone());
        self.teller
            .ask(observer, established.address, move |admits| {
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
            if let Some(established) = self.asked.pop_front()
                && admits
            {
                self.join(established);
            }
        }
    }

    fn join(&mut self, established: Established) {
        if self.endpoint.is_exclusive() {
            self.establish(established);
        } else if self.has_room() {
            self.admit(established);
        }
    }

    fn has_room(&self) -> bool {
        let state = self.endpoint.lock();
        let max = state.flow.max_clients;
        max.is_none_or(|max| state.num_clients() < max)
    }

    /// Where the peer seems to come anew, the connection that it has may be none any more: it lost power, or
    /// the network, and could not say so.
    fn look_who_waits(&mut self, now: Instant) {
        let current = match &self.endpoint.lock().link {
            Link::Open(link) if self.endpoint.target.reconnect => link.connection.clone(),
            _ => return,
        };
        let host = |address: Option<SocketAddr>| address.map(|address| address.ip().to_canonical());
        while self.waiting.len() < MAX_WAITING {
            let Some(established) = self.accept(now) else {
                return;
            };
            if host(established.address) == host(current.peer().address()) {
                current.probe();
            }
            self.waiting.push_back(established);
        }
    }

    fn is_opening(&self) -> bool {
        let state = self.endpoint.lock();
        matches!(state.link, Link::Opening) && !state.stopping
    }

    fn next_established(&mut self, now: Instant) -> Option<Result<Established, Error>> {
        if self.endpoint.was_given {
            let socket = self.given.take()?;
            return Some(Ok(Established {
                address: socket.peer_addr().ok().and_then(|peer| peer.as_socket()),
                socket,
                failure: 0,
            }));
        }
        let target = &self.endpoint.target;
        if target.mode == Mode::Listen {
            let first = self.waiting.pop_front();
            return first.or_else(|| self.accept(now)).map(Ok);
        }
        let dial = self.dial.get_or_insert_with(|| {
            Dial::start(
                &target.host,
                target.port,
                target.connect_timeout,
                self.has_connected,
                DIAL,
                &self.endpoint.waker,
            )
        });
        let result = dial.step(self.poll.registry(), now);
        if result.is_some() {
            self.dial = None;
        } else if let Some(waiting) = dial.report(now) {
            let observers = self.endpoint.lock().observers();
            self.teller.tell(Event::Waiting(waiting), observers);
        }
        result
    }

    fn accept(&mut self, now: Instant) -> Option<Established> {
        if self.accept_again.is_some() {
            return None;
        }
        for door in &mut self.listeners {
            while door.is_ready {
                match door.listener.accept() {
                    Ok(established) => {
                        self.accept_has_failed = false;
                        return Some(established);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        door.is_ready = false
                    }
                    // It left while it waited.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => (),
                    Err(error) => {
                        self.accept_again = Some(now + ACCEPT_PAUSE);
                        if !std::mem::replace(&mut self.accept_has_failed, true) {
                            self.warn(Error::Accept(error));
                        }
                        return None;
                    }
                }
            }
        }
        None
    }

    /// Adds a client to an endpoint with any number of them.
    fn admit(&mut self, established: Established) {
        let Some(connection) = self.connection(established) else {
            return;
        };
        let mut state = self.endpoint.lock();
        let key = state.add_client(connection.clone());
        let member = &mut state.clients[key];
        let (id, peer) = (member.id, connection.peer());
        let token = Token(CLIENTS + key);
        let interest = Interest::READABLE | Interest::WRITABLE;
        match register(&self.poll, connection.as_raw_fd(), token, interest) {
            Ok(()) => {
                member.send_waiting(&self.endpoint.totals, Instant::now());
            }
            Err(error) => member.leave(Reason::Failed, Some(Error::Accept(error))),
        }
        if member.is_leaving() {
            state.leaving.push(key);
        }
        self.endpoint.totals.connections.add(1);
        self.endpoint.notify(&state);
        self.tell(&mut state, Event::Connected { id, peer });
    }

    /// Begins to use the one connection of an endpoint that has no more at a time.
    fn establish(&mut self, established: Established) {
        let Some(connection) = self.connection(established) else {
            return;
        };
        self.has_connected = true;
        self.endpoint.totals.connections.add(1);
        let mut state = self.endpoint.lock();
        let id = state.next_id();
        let turns = self.endpoint.first_turns();
        let mut dropped = 0;
        let State {
            clients,
            headers,
            flow,
            ..
        } = &mut *state;
        let now = Instant::now();
        for (_, member) in clients {
            dropped += member.connect(id, connection.clone(), turns, flow, headers, now);
        }
        self.endpoint.totals.dropped.add(dropped);
        state.link = Link::Open(OpenLink {
            id,
            connection: connection.clone(),
            is_offered: true,
            is_discarded: false,
            read_done: matches!(state.reader, Side::Gone),
            write_done: matches!(state.writer, Side::Gone),
            ending: None,
        });
        state.wake_reader();
        self.watch(&mut state);
        self.endpoint.send_waiting(&mut state);
        self.endpoint.notify(&state);
        let peer = connection.peer();
        self.tell(&mut state, Event::Connected { id, peer });
    }

    /// `None` when it is lost already; the next one may be better.
    fn connection(&mut self, established: Established) -> Option<Arc<Connection>> {
        match Connection::new(established, self.endpoint.target.qos_dscp) {
            Ok(connection) => Some(Arc::new(connection)),
            Err(error) => {
                let error = Error::Socket(error);
                if self.endpoint.was_given {
                    self.fail(error);
                } else {
                    self.warn(error);
                }
                None
            }
        }
    }

    /// Registers the link, for sending, and for discarding as soon as nobody reads.
    fn watch(&self, state: &mut State<P>) {
        if self.endpoint.roles == Roles::Reader {
            return;
        }
        let drains = discards(&self.endpoint, state);
        let Link::Open(link) = &mut state.link else {
            return;
        };
        let fd = link.connection.as_raw_fd();
        let result = if drains && !link.is_discarded {
            link.is_discarded = true;
            // It was registered for sending if the reader has left since.
            let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
            let interest = Interest::READABLE | Interest::WRITABLE;
            register(&self.poll, fd, LINK, interest)
        } else {
            match register(&self.poll, fd, LINK, Interest::WRITABLE) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                result => result,
            }
        };
        if let Err(error) = result {
            link.ending = Some((Reason::Failed, Some(Error::Exhausted(error))));
        }
    }

    /// Ends what is to be ended.
    fn tend(&mut self) {
        let endpoint = self.endpoint.clone();
        let mut state = endpoint.lock();
        self.tell_newcomers(&mut state);
        if self.inspected.elapsed() >= self.inspection(&state) {
            self.inspected = Instant::now();
            inspect(&mut state);
        }
        if state.burst.is_ticking() && state.burst.tick(Instant::now()) {
            endpoint.send_waiting(&mut state);
        }
        if state.finishing || state.draining {
            drain_clients(&mut state);
        }
        for key in std::mem::take(&mut state.leaving) {
            self.part(&mut state, key);
        }
        if endpoint.is_exclusive() {
            self.watch_if_reader_left(&mut state);
            self.end_link(&mut state);
        }
    }

    fn watch_if_reader_left(&self, state: &mut State<P>) {
        let is_discarded = matches!(&state.link, Link::Open(link) if link.is_discarded);
        if !is_discarded && discards(&self.endpoint, state) {
            self.watch(state);
        }
    }

    /// Removes a client that is to leave.
    fn part(&mut self, state: &mut State<P>, key: usize) {
        // It may have been listed twice.
        let Some(member) = state.clients.get_mut(key) else {
            return;
        };
        let Some((reason, cause)) = member.take_leaving() else {
            return;
        };
        if self.endpoint.is_exclusive() {
            self.part_from_link(state, key, reason, cause);
        } else {
            let mut member = state.clients.remove(key);
            self.endpoint.totals.dropped.add(member.client.give_up());
            if let Some(connection) = member.connection.take() {
                let event = Event::Disconnected {
                    id: member.id,
                    peer: connection.peer(),
                    reason,
                    stats: member.stats_of(&connection, Instant::now()),
                    cause: None,
                    goes_on: true,
                };
                self.tell(state, event);
            }
        }
        self.endpoint.notify(state);
    }

    /// The client of a link stays, without its connection.
    fn part_from_link(
        &self,
        state: &mut State<P>,
        key: usize,
        reason: Reason,
        cause: Option<Error>,
    ) {
        let State {
            clients,
            link: Link::Open(link),
            ..
        } = state
        else {
            return;
        };
        let is_peers_doing = matches!(
            reason,
            Reason::ClosedByPeer | Reason::Failed | Reason::EndOfStream
        );
        if self.endpoint.roles == Roles::Both && state.reader.is_active() && is_peers_doing {
            // The reader learns by itself what became of the connection, and reports it.
            link.write_done = true;
            clients[key].disconnect();
        } else {
            link.connection.abort(libc::ECONNABORTED);
            link.ending.get_or_insert((reason, cause));
        }
    }

    /// Closes the link when both directions are done with it.
    fn end_link(&mut self, state: &mut State<P>) {
        if state.flow.lockstep {
            end_turns(state);
        }
        let endpoint = self.endpoint.clone();
        let Link::Open(link) = &mut state.link else {
            return;
        };
        let awaits_writer =
            matches!(state.writer, Side::Awaited | Side::Admitted) && !endpoint.target.reconnect;
        let read_over = endpoint.roles == Roles::Writer || link.read_done;
        let write_over = link.write_done || !(state.writer.is_active() || awaits_writer);
        let write_over = endpoint.roles == Roles::Reader || write_over;
        if link.ending.is_none() && !(read_over && write_over) {
            return;
        }
        let (reason, cause) = link.ending.take().unwrap_or((Reason::ClosedByPeer, None));
        let goes_on = match reason {
            // A flush takes back the end.
            Reason::EndOfStream => {
                let has_more = state
                    .clients
                    .iter()
                    .any(|(_, member)| !member.client.is_idle());
                (!state.finishing || has_more) && endpoint.begins_anew()
            }
            _ => endpoint.target.reconnect && !endpoint.was_given,
        };
        let cause = cause.map(Arc::new);
        // The reader may keep it, and its end is not to be taken for that of the next. Of a reader alone it
        // is not registered.
        let _ = self
            .poll
            .registry()
            .deregister(&mut SourceFd(&link.connection.as_raw_fd()));
        let event = disconnected(state, reason, cause.clone(), goes_on);
        self.tell(state, event);
        if endpoint.target.mode == Mode::Listen {
            // Whoever comes next has nothing to do with who has left.
            let now = Instant::now();
            for (_, member) in &mut state.clients {
                endpoint.totals.dropped.add(member.client.give_up());
                *member = Member::awaiting(now);
            }
        }
        state.link = match cause {
            _ if goes_on => Link::Opening,
            Some(cause) if endpoint.roles == Roles::Writer => Link::Failed(cause),
            cause => Link::Over(cause),
        };
        state.wake_reader();
        endpoint.notify(state);
        // Opening is the beginning of the next round.
        endpoint.wake();
    }

    fn inspection(&self, state: &State<P>) -> Duration {
        let timeout = state.flow.timeout.map(|timeout| timeout / 4);
        timeout.map_or(INSPECTION, |timeout| {
            timeout.clamp(Duration::from_millis(5), INSPECTION)
        })
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
        if state.num_clients() > 0 {
            let next = self.inspected + self.inspection(&state);
            no_later(next.saturating_duration_since(now));
            if state.draining {
                no_later(DRAIN_CHECK);
            }
            if state.burst.is_ticking() {
                no_later(TICK);
            }
        }
        let dial = self.dial.as_ref().and_then(Dial::deadline);
        for at in [dial, self.accept_again].into_iter().flatten() {
            no_later(at.saturating_duration_since(now));
        }
        timeout
    }

    /// The endpoint goes no further. Whoever waits learns it from the state, the elements from the event.
    fn fail(&mut self, error: Error) {
        let error = Arc::new(error);
        let mut state = self.endpoint.lock();
        state.link = Link::Failed(error.clone());
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
    fn close(self) {
        let mut state = self.endpoint.lock();
        self.tell_newcomers(&mut state);
        let observers = state.observers();
        if let Link::Open(_) = &state.link {
            let event = disconnected(&mut state, Reason::Stopped, None, false);
            self.teller.tell(event, observers.clone());
        }
        for mut member in state.clients.drain() {
            if let Some(connection) = member.connection.take() {
                let event = Event::Disconnected {
                    id: member.id,
                    peer: connection.peer(),
                    reason: Reason::Stopped,
                    stats: member.stats_of(&connection, Instant::now()),
                    cause: None,
                    goes_on: false,
                };
                self.teller.tell(event, observers.clone());
            }
        }
        state.forget_stream();
        state.wake_reader();
        self.endpoint.notify(&state);
    }
}

/// Takes the connection out of the link, and says what was sent over it.
fn disconnected<P: Payload>(
    state: &mut State<P>,
    reason: Reason,
    cause: Option<Arc<Error>>,
    goes_on: bool,
) -> Event {
    let Link::Open(link) = mem::replace(&mut state.link, Link::Over(None)) else {
        unreachable!("callers have an open link")
    };
    let mut stats = ClientStats::of(link.id, &link.connection);
    let now = Instant::now();
    for (_, member) in &mut state.clients {
        stats = member.stats_of(&link.connection, now);
        member.disconnect();
    }
    Event::Disconnected {
        id: link.id,
        peer: link.connection.peer(),
        reason,
        stats,
        cause,
        goes_on,
    }
}

/// Whether nobody wants what peers send.
fn discards<P: Payload>(endpoint: &Endpoint<P>, state: &State<P>) -> bool {
    match endpoint.roles {
        Roles::Reader => false,
        Roles::Writer => true,
        Roles::Both => {
            matches!(state.reader, Side::Gone)
                || matches!(&state.link, Link::Open(link) if link.is_discarded)
        }
    }
}

/// Tells each client that has got everything that no more follows, and lets go those that know.
fn drain_clients<P: Payload>(state: &mut State<P>) {
    let State {
        clients,
        leaving,
        finishing,
        draining,
        flow,
        ..
    } = state;
    *draining = false;
    let now = Instant::now();
    for (key, member) in clients {
        if member.connection.is_none() || member.is_leaving() {
            continue;
        }
        // A flush takes back the end of the stream, not the word given to a client.
        let drained = if member.client.is_draining() {
            member.is_drained(now)
        } else if !*finishing {
            continue;
        } else if member.client.is_idle() {
            // Where there is nobody to tell any more, nothing is left to do.
            member.begin_drain(now).is_err() || member.is_drained(now)
        } else {
            // It holds up the end of the stream no more than the stream.
            if flow.overflow != Overflow::Block && member.client.is_stuck(now) {
                member.leave(Reason::TooSlow, None);
                leaving.push(key);
            }
            continue;
        };
        if drained {
            member.leave(Reason::EndOfStream, None);
            leaving.push(key);
        } else {
            *draining = true;
        }
    }
}

/// Finds clients that take nothing, or are gone without a word.
fn inspect<P: Payload>(state: &mut State<P>) {
    let State {
        clients,
        leaving,
        flow,
        ..
    } = state;
    let now = Instant::now();
    for (key, member) in clients {
        let Some(connection) = &member.connection else {
            continue;
        };
        let peer = connection.peer();
        let stalled_for = member.client.stalled_for(now);
        let overdue = flow
            .timeout
            .filter(|&timeout| stalled_for.is_some_and(|stalled_for| stalled_for >= timeout));
        let ending = if let Some(after) = overdue {
            (Reason::TimedOut, Error::Stalled { peer, after })
        } else if connection.has_vanished() {
            let source = io::Error::from_raw_os_error(libc::ETIMEDOUT);
            // A reader of the same connection is to learn it as well.
            connection.abort(libc::ETIMEDOUT);
            (Reason::Failed, Error::Send { peer, source })
        } else {
            continue;
        };
        member.leave(ending.0, Some(ending.1));
        leaving.push(key);
    }
}

/// With lockstep no turn follows the peer's last frame, and the connection ends with the frame begun.
fn end_turns<P: Payload>(state: &mut State<P>) {
    let State { clients, link, .. } = state;
    let Link::Open(link) = link else { return };
    if !link.read_done {
        return;
    }
    for (_, member) in clients {
        member.client.forget_held();
        link.write_done |= member.client.is_idle();
    }
}

fn register(poll: &Poll, fd: RawFd, token: Token, interest: Interest) -> io::Result<()> {
    poll.registry()
        .register(&mut SourceFd(&fd), token, interest)
}

/// Where the client of a token stands. That of a link is the only one.
fn key(token: Token) -> Option<usize> {
    match token {
        LINK => Some(0),
        Token(token) => token.checked_sub(CLIENTS),
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let message = panic.downcast_ref::<&str>().map(ToString::to_string);
    message
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked".into())
}
