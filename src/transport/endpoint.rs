//! What is open, and the frames that leave it.

use std::{
    collections::VecDeque,
    io::IoSlice,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

use mio::Waker;
use parking_lot::Condvar;

use super::{
    event::{Observer, Request},
    link::{Link, Reading, Writing},
    locked::{Lock, Locked},
    reason::{Reason, sending_ended},
    state::{Future, State},
    stats::{ClientStats, Stats},
    target::{Mode, Role, Target, Users},
    teller::Telling,
    user::User,
    write::write_waiting,
};
use crate::{
    fanout::{
        Audience, Description, Fanout, Flow, Frame, Metadata, Overflow, Payload, Sent, Verdict,
    },
    lock::lock,
    net::{Connection, Error, Totals},
};

/// Why frames were not taken.
#[derive(Clone, Debug)]
pub enum SendError {
    /// [`Endpoint::interrupt`] was called; those that are left were not taken.
    Interrupted,
    /// The same after [`Endpoint::yield_to_others`]: the caller is to let others pass, and to come again.
    Yield,
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

/// Clients that are sent to before others may have the lock: each is a system call, of 20 to 60 us.
const AT_ONCE: usize = 8;

/// See the [module documentation](super).
pub struct Endpoint<P: Payload> {
    pub(super) target: Target,
    pub(super) totals: Arc<Totals>,
    pub(super) waker: Arc<Waker>,
    listening: Vec<SocketAddr>,
    state: Lock<P>,
    /// Something came about that a sender may wait for.
    progress: Condvar,
    /// With lockstep, a frame received is a turn for the sender.
    grants_turns: AtomicBool,
    /// Frames are to have their records with them.
    needs_records: AtomicBool,
    threads: Mutex<Option<Threads>>,
}

pub(super) struct Threads {
    pub io: JoinHandle<()>,
    pub telling: Telling,
}

impl<P: Payload> Endpoint<P> {
    /// One that is yet to be served by its [`Threads`].
    pub(super) fn new(
        target: Target,
        users: Users,
        was_given: bool,
        listening: Vec<SocketAddr>,
        waker: Arc<Waker>,
    ) -> Self {
        let audience = match target.mode {
            Mode::Connect => Audience::Callee,
            Mode::Listen if users == Users::One(Role::Writer) && !was_given => Audience::Clients,
            Mode::Listen => Audience::Caller,
        };
        let users = match users {
            Users::One(Role::Reader) => (User::Awaited, User::Absent),
            Users::One(Role::Writer) => (User::Absent, User::Awaited),
            Users::Pair => (User::Awaited, User::Awaited),
        };
        let totals = Arc::new(Totals::default());
        let fanout = Fanout::new(audience);
        let state = State::new(fanout, users, target.reconnect, was_given, totals.clone());
        Self {
            listening,
            target,
            totals,
            waker,
            state: Lock::new(state),
            progress: Condvar::new(),
            grants_turns: AtomicBool::new(false),
            needs_records: AtomicBool::new(false),
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

    /// The state of the connections. The system is asked for it when the lock is free again.
    pub fn stats(&self) -> Stats {
        let state = self.lock();
        let queued = state.fanout.queued() as u64;
        let links: Vec<_> = state
            .links
            .iter()
            .map(|(_, link)| {
                let counts = state.counts(link);
                let client = link.client().map(|_| (link.id, counts));
                (link.connection.clone(), client)
            })
            .collect();
        drop(state);
        let mut stats = Stats {
            queued,
            ..Stats::default()
        };
        for (connection, client) in links {
            let rtt = match client {
                Some((id, counts)) => {
                    let client = ClientStats::new(id, &connection, counts);
                    let rtt = client.rtt;
                    stats.clients.push(client);
                    rtt
                }
                None => connection.rtt(),
            };
            stats.rtt = stats.rtt.max(rtt);
        }
        stats
    }

    /// How many clients are connected.
    pub fn num_clients(&self) -> usize {
        self.lock().fanout.num_clients()
    }

    /// Keeps the endpoint open for one that is about to attach. `false` where it is too late for that.
    pub fn admit(&self, role: Role) -> bool {
        let mut state = self.lock();
        let user = match role {
            Role::Reader => &mut state.reader,
            Role::Writer => &mut state.writer,
        };
        *user = User::Admitted;
        !state.stopping
    }

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
    pub(super) fn await_sender(&self) {
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

    /// Begins to send. Each peer that is told what the frames are is told `hello` first.
    pub fn attach_writer(&self, observer: Arc<dyn Observer>, flow: Flow, hello: Vec<u8>) {
        let mut state = self.lock();
        if self.end_former_writing(&mut state) {
            state.warn_of_spent(&observer);
        }
        state.writer = User::Active(observer.clone());
        state.fanout.begin(flow);
        state.fanout.set_hello(hello);
        let first = state.links.iter().next();
        if let Some((key, link)) = first
            && link.writing == Writing::Unclaimed
        {
            // What the reader got before is a turn as well; the newest frame answers it.
            let received = link.connection.received().frames.get().min(1);
            self.claim(&mut state, key, received);
        }
        state.welcome(&observer);
        // A connection that is there begins at once.
        self.send_waiting(&mut state);
        self.grants_turns.store(flow.lockstep, Relaxed);
        self.note_needs(&state);
        self.wake();
    }

    /// The peer of a link becomes one that the stream is sent to. With lockstep it may be sent so many frames more.
    pub(super) fn claim(&self, state: &mut State<P>, key: usize, turns: u64) {
        let State { fanout, links, .. } = state;
        let Some(link) = links.get_mut(key) else {
            return;
        };
        let (client, lost) = fanout.join(self.first_turns() + turns, Instant::now());
        self.totals.dropped.add(lost);
        link.writing = Writing::Claimed(client);
        link.apply(fanout.flow());
        if link.understands && fanout.flow().metadata != Metadata::Off {
            fanout.understand(client);
        }
        self.note_needs(state);
    }

    /// Ends the time in which the peer of a link may ask for records before it is sent anything.
    pub(super) fn end_greeting(&self, state: &mut State<P>, key: usize) {
        let is_greeting = |link: &Link| matches!(link.writing, Writing::Greeting(_));
        if !state.links.get(key).is_some_and(is_greeting) {
            return;
        }
        self.claim(state, key, 0);
        state.tell_of_link(key);
        self.send_over(state, key);
        self.notify(state);
        self.wake();
    }

    /// Ends those that last until such a time.
    pub(super) fn end_greetings(&self, state: &mut State<P>, is_over: impl Fn(Instant) -> bool) {
        let over = state.greetings().filter(|(_, until)| is_over(*until));
        let keys: Vec<_> = over.map(|(key, _)| key).collect();
        for key in keys {
            self.end_greeting(state, key);
        }
    }

    /// The peer understands records.
    pub(super) fn understand(&self, state: &mut State<P>, key: usize) {
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

    /// The reader has been told that the peer understands records.
    pub(super) fn peer_understands(&self, connection: &Arc<Connection>) {
        let mut state = self.lock();
        if let Some(key) = state.key_of(connection) {
            self.understand(&mut state, key);
        }
    }

    /// The reader has been asked for something that is the sender's.
    pub(super) fn pass_request(&self, request: Request) {
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

    /// Sends the peer something of the reader's.
    pub(super) fn speak(&self, state: &mut State<P>, key: usize, bytes: &[u8]) {
        let is_of_use = |link: &Link| link.writing == Writing::Unclaimed && !link.is_ending();
        if bytes.is_empty() {
            return;
        }
        // Without a stream of its own the connection has nobody who sends.
        if state.writer.is_absent() && state.links.get(key).is_some_and(is_of_use) {
            self.claim(state, key, 0);
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

    pub(super) fn note_needs(&self, state: &State<P>) {
        let is_asked = || state.greetings().next().is_some();
        let needs = state.fanout.needs_records() || is_asked();
        self.needs_records.store(needs, Relaxed);
    }

    /// From the next frame on, frames are something else.
    pub fn describe(&self, description: Description) {
        let mut state = self.lock();
        state.fanout.describe(description);
        self.send_waiting(&mut state);
    }

    /// What the clock shows that those are told who come later.
    pub fn set_clock(&self, clock: Vec<u8>) {
        self.lock().fanout.set_clock(clock, Instant::now());
    }

    /// Sends what is no frame to those who understand it.
    pub fn note(&self, note: Frame<P>) {
        let mut state = self.lock();
        state.fanout.note(note, Instant::now());
        self.send_waiting(&mut state);
    }

    /// A connection over which another has sent is not sent over again. Where that one has left half a
    /// frame behind, nothing can be made of the connection any more; nor is it of use where another can be had.
    /// Says whether it is there all the same.
    fn end_former_writing(&self, state: &mut State<P>) -> bool {
        let Some((key, link)) = state.links.iter().next() else {
            return false;
        };
        if link.writing == Writing::Unclaimed || link.is_ending() {
            return false;
        }
        let is_begun = link.has_unsent()
            || link
                .client()
                .is_some_and(|client| !state.fanout.has_nothing_to_send(client));
        // Fails where there is no connection any more.
        let _ = link.connection.end_sending();
        if state.reconnects || is_begun {
            state.abandon(key, Reason::Stopped);
            return false;
        }
        state.leave(key);
        true
    }

    /// Changes how frames are sent.
    pub fn set_flow(&self, flow: Flow) {
        let mut state = self.lock();
        let is_other = state.fanout.flow().overflow != flow.overflow;
        let lost = state.fanout.set_flow(flow);
        self.totals.dropped.add(lost);
        for (_, link) in &state.links {
            if is_other {
                link.apply(&flow);
            }
        }
        self.grants_turns.store(flow.lockstep, Relaxed);
        self.note_needs(&state);
        self.progress.notify_all();
    }

    /// How frames are sent.
    #[cfg(test)]
    pub fn flow(&self) -> Flow {
        *self.lock().fanout.flow()
    }

    /// Ends sending, in mid-stream. Where the reader goes on, a frame begun is still completed.
    pub fn detach_writer(&self) {
        let mut state = self.lock();
        // What waits for that is sent at least.
        self.end_greetings(&mut state, |_| true);
        if !state.reader.is_in_use() {
            return self.close(state);
        }
        state.writer = User::Gone;
        state.fanout.forget_waiting();
        state.fanout.finish(Instant::now());
        if let Some(link) = state.link_mut()
            && link.client().is_none()
            && !link.has_written_all()
        {
            link.writing = Writing::Done(Default::default());
        }
        self.wake();
    }

    /// Sets the headers of the stream, which every client gets before its first frame.
    pub fn set_stream_headers(&self, frames: Vec<Frame<P>>) {
        let lost = self.lock().fanout.set_headers(frames);
        self.totals.dropped.add(lost);
    }

    /// Sets what each connection to come begins and ends with; see [`Fanout::set_edges`].
    pub fn set_edges(&self, preamble: &[u8], eos_frame: &[u8]) {
        self.lock().fanout.set_edges(preamble, eos_frame);
    }

    /// Sends frames to all clients, or leaves them with the I/O thread to send. Waits where
    /// [`Overflow::Block`] or [`Flow::hold_without_client`] say so. What is taken is taken out of `frames`.
    pub fn send(&self, frames: &mut VecDeque<Frame<P>>) -> Result<Sent, SendError> {
        let bytes = frames.iter().map(|frame| frame.len).sum();
        // Before the lock: to wait while the I/O thread sends is no pause of the stream.
        let mut now = Instant::now();
        let mut state = self.lock();
        let holds = state.burst.holds(frames.len(), bytes, now);
        let mut sent = Sent::default();
        while let Some(frame) = frames.front() {
            state = self.wait_for_room(state, frame, &mut now)?;
            if let Some(frame) = frames.pop_front() {
                let more = state.fanout.push(frame, now);
                self.totals.dropped.add(more.dropped);
                sent += more;
            }
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
        let more = state.fanout.keep_within(now);
        self.totals.dropped.add(more.dropped);
        self.judge(&mut state);
        sent += more;
        Ok(sent)
    }

    /// Sends a frame if nothing waits before it, or leaves it for a peer that is still to come. Returns
    /// whether it was taken.
    pub fn try_send(&self, frame: Frame<P>) -> bool {
        let mut state = self.lock();
        if state.begin_anew() {
            self.wake();
        }
        let is_open = matches!(state.future, Future::Open) && !state.has_hung_up();
        let takes = is_open && state.fanout.push_ahead(frame, Instant::now());
        if takes {
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
        let lost = state.fanout.finish(Instant::now());
        self.totals.dropped.add(lost);
        self.send_waiting(&mut state);
        self.wake();
        loop {
            match &state.future {
                Future::Failed(error) | Future::Over(Some(error)) => {
                    return Err(SendError::Failed(error.clone()));
                }
                Future::Over(None) | Future::Resting => return Ok(()),
                Future::Open if state.is_finished() => {
                    let fault = state.unheard_fault();
                    return fault.map_or(Ok(()), |fault| Err(SendError::Failed(fault)));
                }
                Future::Open if state.interruptions != interruptions => {
                    return Err(SendError::Interrupted);
                }
                Future::Open => state = self.wait(state),
            }
        }
    }

    /// Forgets frames that have not been begun: the stream is about to jump. One that has ended begins anew with the
    /// next frame, over the next connection.
    pub fn forget_waiting(&self) {
        self.lock().take_back_end();
        self.wake();
    }

    /// Makes [`send`](Self::send) return rather than wait, until called again with `false`. What waits for more to
    /// come is sent: nobody knows when there will be more.
    pub fn interrupt(&self, interrupted: bool) {
        let mut state = self.lock();
        state.interrupted = interrupted;
        state.interruptions += 1;
        self.send_waiting(&mut state);
        self.progress.notify_all();
    }

    /// Makes [`send`](Self::send) return rather than wait, until called again with `false`, for others who cannot do
    /// what they have to meanwhile.
    pub fn yield_to_others(&self, yields: bool) {
        self.lock().yields = yields;
        self.progress.notify_all();
    }

    /// Removes one client. Returns whether there is one with this number.
    pub fn disconnect_client(&self, id: u64) -> bool {
        let mut state = self.lock();
        let mut links = state.links.iter();
        let found = links.find(|(_, link)| link.id == id && link.client().is_some());
        let Some((key, _)) = found else {
            return false;
        };
        state.end_writing(key, Reason::Removed, None);
        self.wake();
        true
    }

    /// In the turn-taking chat the one who connects begins.
    pub(super) fn first_turns(&self) -> u64 {
        (self.target.mode == Mode::Connect).into()
    }

    pub(super) fn lock(&self) -> Locked<'_, P> {
        self.state.lock()
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

    /// Sends what the sockets take. With many it takes long, and others may have the lock in between.
    pub(super) fn send_waiting(&self, state: &mut Locked<'_, P>) {
        let mut key = 0;
        // Whoever comes in between may have any key.
        while key < state.links.capacity() {
            self.send_over(state, key);
            key += 1;
            if key % AT_ONCE == 0 {
                state.give_way();
            }
        }
    }

    /// Sends what one socket takes. Returns whether it took anything.
    pub(super) fn send_over(&self, state: &mut State<P>, key: usize) -> bool {
        let State { links, fanout, .. } = &mut *state;
        let Some((link, client)) = links.get(key).and_then(|link| Some((link, link.client()?)))
        else {
            return false;
        };
        match write_waiting(fanout, client, &link.connection, &self.totals) {
            Ok(any) => any,
            Err(error) => {
                let (reason, cause) = sending_ended(link.connection.peer(), error);
                state.end_writing(key, reason, cause);
                self.wake();
                false
            }
        }
    }

    /// Removes the clients that are not to stay.
    pub(super) fn judge(&self, state: &mut State<P>) {
        while let Some((client, verdict)) = state.fanout.poll_verdict() {
            let mut links = state.links.iter();
            let found = links.find(|(_, link)| link.client() == Some(client));
            let Some((key, link)) = found else {
                continue;
            };
            let peer = link.connection.peer();
            let (reason, cause) = match verdict {
                Verdict::TooSlow => (Reason::TooSlow, Some(Error::TooSlow { peer })),
                Verdict::Stuck => (Reason::TooSlow, None),
                Verdict::Stalled(after) => (Reason::TimedOut, Some(Error::Stalled { peer, after })),
            };
            state.end_writing(key, reason, cause);
            self.wake();
        }
    }

    fn wait_for_room<'a>(
        &'a self,
        mut state: Locked<'a, P>,
        frame: &Frame<P>,
        now: &mut Instant,
    ) -> Result<Locked<'a, P>, SendError> {
        let mut has_sent = false;
        loop {
            match &state.future {
                Future::Failed(error) | Future::Over(Some(error)) => {
                    return Err(SendError::Failed(error.clone()));
                }
                Future::Over(None) => return Err(SendError::HungUp),
                Future::Open | Future::Resting => (),
            }
            if state.begin_anew() {
                self.wake();
            }
            if state.has_hung_up() {
                let fault = state.unheard_fault();
                return Err(fault.map_or(SendError::HungUp, SendError::Failed));
            }
            let is_ending = state.is_exclusive()
                && !state.reconnects
                && state.link().is_some_and(Link::is_ending);
            let must_wait = state.fanout.must_wait(frame, *now);
            if !must_wait && !is_ending {
                return Ok(state);
            }
            if !has_sent {
                // What waits for more to come may be what is in the way.
                has_sent = true;
                self.send_waiting(&mut state);
            } else if state.interrupted {
                return Err(SendError::Interrupted);
            } else if state.yields {
                return Err(SendError::Yield);
            } else {
                state = self.wait(state);
                *now = Instant::now();
            }
        }
    }

    fn wait<'a>(&'a self, mut state: Locked<'a, P>) -> Locked<'a, P> {
        state.waiters += 1;
        let mut state = state.wait(&self.progress);
        state.waiters -= 1;
        state
    }

    /// Ends the I/O thread, and with it whatever is open.
    fn close(&self, mut state: Locked<'_, P>) {
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
        (state.reader, state.writer) = (User::Gone, User::Gone);
    }
}

impl Link {
    /// Frames that may be dropped are to wait here, not in the kernel.
    pub(super) fn apply(&self, flow: &Flow) {
        self.connection
            .limit_unsent(flow.overflow != Overflow::Block);
    }
}
