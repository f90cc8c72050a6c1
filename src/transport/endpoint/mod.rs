// SPDX-License-Identifier: MPL-2.0
//! What is open, and the frames that leave it.

mod greeting;
mod reading;
mod sending;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, atomic::AtomicBool, mpsc},
    thread::{self, JoinHandle},
    time::Instant,
};

use mio::Waker;
use parking_lot::Condvar;

use super::{
    link::Link,
    locked::{Lock, Locked},
    reason::Reason,
    state::State,
    stats::{ClientStats, Stats},
    target::{Mode, Role, Target, Users},
    teller::{self, Telling},
    user::User,
};
use crate::{
    fanout::{Audience, Fanout, Flow, Overflow, Payload, Verdict},
    lock::lock,
    net::{Error, Totals},
};

pub use self::{reading::Offer, sending::SendError};

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
    pub(in crate::transport) fn new(
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
        let mut state = State::new(fanout, users, target.reconnect, was_given, totals.clone());
        state.last_id = target.last_id.clone();
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

    pub(in crate::transport) fn serve_by(&self, threads: Threads) {
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
    pub fn totals(&self) -> &Arc<Totals> {
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
        let now = Instant::now();
        let mut stats = Stats {
            queued,
            ..Stats::default()
        };
        for (connection, client) in links {
            let rtt = match client {
                Some((id, counts)) => {
                    let client = ClientStats::new(id, &connection, counts, now);
                    let rtt = client.rtt;
                    stats.clients.push(client);
                    rtt
                }
                None => connection.rtt(now),
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

    pub(in crate::transport) fn lock(&self) -> Locked<'_, P> {
        self.state.lock()
    }

    pub(in crate::transport) fn wake(&self) {
        // Fails only where the I/O thread is gone.
        let _ = self.waker.wake();
    }

    pub(in crate::transport) fn notify(&self, state: &State<P>) {
        if state.waiters > 0 {
            self.progress.notify_all();
        }
    }

    /// Removes the clients that are not to stay.
    pub(in crate::transport) fn judge(&self, state: &mut State<P>) {
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

    /// Waits until all is told that was to be told so far, but no longer for handlers than [`close`](Self::close) does.
    fn await_tellings(&self, mut state: Locked<'_, P>) {
        let (mark, are_told) = mpsc::channel();
        state.marks.push(mark);
        drop(state);
        self.wake();
        let threads = lock(&self.threads);
        let here = thread::current().id();
        let tells_another = threads.as_ref().is_some_and(|Threads { io, telling }| {
            !io.is_finished() && io.thread().id() != here && !telling.is_here()
        });
        drop(threads);
        if tells_another {
            let _ = are_told.recv_timeout(teller::LIMIT);
        }
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
    pub(in crate::transport) fn apply(&self, flow: &Flow) {
        self.connection
            .limit_unsent(flow.overflow != Overflow::Block);
    }
}
