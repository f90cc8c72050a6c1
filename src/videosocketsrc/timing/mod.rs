// SPDX-License-Identifier: MPL-2.0
//! From the times of the sender to those of this pipeline.
//!
//! A frame of a live sender is shown as long after its time at the sender as the shortest way through the network
//! takes. What a longer way takes more the latency evens out. A sender that is not live (a file) waits for its
//! receiver, so that arrivals say nothing: the first frame is shown at once, and the others as long after it as at
//! the sender. Without a clock record the time of a frame is that of its arrival.
//!
//! Times are nanoseconds. Those of clocks come as arguments.

use std::mem;

use crate::wire::record::{Buffer, BufferFlags, Clock};

#[cfg(test)]
mod model;
mod offset;
#[cfg(test)]
mod tests;

use offset::Offset;

const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1000 * MILLISECOND;

/// A clock that both have is read later by the receiver than by the sender, but for the error of its synchronisation.
const CLOCK_ERROR: i64 = MILLISECOND;

/// And by less than this.
const LONGEST_WAY: i64 = 10 * SECOND;

/// A time that is moved by more is a discontinuity.
const JUMP: i64 = 2 * MILLISECOND;

/// Frames are not held back behind one that is shown later than this.
const LONGEST_LEAD: i64 = 10 * SECOND;

/// What comes as it is made is not shown later than that, and the latency. What does not may begin with a pause, and
/// anything may last, but for hours is a mistake: whoever waits for such a frame waits for nothing else.
const LONGEST_PAUSE: i64 = 3600 * SECOND;

/// No clock shows more, and the difference of two times is a number still: 146 years.
const LONGEST_TIME: i64 = i64::MAX / 2;

/// The jitter is a mean over about so many frames.
const JITTER_FRAMES: i64 = 16;

/// How long a frame or a gap lasts, by what the sender says.
pub fn duration(told: Option<u64>) -> Option<u64> {
    told.filter(|&told| told <= LONGEST_PAUSE as u64)
}

/// Turns the times of frames into times of this pipeline, over all connections.
#[derive(Debug, Default)]
pub struct Timing {
    latency: i64,
    /// By the last clock record of this connection.
    sender: Option<Sender>,
    /// Of the sender's clock, also on the last connection.
    clock_id: String,
    clocks: Clocks,
    offset: Offset,
    /// Where a sender that is not live has begun.
    anchor: Option<Anchor>,
    last: Option<Last>,
    /// Frames are pieces of pictures.
    are_pieces: bool,
    /// The last frame was marked as the last piece of its picture.
    is_picture_over: bool,
    /// A frame of this connection had a time.
    has_times: bool,
    last_sequence: Option<u16>,
    last_way: Option<i64>,
    is_discontinuous: bool,
    late: u64,
    jitter: i64,
}

#[derive(Clone, Copy, Debug)]
struct Sender {
    base_time: i64,
    latency: i64,
    unix_offset: Option<i64>,
    is_paced: bool,
}

/// How the clocks of sender and receiver are related.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Clocks {
    #[default]
    Different,
    Same,
    /// They have the same id, and do not show the same.
    Apart,
}

/// How running times of a sender that is not live become ours.
#[derive(Clone, Copy, Debug)]
enum Anchor {
    /// By the clock that both have.
    Clock,
    /// By adding this.
    Shift(i64),
}

/// This pipeline, now.
#[derive(Clone, Copy, Debug)]
struct Here {
    base_time: i64,
    running_time: i64,
    /// A frame of this time is shown at once.
    floor: i64,
}

/// The last frame that had a time.
#[derive(Clone, Copy, Debug)]
struct Last {
    running_time: i64,
    time: Moved,
    /// The time is a PTS.
    has_pts: bool,
    dts: Option<Moved>,
}

/// A time at the sender, and what became of it.
#[derive(Clone, Copy, Debug)]
struct Moved {
    from: i64,
    to: i64,
}

/// The times of a frame in this pipeline, as running times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timed {
    pub pts: Option<u64>,
    pub dts: Option<u64>,
    /// Something is missing before it, or the times jump, which they do between pictures. What the sender flags is
    /// not among that.
    pub is_discontinuous: bool,
    /// They are those of its arrival: the sender has told its clock, and not one time.
    pub lacks_times: bool,
}

/// When something was read.
#[derive(Clone, Copy, Debug)]
pub struct ReadAt {
    /// On this pipeline's clock.
    pub time: u64,
    /// It came then. Else it may have come earlier, while nobody waited for it.
    pub is_awaited: bool,
}

impl From<u64> for ReadAt {
    fn from(time: u64) -> Self {
        Self {
            time,
            is_awaited: true,
        }
    }
}

/// What to tell the user.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimingStats {
    /// What to add to times of the sender's clock, the shortest way included.
    pub offset: i64,
    /// How much this clock gains on the sender's, in parts per million.
    pub drift: f64,
    /// Frames that took longer than the latency allows for.
    pub late: u64,
    /// How much the ways of successive frames differ.
    pub jitter: u64,
    /// Both have the same clock.
    pub is_exact: bool,
}

impl Timing {
    /// Frames may be held for so long.
    pub fn new(latency: u64) -> Self {
        Self {
            latency: time(latency),
            ..Self::default()
        }
    }

    pub fn set_latency(&mut self, latency: u64) {
        self.latency = time(latency);
    }

    /// Whether each frame is a piece of a picture. Parsers take a discontinuity for the end of one, so that times jump
    /// between pictures only.
    pub fn set_pieces(&mut self, are_pieces: bool) {
        self.are_pieces = are_pieces;
    }

    /// What comes next comes on another connection.
    pub fn connected(&mut self) {
        self.sender = None;
        self.clocks = Clocks::Different;
        self.has_times = false;
        self.last_sequence = None;
        self.last_way = None;
        if let Some(last) = &mut self.last {
            last.forget_sender();
        }
        self.anchor_anew();
    }

    /// This pipeline has another clock from now on.
    pub fn clock_changed(&mut self) {
        self.clocks = Clocks::Different;
        self.offset.forget_drift();
        self.anchor_anew();
    }

    fn anchor_anew(&mut self) {
        self.offset.forget_offset();
        self.anchor = None;
        self.is_discontinuous = true;
    }

    /// A clock record was read at a time of this pipeline's clock, whose id is this, if it is one that others may
    /// have. Says whether times are anchored anew.
    pub fn clock(
        &mut self,
        clock: &Clock<'_>,
        read_at: impl Into<ReadAt>,
        own_id: Option<&str>,
    ) -> bool {
        let read_at = read_at.into();
        if self.clock_id != clock.id {
            self.clock_id = clock.id.to_owned();
            self.offset.forget_drift();
        }
        let was_paced = self.sender.is_some_and(|sender| sender.is_paced);
        if was_paced != clock.is_paced {
            self.anchor_anew();
        }
        self.sender = Some(Sender::new(clock));
        let way = time(read_at.time).saturating_sub(time(clock.now));
        let relation = self.relation(clock.id, own_id, way);
        let was_same = mem::replace(&mut self.clocks, relation) == Clocks::Same;
        let is_other = was_same != (relation == Clocks::Same);
        self.is_discontinuous |= is_other;
        self.sample(clock.now, read_at) || is_other
    }

    fn relation(&self, id: &str, own_id: Option<&str>, way: i64) -> Clocks {
        if id.is_empty() || own_id != Some(id) {
            Clocks::Different
        } else if self.clocks == Clocks::Apart || way < -CLOCK_ERROR {
            Clocks::Apart
        } else if way < LONGEST_WAY {
            Clocks::Same
        } else if self.clocks == Clocks::Same {
            // It has waited here.
            Clocks::Same
        } else {
            Clocks::Different
        }
    }

    /// Says whether times are anchored anew.
    fn sample(&mut self, sent_at: u64, read_at: ReadAt) -> bool {
        if !self.sender.is_some_and(|sender| sender.is_paced) {
            return false;
        }
        let (sent_at, came_at) = (time(sent_at), time(read_at.time));
        let is_anew = if read_at.is_awaited {
            self.offset.sample(sent_at, came_at)
        } else {
            self.offset.sample_latest(sent_at, came_at)
        };
        let is_felt = is_anew && self.clocks != Clocks::Same;
        self.is_discontinuous |= is_felt;
        is_felt
    }

    /// Whether both clocks have the same id, but one shows what the other cannot.
    pub fn are_clocks_apart(&self) -> bool {
        self.clocks == Clocks::Apart
    }

    /// The times of a frame that is handed on now. Its record was read at a time of this pipeline's clock, and until
    /// another it was last waited for something.
    pub fn frame(
        &mut self,
        buffer: &Buffer,
        read_at: impl Into<ReadAt>,
        waited_until: u64,
        now: u64,
        base_time: u64,
    ) -> Timed {
        let read_at = read_at.into();
        if let Some(sent_at) = buffer.clock {
            self.sample(sent_at, read_at);
            self.update_jitter(time(read_at.time).saturating_sub(time(sent_at)));
        }
        let here = self.here(now, base_time);
        // While downstream holds a frame, as a sink does that waits for its time, nobody waits for the next: to be
        // handed on later is not to be late.
        let came_at = time(waited_until).saturating_sub(here.base_time);
        let came_at = came_at.min(here.running_time);
        let picture = self.picture(buffer);
        // What shows nothing ends no picture, whatever av1parse marks.
        self.is_picture_over = buffer.flags.contains(BufferFlags::MARKER)
            && !buffer.flags.contains(BufferFlags::DECODE_ONLY);
        let follows_gap = self.follows_gap(buffer);
        self.has_times |= buffer.pts.or(buffer.dts).is_some();
        let lacks_times = self.sender.is_some() && self.lacks_times(buffer);
        let (pts, dts) = if self.sender.is_none() || lacks_times {
            self.arrival_times(here)
        } else {
            self.sender_times(buffer, picture, came_at, here)
        };
        let jumps = picture.is_none() && mem::take(&mut self.is_discontinuous);
        Timed {
            pts: pts.map(to_unsigned),
            dts: dts.map(to_unsigned),
            is_discontinuous: follows_gap || jumps,
            lacks_times,
        }
    }

    /// Whether frames of the sender have no times at all. Headers have none, and of a picture's pieces some.
    fn lacks_times(&self, buffer: &Buffer) -> bool {
        !self.has_times && !self.are_pieces && !buffer.flags.contains(BufferFlags::HEADER)
    }

    /// What became of the time of the picture of which a frame is a later piece. The last piece may have the DTS of the
    /// next picture, as h264parse has it: beside PTSs a DTS says nothing, but behind the end of a picture.
    fn picture(&self, buffer: &Buffer) -> Option<Moved> {
        let last = self.last.filter(|_| self.are_pieces)?;
        let dts = buffer.dts.filter(|_| !last.has_pts || self.is_picture_over);
        let time = buffer.pts.or(dts).map(bounded);
        let goes_on = time.is_none_or(|time| time == last.time.from);
        goes_on.then_some(last.time)
    }

    fn here(&mut self, now: u64, base_time: u64) -> Here {
        let base_time = wrapped(base_time);
        let running_time = bounded(time(now).saturating_sub(base_time));
        if self
            .last
            .is_some_and(|last| running_time < last.running_time)
        {
            // The pipeline began again.
            self.last = None;
            self.is_discontinuous |= self.anchor.take().is_some();
        }
        Here {
            base_time,
            running_time,
            floor: running_time.saturating_sub(self.latency),
        }
    }

    /// Takes note of a frame's number, also of one that is given no times here. Says whether something is missing before it.
    pub fn follows_gap(&mut self, buffer: &Buffer) -> bool {
        let follows = self
            .last_sequence
            .is_none_or(|last| buffer.sequence == last.wrapping_add(1));
        // A header that a joiner gets is not of the stream's count.
        let is_extra = buffer.flags.contains(BufferFlags::HEADER)
            && buffer.pts.or(buffer.dts).is_none()
            && (self.last_sequence.is_none() || !follows);
        if !is_extra {
            self.last_sequence = Some(buffer.sequence);
        }
        !follows && !is_extra
    }

    fn update_jitter(&mut self, way: i64) {
        if let Some(last) = self.last_way.replace(way) {
            let change = way.saturating_sub(last).saturating_abs();
            self.jitter += change.saturating_sub(self.jitter) / JITTER_FRAMES;
        }
    }

    fn arrival_times(&mut self, here: Here) -> (Option<i64>, Option<i64>) {
        // Later than all that is known of the sender.
        let shift = here.running_time.saturating_sub(i64::MAX);
        let times = self.move_times(i64::MAX, Some(i64::MAX), Some(i64::MAX), shift, here);
        if let Some(last) = &mut self.last {
            last.forget_sender();
        }
        times
    }

    fn sender_times(
        &mut self,
        buffer: &Buffer,
        picture: Option<Moved>,
        came_at: i64,
        here: Here,
    ) -> (Option<i64>, Option<i64>) {
        let (pts, dts) = (buffer.pts.map(bounded), buffer.dts.map(bounded));
        let Some(wanted) = pts.or(dts) else {
            return (None, None);
        };
        let first = dts.map_or(wanted, |dts| dts.min(wanted));
        let shift = self.shift(here.base_time);
        let least = came_at.saturating_sub(self.latency);
        let is_late = shift.is_some_and(|shift| wanted.saturating_add(shift) < least);
        self.late += u64::from(is_late);
        let is_far = shift.is_some_and(|shift| wanted.saturating_add(shift) > self.latest(here));
        let begins_again =
            picture.is_none() && shift.is_some_and(|shift| self.begins_again(pts, dts, shift));
        self.is_discontinuous |= (is_far && picture.is_none()) || begins_again;
        let shift = match (picture, shift) {
            (Some(picture), _) => picture.shift(),
            _ if begins_again => self.set_anchor(first, None, here),
            (None, Some(shift)) if !is_late && !is_far => shift,
            _ if self.is_paced() && is_far => here.running_time.saturating_sub(wanted),
            _ if self.is_paced() => here.floor.saturating_sub(wanted),
            _ => self.set_anchor(first, shift, here),
        };
        let time = picture.map_or(wanted, |picture| picture.from);
        self.move_times(time, pts, dts, shift, here)
    }

    /// Whether a sender that is not live has sought in its file. Pictures may be in another order, but not their DTS.
    fn begins_again(&self, pts: Option<i64>, dts: Option<i64>, shift: i64) -> bool {
        let Some(last) = self.last.filter(|_| !self.is_paced()) else {
            return false;
        };
        let (time, last) = match (dts, last.dts, pts) {
            (Some(dts), Some(last), _) => (dts, last),
            (None, None, Some(pts)) => (pts, last.time),
            _ => return false,
        };
        let to = time.saturating_add(shift);
        time < last.from.saturating_sub(SECOND) && to < last.to.saturating_sub(SECOND)
    }

    /// A frame of a later time is shown at once.
    fn latest(&self, here: Here) -> i64 {
        let lead = match self.is_paced() {
            true => LONGEST_LEAD.saturating_add(self.latency),
            false => LONGEST_PAUSE,
        };
        here.running_time.saturating_add(lead)
    }

    fn is_paced(&self) -> bool {
        self.sender.is_some_and(|sender| sender.is_paced)
    }

    /// What to add to a running time of the sender, unless nothing is known of it.
    fn shift(&self, base_time: i64) -> Option<i64> {
        let sender = self.sender?;
        match self.anchor {
            _ if sender.is_paced => self.shift_of_clock(base_time),
            Some(Anchor::Clock) => self.shift_of_clock(base_time),
            Some(Anchor::Shift(shift)) => Some(shift),
            None => None,
        }
    }

    fn shift_of_clock(&self, base_time: i64) -> Option<i64> {
        let sender = self.sender?;
        let offset = match self.clocks {
            Clocks::Same => 0,
            _ if sender.is_paced => self.offset.get()?,
            _ => return None,
        };
        let added = sender.base_time.saturating_add(sender.latency);
        Some(added.saturating_add(offset).saturating_sub(base_time))
    }

    /// From now on this time of the sender is now, or when what came before has been shown.
    fn set_anchor(&mut self, first: i64, before: Option<i64>, here: Here) -> i64 {
        let exact = self.shift_of_clock(here.base_time);
        let exact = exact.filter(|shift| here.is_soon(first.saturating_add(*shift)));
        if let (Some(shift), None) = (exact, before) {
            self.anchor = Some(Anchor::Clock);
            return shift;
        }
        let last = self.last.map(|last| last.time.to);
        let begin = last.filter(|last| here.leads_to(*last));
        let begin = begin.unwrap_or(i64::MIN).max(here.running_time);
        let shift = begin.saturating_sub(first);
        self.is_discontinuous |= before.is_some_and(|before| shift.saturating_sub(before) > JUMP);
        self.anchor = Some(Anchor::Shift(shift));
        shift
    }

    /// Adds this, and more where the time of a picture would go back that did not at the sender.
    fn move_times(
        &mut self,
        from: i64,
        pts: Option<i64>,
        dts: Option<i64>,
        shift: i64,
        here: Here,
    ) -> (Option<i64>, Option<i64>) {
        let goes_back =
            |last: &Last| from >= last.time.from && from.saturating_add(shift) < last.time.to;
        let too_far = |last: &Last| goes_back(last) && !here.leads_to(last.time.to);
        self.is_discontinuous |= self.last.take_if(|last| too_far(last)).is_some();
        let last = self.last;
        let time = Moved::new(from, shift, last.map(|last| last.time));
        let shift = time.shift();
        let last_dts = last.and_then(|last| last.dts);
        let dts = dts.map(|dts| Moved::new(dts, shift, last_dts));
        let goes_on = last.is_some_and(|last| last.has_pts && last.time.from == from);
        self.last = Some(Last {
            running_time: here.running_time,
            time,
            has_pts: pts.is_some() || goes_on,
            dts,
        });
        (pts.map(|_| time.to), dts.map(|dts| dts.to))
    }

    /// The running time of a gap.
    pub fn gap(&mut self, time: i64, now: u64, base_time: u64) -> Option<u64> {
        let here = self.here(now, base_time);
        let time = bounded(time);
        let shift = match self.shift(here.base_time) {
            Some(shift) => shift,
            None if self.sender.is_some() && !self.is_paced() => self.set_anchor(time, None, here),
            None => return Some(to_unsigned(here.running_time)),
        };
        let time = time.saturating_add(shift).min(self.latest(here));
        Some(to_unsigned(time.max(here.floor)))
    }

    /// The running time of the sender at a running time of this pipeline.
    pub fn to_sender(&self, running_time: u64, base_time: u64) -> Option<u64> {
        let shift = self.shift(wrapped(base_time))?;
        u64::try_from(time(running_time).saturating_sub(shift)).ok()
    }

    /// When the frame was made, since 1970.
    pub fn unix_time(&self, buffer: &Buffer) -> Option<u64> {
        let sender = self.sender?;
        let on_clock = sender.base_time.checked_add(buffer.pts?)?;
        u64::try_from(on_clock.checked_add(sender.unix_offset?)?).ok()
    }

    pub fn stats(&self) -> TimingStats {
        let is_exact = self.clocks == Clocks::Same;
        let offset = self.offset.get().filter(|_| !is_exact);
        TimingStats {
            offset: offset.unwrap_or(0),
            drift: if is_exact {
                0.0
            } else {
                self.offset.drift() * 1e6
            },
            late: self.late,
            jitter: to_unsigned(self.jitter),
            is_exact,
        }
    }
}

impl Sender {
    fn new(clock: &Clock<'_>) -> Self {
        Self {
            base_time: wrapped(clock.base_time),
            latency: time(clock.latency),
            unix_offset: clock.unix_offset,
            is_paced: clock.is_paced,
        }
    }
}

impl Here {
    /// Whether a frame that is shown then comes as it does from a sender with the same clock.
    fn is_soon(&self, then: i64) -> bool {
        then >= self.floor && then.saturating_sub(self.running_time) <= SECOND
    }

    /// Whether what is shown now may wait for what is shown then.
    fn leads_to(&self, then: i64) -> bool {
        then.saturating_sub(self.running_time) <= LONGEST_LEAD
    }
}

impl Last {
    /// What comes next has times of another clock.
    fn forget_sender(&mut self) {
        self.time.from = i64::MIN;
        self.has_pts = false;
        self.dts = None;
    }
}

impl Moved {
    fn new(from: i64, shift: i64, last: Option<Self>) -> Self {
        // Nothing is shown before the start. There too one follows the other.
        let to = from.saturating_add(shift).max(0);
        // Parsers take a time that they had before for none, and make up a later one.
        let after = |last: Self| last.to.saturating_add(i64::from(from > last.from));
        let earliest = last.filter(|last| from >= last.from).map(after);
        Self {
            from,
            to: earliest.map_or(to, |earliest| to.max(earliest)),
        }
    }

    fn shift(self) -> i64 {
        self.to.saturating_sub(self.from)
    }
}

fn time(nanoseconds: u64) -> i64 {
    bounded(i64::try_from(nanoseconds).unwrap_or(i64::MAX))
}

/// Of a clock that has begun anew, while the running time goes on, the base time is below 0.
fn wrapped(base_time: u64) -> i64 {
    bounded(base_time.cast_signed())
}

fn bounded(time: i64) -> i64 {
    time.clamp(-LONGEST_TIME, LONGEST_TIME)
}

/// Nothing is before the start.
fn to_unsigned(time: i64) -> u64 {
    u64::try_from(time).unwrap_or(0)
}
