// SPDX-License-Identifier: MPL-2.0
//! Who gets which frame, and when: without sockets, threads, locks and a clock of its own.
//!
//! A [`Fanout`] keeps each frame once, in one queue, and knows of each client how far it has come. What waits for a
//! client is always the end of the stream from some frame on: to fall behind costs a number, and to drop frames, to
//! join and to jump is to change it.

mod burst;
mod client;
mod edge;
mod flow;
mod headers;
#[cfg(any(test, fuzzing))]
pub mod model;
mod place;
mod queue;
mod records;
mod standing;
#[cfg(any(test, fuzzing))]
pub mod storm;
#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use slab::Slab;

use self::{
    client::{Client, DRAIN_LIMIT},
    edge::{Edge, Edges},
    headers::InBand,
    place::Place,
    queue::{Hold, Queue},
    standing::Period,
};

pub use burst::{Burst, TICK};
pub use flow::{
    Audience, BATCH_CHUNKS, Flow, Frame, JoinAt, Lead, Limits, Metadata, Overflow, Part, Payload,
    Piece, Progress, Sent,
};
pub use records::Description;

/// A group of pictures that is longer is no longer kept for clients that join: they wait for the next.
const MAX_GROUP_BYTES: usize = 64 << 20;

/// Where more notes follow a frame, they are left out.
const MAX_NOTES: usize = 256;

/// A stream, and those that it is sent to.
pub struct Fanout<P> {
    audience: Audience,
    flow: Flow,
    /// Those of each connection to come.
    edges: Edges,
    queue: Queue<P>,
    clients: Slab<Client<P>>,
    /// How many of them understand records.
    understanding: usize,
    /// Where one begins that is to come.
    awaited: Option<Place<P>>,
    callee_is_here: bool,
    /// The last keyframe, which is kept for clients to come with all that follows.
    group: Hold,
    /// The picture that has begun, until it is known whether decoding can start with it.
    picture: Hold,
    period: Period,
    is_finishing: bool,
    has_begun_drain: bool,
    /// Clients that are not to stay.
    verdicts: Vec<(usize, Verdict)>,
    /// What a peer is told first that understands records.
    hello: Vec<u8>,
    /// How often the frames became something else.
    version: u64,
}

/// Why a client is not to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// More waits for it than the limits allow.
    TooSlow,
    /// The stream has ended, and it does not take the rest.
    Stuck,
    /// It has taken nothing for as long as it may.
    Stalled(Duration),
}

/// What a client is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// What its peer has been sent.
    pub sent: Progress,
    /// Frames that it lost.
    pub dropped: u64,
    /// Bytes that wait for it.
    pub queued: usize,
    /// Since when the oldest frame waits.
    pub oldest: Option<Instant>,
}

impl<P: Payload> Fanout<P> {
    /// A stream that has not begun.
    pub fn new(audience: Audience) -> Self {
        Self {
            audience,
            flow: Flow::default(),
            edges: Edges::default(),
            queue: Queue::new(),
            clients: Slab::new(),
            understanding: 0,
            awaited: None,
            callee_is_here: false,
            group: Hold::default(),
            picture: Hold::default(),
            period: Period::default(),
            is_finishing: false,
            has_begun_drain: false,
            verdicts: Vec::new(),
            hello: Vec::new(),
            version: 0,
        }
    }

    /// Begins a stream, without anything of the one before.
    pub fn begin(&mut self, flow: Flow) {
        self.end();
        self.flow = flow;
        self.is_finishing = false;
        self.await_peer();
    }

    /// Lets go of the stream and of all clients.
    pub fn end(&mut self) {
        for client in self.clients.drain() {
            client.place.give_up(&mut self.queue);
        }
        self.understanding = 0;
        if let Some(place) = self.awaited.take() {
            place.give_up(&mut self.queue);
        }
        self.set_headers(Vec::new());
        self.forget_picture();
        self.queue.description = None;
        self.verdicts.clear();
    }

    /// Sets what each peer is told first that understands records.
    pub fn set_hello(&mut self, hello: Vec<u8>) {
        self.hello = hello;
    }

    /// From the next frame on, frames are something else.
    pub fn describe(&mut self, mut description: Description) {
        self.version += 1;
        description.version = self.version;
        self.queue.description = Some(Arc::new(description));
    }

    /// Sets the clock anew that those are told who come later.
    pub fn set_clock(&mut self, clock: Vec<u8>, now: Instant) {
        if let Some(description) = &self.queue.description {
            self.queue.description = Some(Arc::new(description.with_clock(clock, now)));
        }
    }

    /// Whether frames are to have their records with them: somebody is sent those, or may be.
    pub fn needs_records(&self) -> bool {
        match self.flow.metadata {
            Metadata::Off => false,
            Metadata::On => true,
            Metadata::OnRequest => {
                self.clients.is_empty()
                    || self.flow.join == JoinAt::LatestKeyframe
                    || self.awaited.is_some()
                    || self.understanding > 0
            }
        }
    }

    /// The peer understands records, and is told from now on what the frames are.
    pub fn understand(&mut self, key: usize) {
        if let Some(client) = self.clients.get_mut(key) {
            self.understanding += usize::from(!client.place.understands());
            client.understand(&self.hello);
        }
    }

    /// Tells a peer something between frames.
    pub fn tell(&mut self, key: usize, bytes: &[u8]) {
        if let Some(client) = self.clients.get_mut(key) {
            client.place.tell(bytes);
        }
    }

    /// What a peer is told where the stream stops, if it understands that and nothing of it is under way.
    pub fn last_word(&self, key: usize) -> &'static [u8] {
        let client = self.clients.get(key);
        client.map_or(&[], Client::last_word)
    }

    /// Whether a peer is told what the frames are.
    pub fn is_described(&self, key: usize) -> bool {
        let client = self.clients.get(key);
        client.is_some_and(|client| client.place.is_described())
    }

    /// Whether a peer has to be told what comes next.
    pub fn is_undescribed(&self, key: usize) -> bool {
        let client = self.clients.get(key);
        client.is_some_and(|client| client.is_open() && client.place.is_undescribed(&self.queue))
    }

    /// Tells a peer what comes next.
    pub fn describe_to(&mut self, key: usize, now: Instant) {
        if let Some(client) = self.clients.get_mut(key) {
            client.place.describe(&self.queue, now);
        }
    }

    /// Adds what is no frame, for those who understand it.
    pub fn note(&mut self, note: Frame<P>, now: Instant) {
        let is_heard = self.places().any(Place::is_described);
        if !is_heard || self.queue.ends_with_notes(MAX_NOTES) {
            self.queue.spent().push(note.payload);
            return;
        }
        let number = self.queue.push(note, now);
        let clients = self.clients.iter_mut().map(|(_, client)| &mut client.place);
        for place in clients.chain(&mut self.awaited) {
            place.pass_by(number, &mut self.queue);
        }
        self.queue.trim();
    }

    /// For whom the stream is.
    pub fn audience(&self) -> Audience {
        self.audience
    }

    /// How frames are sent.
    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    /// Changes how frames are sent. Returns how many frames are lost that were kept for a peer to come.
    pub fn set_flow(&mut self, flow: Flow) -> u64 {
        self.flow = flow;
        let mut lost = 0;
        if flow.join != JoinAt::LatestKeyframe {
            lost += self.lose_group();
        }
        if self.is_finishing {
            lost += self.give_up_caller();
        }
        lost
    }

    /// The stream has had its headers among its frames, before it was known that they are headers.
    pub fn had_headers_in_band(&mut self) {
        self.queue.headers.in_band = InBand::Yes;
    }

    /// Sets the headers of the stream, which every client gets before its first frame. Returns how many frames are
    /// lost that were kept for a peer to come.
    pub fn set_headers(&mut self, frames: Vec<Frame<P>>) -> u64 {
        let frames = Arc::new(frames);
        let headers = &mut self.queue.headers;
        headers.in_band = InBand::No;
        // Who has them is not given the same again.
        let is_other = !headers.have_same_bytes(&frames);
        let spent = if is_other {
            std::mem::replace(&mut headers.frames, frames)
        } else {
            frames
        };
        self.queue.spend(spent);
        // The group begins with others.
        self.lose_group()
    }

    /// Sets what each connection to come begins and ends with: bytes before everything else, and the header of a
    /// frame of length 0, behind the last one. Either may be nothing.
    pub fn set_edges(&mut self, preamble: &[u8], eos_frame: &[u8]) {
        self.edges = Edges {
            preamble: Edge::new(preamble),
            eos_frame: Edge::new(eos_frame),
        };
    }

    /// Whether `next` has to wait: for a client, or until one has taken something.
    pub fn must_wait(&self, next: &Frame<P>, now: Instant) -> bool {
        let flow = &self.flow;
        if self.audience != Audience::Callee
            && !flow.lockstep
            && !self.clients.iter().any(|(_, client)| client.is_open())
        {
            return flow.hold_without_client;
        }
        if flow.overflow != Overflow::Block || flow.lockstep {
            return false;
        }
        // One that keeps up has nothing waiting but what waits for more to come.
        let behind = self.clients.iter().filter(|(_, client)| !client.writable);
        let mut places = behind.map(|(_, client)| &client.place).chain(&self.awaited);
        places.any(|place| place.has_no_room(next, &self.queue, &flow.limits, now))
    }

    /// Adds the next frame of the stream.
    pub fn push(&mut self, frame: Frame<P>, now: Instant) -> Sent {
        self.add(frame, self.keeps_for_later(), now)
    }

    /// Adds the first frame ahead of the stream, if nothing waits before it. It is kept for a peer to come. Returns
    /// whether it was added.
    pub fn push_ahead(&mut self, frame: Frame<P>, now: Instant) -> bool {
        let is_idle = self.places().all(|place| place.is_idle(&self.queue));
        if is_idle {
            self.add(frame, true, now);
        } else {
            self.queue.spent().push(frame.payload);
        }
        is_idle
    }

    fn add(&mut self, frame: Frame<P>, keeps: bool, now: Instant) -> Sent {
        if self.flow.overflow == Overflow::Drop {
            self.period.next(now);
        }
        let repeats_header = frame.repeats_header;
        if self.audience == Audience::Caller
            && !keeps
            && let Some(place) = self.awaited.replace(Place::joining())
        {
            // A peer that is still to come gets no frame that the stream has left behind.
            place.give_up(&mut self.queue);
        }
        let number = self.queue.push(frame, now);
        if self.queue.undecided().is_some() {
            self.hold_picture();
        }
        let mut sum = Sent::default();
        for (_, client) in &mut self.clients {
            if !client.is_open() {
                continue;
            }
            let place = &mut client.place;
            let sent = place.offer(number, &mut self.queue, &self.flow);
            client.dropped += sent.dropped;
            sum += sent;
            take_turn(client, &mut self.queue);
        }
        if let Some(place) = &mut self.awaited
            && (keeps || !place.is_joining())
        {
            sum += place.offer(number, &mut self.queue, &self.flow);
        }
        let passes_by = !keeps && self.passes_by();
        // Of a group, this is a part.
        let had = self.group_size().max(usize::from(!repeats_header));
        self.keep_group();
        if passes_by {
            // But for those with which the peer begins when it comes.
            sum.dropped += had.saturating_sub(self.group_size()) as u64;
        }
        self.hold_picture();
        self.queue.trim();
        sum
    }

    /// Deals with what waits for clients beyond the limits.
    pub fn keep_within(&mut self, now: Instant) -> Sent {
        let mut sum = Sent::default();
        if self.flow.overflow == Overflow::Block || self.flow.lockstep {
            return sum;
        }
        for (key, client) in &mut self.clients {
            if !client.is_open() {
                continue;
            }
            // What waits for one that keeps up waits for more to come.
            let is_behind = !client.writable;
            if is_behind && self.flow.overflow == Overflow::Disconnect {
                if client.place.is_over(&self.queue, &self.flow.limits, now) {
                    self.verdicts.push((key, Verdict::TooSlow));
                }
            } else if is_behind {
                let dropped = client.place.thin(&mut self.queue, &self.flow.limits, now);
                client.dropped += dropped;
                sum.dropped += dropped;
            }
            if self.flow.overflow == Overflow::Drop && self.flow.limits != Limits::default() {
                sum += clear(client, &mut self.queue, self.period, now);
            }
            sum.wants_keyframe |= client.place.awaits_keyframe();
        }
        if let Some(place) = &mut self.awaited {
            sum.dropped += place.thin(&mut self.queue, &self.flow.limits, now);
            sum.wants_keyframe |= place.awaits_keyframe();
        }
        sum
    }

    /// A peer has come. With lockstep it may be sent so many frames at once. Returns its key, and how many frames
    /// are lost that were kept for another.
    pub fn join(&mut self, turns: u64, now: Instant) -> (usize, u64) {
        debug_assert!(
            self.audience == Audience::Clients
                || self.clients.iter().all(|(_, one)| !one.is_open()),
            "there is one at a time"
        );
        let mut place = self.awaited.take().unwrap_or_else(Place::joining);
        let queue = &mut self.queue;
        let lost = place.start_over(queue, &self.flow);
        if let Some(group) = self.group.from
            && place.is_joining()
            && !self.flow.lockstep
        {
            place.join_at(group, queue, now);
        }
        let mut client = Client::new(place, self.edges.clone(), turns, now);
        if self.flow.metadata == Metadata::On {
            client.understand(&self.hello);
        }
        client.dropped = lost;
        take_turn(&mut client, queue);
        self.understanding += usize::from(client.place.understands());
        (self.clients.insert(client), lost)
    }

    /// A client has gone. What waits for it is for the peer that replaces it, if it `is_replaced`, or it is lost.
    /// Returns what it was counted, and how many frames are lost.
    pub fn leave(&mut self, key: usize, is_replaced: bool) -> (Counts, u64) {
        let Some(mut client) = self.clients.try_remove(key) else {
            return (Counts::default(), 0);
        };
        self.understanding -= usize::from(client.place.understands());
        // The next one with this key is another.
        self.verdicts.retain(|(other, _)| *other != key);
        let mut counts = counts(&client, &self.queue);
        client.place.be_left(&mut self.queue);
        if is_replaced && self.audience == Audience::Callee && client.is_open() {
            // Whoever is awaited instead of it has nothing that it has not.
            if let Some(other) = self.awaited.replace(client.place) {
                other.give_up(&mut self.queue);
            }
            return (counts, 0);
        }
        let lost = client.place.give_up(&mut self.queue);
        (counts.queued, counts.oldest) = (0, None);
        counts.dropped += lost;
        if is_replaced {
            self.await_peer();
        }
        (counts, lost)
    }

    /// Somebody is to come, where there is one at a time.
    pub fn await_peer(&mut self) {
        if self.audience != Audience::Clients && self.awaited.is_none() {
            self.awaited = Some(Place::joining());
        }
    }

    /// Nobody is to come any more. Returns how many frames are lost that were kept for one.
    pub fn await_nobody(&mut self) -> u64 {
        let place = self.awaited.take();
        place.map_or(0, |place| place.give_up(&mut self.queue))
    }

    /// Whether frames wait for somebody to come.
    pub fn has_any_for_awaited(&self) -> bool {
        let mut awaited = self.awaited.iter();
        awaited.any(|place| !place.is_idle(&self.queue))
    }

    /// How many clients there are.
    pub fn num_clients(&self) -> usize {
        self.clients.len()
    }

    /// What the kernel may take now before any frame, or behind the last one.
    pub fn unsent_edge(&self, key: usize) -> Option<&[u8]> {
        let client = self.clients.get(key).filter(|client| client.writable)?;
        let edge = match &client.edges {
            edges if !edges.preamble.is_sent() => &edges.preamble,
            edges if client.place.is_idle(&self.queue) => &edges.eos_frame,
            _ => return None,
        };
        self.owes_edge(client).then(|| edge.unsent())
    }

    /// The kernel has taken so many bytes of that, and has no room for more where that `is_short`. With the first
    /// of the last frame the client is told that no more follows.
    pub fn sent_edge(
        &mut self,
        key: usize,
        bytes: usize,
        is_short: bool,
        now: Instant,
    ) -> Progress {
        let mut progress = Progress::default();
        let Some(client) = self.clients.get_mut(key) else {
            return progress;
        };
        client.writable = !is_short;
        client.wrote(bytes, now);
        if !client.edges.preamble.is_sent() {
            client.edges.preamble.advance(bytes);
            return progress;
        }
        if client.edges.eos_frame.advance(bytes) {
            progress.frames += u64::from(client.edges.eos_frame.is_frame());
        }
        client.sent += progress;
        if client.is_open() {
            self.begin_drain(key, now);
        }
        progress
    }

    /// What the kernel may take now in its order, and how many bytes of the first it has.
    pub fn unsent(&self, key: usize) -> Option<(impl Iterator<Item = Part<'_, P>>, usize)> {
        let client = self.clients.get(key)?;
        let has_any = client.is_open()
            && client.writable
            && !client.place.has_nothing_to_send(&self.queue, &self.flow);
        has_any.then(|| client.place.unsent(&self.queue, &self.flow))
    }

    /// The kernel has taken so many bytes of that, and has no room for more where that `is_short`.
    pub fn sent(&mut self, key: usize, bytes: usize, is_short: bool, now: Instant) -> Progress {
        let Some(client) = self.clients.get_mut(key) else {
            return Progress::default();
        };
        let (queue, flow) = (&mut self.queue, &self.flow);
        client.writable = !is_short;
        client.wrote(bytes, now);
        let progress = client.place.advance(queue, bytes, flow);
        client.sent += progress;
        take_turn(client, queue);
        if progress.frames > 0 && flow.overflow == Overflow::Drop {
            client.standing.sent(is_short, now);
        }
        progress
    }

    /// Whether the kernel has room, as far as it has been asked.
    pub fn is_writable(&self, key: usize) -> bool {
        let client = self.clients.get(key);
        client.is_none_or(|client| client.writable)
    }

    /// Whether the kernel has room.
    pub fn set_writable(&mut self, key: usize, writable: bool) {
        if let Some(client) = self.clients.get_mut(key) {
            client.writable = writable;
        }
    }

    /// The peer has sent something that nobody wants.
    pub fn peer_talks(&mut self, key: usize) {
        if let Some(client) = self.clients.get_mut(key) {
            client.peer_talks = true;
        }
    }

    /// The peer has ended its sending side.
    pub fn peer_ended(&mut self, key: usize) {
        if let Some(client) = self.clients.get_mut(key) {
            client.peer_ended = true;
        }
    }

    /// With lockstep: each client may be sent one more frame.
    pub fn grant_turn(&mut self) {
        for (_, client) in &mut self.clients {
            client.turns += 1;
            take_turn(client, &mut self.queue);
        }
    }

    /// With lockstep: no turn will come any more for the frame that waits for one.
    pub fn forget_held(&mut self, key: usize) -> u64 {
        let client = self.clients.get_mut(key);
        client.map_or(0, |client| {
            let lost = client.place.forget_held(&mut self.queue);
            client.dropped += lost;
            lost
        })
    }

    /// Forgets what has not been begun: the stream is about to jump.
    pub fn forget_waiting(&mut self) {
        self.forget_group();
        self.forget_picture();
        let places = self.clients.iter_mut().map(|(_, client)| &mut client.place);
        for place in places.chain(&mut self.awaited) {
            place.forget_waiting(&mut self.queue);
        }
    }

    /// No more follows. Returns how many frames are lost that were kept for a caller, where a stream does not wait for
    /// one.
    pub fn finish(&mut self, now: Instant) -> u64 {
        self.is_finishing = true;
        for (_, client) in &mut self.clients {
            client.restart_clock(now);
        }
        self.give_up_caller()
    }

    /// More follows all the same.
    pub fn resume(&mut self) {
        self.is_finishing = false;
    }

    /// Whether no more follows.
    pub fn is_finishing(&self) -> bool {
        self.is_finishing
    }

    /// Whether everybody has all of the stream, and has gone.
    pub fn is_finished(&self) -> bool {
        let is_idle = |place: &Place<P>| place.is_idle(&self.queue);
        self.clients.is_empty() && self.awaited.as_ref().is_none_or(is_idle)
    }

    /// Whether all that a client was given is with the kernel.
    pub fn is_idle(&self, key: usize) -> bool {
        let client = self.clients.get(key);
        client.is_none_or(|client| client.place.is_idle(&self.queue) && !self.owes_edge(client))
    }

    /// The same, but for a frame that waits for its turn.
    pub fn has_nothing_to_send(&self, key: usize) -> bool {
        let client = self.clients.get(key);
        client.is_none_or(|client| {
            !client.edges.is_cut() && client.place.has_nothing_to_send(&self.queue, &self.flow)
        })
    }

    /// The peer has been told that no more follows.
    pub fn begin_drain(&mut self, key: usize, now: Instant) {
        if let Some(client) = self.clients.get_mut(key) {
            client.begin_drain(now);
            self.has_begun_drain = true;
            let place = std::mem::replace(&mut client.place, Place::joining());
            place.give_up(&mut self.queue);
            // Should more follow, it is for another.
            self.await_peer();
        }
    }

    /// Whether anybody has been told since this was last asked.
    pub fn take_begun_drain(&mut self) -> bool {
        std::mem::take(&mut self.has_begun_drain)
    }

    /// Whether it has been told.
    pub fn is_draining(&self, key: usize) -> bool {
        let client = self.clients.get(key);
        client.is_some_and(|client| !client.is_open())
    }

    /// Whether nothing is left to be said to it, so that the sending side is to be ended. Once.
    pub fn is_to_end(&mut self, key: usize) -> bool {
        let client = self.clients.get_mut(key);
        client.is_some_and(Client::is_to_end)
    }

    /// Whether its connection can be closed without a loss, the peer having left so many bytes unacknowledged.
    pub fn is_drained(&mut self, key: usize, unacknowledged: usize, now: Instant) -> bool {
        let client = self.clients.get_mut(key);
        client.is_some_and(|client| client.is_drained(unacknowledged, now))
    }

    /// Looks for a client that takes nothing any more, having left so many bytes unacknowledged.
    pub fn inspect(&mut self, key: usize, unacknowledged: usize, now: Instant) {
        let oldest = self.clients.get(key).and_then(|client| self.oldest(client));
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        let stalled_for = client.stalled_for(unacknowledged, oldest, now);
        let overdue = self.flow.timeout.filter(|&limit| stalled_for >= limit);
        if let Some(limit) = overdue.filter(|_| client.is_open()) {
            self.verdicts.push((key, Verdict::Stalled(limit)));
        }
    }

    /// At the end of the stream, looks for a client that does not take the rest. It holds up the end no more than
    /// the stream. Returns how many frames are lost to it that waited for their turn.
    pub fn inspect_end(&mut self, key: usize, now: Instant) -> u64 {
        let Some(client) = self.clients.get(key) else {
            return 0;
        };
        let (queue, flow) = (&self.queue, &self.flow);
        let is_blocked = client.blocked_for(self.oldest(client), now) >= DRAIN_LIMIT;
        let awaits_turn =
            client.place.has_nothing_to_send(queue, flow) && !client.place.is_idle(queue);
        if is_blocked && awaits_turn {
            return self.forget_held(key);
        }
        if is_blocked && flow.overflow != Overflow::Block {
            self.verdicts.push((key, Verdict::Stuck));
        }
        0
    }

    /// The next client that is not to stay, and why.
    pub fn poll_verdict(&mut self) -> Option<(usize, Verdict)> {
        self.verdicts.pop()
    }

    /// What a client has been sent, has lost, and what waits for it.
    pub fn counts(&self, key: usize) -> Counts {
        let client = self.clients.get(key);
        client.map_or_else(Counts::default, |client| counts(client, &self.queue))
    }

    /// Bytes that wait for anybody, or for one to come.
    pub fn queued(&self) -> usize {
        self.places().map(|place| place.queued(&self.queue)).sum()
    }

    /// The payloads that nobody needs any more.
    pub fn spent(&mut self) -> &mut Vec<P> {
        self.queue.spent()
    }

    /// Whether it is still to be sent what its connection begins with, or ends with.
    fn owes_edge(&self, client: &Client<P>) -> bool {
        let is_over = self.is_finishing || !client.is_open();
        !client.edges.preamble.is_sent() || (is_over && !client.edges.eos_frame.is_sent())
    }

    /// Since when the first of what waits for it does.
    fn oldest(&self, client: &Client<P>) -> Option<Instant> {
        let owes_edge = self.owes_edge(client);
        let owes_any = || owes_edge || client.place.owes_headers(&self.queue);
        let oldest = client.place.oldest(&self.queue);
        oldest.or_else(|| owes_any().then(|| client.written_at()))
    }

    /// Those of the clients, and of one to come.
    fn places(&self) -> impl Iterator<Item = &Place<P>> {
        let clients = self.clients.iter().map(|(_, client)| &client.place);
        clients.chain(&self.awaited)
    }

    /// The peer to which this end connects is there, and what it is told is not settled yet: what comes meanwhile is for
    /// it.
    pub fn set_callee_is_here(&mut self, is_here: bool) {
        self.callee_is_here = is_here;
    }

    /// Whether frames go by before the peer comes to which this end connects.
    fn passes_by(&self) -> bool {
        self.audience == Audience::Callee
            && !self.keeps_for_later()
            && self.awaited.as_ref().is_some_and(Place::is_joining)
    }

    /// A peer that is connected to gets a stream that waits, or could, from its beginning. Any other starts where the
    /// stream is when it joins.
    fn keeps_for_later(&self) -> bool {
        // The group is kept in any case, and comes whole where a peer is given that.
        let is_next = self.callee_is_here && self.flow.join != JoinAt::LatestKeyframe;
        let is_kept = self.flow.overflow == Overflow::Block || self.flow.keep_for_callee || is_next;
        (self.audience == Audience::Callee && is_kept) || self.flow.lockstep
    }

    fn keep_group(&mut self) {
        if self.flow.join != JoinAt::LatestKeyframe {
            return;
        }
        let start = self.queue.newest_start();
        let from = match self.group.from {
            _ if start.is_some() => start,
            Some(first) if self.queue.size_from(first).bytes > MAX_GROUP_BYTES => None,
            group => group,
        };
        self.hold_group(Hold { from, alone: None });
    }

    /// Keeps a picture until it is known whether decoding can start with it.
    fn hold_picture(&mut self) {
        let from = self.queue.undecided();
        if from.is_some_and(|first| self.queue.size_from(first).bytes > MAX_GROUP_BYTES) {
            return self.forget_picture();
        }
        let picture = Hold { from, alone: None };
        self.queue.exchange(self.picture, picture);
        self.picture = picture;
    }

    fn forget_picture(&mut self) {
        self.queue.close();
        self.queue.exchange(self.picture, Hold::default());
        self.picture = Hold::default();
    }

    /// How many frames are kept for clients to come.
    fn group_size(&self) -> usize {
        let first = self.group.from;
        first.map_or(0, |first| self.queue.size_from(first).frames)
    }

    fn forget_group(&mut self) {
        self.hold_group(Hold::default());
    }

    /// Forgets the group, of which nobody has got anything where one peer is still to come, and that for the first
    /// time. Returns how many frames are lost by that.
    fn lose_group(&mut self) -> u64 {
        let awaited = self.awaited.iter().filter(|_| !self.is_finishing);
        let is_kept_for_one =
            self.audience == Audience::Callee && awaited.into_iter().any(Place::is_joining);
        let lost = if is_kept_for_one {
            self.group_size()
        } else {
            0
        };
        self.forget_group();
        lost as u64
    }

    /// At the end of a stream that waits for no caller: what was kept for one is lost.
    fn give_up_caller(&mut self) -> u64 {
        if self.audience != Audience::Caller || self.flow.hold_without_client {
            return 0;
        }
        let place = self.awaited.as_mut();
        place.map_or(0, |place| {
            std::mem::replace(place, Place::joining()).give_up(&mut self.queue)
        })
    }

    fn hold_group(&mut self, group: Hold) {
        self.queue.exchange(self.group, group);
        self.group = group;
    }
}

fn counts<P>(client: &Client<P>, queue: &Queue<P>) -> Counts {
    Counts {
        sent: client.sent,
        dropped: client.dropped,
        queued: client.place.queued(queue),
        oldest: client.place.oldest(queue),
    }
}

fn take_turn<P>(client: &mut Client<P>, queue: &mut Queue<P>) {
    if client.turns > 0 && client.place.take_turn(queue) {
        client.turns -= 1;
    }
}

/// Drops what waits in vain: there is newer, and the queue does not get shorter.
fn clear<P>(client: &mut Client<P>, queue: &mut Queue<P>, stream: Period, now: Instant) -> Sent {
    let oldest = client.place.oldest_waiting(queue);
    let mut sent = Sent::default();
    if client.standing.is_to_be_cleared(oldest, stream, now) {
        sent.dropped = client.place.skip_to_newest_keyframe(queue);
        client.dropped += sent.dropped;
        if sent.dropped > 0 {
            client.standing.cleared(now);
        }
        sent.wants_keyframe = sent.dropped == 0 && !client.place.has_only_keyframes(queue);
    }
    sent
}
