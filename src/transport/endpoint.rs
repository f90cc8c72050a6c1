//! What is open, and the frames that leave it.

use std::{
    net::SocketAddr,
    sync::{Arc, Condvar, Mutex},
    thread::{self, JoinHandle},
    time::Instant,
};

use mio::Waker;

use super::{
    event::Observer,
    guard::Guard,
    member::Member,
    reason::Reason,
    state::{Link, Side, State},
    stats::Stats,
    target::{Mode, Roles, Target},
    teller::Telling,
};
use crate::{
    fanout::{Flow, Frame, Overflow, Payload, Sent, StreamHeaders},
    lock::lock,
    net::{Connection, Error, Totals},
};

/// Why frames were not taken.
#[derive(Clone, Debug)]
pub enum SendError {
    /// [`Endpoint::interrupt`] was called; this many frames had been taken before.
    Interrupted {
        /// Frames taken.
        taken: usize,
    },
    /// The peer has ended the connection, in good order.
    HungUp,
    /// The endpoint has failed, as an event tells as well.
    Failed(Arc<Error>),
}

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

/// See the [module documentation](super).
pub struct Endpoint<P: Payload> {
    pub(super) target: Target,
    pub(super) roles: Roles,
    pub(super) totals: Totals,
    pub(super) waker: Arc<Waker>,
    listening: Vec<SocketAddr>,
    state: Mutex<State<P>>,
    /// Something came about that a sender may wait for.
    progress: Condvar,
    threads: Mutex<Option<Threads>>,
    /// It uses a socket that was handed over, and there is no other.
    pub(super) was_given: bool,
}

pub(super) struct Threads {
    pub io: JoinHandle<()>,
    pub telling: Telling,
}

impl<P: Payload> Endpoint<P> {
    /// One that is yet to be served by its [`Threads`].
    pub(super) fn new(
        target: Target,
        roles: Roles,
        was_given: bool,
        listening: Vec<SocketAddr>,
        waker: Waker,
    ) -> Self {
        Self {
            was_given,
            listening,
            target,
            roles,
            totals: Totals::default(),
            waker: Arc::new(waker),
            state: Mutex::new(State::new()),
            progress: Condvar::new(),
            threads: Mutex::new(None),
        }
    }

    pub(super) fn serve_by(&self, threads: Threads) {
        *lock(&self.threads) = Some(threads);
    }

    /// Where it listens.
    pub fn listening(&self) -> &[SocketAddr] {
        &self.listening
    }

    /// What to open.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// What was counted. Stays when the endpoint is closed.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The state of the connections.
    pub fn stats(&self) -> Stats {
        let state = self.lock();
        let now = Instant::now();
        let clients: Vec<_> = state
            .clients
            .iter()
            .filter_map(|(_, member)| member.stats(now))
            .collect();
        let link_rtt = match &state.link {
            Link::Open(link) if clients.is_empty() => link.connection.rtt(),
            _ => None,
        };
        Stats {
            queued: state
                .clients
                .iter()
                .map(|(_, member)| member.client.counts().queued as u64)
                .sum(),
            rtt: clients
                .iter()
                .filter_map(|client| client.rtt)
                .max()
                .or(link_rtt),
            clients,
        }
    }

    /// How many clients are connected.
    pub fn num_clients(&self) -> usize {
        self.lock().num_clients()
    }

    /// Keeps the endpoint open for one that is about to attach. `false` where it is too late for that.
    pub fn admit(&self, role: Roles) -> bool {
        let mut state = self.lock();
        let side = match role {
            Roles::Reader => &mut state.reader,
            Roles::Writer | Roles::Both => &mut state.writer,
        };
        *side = Side::Admitted;
        !state.stopping
    }

    /// Begins to receive. `waker` is woken when there may be an [`offer`](Self::offer).
    pub fn attach_reader(&self, observer: Arc<dyn Observer>, waker: Arc<Waker>) {
        let mut state = self.lock();
        state.welcome(&observer);
        state.reader = Side::Active(observer);
        state.reader_waker = Some(waker);
        self.wake();
    }

    /// Ends receiving. What the peer still sends is thrown away while the connection is open.
    pub fn detach_reader(&self) {
        let mut state = self.lock();
        state.reader_waker = None;
        if !state.writer.is_in_use() {
            return self.close(state);
        }
        state.reader = Side::Gone;
        if let Link::Open(link) = &mut state.link {
            link.read_done = true;
            link.is_offered = false;
        }
        self.wake();
    }

    /// The connection to read from.
    pub fn offer(&self) -> Offer {
        match &mut self.lock().link {
            Link::Opening => Offer::Pending,
            Link::Open(link) if link.is_offered => {
                link.is_offered = false;
                Offer::Connection(link.connection.clone())
            }
            Link::Open(link) if link.read_done && !self.target.reconnect => Offer::Over,
            Link::Open(_) => Offer::Pending,
            Link::Over(_) => Offer::Over,
            Link::Failed(error) => Offer::Failed(error.clone()),
        }
    }

    /// The reader has come to the end of the peer's stream, or with a `fault`, of the connection.
    pub fn release(&self, connection: &Arc<Connection>, fault: Option<Reason>) {
        let mut state = self.lock();
        if let Link::Open(link) = &mut state.link
            && Arc::ptr_eq(&link.connection, connection)
        {
            link.read_done = true;
            if let Some(reason) = fault {
                link.ending.get_or_insert((reason, None));
            }
        }
        drop(state);
        self.wake();
    }

    /// The reader has received a frame, for which lockstep grants the sender a turn.
    pub fn frame_received(&self) {
        if self.roles != Roles::Both {
            return;
        }
        let mut state = self.lock();
        if state.flow.lockstep {
            let now = Instant::now();
            for (_, member) in &mut state.clients {
                member.client.grant_turn(now);
            }
            self.send_waiting(&mut state);
        }
    }

    /// Begins to send.
    pub fn attach_writer(&self, observer: Arc<dyn Observer>, flow: Flow) {
        let mut state = self.lock();
        state.welcome(&observer);
        state.writer = Side::Active(observer);
        state.flow = flow;
        state.finishing = false;
        state.forget_stream();
        if self.is_exclusive() {
            state.end_former_writing();
            state.clients.clear();
            let now = Instant::now();
            let mut member = Member::awaiting(now);
            if let Link::Open(link) = &mut state.link
                && !link.write_done
            {
                // What the reader got before is a turn as well; the newest frame answers it.
                let received = link.connection.received().frames.get().min(1);
                let turns = self.first_turns() + received;
                let connection = link.connection.clone();
                member.connect(link.id, connection, turns, &flow, &state.headers, now);
            }
            state.clients.insert(member);
        }
        self.wake();
    }

    /// Changes how frames are sent.
    pub fn set_flow(&self, flow: Flow) {
        let mut state = self.lock();
        let is_other = state.flow.overflow != flow.overflow;
        state.flow = flow;
        for (_, member) in &state.clients {
            if is_other {
                member.apply(&flow);
            }
        }
        self.progress.notify_all();
    }

    /// Ends sending, in mid-stream. Where the reader goes on, a frame begun is still completed.
    pub fn detach_writer(&self) {
        let mut state = self.lock();
        if !state.reader.is_in_use() {
            return self.close(state);
        }
        state.writer = Side::Gone;
        for (_, member) in &mut state.clients {
            member.client.forget_waiting();
        }
        if let Link::Open(link) = &mut state.link {
            link.write_done = true;
        }
        state.finishing = true;
        self.wake();
    }

    /// Sets the headers of the stream, which every client gets before its first frame.
    pub fn set_stream_headers(&self, frames: Vec<Frame<P>>) {
        let mut state = self.lock();
        let version = state.headers.version + 1;
        state.headers = StreamHeaders { frames, version };
    }

    /// Sends frames to all clients, or leaves them with the I/O thread to send. Waits where
    /// [`Overflow::Block`] or [`Flow::hold_without_client`] say so.
    pub fn send(&self, frames: &[Frame<P>]) -> Result<Sent, SendError> {
        let bytes = frames.iter().map(|frame| frame.len).sum();
        // Before the lock: to wait while the I/O thread sends is no pause of the stream.
        let mut now = Instant::now();
        let mut state = self.lock();
        let holds = state.burst.holds(frames.len(), bytes, now);
        let mut sent = Sent::default();
        for (taken, frame) in frames.iter().enumerate() {
            state = self.wait_for_room(state, frame, taken, &mut now)?;
            let keeps = self.keeps_for_later(&state);
            if self.is_exclusive() && self.target.mode == Mode::Listen && !keeps {
                state.forget_unmet();
            }
            let more = state.offer(frame, keeps, now);
            self.totals.dropped.add(more.dropped);
            sent += more;
        }
        if holds {
            if state.burst.starts_ticking() {
                self.wake();
            }
        } else {
            self.send_waiting(&mut state);
        }
        let now = Instant::now();
        state.burst.mark(now);
        let more = self.keep_within(&mut state, now);
        self.totals.dropped.add(more.dropped);
        sent += more;
        Ok(sent)
    }

    /// Sends a frame if nothing waits before it, or leaves it for a peer that is still to come. Returns
    /// whether it was taken.
    pub fn try_send(&self, frame: &Frame<P>) -> bool {
        let mut state = self.lock();
        let is_open = matches!(state.link, Link::Opening | Link::Open(_));
        let mut clients = state.clients.iter();
        let takes = is_open && clients.all(|(_, member)| member.client.is_idle());
        if takes {
            state.offer(frame, true, Instant::now());
            self.send_waiting(&mut state);
        }
        takes
    }

    /// Makes [`finish`](Self::finish) return, but nothing else.
    pub fn interrupt_end(&self) {
        self.lock().interruptions += 1;
        self.progress.notify_all();
    }

    /// How often [`interrupt`](Self::interrupt) and [`interrupt_end`](Self::interrupt_end) were called.
    pub fn interruptions(&self) -> u64 {
        self.lock().interruptions
    }

    /// Waits until all frames are with the kernel and the peers have been told that no more follow, unless
    /// there are, or come, more than so many [`interruptions`](Self::interruptions).
    pub fn finish(&self, interruptions: u64) -> Result<(), SendError> {
        let mut state = self.lock();
        state.finishing = true;
        let now = Instant::now();
        for (_, member) in &mut state.clients {
            member.client.restart_progress(now);
        }
        self.send_waiting(&mut state);
        self.wake();
        loop {
            match &state.link {
                Link::Failed(error) | Link::Over(Some(error)) => {
                    return Err(SendError::Failed(error.clone()));
                }
                Link::Over(None) => return Ok(()),
                Link::Opening | Link::Open(_)
                    if state
                        .clients
                        .iter()
                        .all(|(_, member)| member.client.is_finished()) =>
                {
                    return Ok(());
                }
                _ if state.interruptions != interruptions => {
                    return Err(SendError::Interrupted { taken: 0 });
                }
                _ => state = self.wait(state),
            }
        }
    }

    /// Forgets frames that have not been begun: the stream is about to jump. One that has ended begins anew,
    /// over the next connection.
    pub fn forget_waiting(&self) {
        let mut state = self.lock();
        state.finishing = false;
        state.group.clear();
        if matches!(state.link, Link::Over(_)) && self.begins_anew() {
            state.link = Link::Opening;
        }
        for (_, member) in &mut state.clients {
            member.client.forget_waiting();
        }
        self.wake();
    }

    /// Makes [`send`](Self::send) return rather than wait, until called again with `false`.
    pub fn interrupt(&self, interrupted: bool) {
        let mut state = self.lock();
        state.interrupted = interrupted;
        state.interruptions += 1;
        self.send_waiting(&mut state);
        self.progress.notify_all();
    }

    /// Removes one client. Returns whether there is one with this number.
    pub fn disconnect_client(&self, id: u64) -> bool {
        let mut state = self.lock();
        let State {
            clients, leaving, ..
        } = &mut *state;
        let found = clients
            .iter_mut()
            .find(|(_, member)| member.id == id && member.connection.is_some());
        let Some((key, member)) = found else {
            return false;
        };
        member.leave(Reason::Removed, None);
        leaving.push(key);
        self.wake();
        true
    }

    /// One connection at a time.
    pub(super) fn is_exclusive(&self) -> bool {
        self.roles != Roles::Writer || self.listening.is_empty()
    }

    /// Whether a stream that is taken up again after its end gets another connection. Of a shared one the
    /// reader has come to the end as well.
    pub(super) fn begins_anew(&self) -> bool {
        !self.was_given && (self.target.reconnect || self.roles == Roles::Writer)
    }

    /// In the turn-taking chat the one who connects begins.
    pub(super) fn first_turns(&self) -> u64 {
        (self.target.mode == Mode::Connect).into()
    }

    pub(super) fn lock(&self) -> Guard<'_, P> {
        Guard::lock(&self.state)
    }

    pub(super) fn wake(&self) {
        // Fails only where the I/O thread is gone.
        let _ = self.waker.wake();
    }

    pub(super) fn notify(&self, state: &State<P>) {
        if state.waiters > 0 {
            self.progress.notify_all();
        }
    }

    /// Sends what the sockets take. Clients that fail are left to the I/O thread.
    pub(super) fn send_waiting(&self, state: &mut State<P>) {
        let State {
            clients, leaving, ..
        } = state;
        let now = Instant::now();
        for (key, member) in clients {
            member.send_waiting(&self.totals, now);
            if member.is_leaving() {
                leaving.push(key);
            }
        }
        if !leaving.is_empty() {
            self.wake();
        }
    }

    /// Deals with clients that are too slow.
    fn keep_within(&self, state: &mut State<P>, now: Instant) -> Sent {
        let mut sum = Sent::default();
        let State {
            clients,
            leaving,
            flow,
            ..
        } = state;
        if flow.overflow == Overflow::Block {
            return sum;
        }
        for (key, member) in clients {
            sum += member.keep_within(flow, now);
            if member.is_leaving() {
                leaving.push(key);
            }
        }
        if !leaving.is_empty() {
            self.wake();
        }
        sum
    }

    fn wait_for_room<'a>(
        &'a self,
        mut state: Guard<'a, P>,
        frame: &Frame<P>,
        taken: usize,
        now: &mut Instant,
    ) -> Result<Guard<'a, P>, SendError> {
        let mut has_sent = false;
        loop {
            match &state.link {
                Link::Failed(error) | Link::Over(Some(error)) => {
                    return Err(SendError::Failed(error.clone()));
                }
                Link::Over(None) => return Err(SendError::HungUp),
                Link::Open(link) if link.write_done && !self.target.reconnect => {
                    return Err(SendError::HungUp);
                }
                Link::Opening | Link::Open(_) if !self.must_wait(&state, frame, *now) => {
                    return Ok(state);
                }
                _ if !has_sent => {
                    has_sent = true;
                    self.send_waiting(&mut state);
                }
                _ if state.interrupted => {
                    self.send_waiting(&mut state);
                    return Err(SendError::Interrupted { taken });
                }
                _ => {
                    state = self.wait(state);
                    *now = Instant::now();
                }
            }
        }
    }

    fn must_wait(&self, state: &State<P>, frame: &Frame<P>, now: Instant) -> bool {
        let flow = &state.flow;
        let mut clients = state.clients.iter().map(|(_, member)| &member.client);
        if self.target.mode == Mode::Listen
            && !flow.lockstep
            && !clients.clone().any(|client| client.has_peer())
        {
            return flow.hold_without_client;
        }
        flow.overflow == Overflow::Block
            && clients.any(|client| client.has_no_room(frame, flow, now))
    }

    /// A peer that is connected to gets a stream that waits from its beginning. Any other starts where
    /// the stream is when it joins.
    fn keeps_for_later(&self, state: &State<P>) -> bool {
        let waits = self.target.mode == Mode::Connect && state.flow.overflow == Overflow::Block;
        waits || state.flow.lockstep
    }

    fn wait<'a>(&'a self, mut state: Guard<'a, P>) -> Guard<'a, P> {
        state.waiters += 1;
        let mut state = state.wait(&self.progress, &self.state);
        state.waiters -= 1;
        state
    }

    /// Ends the I/O thread, and with it whatever is open.
    fn close(&self, mut state: Guard<'_, P>) {
        state.stopping = true;
        self.wake();
        drop(state);
        let Some(Threads { io, telling }) = lock(&self.threads).take() else {
            return;
        };
        // It is this one where memory that it lets go of is what makes the application stop.
        if io.thread().id() == thread::current().id() {
            return;
        }
        // It catches its panics.
        let _ = io.join();
        telling.wait();
        let mut state = self.lock();
        (state.reader, state.writer) = (Side::Gone, Side::Gone);
    }
}
