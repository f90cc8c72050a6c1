// SPDX-License-Identifier: MPL-2.0
//! What a sink does with it.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Instant,
};

use super::Endpoint;
use crate::{
    fanout::{Description, Flow, Frame, Payload, Sent},
    net::Error,
    transport::{
        event::Observer,
        link::{Link, Writing},
        locked::Locked,
        reason::{Reason, sending_ended},
        state::{Future, State},
        user::User,
        write::write_waiting,
    },
};

/// Clients that are sent to before others may have the lock: each is a system call, of 20 to 60 us.
const AT_ONCE: usize = 8;

/// The same for those that are only looked at, of which a thousand take some tens of us.
const LOOKS_AT_ONCE: usize = 1_024;

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

impl<P: Payload> Endpoint<P> {
    /// Begins to send. Each peer that is told what the frames are is told `hello` first.
    pub fn attach_writer(&self, observer: Arc<dyn Observer>, flow: Flow, hello: Vec<u8>) {
        let mut state = self.lock();
        if self.end_former_writing(&mut state) {
            state.warn_of_spent(&observer);
        }
        state.writer = User::Active(observer.clone());
        // Before it is looked how many frames have been received: the reader counts one, and then looks at this.
        self.grants_turns.store(flow.lockstep, SeqCst);
        state.fanout.begin(flow);
        state.fanout.set_hello(hello);
        let first = state.links.iter().next();
        if let Some((key, link)) = first
            && link.writing == Writing::Unclaimed
        {
            self.claim(&mut state, key);
        }
        state.welcome(&observer);
        // A connection that is there begins at once.
        self.send_waiting(&mut state);
        self.note_needs(&state);
        self.wake();
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
        self.await_tellings(state);
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

    /// Changes how frames are sent.
    pub fn set_flow(&self, flow: Flow) {
        let mut state = self.lock();
        let is_other = state.fanout.flow().overflow != flow.overflow;
        let takes_turns = flow.lockstep && !state.fanout.flow().lockstep;
        let lost = state.fanout.set_flow(flow);
        self.totals.dropped.add(lost);
        for (_, link) in &state.links {
            if is_other {
                link.apply(&flow);
            }
        }
        self.grants_turns.store(flow.lockstep, SeqCst);
        if takes_turns && let Some(link) = state.link_mut() {
            // From now on.
            link.take_turns();
        }
        self.note_needs(&state);
        self.progress.notify_all();
    }

    /// How frames are sent.
    #[cfg(test)]
    pub fn flow(&self) -> Flow {
        *self.lock().fanout.flow()
    }

    /// Sets the headers of the stream, which every client gets before its first frame, and says whether the frames
    /// before were these.
    pub fn set_stream_headers(&self, frames: Vec<Frame<P>>, were_in_band: bool) {
        let mut state = self.lock();
        let lost = state.fanout.set_headers(frames);
        if were_in_band {
            state.fanout.had_headers_in_band();
        }
        self.totals.dropped.add(lost);
    }

    /// Sets what each connection to come begins and ends with; see [`set_edges`](crate::fanout::Fanout::set_edges).
    pub fn set_edges(&self, preamble: &[u8], eos_frame: &[u8]) {
        self.lock().fanout.set_edges(preamble, eos_frame);
    }

    /// Sends frames to all clients, or leaves them with the I/O thread to send. Waits where
    /// [`Overflow::Block`](crate::fanout::Overflow::Block) or [`Flow::hold_without_client`] say so. What is taken is taken out of `frames`.
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

    /// Sends what the sockets take. With many it takes long, and others may have the lock in between.
    pub(in crate::transport) fn send_waiting(&self, state: &mut Locked<'_, P>) {
        let mut sent = 0;
        let mut key = 0;
        // Whoever comes in between may have any key.
        while key < state.links.capacity() {
            sent += usize::from(self.send_over(state, key));
            key += 1;
            if sent >= AT_ONCE || key % LOOKS_AT_ONCE == 0 {
                sent = 0;
                state.give_way();
            }
        }
    }

    /// Sends what one socket takes. Returns whether it took anything.
    pub(in crate::transport) fn send_over(&self, state: &mut State<P>, key: usize) -> bool {
        let State { links, fanout, .. } = &mut *state;
        let Some((link, client)) = links.get(key).and_then(|link| Some((link, link.client()?)))
        else {
            return false;
        };
        if !fanout.is_writable(client) {
            return false;
        }
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
}
