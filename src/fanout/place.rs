// SPDX-License-Identifier: MPL-2.0
//! How far somebody has come in the stream, and how far behind that may be.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    flow::{Flow, Frame, JoinAt, Limits, Part, Progress, Sent},
    headers::{Given, Having, Headers},
    queue::{Entry, Hold, Queue, Size},
    records::{Between, Description},
};

/// Of frames that do not say when they are due this much may wait where time is the limit: enough for a call
/// that is worth its while.
const MAX_UNTIMED_BYTES: usize = 64 * 1024;

/// A place in the stream.
pub(super) struct Place<P> {
    stage: Stage,
    /// The first frame that has not been begun.
    next: u64,
    /// A frame before it, which is to be sent to its end whatever becomes of the others.
    begun: Option<Begun>,
    /// The stream's headers that its peer has.
    given: Given<P>,
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

/// What comes next, behind the headers that it needs.
enum Next<'a, P> {
    /// With lockstep, a frame that has its turn.
    Turn(u64, &'a Entry<P>),
    Frame(u64, &'a Entry<P>),
    /// With lockstep, one that waits for its turn.
    Waiting(&'a Entry<P>),
    /// What is to come yet.
    Coming,
}

/// A frame or a header that is to be sent whole.
struct Step<'a, P> {
    frame: &'a Frame<P>,
    /// Of a frame that is no header.
    number: Option<u64>,
    /// The headers that the peer has then.
    having: Having<'a, P>,
    /// What the peer has to know before.
    description: Option<&'a Arc<Description>>,
}

impl<P> Place<P> {
    /// That of one who begins with a frame to come.
    pub fn joining() -> Self {
        Self {
            stage: Stage::Joining,
            next: 0,
            begun: None,
            given: Given::nothing(),
            joined: None,
            hold: Hold::default(),
            is_left: false,
            undecided: 0,
            between: Between::default(),
        }
    }

    /// Begins with the frames that are there from this one on.
    pub fn join_at(&mut self, number: u64, queue: &mut Queue<P>, now: Instant) {
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
        self.follow_from(number, queue);
    }

    /// Its peer has gone, and with it what it was told and given.
    pub fn be_left(&mut self, queue: &mut Queue<P>) {
        self.is_left = !self.is_joining();
        self.between = Between::default();
        queue.spend(self.given.forget());
        if let Some(begun) = &mut self.begun {
            begun.offset = 0;
        }
    }

    /// Another connection takes over from one that was lost: the frame begun is to be sent whole, and as what came before it is lost,
    /// what cannot be decoded without it is dropped. Returns how many frames are lost.
    pub fn start_over(&mut self, queue: &mut Queue<P>, flow: &Flow) -> u64 {
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
        self.is_told(queue) && self.has_sent_all(queue, flow.lockstep)
    }

    /// Whether nothing waits at all.
    pub fn is_idle(&self, queue: &Queue<P>) -> bool {
        self.is_told(queue) && self.has_sent_all(queue, false)
    }

    fn has_sent_all(&self, queue: &Queue<P>, lockstep: bool) -> bool {
        if self.begun.is_some() || self.given.part().is_some() {
            return false;
        }
        match self.next_frame(queue) {
            Some((_, entry)) => lockstep && !self.lacks(&entry.headers),
            None => !self.owes_headers_at_once() || !self.lacks(&queue.headers),
        }
    }

    /// Who has no headers need not wait for a frame to get them.
    fn owes_headers_at_once(&self) -> bool {
        !self.is_joining() && !self.is_left && !self.given.having().is_whole()
    }

    fn lacks(&self, headers: &Headers<P>) -> bool {
        let before = self.given.having().go_on(headers, self.is_described());
        !before.is_empty()
    }

    /// Whether headers come next.
    pub fn owes_headers(&self, queue: &Queue<P>) -> bool {
        let next = self.steps(queue, false).next();
        self.given.part().is_some() || next.is_some_and(|step| step.number.is_none())
    }

    /// The peer understands records.
    pub fn understand(&mut self, hello: &[u8]) {
        let is_begun = self.is_amid_frame();
        self.between.understand(hello, is_begun);
    }

    /// Whether nothing is begun.
    pub fn is_between_frames(&self) -> bool {
        !self.is_amid_frame() && self.between.unsent().is_empty()
    }

    fn is_amid_frame(&self) -> bool {
        self.begun.is_some_and(|begun| begun.offset > 0) || self.given.part().is_some()
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
        let part = self.given.part();
        let part = part.map_or(0, |(frame, sent)| frame.wire_len(is_described) - sent);
        let steps = self.steps(queue, false);
        let headers = steps.take_while(|step| step.number.is_none());
        let headers: usize = headers.map(|step| step.frame.wire_len(is_described)).sum();
        let begun = self
            .begun
            .map_or(0, |begun| begun.left(queue, is_described));
        let told = self.between.unsent().len();
        part + headers + told + begun + self.waiting(queue).bytes
    }

    /// Since when the first of what waits does.
    pub fn oldest(&self, queue: &Queue<P>) -> Option<Instant> {
        if let Some(begun) = self.begun {
            return Some(self.since(begun.number, queue.get(begun.number)));
        }
        self.oldest_waiting(queue)
    }

    /// What to send in its order, and how many bytes of the first have been taken.
    pub fn unsent<'a>(
        &'a self,
        queue: &'a Queue<P>,
        flow: &Flow,
    ) -> (impl Iterator<Item = Part<'a, P>>, usize) {
        let is_described = self.is_described();
        let part = self.part(queue);
        let goes_on = self.between.goes_on();
        // Records go out between frames.
        let told = Some(self.between.unsent()).filter(|told| goes_on && !told.is_empty());
        let knows_next = goes_on && !self.is_undescribed(queue);
        let steps = self
            .steps(queue, flow.lockstep)
            .take_while(move |step| knows_next && self.between.knows(step.description));
        let frame = move |frame| Part::frame(frame, is_described);
        let before = part.map_or(0, |(_, sent)| sent);
        let part = part.map(|(begun, _)| frame(begun));
        let parts = part.into_iter().chain(told.map(Part::told));
        let parts = parts.chain(steps.map(move |step| frame(step.frame)));
        (parts, before)
    }

    /// What is begun, and how many bytes of it have been taken.
    fn part<'a>(&'a self, queue: &'a Queue<P>) -> Option<(&'a Frame<P>, usize)> {
        let begun = self.begun.filter(|begun| begun.offset > 0);
        let begun = begun.map(|begun| (&queue.get(begun.number).frame, begun.offset));
        begun.or_else(|| self.given.part())
    }

    /// What follows that, but for what is said between frames: each frame behind the headers that it was pushed
    /// under, of which the peer is given those that it has not got.
    fn steps<'a>(
        &'a self,
        queue: &'a Queue<P>,
        lockstep: bool,
    ) -> impl Iterator<Item = Step<'a, P>> {
        let is_described = self.is_described();
        let mut having = self.given.having();
        let mut nexts = self.nexts(queue, lockstep);
        let (mut headers, mut before, mut frame) = (&queue.headers, 0..0, None);
        let mut description = None;
        std::iter::from_fn(move || {
            loop {
                if let Some(at) = before.next() {
                    return Some(Step {
                        frame: &headers.frames[at],
                        number: None,
                        having: having.at(at + 1),
                        description,
                    });
                }
                if let Some((number, frame)) = frame.take() {
                    return Some(Step {
                        frame,
                        number: Some(number),
                        having,
                        description,
                    });
                }
                let next = nexts.next()?;
                if let Next::Frame(_, entry) = next
                    && having.skips(&entry.frame, &entry.headers, is_described)
                {
                    continue;
                }
                (headers, description) = next.needs(queue);
                frame = next.frame();
                before = match next {
                    // Others of them may be left out before the next turn.
                    Next::Turn(_, entry) if entry.frame.repeats_header => 0..0,
                    Next::Turn(_, entry) | Next::Frame(_, entry) => {
                        having.go_on_to(&entry.frame, &entry.headers, is_described)
                    }
                    Next::Coming if having.is_whole() => 0..0,
                    Next::Waiting(_) | Next::Coming => having.go_on(headers, is_described),
                };
            }
        })
    }

    fn nexts<'a>(
        &'a self,
        queue: &'a Queue<P>,
        lockstep: bool,
    ) -> impl Iterator<Item = Next<'a, P>> {
        let turn = self.begun.filter(|begun| begun.offset == 0);
        let turn = turn.map(|begun| Next::Turn(begun.number, queue.get(begun.number)));
        let waiting = lockstep.then(|| self.next_frame(queue)).flatten();
        let waiting = waiting.map(|(_, entry)| Next::Waiting(entry));
        let has_rest = self.is_following() && !lockstep;
        let rest = if has_rest { self.next } else { queue.end() };
        let rest = (rest..).map_while(|number| Some(Next::Frame(number, queue.peek(number)?)));
        let coming = self.owes_headers_at_once().then_some(Next::Coming);
        turn.into_iter().chain(waiting).chain(rest).chain(coming)
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

    fn pass(&mut self, queue: &mut Queue<P>, bytes: usize, flow: &Flow) -> Progress {
        let mut progress = Progress::default();
        let bytes = self.pass_part(queue, bytes, &mut progress);
        let told = bytes.min(self.between.unsent().len());
        self.between.advance(told);
        let bytes = self.pass_whole(queue, bytes - told, flow.lockstep, &mut progress);
        if bytes > 0 {
            self.pass_steps(queue, bytes, flow.lockstep, &mut progress);
        }
        if !self.is_amid_frame() {
            self.between.is_between_frames();
        }
        progress
    }

    /// Says how many bytes are left for what follows.
    fn pass_part(&mut self, queue: &Queue<P>, bytes: usize, progress: &mut Progress) -> usize {
        let Some((frame, sent)) = self.part(queue) else {
            return bytes;
        };
        let left = frame.wire_len(self.is_described()) - sent;
        let is_whole = bytes >= left;
        if is_whole {
            progress.add(frame);
        }
        match self.begun.as_mut().filter(|begun| begun.offset > 0) {
            Some(_) if is_whole => self.begun = None,
            Some(begun) => begun.offset += bytes,
            None if is_whole => self.given.end_part(),
            None => self.given.advance_part(bytes),
        }
        bytes.saturating_sub(left)
    }

    /// Whole frames with headers that the peer has are the rule. Says how many bytes are left.
    fn pass_whole(
        &mut self,
        queue: &Queue<P>,
        mut bytes: usize,
        lockstep: bool,
        progress: &mut Progress,
    ) -> usize {
        let is_described = self.is_described();
        while bytes > 0 && !lockstep && self.begun.is_none() {
            match self.next_frame(queue) {
                Some((number, Entry { frame, headers, .. }))
                    if self.given.stays_behind(headers, is_described)
                        && frame.wire_len(is_described) <= bytes =>
                {
                    bytes -= frame.wire_len(is_described);
                    progress.add(frame);
                    self.next = number + 1;
                }
                _ => break,
            }
        }
        bytes
    }

    fn pass_steps(
        &mut self,
        queue: &mut Queue<P>,
        mut bytes: usize,
        lockstep: bool,
        progress: &mut Progress,
    ) {
        let is_described = self.is_described();
        let (mut next, mut begun, mut given) = (self.next, self.begun, None);
        for step in self.steps(queue, lockstep) {
            if bytes == 0 {
                break;
            }
            let len = step.frame.wire_len(is_described);
            let offset = if bytes < len { bytes } else { 0 };
            bytes = bytes.saturating_sub(len);
            if offset == 0 {
                progress.add(step.frame);
            }
            given = match step.number {
                Some(number) => {
                    next = next.max(number + 1);
                    begun = (offset > 0).then_some(Begun { number, offset });
                    Some((step.having, 0))
                }
                None => Some((step.having, offset)),
            };
        }
        let given = given.and_then(|(having, offset)| having.other_than(&self.given, offset));
        (self.next, self.begun) = (next, begun);
        if let Some(given) = given {
            let mut former = std::mem::replace(&mut self.given, given);
            queue.spend(former.forget());
        }
    }

    /// The stream goes on with this frame.
    pub fn offer(&mut self, number: u64, queue: &mut Queue<P>, flow: &Flow) -> Sent {
        let frame = &queue.get(number).frame;
        if !self.is_following() {
            let any = self.is_joining() && flow.join == JoinAt::Latest;
            let start = queue.newest_start().or(any.then_some(number));
            let Some(start) = start else {
                return Sent {
                    dropped: self.lose(frame, queue),
                    wants_keyframe: queue.undecided().is_none(),
                };
            };
            self.undecided = 0;
            self.follow_from(start, queue);
        } else if flow.lockstep && !self.skips(queue.get(number)) {
            return Sent {
                dropped: self.skip_to(number, queue),
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
    pub fn thin(&mut self, queue: &mut Queue<P>, limits: &Limits, now: Instant) -> u64 {
        if !self.is_over(queue, limits, now) {
            return 0;
        }
        if queue.has_only_keyframes_from(self.next) {
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
        }
    }

    /// Whether decoding can start with each frame that waits.
    pub fn has_only_keyframes(&self, queue: &Queue<P>) -> bool {
        !self.is_following() || queue.has_only_keyframes_from(self.next)
    }

    /// Drops all but the newest of the frames that decoding can start with, and what follows it. Says how many
    /// that were.
    pub fn skip_to_newest_keyframe(&mut self, queue: &mut Queue<P>) -> u64 {
        if !self.is_following() {
            return 0;
        }
        let Some(keyframe) = queue.newest_keyframe_from(self.next) else {
            return 0;
        };
        self.skip_to(keyframe, queue)
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
        queue.spend(self.given.forget());
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

    fn skips(&self, entry: &Entry<P>) -> bool {
        let having = self.given.having();
        having.skips(&entry.frame, &entry.headers, self.is_described())
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

    fn follow_from(&mut self, number: u64, queue: &mut Queue<P>) {
        (self.stage, self.next) = (Stage::Following, number);
        self.hold_what_is_needed(queue);
    }

    fn skip_to(&mut self, number: u64, queue: &mut Queue<P>) -> u64 {
        let before = self.waiting(queue).frames;
        if self.next != number {
            queue.spend(self.given.jump());
        }
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

impl<'a, P> Next<'a, P> {
    /// The frame, if it is to be sent now.
    fn frame(&self) -> Option<(u64, &'a Frame<P>)> {
        match self {
            Self::Turn(number, entry) | Self::Frame(number, entry) => Some((*number, &entry.frame)),
            Self::Waiting(_) | Self::Coming => None,
        }
    }

    /// Its headers, and what the peer has to know before.
    fn needs(&self, queue: &'a Queue<P>) -> (&'a Headers<P>, Option<&'a Arc<Description>>) {
        match self {
            Self::Turn(_, entry) => (&entry.headers, None),
            Self::Frame(_, entry) | Self::Waiting(entry) => {
                (&entry.headers, entry.description.as_ref())
            }
            Self::Coming => (&queue.headers, queue.description.as_ref()),
        }
    }
}
