// SPDX-License-Identifier: MPL-2.0
//! How far somebody has come in the stream, and how far behind that may be.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    flow::{Flow, Frame, JoinAt, Limits, Part, Progress, Sent},
    queue::{Entry, Hold, Queue, Size},
    records::{Between, Description},
};

/// Of frames that do not say when they are due this much may wait where time is the limit: enough for a call
/// that is worth its while.
const MAX_UNTIMED_BYTES: usize = 64 * 1024;

/// The stream's headers, and which ones they are.
pub(super) struct Headers<P> {
    /// One frame each.
    pub frames: Arc<Vec<Frame<P>>>,
    /// Grows when they change. The first one is none.
    pub version: u64,
    /// The stream has had them among its frames.
    pub are_in_band: bool,
}

/// A place in the stream.
pub(super) struct Place<P> {
    stage: Stage,
    /// The first frame that has not been begun.
    next: u64,
    /// A frame before it, which is to be sent to its end whatever becomes of the others.
    begun: Option<Begun>,
    /// The version of the stream's headers that were given.
    headers: u64,
    /// Those that are not sent yet.
    owed: Option<Owed<P>>,
    /// What joining began with, until it has been taken, or some of it dropped.
    joined: Option<Joined>,
    /// What it keeps in the queue.
    hold: Hold,
    /// It was that of a peer that has gone.
    is_left: bool,
    /// Frames that are lost, unless decoding turns out to start with the picture that they are pieces of.
    undecided: u64,
    between: Between,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Has got nothing yet.
    Joining,
    /// Has lost frames; what follows cannot be decoded without a keyframe.
    AwaitingKeyframe,
    Following,
}

#[derive(Clone, Copy)]
struct Begun {
    number: u64,
    /// Bytes of it that are with the kernel. With lockstep it may be none: a turn is for this frame.
    offset: usize,
}

struct Owed<P> {
    frames: Arc<Vec<Frame<P>>>,
    next: usize,
    /// Bytes of that one that are with the kernel.
    offset: usize,
    since: Instant,
}

#[derive(Clone, Copy)]
struct Joined {
    /// The frame after those that were there, and all there were until then.
    end: u64,
    until: Size,
    size: Size,
    /// They are due with the last of them, however old they are.
    time: Option<Duration>,
    at: Instant,
}

/// What comes next.
enum Head {
    Told,
    Header,
    Frame(Begun),
    Nothing,
}

impl<P> Place<P> {
    /// That of one who begins with a frame to come.
    pub fn joining() -> Self {
        Self {
            stage: Stage::Joining,
            next: 0,
            begun: None,
            headers: 0,
            owed: None,
            joined: None,
            hold: Hold::default(),
            is_left: false,
            undecided: 0,
            between: Between::default(),
        }
    }

    /// Begins with the frames that are there from this one on.
    pub fn join_at(
        &mut self,
        number: u64,
        queue: &mut Queue<P>,
        headers: &Headers<P>,
        now: Instant,
    ) {
        self.joined = Some(Joined {
            end: queue.end(),
            until: queue.total(),
            size: queue.size_from(number),
            time: queue
                .from(number)
                .filter_map(|entry| entry.frame.time)
                .max(),
            at: now,
        });
        self.follow_from(number, queue, headers, now);
    }

    /// Its peer has gone, and with it what it was told.
    pub fn be_left(&mut self) {
        self.is_left = !self.is_joining();
        self.between = Between::default();
        if let Some(begun) = &mut self.begun {
            begun.offset = 0;
        }
    }

    /// Another connection takes over from one that was lost: the frame begun is to be sent whole, and as what came before it is lost,
    /// what cannot be decoded without it is dropped. Returns how many frames are lost.
    pub fn start_over(
        &mut self,
        queue: &mut Queue<P>,
        flow: &Flow,
        headers: &Headers<P>,
        now: Instant,
    ) -> u64 {
        if self.is_joining() || !std::mem::take(&mut self.is_left) {
            return 0;
        }
        let begun = self.begun.take();
        let mut lost = 0;
        if let Some(begun) = begun {
            // With lockstep it was an answer to somebody else.
            let is_next = begun.number + 1 == self.next && queue.has(begun.number);
            if is_next && !flow.lockstep && self.is_following() {
                self.next = begun.number;
            } else {
                lost += u64::from(!queue.get(begun.number).frame.is_note);
            }
        }
        if self.is_following() && !flow.lockstep {
            let waiting = self.waiting(queue).frames;
            match queue.first_keyframe_from(self.next) {
                Some(keyframe) => self.next = keyframe,
                None => {
                    self.stage = Stage::AwaitingKeyframe;
                    self.undecided = queue.undecided_from(self.next);
                }
            }
            lost += (waiting - self.waiting(queue).frames) as u64 - self.undecided;
        }
        self.joined = None;
        if let Some(owed) = self.owed.take() {
            queue.spend(owed.frames);
        }
        self.owe(queue, headers, now);
        self.hold_what_is_needed(queue);
        lost
    }

    /// Whether it has got nothing yet.
    pub fn is_joining(&self) -> bool {
        self.stage == Stage::Joining
    }

    /// Whether it has lost frames, and waits for a keyframe.
    pub fn awaits_keyframe(&self) -> bool {
        self.stage == Stage::AwaitingKeyframe
    }

    /// Whether all has been sent, but for a frame that waits for its turn.
    pub fn has_nothing_to_send(&self, queue: &Queue<P>, flow: &Flow) -> bool {
        self.owed.is_none()
            && self.begun.is_none()
            && self.is_told(queue)
            && (flow.lockstep || self.is_at_end(queue))
    }

    /// Whether nothing waits at all.
    pub fn is_idle(&self, queue: &Queue<P>) -> bool {
        self.owed.is_none() && self.begun.is_none() && self.is_told(queue) && self.is_at_end(queue)
    }

    /// The peer understands records.
    pub fn understand(&mut self, hello: &[u8], queue: &mut Queue<P>, headers: &Headers<P>) {
        let is_begun = self.part_of_frame().is_some();
        self.between.understand(hello, is_begun);
        if !is_begun
            && !headers.are_in_band
            && let Some(owed) = self.owed.take()
        {
            // Its description says the same.
            queue.spend(owed.frames);
            self.headers = 0;
        }
    }

    /// Whether nothing is begun.
    pub fn is_between_frames(&self) -> bool {
        self.part_of_frame().is_none() && self.between.unsent().is_empty()
    }

    /// Whether it is sent records, now or from the next frame on.
    pub fn understands(&self) -> bool {
        self.between.understands()
    }

    /// Whether it is sent records.
    pub fn is_described(&self) -> bool {
        self.between.is_described()
    }

    /// Whether it has to be told what comes next.
    pub fn is_undescribed(&self, queue: &Queue<P>) -> bool {
        self.is_described() && !self.between.knows(self.description(queue))
    }

    /// Tells the peer what comes next.
    pub fn describe(&mut self, queue: &Queue<P>, now: Instant) {
        if let Some(description) = self.description(queue) {
            self.between.describe(description, now);
        }
    }

    /// Tells the peer something between frames.
    pub fn tell(&mut self, bytes: &[u8]) {
        self.between.tell(bytes);
    }

    /// Goes on where there are only notes that it is not sent.
    pub fn pass_by(&mut self, number: u64, queue: &mut Queue<P>) {
        if self.is_following() && self.is_at_end(queue) {
            self.next = number + 1;
            self.hold_what_is_needed(queue);
        }
    }

    fn is_told(&self, queue: &Queue<P>) -> bool {
        self.between.unsent().is_empty() && !self.is_undescribed(queue)
    }

    /// What the next frame is, or will be.
    fn description<'a>(&self, queue: &'a Queue<P>) -> Option<&'a Arc<Description>> {
        match self.next_frame(queue) {
            Some((_, entry)) => entry.description.as_ref(),
            None => queue.description.as_ref(),
        }
    }

    /// Bytes that are not with the kernel yet.
    pub fn queued(&self, queue: &Queue<P>) -> usize {
        let is_described = self.is_described();
        let owed = self.owed.iter().flat_map(Owed::unsent);
        let owed: usize = owed.map(|frame| frame.wire_len(is_described)).sum();
        let offset = self.owed.as_ref().map_or(0, |owed| owed.offset);
        let begun = self
            .begun
            .map_or(0, |begun| begun.left(queue, is_described));
        let told = self.between.unsent().len();
        owed - offset + told + begun + self.waiting(queue).bytes
    }

    /// Since when the first of what waits does.
    pub fn oldest(&self, queue: &Queue<P>) -> Option<Instant> {
        if let Some(begun) = self.begun {
            return Some(self.since(begun.number, queue.get(begun.number)));
        }
        let owed = self.owed.as_ref().map(|owed| owed.since);
        owed.or_else(|| self.oldest_waiting(queue))
    }

    /// What to send in its order, and how many bytes of the first have been taken.
    pub fn unsent<'a>(
        &'a self,
        queue: &'a Queue<P>,
        flow: &Flow,
    ) -> (impl Iterator<Item = Part<'a, P>>, usize) {
        let lockstep = flow.lockstep;
        let is_described = self.is_described();
        let goes_on = self.between.goes_on() && !self.is_undescribed(queue);
        let begun = self.begun.map(|begun| &queue.get(begun.number).frame);
        let offset = self.begun.map_or(0, |begun| begun.offset);
        let owed = self.owed.as_ref();
        let owed_offset = owed.map_or(0, |owed| owed.offset);
        // Records and headers go out between frames.
        let (part, whole) = match begun {
            Some(_) if offset > 0 => (begun, None),
            _ if owed_offset > 0 => (owed.and_then(|owed| owed.unsent().next()), begun),
            _ => (None, begun),
        };
        let told =
            Some(self.between.unsent()).filter(|told| self.between.goes_on() && !told.is_empty());
        let owed = owed.into_iter().flat_map(Owed::unsent);
        let owed = owed.skip(usize::from(owed_offset > 0));
        let rest = self.rest(queue).filter(move |_| !lockstep);
        let rest = rest.take_while(|(_, entry)| self.between.knows(entry.description.as_ref()));
        let rest = rest.map(|(_, entry)| &entry.frame);
        let is_first = self.begun.is_some_and(|begun| self.is_first(begun, queue));
        let (first, later) = if is_first {
            (whole, None)
        } else {
            (None, whole)
        };
        let frames = first.into_iter().chain(owed).chain(later).chain(rest);
        let frames = frames.filter(move |_| goes_on);
        let frame = move |frame| Part::frame(frame, is_described);
        let parts = part.into_iter().map(frame).chain(told.map(Part::told));
        (parts.chain(frames.map(frame)), offset.max(owed_offset))
    }

    /// So many more bytes have been taken. Says what has become complete by them.
    pub fn advance(&mut self, queue: &mut Queue<P>, bytes: usize, flow: &Flow) -> Progress {
        let progress = self.pass(queue, bytes, flow);
        if self.is_idle(queue) {
            self.joined = None;
        }
        self.hold_what_is_needed(queue);
        progress
    }

    fn pass(&mut self, queue: &mut Queue<P>, mut bytes: usize, flow: &Flow) -> Progress {
        let mut progress = Progress::default();
        let is_described = self.is_described();
        // Whole frames are the rule.
        while self.begun.is_none()
            && self.owed.is_none()
            && self.between.unsent().is_empty()
            && !flow.lockstep
        {
            match self.next_frame(queue) {
                Some((number, Entry { frame, .. })) if frame.wire_len(is_described) <= bytes => {
                    bytes -= frame.wire_len(is_described);
                    progress.add(frame);
                    self.next = number + 1;
                }
                _ => break,
            }
        }
        while bytes > 0 {
            match self.head(queue, flow) {
                Head::Told => {
                    let taken = bytes.min(self.between.unsent().len());
                    bytes -= taken;
                    self.between.advance(taken);
                }
                Head::Header => {
                    let Some(owed) = &mut self.owed else { break };
                    let frame = &owed.frames[owed.next];
                    let left = frame.wire_len(is_described) - owed.offset;
                    if bytes < left {
                        owed.offset += bytes;
                        break;
                    }
                    bytes -= left;
                    progress.add(frame);
                    (owed.next, owed.offset) = (owed.next + 1, 0);
                    if owed.next == owed.frames.len()
                        && let Some(owed) = self.owed.take()
                    {
                        queue.spend(owed.frames);
                    }
                }
                Head::Frame(begun) => {
                    let left = begun.left(queue, is_described);
                    self.next = self.next.max(begun.number + 1);
                    if bytes < left {
                        let offset = begun.offset + bytes;
                        self.begun = Some(Begun { offset, ..begun });
                        break;
                    }
                    bytes -= left;
                    progress.add(&queue.get(begun.number).frame);
                    self.begun = None;
                }
                Head::Nothing => break,
            }
        }
        if self.part_of_frame().is_none() {
            self.between.is_between_frames();
        }
        progress
    }

    /// What is begun, and not at its end.
    fn part_of_frame(&self) -> Option<Head> {
        let begun = self.begun.filter(|begun| begun.offset > 0);
        let owed = self.owed.as_ref().filter(|owed| owed.offset > 0);
        begun.map(Head::Frame).or(owed.map(|_| Head::Header))
    }

    fn head(&self, queue: &Queue<P>, flow: &Flow) -> Head {
        if let Some(part) = self.part_of_frame() {
            return part;
        }
        match self.begun {
            _ if !self.between.unsent().is_empty() => return Head::Told,
            Some(begun) if self.is_first(begun, queue) => return Head::Frame(begun),
            _ if self.owed.is_some() => return Head::Header,
            Some(begun) => return Head::Frame(begun),
            None => (),
        }
        match self.next_frame(queue) {
            Some((number, _)) if !flow.lockstep => Head::Frame(Begun { number, offset: 0 }),
            _ => Head::Nothing,
        }
    }

    /// Whether the frame begun comes before the headers that are owed: those go out between frames, and before the
    /// frames that need them.
    fn is_first(&self, begun: Begun, queue: &Queue<P>) -> bool {
        self.owed.as_ref().is_none_or(|owed| {
            let needs_others = queue.get(begun.number).headers != self.headers;
            // Once the first of them is begun, the others follow it.
            let is_untouched = owed.next == 0 && owed.offset == 0;
            begun.offset > 0 || (is_untouched && needs_others)
        })
    }

    /// The stream goes on with this frame.
    pub fn offer(
        &mut self,
        number: u64,
        queue: &mut Queue<P>,
        flow: &Flow,
        headers: &Headers<P>,
        now: Instant,
    ) -> Sent {
        let frame = &queue.get(number).frame;
        if frame.is_note {
            // It is for those who follow.
        } else if !self.is_following() {
            let any = self.is_joining() && flow.join == JoinAt::Latest;
            let start = queue.newest_start().or(any.then_some(number));
            let Some(start) = start else {
                return Sent {
                    dropped: self.lose(frame, queue),
                    wants_keyframe: queue.undecided().is_none(),
                };
            };
            self.undecided = 0;
            self.follow_from(start, queue, headers, now);
        } else if flow.lockstep && !self.skips(queue.get(number)) {
            let dropped = self.skip_to(number, queue);
            self.catch_up_on_headers(queue, headers, now);
            return Sent {
                dropped,
                wants_keyframe: false,
            };
        }
        Sent::default()
    }

    /// The newest frame passes by, in which decoding cannot start. Says how many are lost by that.
    fn lose(&mut self, frame: &Frame<P>, queue: &Queue<P>) -> u64 {
        if !self.awaits_keyframe() {
            return 0;
        }
        let mut lost = 0;
        if frame.piece.begins() {
            lost += std::mem::take(&mut self.undecided);
        }
        self.undecided += u64::from(frame.is_counted());
        if queue.undecided().is_none() {
            lost += std::mem::take(&mut self.undecided);
        }
        lost
    }

    /// With lockstep, a turn for the frame that waits. Says whether one does.
    pub fn take_turn(&mut self, queue: &mut Queue<P>) -> bool {
        if self.begun.is_some() {
            return false;
        }
        let next = self.next_frame(queue).map(|(number, _)| number);
        if let Some(number) = next {
            self.begun = Some(Begun { number, offset: 0 });
            self.next = number + 1;
            self.hold_what_is_needed(queue);
        }
        next.is_some()
    }

    /// Whether something has to be sent before `next` can be added.
    pub fn has_no_room(
        &self,
        next: &Frame<P>,
        queue: &Queue<P>,
        limits: &Limits,
        now: Instant,
    ) -> bool {
        let Size { frames, bytes } = self.waiting(queue);
        if frames == 0 {
            return false;
        }
        let excess = self.excess(queue);
        let is_untimed = || {
            let next = self.next_frame(queue);
            next.is_some_and(|(_, entry)| entry.frame.time.is_none())
        };
        limits
            .frames
            .is_some_and(|max| frames >= max.saturating_add(excess.frames))
            || limits
                .bytes
                .is_some_and(|max| bytes + next.wire_len(false) > max.saturating_add(excess.bytes))
            || limits.time.is_some_and(|max| {
                self.lag(next.time, queue, now) >= max
                    || (is_untimed() && bytes > MAX_UNTIMED_BYTES + excess.bytes)
            })
    }

    /// Whether more waits than the limits allow. One frame always may.
    pub fn is_over(&self, queue: &Queue<P>, limits: &Limits, now: Instant) -> bool {
        let Size { frames, bytes } = self.waiting(queue);
        if frames <= 1 {
            return false;
        }
        let excess = self.excess(queue);
        limits
            .frames
            .is_some_and(|max| frames > max.saturating_add(excess.frames))
            || limits
                .bytes
                .is_some_and(|max| bytes > max.saturating_add(excess.bytes))
            || limits
                .time
                .is_some_and(|max| self.lag(queue.newest_time(), queue, now) > max)
    }

    /// Drops what the limits do not allow, so that what remains can be decoded, and says how many frames
    /// that were. Nothing may remain: then it goes on with the next keyframe.
    pub fn thin(
        &mut self,
        queue: &mut Queue<P>,
        limits: &Limits,
        headers: &Headers<P>,
        now: Instant,
    ) -> u64 {
        if !self.is_over(queue, limits, now) {
            return 0;
        }
        let dropped = if queue.has_only_keyframes_from(self.next) {
            let mut dropped = 0;
            while self.is_over(queue, limits, now) {
                dropped += self.skip_to(self.next + 1, queue);
            }
            dropped
        } else {
            let keyframe = queue.newest_keyframe_from(self.next);
            let oldest = self.next_frame(queue).map(|(number, _)| number);
            match keyframe.filter(|_| keyframe != oldest) {
                Some(keyframe) => self.skip_to(keyframe, queue),
                None => self.skip_all(queue),
            }
        };
        if self.is_following() {
            self.catch_up_on_headers(queue, headers, now);
        }
        dropped
    }

    /// Whether decoding can start with each frame that waits.
    pub fn has_only_keyframes(&self, queue: &Queue<P>) -> bool {
        !self.is_following() || queue.has_only_keyframes_from(self.next)
    }

    /// Drops all but the newest of the frames that decoding can start with, and what follows it. Says how many
    /// that were.
    pub fn skip_to_newest_keyframe(
        &mut self,
        queue: &mut Queue<P>,
        headers: &Headers<P>,
        now: Instant,
    ) -> u64 {
        if !self.is_following() {
            return 0;
        }
        let Some(keyframe) = queue.newest_keyframe_from(self.next) else {
            return 0;
        };
        let dropped = self.skip_to(keyframe, queue);
        self.catch_up_on_headers(queue, headers, now);
        dropped
    }

    /// Drops the frames that have not been begun: the stream jumps. They are not lost to anybody.
    pub fn forget_waiting(&mut self, queue: &mut Queue<P>) {
        if self.waiting(queue).frames > 0 {
            self.skip_all(queue);
        }
    }

    /// With lockstep: no turn will come any more for the frame that waits for one.
    pub fn forget_held(&mut self, queue: &mut Queue<P>) -> u64 {
        if self.is_following() {
            self.skip_to(queue.end(), queue)
        } else {
            0
        }
    }

    /// Lets go of everything. Returns how many frames are lost.
    pub fn give_up(mut self, queue: &mut Queue<P>) -> u64 {
        let is_frame = |begun: Begun| !queue.get(begun.number).frame.is_note;
        let begun = self.begun.is_some_and(is_frame);
        let lost = self.waiting(queue).frames as u64 + u64::from(begun) + self.undecided;
        if let Some(owed) = self.owed.take() {
            queue.spend(owed.frames);
        }
        queue.exchange(self.hold, Hold::default());
        lost
    }

    /// Since when the first frame waits that has not been begun.
    pub fn oldest_waiting(&self, queue: &Queue<P>) -> Option<Instant> {
        let (number, entry) = self.next_frame(queue)?;
        Some(self.since(number, entry))
    }

    fn is_following(&self) -> bool {
        self.stage == Stage::Following
    }

    fn is_at_end(&self, queue: &Queue<P>) -> bool {
        self.next_frame(queue).is_none()
    }

    /// The next frame that has not been begun.
    fn next_frame<'a>(&self, queue: &'a Queue<P>) -> Option<(u64, &'a Entry<P>)> {
        if !self.is_following() {
            return None;
        }
        let mut number = self.next;
        loop {
            let entry = queue.peek(number)?;
            if !self.skips(entry) {
                return Some((number, entry));
            }
            number += 1;
        }
    }

    /// The frames that it follows and that have not been begun.
    fn rest<'a>(&'a self, queue: &'a Queue<P>) -> impl Iterator<Item = (u64, &'a Entry<P>)> {
        let first = if self.is_following() {
            self.next
        } else {
            queue.end()
        };
        let numbered = (first..).zip(queue.from(first));
        numbered.filter(|(_, entry)| !self.skips(entry))
    }

    /// A header that it was given is not sent again.
    fn skips(&self, entry: &Entry<P>) -> bool {
        (entry.frame.repeats_header && entry.headers == self.headers)
            || (entry.frame.is_note && !self.is_described())
    }

    fn waiting(&self, queue: &Queue<P>) -> Size {
        if self.is_following() {
            queue.size_from(self.next)
        } else {
            Size::default()
        }
    }

    /// What may wait beyond the limits: what joining began with, until as much has followed.
    fn excess(&self, queue: &Queue<P>) -> Size {
        let Some(joined) = self.joined else {
            return Size::default();
        };
        let total = queue.total();
        let followed = Size {
            frames: total.frames - joined.until.frames,
            bytes: total.bytes - joined.until.bytes,
        };
        let unless_followed = |given, followed| if followed < given { given } else { 0 };
        Size {
            frames: unless_followed(joined.size.frames, followed.frames),
            bytes: unless_followed(joined.size.bytes, followed.bytes),
        }
    }

    /// How far the oldest frame that waits is behind a frame that is due at this time.
    fn lag(&self, time: Option<Duration>, queue: &Queue<P>, now: Instant) -> Duration {
        let Some((number, oldest)) = self.next_frame(queue) else {
            return Duration::ZERO;
        };
        let joined = self.joined.filter(|joined| number < joined.end);
        let due = joined.map_or(oldest.frame.time, |joined| joined.time);
        let by_time = time
            .zip(due)
            .map_or(Duration::ZERO, |(newest, due)| newest.saturating_sub(due));
        by_time.max(now.saturating_duration_since(self.since(number, oldest)))
    }

    fn since(&self, number: u64, entry: &Entry<P>) -> Instant {
        let joined = self.joined.filter(|joined| number < joined.end);
        joined.map_or(entry.since, |joined| joined.at)
    }

    fn follow_from(
        &mut self,
        number: u64,
        queue: &mut Queue<P>,
        headers: &Headers<P>,
        now: Instant,
    ) {
        let is_new = self.is_joining();
        (self.stage, self.next) = (Stage::Following, number);
        self.hold_what_is_needed(queue);
        if is_new {
            self.owe(queue, headers, now);
        } else {
            self.catch_up_on_headers(queue, headers, now);
        }
    }

    /// Frames are lost, and with them the headers that they may have repeated.
    fn catch_up_on_headers(&mut self, queue: &mut Queue<P>, headers: &Headers<P>, now: Instant) {
        let is_current = |(_, entry): (u64, &Entry<P>)| entry.headers == headers.version;
        if self.headers != headers.version && self.next_frame(queue).is_some_and(is_current) {
            self.owe(queue, headers, now);
        }
    }

    fn owe(&mut self, queue: &mut Queue<P>, headers: &Headers<P>, now: Instant) {
        // One begun is to be sent to its end.
        if self.owed.as_ref().is_some_and(|owed| owed.offset > 0) {
            return;
        }
        // To others their description says the same.
        if self.is_described() && !headers.are_in_band {
            return;
        }
        self.headers = headers.version;
        let owed = (!headers.frames.is_empty()).then(|| Owed {
            frames: headers.frames.clone(),
            next: 0,
            offset: 0,
            since: now,
        });
        if let Some(former) = std::mem::replace(&mut self.owed, owed) {
            queue.spend(former.frames);
        }
    }

    fn skip_to(&mut self, number: u64, queue: &mut Queue<P>) -> u64 {
        let before = self.waiting(queue).frames;
        self.next = number;
        let skipped = (before - self.waiting(queue).frames) as u64;
        if skipped > 0 {
            self.joined = None;
        }
        self.hold_what_is_needed(queue);
        skipped
    }

    fn skip_all(&mut self, queue: &mut Queue<P>) -> u64 {
        self.undecided = queue.undecided_from(self.next);
        let skipped = self.skip_to(queue.end(), queue);
        self.stage = Stage::AwaitingKeyframe;
        self.hold_what_is_needed(queue);
        skipped - self.undecided
    }

    fn hold_what_is_needed(&mut self, queue: &mut Queue<P>) {
        let from = self.is_following().then_some(self.next);
        let begun = self.begun.map(|begun| begun.number);
        let hold = match begun {
            // With all that follows it.
            Some(number) if from == Some(number + 1) && queue.has(number) => Hold {
                from: begun,
                alone: None,
            },
            alone => Hold { from, alone },
        };
        queue.exchange(self.hold, hold);
        self.hold = hold;
    }
}

impl Begun {
    fn left<P>(self, queue: &Queue<P>, is_described: bool) -> usize {
        queue.get(self.number).frame.wire_len(is_described) - self.offset
    }
}

impl<P> Owed<P> {
    fn unsent(&self) -> impl Iterator<Item = &Frame<P>> {
        self.frames[self.next..].iter()
    }
}
