//! What one endpoint opens, and the frames that leave it.

use std::{
    net::SocketAddr,
    ops::AddAssign,
    os::fd::OwnedFd,
    sync::{Arc, Condvar, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use mio::{Poll, Waker};
use slab::Slab;
use socket2::Socket;

use crate::lock::lock;

use super::{
    backlog::{Frame, Limits, Payload},
    burst::Burst,
    client::{Client, Reason, StreamHeaders, sending_ended},
    connection::{Connection, Peer},
    error::Error,
    guard::Guard,
    listen::Listener,
    stats::{ClientStats, Stats, Totals},
    teller::{Teller, Telling},
    worker::{WAKE, Worker},
};

/// A group of pictures that is longer is no longer kept for clients that join: they wait for the next.
const MAX_GROUP_BYTES: usize = 64 << 20;

/// Who makes the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// This end.
    Connect,
    /// The peer.
    Listen,
}

/// What to open, and for how long.
#[derive(Debug)]
pub struct Endpoint {
    /// Who makes the connection.
    pub mode: Mode,
    /// The host to reach, or the local one to listen on.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How long to go on trying to connect; `None` is for ever.
    pub connect_timeout: Option<Duration>,
    /// Open the next connection when one has ended.
    pub reconnect: bool,
    /// The DSCP mark of what is sent.
    pub qos_dscp: Option<u8>,
    /// A connected socket to use instead of opening one.
    pub socket: Option<OwnedFd>,
}

/// What a hub is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roles {
    /// Receiving.
    Reader,
    /// Sending, to any number of clients where it listens.
    Writer,
    /// Both, over one connection at a time.
    Both,
}

/// What happens to a client that is slower than the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The stream waits for it.
    #[default]
    Block,
    /// It loses frames.
    Drop,
    /// It is removed.
    Disconnect,
}

/// Where a client that joins starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JoinAt {
    /// With the next frame.
    Latest,
    /// With the next keyframe.
    #[default]
    NextKeyframe,
    /// With the last keyframe, which is kept for it with all that follows.
    LatestKeyframe,
}

/// How frames are sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flow {
    /// What happens to a client that is slower than the stream.
    pub overflow: Overflow,
    /// How far it may fall behind before.
    pub limits: Limits,
    /// Where a client that joins starts.
    pub join: JoinAt,
    /// Hold the stream while there is no client.
    pub hold_without_client: bool,
    /// Give up a client that takes nothing for this long.
    pub timeout: Option<Duration>,
    /// Send one frame for each one received.
    pub lockstep: bool,
    /// Refuse more clients than this.
    pub max_clients: Option<usize>,
}

/// Something that happened to an endpoint.
#[derive(Clone, Debug)]
pub enum Event {
    /// A connection is made or accepted.
    Connected {
        /// Its number, counted from 1.
        id: u64,
        /// The other end.
        peer: Peer,
    },
    /// A connection has ended.
    Disconnected {
        /// Its number.
        id: u64,
        /// The other end.
        peer: Peer,
        /// Why.
        reason: Reason,
        /// What was sent and received over it.
        stats: ClientStats,
        /// The fault that sending met with.
        cause: Option<Arc<Error>>,
        /// The endpoint opens, or awaits, the next one.
        goes_on: bool,
    },
    /// Something went wrong, and the endpoint goes on.
    Warning(Arc<Error>),
    /// Something went wrong, and the endpoint does not go on.
    Failed(Arc<Error>),
}

/// Who is told. Called from a thread of its own, which nothing else waits for.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn notice(&self, event: &Event);

    /// Whether a client may join.
    fn admits(&self, _address: Option<SocketAddr>) -> bool {
        true
    }

    /// Whether [`admits`](Self::admits) has to be asked. If not, everyone may join.
    fn is_choosy(&self) -> bool {
        false
    }
}

/// What sending came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Frames that a client lost because it was too slow.
    pub dropped: u64,
    /// A client waits for a keyframe.
    pub wants_keyframe: bool,
}

impl AddAssign for Sent {
    fn add_assign(&mut self, other: Self) {
        self.dropped += other.dropped;
        self.wants_keyframe |= other.wants_keyframe;
    }
}

/// Why frames were not taken.
#[derive(Clone, Debug)]
pub enum SendError {
    /// [`Hub::interrupt`] was called; this many frames had been taken before.
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
pub struct Hub<P: Payload> {
    pub(super) endpoint: Endpoint,
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

struct Threads {
    io: JoinHandle<()>,
    telling: Telling,
}

pub(super) struct State<P> {
    pub link: Link,
    pub reader: Side,
    pub writer: Side,
    pub reader_waker: Option<Arc<Waker>>,
    pub flow: Flow,
    pub headers: StreamHeaders<P>,
    /// The frames since the last keyframe, for [`JoinAt::LatestKeyframe`].
    group: Vec<Frame<P>>,
    pub clients: Slab<Client<P>>,
    pub burst: Burst,
    /// Keys of clients that the I/O thread is to remove.
    pub leaving: Vec<usize>,
    last_id: u64,
    pub interrupted: bool,
    /// How often [`Hub::finish`] was to return.
    interruptions: u64,
    pub finishing: bool,
    /// Some clients have been told that no more follows, and are taking the rest.
    pub parting: bool,
    pub stopping: bool,
    waiters: usize,
}

/// The one connection of an endpoint that has no more at a time.
pub(super) enum Link {
    Opening,
    Open(OpenLink),
    /// No further one follows.
    Over,
    /// Nor does one after this.
    Failed(Arc<Error>),
}

pub(super) struct OpenLink {
    pub id: u64,
    pub connection: Arc<Connection>,
    /// The reader has not taken it yet.
    pub is_offered: bool,
    /// What the peer sends is thrown away.
    pub is_drained: bool,
    pub read_done: bool,
    pub write_done: bool,
    pub ending: Option<(Reason, Option<Error>)>,
}

/// One of the two users of a hub.
#[derive(Default)]
pub(super) enum Side {
    #[default]
    Awaited,
    /// Is about to attach.
    Admitted,
    Active(Arc<dyn Observer>),
    Gone,
}

impl<P: Payload> Hub<P> {
    /// Opens an endpoint: listens at once, connects later.
    pub fn open(mut endpoint: Endpoint, roles: Roles) -> Result<Arc<Self>, Error> {
        let poll = Poll::new().map_err(Error::Exhausted)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE).map_err(Error::Exhausted)?);
        let given = endpoint.socket.take().map(Socket::from);
        let listeners = match endpoint.mode {
            Mode::Listen if given.is_none() => Listener::bind_all(&endpoint.host, endpoint.port)?,
            _ => Vec::new(),
        };
        let (teller, telling) = Teller::spawn().map_err(Error::Exhausted)?;
        let hub = Arc::new(Self {
            was_given: given.is_some(),
            listening: listeners.iter().map(Listener::address).collect(),
            endpoint,
            roles,
            totals: Totals::default(),
            waker,
            state: Mutex::new(State::new()),
            progress: Condvar::new(),
            threads: Mutex::new(None),
        });
        let worker = Worker::new(hub.clone(), poll, listeners, given, teller)?;
        let io = thread::Builder::new()
            .name("videosocket-io".into())
            .spawn(move || worker.run())
            .map_err(Error::Exhausted)?;
        *lock(&hub.threads) = Some(Threads { io, telling });
        Ok(hub)
    }

    /// Where it listens.
    pub fn listening(&self) -> &[SocketAddr] {
        &self.listening
    }

    /// What to open.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What was counted. Stays when the endpoint is closed.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The state of the connections.
    pub fn stats(&self) -> Stats {
        let state = self.lock();
        let clients: Vec<_> = state
            .clients
            .iter()
            .filter_map(|(_, client)| client.stats())
            .collect();
        let link_rtt = match &state.link {
            Link::Open(link) if clients.is_empty() => link.connection.rtt(),
            _ => None,
        };
        Stats {
            queued: state
                .clients
                .iter()
                .map(|(_, client)| client.backlog.bytes() as u64)
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
    pub fn attach_reader(&self, observer: Arc<dyn Observer>, waker: Arc<Waker>) -> Option<Event> {
        let mut state = self.lock();
        state.reader = Side::Active(observer);
        state.reader_waker = Some(waker);
        state.current_event()
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
            Link::Open(link) if link.read_done && !self.endpoint.reconnect => Offer::Over,
            Link::Open(_) => Offer::Pending,
            Link::Over => Offer::Over,
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
            for (_, client) in &mut state.clients {
                client.grant_turn();
            }
            self.flush(&mut state);
        }
    }

    /// Begins to send.
    pub fn attach_writer(&self, observer: Arc<dyn Observer>, flow: Flow) -> Option<Event> {
        let mut state = self.lock();
        state.writer = Side::Active(observer);
        state.flow = flow;
        state.finishing = false;
        state.forget_stream();
        if self.is_exclusive() {
            state.end_former_writing();
            state.clients.clear();
            let mut client = Client::new(0, None);
            if let Link::Open(link) = &mut state.link
                && !link.write_done
            {
                // What the reader got before is a turn as well; the newest frame answers it.
                let received = link.connection.received().frames.get().min(1);
                let turns = self.first_turns() + received;
                let connection = link.connection.clone();
                client.connect(link.id, connection, turns, &flow, &state.headers);
            }
            state.clients.insert(client);
        }
        self.wake();
        state.current_event()
    }

    /// Changes how frames are sent.
    pub fn set_flow(&self, flow: Flow) {
        let mut state = self.lock();
        let is_other = state.flow.overflow != flow.overflow;
        state.flow = flow;
        for (_, client) in &state.clients {
            if is_other {
                client.apply(&flow);
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
        for (_, client) in &mut state.clients {
            client.forget_waiting();
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
            if self.is_exclusive() && self.endpoint.mode == Mode::Listen && !keeps {
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
            self.flush(&mut state);
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
        let takes = is_open && clients.all(|(_, client)| client.is_idle());
        if takes {
            state.offer(frame, true, Instant::now());
            self.flush(&mut state);
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
        for (_, client) in &mut state.clients {
            client.begin_farewell();
        }
        self.flush(&mut state);
        self.wake();
        loop {
            match &state.link {
                Link::Failed(error) => return Err(SendError::Failed(error.clone())),
                Link::Over => return Ok(()),
                Link::Opening | Link::Open(_)
                    if state.clients.iter().all(|(_, client)| client.is_finished()) =>
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
        if matches!(state.link, Link::Over) && self.begins_anew() {
            state.link = Link::Opening;
        }
        for (_, client) in &mut state.clients {
            client.forget_waiting();
        }
        self.wake();
    }

    /// Makes [`send`](Self::send) return rather than wait, until called again with `false`.
    pub fn interrupt(&self, interrupted: bool) {
        let mut state = self.lock();
        state.interrupted = interrupted;
        state.interruptions += 1;
        self.flush(&mut state);
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
            .find(|(_, client)| client.id == id && client.connection.is_some());
        let Some((key, client)) = found else {
            return false;
        };
        client.leaving.get_or_insert((Reason::Removed, None));
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
        !self.was_given && (self.endpoint.reconnect || self.roles == Roles::Writer)
    }

    /// In the turn-taking chat the one who connects begins.
    pub(super) fn first_turns(&self) -> u64 {
        (self.endpoint.mode == Mode::Connect).into()
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
    pub(super) fn flush(&self, state: &mut State<P>) {
        let State {
            clients, leaving, ..
        } = state;
        for (key, client) in clients {
            self.flush_client(client);
            if client.leaving.is_some() {
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
        for (key, client) in clients {
            sum += client.keep_within(flow, now);
            if client.leaving.is_some() {
                leaving.push(key);
            }
        }
        if !leaving.is_empty() {
            self.wake();
        }
        sum
    }

    /// Returns whether the client took anything.
    pub(super) fn flush_client(&self, client: &mut Client<P>) -> bool {
        if client.leaving.is_some() {
            return false;
        }
        client.flush(&self.totals).unwrap_or_else(|source| {
            let connection = client.connection.as_ref();
            client.leaving = connection.map(|connection| sending_ended(connection.peer(), source));
            false
        })
    }

    fn wait_for_room<'a>(
        &'a self,
        mut state: Guard<'a, P>,
        frame: &Frame<P>,
        taken: usize,
        now: &mut Instant,
    ) -> Result<Guard<'a, P>, SendError> {
        let mut has_flushed = false;
        loop {
            match &state.link {
                Link::Failed(error) => return Err(SendError::Failed(error.clone())),
                Link::Over => return Err(SendError::HungUp),
                Link::Open(link) if link.write_done && !self.endpoint.reconnect => {
                    return Err(SendError::HungUp);
                }
                Link::Opening | Link::Open(_) if !self.must_wait(&state, frame, *now) => {
                    return Ok(state);
                }
                _ if !has_flushed => {
                    has_flushed = true;
                    self.flush(&mut state);
                }
                _ if state.interrupted => {
                    self.flush(&mut state);
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
        let mut clients = state.clients.iter().map(|(_, client)| client);
        if self.endpoint.mode == Mode::Listen
            && !flow.lockstep
            && !clients.clone().any(Client::has_peer)
        {
            return flow.hold_without_client;
        }
        flow.overflow == Overflow::Block
            && clients.any(|client| client.has_no_room(frame, flow, now))
    }

    /// A peer that is connected to gets a stream that waits from its beginning. Any other starts where
    /// the stream is when it joins.
    fn keeps_for_later(&self, state: &State<P>) -> bool {
        let waits = self.endpoint.mode == Mode::Connect && state.flow.overflow == Overflow::Block;
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

impl Side {
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Active(_))
    }

    fn is_in_use(&self) -> bool {
        matches!(self, Self::Active(_) | Self::Admitted)
    }
}

impl<P: Payload> State<P> {
    fn new() -> Self {
        Self {
            link: Link::Opening,
            reader: Side::Awaited,
            writer: Side::Awaited,
            reader_waker: None,
            flow: Flow::default(),
            headers: StreamHeaders {
                frames: Vec::new(),
                version: 0,
            },
            group: Vec::new(),
            clients: Slab::new(),
            burst: Burst::default(),
            leaving: Vec::new(),
            last_id: 0,
            interrupted: false,
            interruptions: 0,
            finishing: false,
            parting: false,
            stopping: false,
            waiters: 0,
        }
    }

    pub fn num_clients(&self) -> usize {
        // One alone may be that of a link that is not open; of many, each is connected.
        match self.clients.len() {
            1 => {
                let mut clients = self.clients.iter();
                clients
                    .any(|(_, client)| client.connection.is_some())
                    .into()
            }
            many => many,
        }
    }

    pub fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// A client that joins an endpoint with any number of them.
    pub fn add_client(&mut self, connection: Arc<Connection>) -> usize {
        let id = self.next_id();
        let mut client = Client::new(id, Some(connection));
        client.apply(&self.flow);
        client.join_with(&self.group, &self.headers, Instant::now());
        self.clients.insert(client)
    }

    pub fn observers(&self) -> Vec<Arc<dyn Observer>> {
        let sides = [&self.reader, &self.writer].into_iter();
        sides
            .filter_map(|side| match side {
                Side::Active(observer) => Some(observer.clone()),
                Side::Awaited | Side::Admitted | Side::Gone => None,
            })
            .collect()
    }

    fn keep_for_joining(&mut self, frame: &Frame<P>) {
        let is_keyframe = frame.keyframe && !frame.repeats_header;
        let bytes: usize = self.group.iter().map(|frame| frame.len).sum();
        if is_keyframe || bytes + frame.len > MAX_GROUP_BYTES {
            self.group.clear();
        }
        if is_keyframe || !self.group.is_empty() {
            self.group.push(frame.clone());
        }
    }

    /// A connection over which another has sent is not sent over again. Where that one has left half a
    /// frame behind, nothing can be made of the connection any more.
    fn end_former_writing(&mut self) {
        let State { clients, link, .. } = self;
        let Link::Open(link) = link else { return };
        for (_, client) in clients.iter_mut() {
            if client.connection.is_none() || client.farewell.is_some() {
                continue;
            }
            if client.backlog.is_empty() {
                // Fails where there is no connection any more.
                let _ = client.say_farewell();
            } else {
                // The reader has it too, and is to let go of it.
                link.connection.abort(libc::ECONNABORTED);
                link.ending.get_or_insert((Reason::Stopped, None));
            }
        }
    }

    /// Lets go of the buffers that were kept for clients to come.
    pub fn forget_stream(&mut self) {
        self.headers.frames.clear();
        self.group.clear();
    }

    pub fn wake_reader(&self) {
        if let Some(waker) = &self.reader_waker {
            // Fails only where nobody polls any more.
            let _ = waker.wake();
        }
    }

    /// For one who comes later than it happened.
    fn current_event(&self) -> Option<Event> {
        match &self.link {
            Link::Open(link) => Some(Event::Connected {
                id: link.id,
                peer: link.connection.peer(),
            }),
            Link::Failed(error) => Some(Event::Failed(error.clone())),
            Link::Opening | Link::Over => None,
        }
    }

    /// A peer that is still to come gets no frame that the stream has left behind.
    fn forget_unmet(&mut self) {
        for (_, client) in &mut self.clients {
            if client.connection.is_none() {
                *client = Client::new(0, None);
            }
        }
    }

    /// `keeps` says whether it is kept for a peer that is still to come.
    fn offer(&mut self, frame: &Frame<P>, keeps: bool, now: Instant) -> Sent {
        let mut sum = Sent::default();
        for (_, client) in &mut self.clients {
            if keeps || !client.is_unmet() {
                sum += client.offer(frame, &self.flow, &self.headers, now);
            }
        }
        if self.flow.join == JoinAt::LatestKeyframe {
            self.keep_for_joining(frame);
        }
        sum
    }
}
