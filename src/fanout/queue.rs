// SPDX-License-Identifier: MPL-2.0
//! The frames that somebody still needs: numbered, and kept once for all.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use super::{flow::Frame, headers::Headers, records::Description};

/// Frames in their order, each with a number. One that nobody holds any more, with all before it, is spent.
pub(super) struct Queue<P> {
    entries: VecDeque<Entry<P>>,
    /// The number of the first entry.
    first: u64,
    /// So many hold what is to come.
    held_at_end: usize,
    /// All frames there ever were.
    sum: Sum,
    /// Frames that are held one by one, and have no others behind them. Sorted by number.
    apart: VecDeque<(u64, Entry<P>)>,
    spent: Vec<P>,
    /// The picture of the newest frame, if more pieces of it follow.
    open: Option<Open>,
    /// Where one begins who begins with the newest frame, if decoding can start there.
    newest_start: Option<u64>,
    /// What the next frames are.
    pub description: Option<Arc<Description>>,
    /// The headers of the next frames.
    pub headers: Headers<P>,
}

pub(super) struct Entry<P> {
    pub frame: Frame<P>,
    /// When it came.
    pub since: Instant,
    /// What it needs.
    pub headers: Headers<P>,
    /// What it is.
    pub description: Option<Arc<Description>>,
    /// All frames before it.
    before: Sum,
    /// Decoding can start with it.
    is_start: bool,
    holds: usize,
    holds_alone: usize,
}

/// A picture of which more pieces are to come.
#[derive(Clone, Copy)]
struct Open {
    /// Its first piece.
    first: u64,
    /// Decoding can start with it.
    is_start: bool,
}

/// What somebody keeps from being spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hold {
    /// This frame and all that follow.
    pub from: Option<u64>,
    /// This one.
    pub alone: Option<u64>,
}

/// Frames and their bytes on the wire, without records. Repeated stream headers do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub frames: usize,
    pub bytes: usize,
}

#[derive(Clone, Copy, Default)]
struct Sum {
    size: Size,
    keyframes: usize,
    newest_keyframe: Option<u64>,
}

impl<P> Queue<P> {
    pub fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            first: 0,
            held_at_end: 0,
            sum: Sum::default(),
            apart: VecDeque::new(),
            spent: Vec::new(),
            open: None,
            newest_start: None,
            description: None,
            headers: Headers::none(),
        }
    }

    /// Adds a frame, to be held before the next [`trim`](Self::trim). Returns its number.
    pub fn push(&mut self, frame: Frame<P>, now: Instant) -> u64 {
        let number = self.end();
        let before = self.sum;
        self.newest_start = self.find_start(&frame, number);
        if frame.is_counted() {
            self.sum.size.frames += 1;
            // Only differences count, and those fit where the sum does not.
            self.sum.size.bytes = self.sum.size.bytes.wrapping_add(frame.wire_len(false));
        }
        self.entries.push_back(Entry {
            since: now,
            headers: self.headers.next(&frame),
            frame,
            description: self.description.clone(),
            before,
            is_start: false,
            holds: std::mem::take(&mut self.held_at_end),
            holds_alone: 0,
        });
        if let Some(start) = self.newest_start {
            self.sum.keyframes += 1;
            self.sum.newest_keyframe = Some(start);
            let at = self.index(start);
            self.entries[at].is_start = true;
        }
        number
    }

    /// Where one begins who begins with this frame, the next one.
    fn find_start(&mut self, frame: &Frame<P>, number: u64) -> Option<u64> {
        if frame.is_note {
            return None;
        }
        let goes_on = self.open.take().filter(|_| !frame.piece.begins());
        let mut picture = goes_on.unwrap_or(Open {
            first: number,
            is_start: false,
        });
        let starts = frame.is_place_to_start() && !picture.is_start;
        picture.is_start |= starts;
        self.open = Some(picture).filter(|_| !frame.piece.ends());
        starts.then_some(picture.first)
    }

    /// Where one begins who begins with the newest frame, if decoding can start there.
    pub fn newest_start(&self) -> Option<u64> {
        self.newest_start
    }

    /// The first piece of a picture with which decoding may turn out to start. It is to be held.
    pub fn undecided(&self) -> Option<u64> {
        let open = self.open.filter(|open| !open.is_start);
        open.map(|open| open.first)
    }

    /// How many of its pieces there are from this number on.
    pub fn undecided_from(&self, number: u64) -> u64 {
        let first = self.undecided();
        first.map_or(0, |first| self.size_from(first.max(number)).frames as u64)
    }

    /// What comes next is no piece of what has come.
    pub fn close(&mut self) {
        self.open = None;
    }

    /// The number of the next frame.
    pub fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Whether this frame is there, and all that follow.
    pub fn has(&self, number: u64) -> bool {
        number >= self.first
    }

    /// A frame that is held.
    pub fn get(&self, number: u64) -> &Entry<P> {
        match number.checked_sub(self.first) {
            Some(at) => &self.entries[at as usize],
            None => match self
                .apart
                .binary_search_by_key(&number, |(number, _)| *number)
            {
                Ok(at) => &self.apart[at].1,
                Err(_) => unreachable!("what is asked for is held"),
            },
        }
    }

    /// A frame that may be still to come.
    pub fn peek(&self, number: u64) -> Option<&Entry<P>> {
        self.entries.get(self.index(number))
    }

    /// The frames from this number on, which are held.
    pub fn from(&self, number: u64) -> impl Iterator<Item = &Entry<P>> {
        self.entries.range(self.index(number)..)
    }

    /// Whether so many at the end are no frames.
    pub fn ends_with_notes(&self, number: usize) -> bool {
        let mut last = self.entries.iter().rev().take(number);
        self.entries.len() >= number && last.all(|entry| entry.frame.is_note)
    }

    /// When the newest frame is due.
    pub fn newest_time(&self) -> Option<std::time::Duration> {
        self.entries.back().and_then(|entry| entry.frame.time)
    }

    /// All there ever was.
    pub fn total(&self) -> Size {
        self.sum.size
    }

    /// What there is from this number on.
    pub fn size_from(&self, number: u64) -> Size {
        let before = self.before(number).size;
        Size {
            frames: self.sum.size.frames - before.frames,
            bytes: self.sum.size.bytes.wrapping_sub(before.bytes),
        }
    }

    /// Whether decoding can start at each frame from this number on.
    pub fn has_only_keyframes_from(&self, number: u64) -> bool {
        let keyframes = self.sum.keyframes - self.before(number).keyframes;
        keyframes == self.size_from(number).frames
    }

    /// The last frame at which decoding can start, if it is not before this number.
    pub fn newest_keyframe_from(&self, number: u64) -> Option<u64> {
        self.sum
            .newest_keyframe
            .filter(|&newest_keyframe| newest_keyframe >= number)
    }

    /// The first one.
    pub fn first_keyframe_from(&self, number: u64) -> Option<u64> {
        let mut numbered = (number..).zip(self.from(number));
        let first = numbered.find(|(_, entry)| entry.is_start)?;
        Some(first.0)
    }

    /// Holds something else than before. What nobody holds any more is spent.
    pub fn exchange(&mut self, old: Hold, new: Hold) {
        if old == new {
            return;
        }
        if let Some(number) = new.from {
            *self.holds(number) += 1;
        }
        if let Some(number) = new.alone {
            self.get_mut(number).holds_alone += 1;
        }
        if let Some(number) = old.from {
            *self.holds(number) -= 1;
        }
        if let Some(number) = old.alone {
            self.get_mut(number).holds_alone -= 1;
            self.trim_apart(number);
        }
        self.trim();
    }

    /// Spends what nobody holds.
    pub fn trim(&mut self) {
        while self.entries.front().is_some_and(|first| first.holds == 0) {
            let number = self.first;
            self.first += 1;
            match self.entries.pop_front() {
                Some(entry) if entry.holds_alone > 0 => self.apart.push_back((number, entry)),
                Some(entry) => self.spend_entry(entry),
                None => (),
            }
        }
    }

    fn spend_entry(&mut self, entry: Entry<P>) {
        self.spent.push(entry.frame.payload);
        self.spend(entry.headers.frames);
    }

    /// Lets go of frames that may be somebody else's as well.
    pub fn spend(&mut self, frames: impl Into<Option<Arc<Vec<Frame<P>>>>>) {
        let frames = frames.into().and_then(Arc::into_inner);
        let frames = frames.into_iter().flatten();
        self.spent.extend(frames.map(|frame| frame.payload));
    }

    /// The payloads that nobody needs any more.
    pub fn spent(&mut self) -> &mut Vec<P> {
        &mut self.spent
    }

    fn trim_apart(&mut self, number: u64) {
        let found = self
            .apart
            .binary_search_by_key(&number, |(number, _)| *number);
        if let Ok(at) = found
            && self.apart[at].1.holds_alone == 0
            && let Some((_, entry)) = self.apart.remove(at)
        {
            self.spend_entry(entry);
        }
    }

    fn get_mut(&mut self, number: u64) -> &mut Entry<P> {
        match number.checked_sub(self.first) {
            Some(at) => &mut self.entries[at as usize],
            None => match self
                .apart
                .binary_search_by_key(&number, |(number, _)| *number)
            {
                Ok(at) => &mut self.apart[at].1,
                Err(_) => unreachable!("what is let go of is held"),
            },
        }
    }

    fn holds(&mut self, number: u64) -> &mut usize {
        if number == self.end() {
            &mut self.held_at_end
        } else {
            &mut self.get_mut(number).holds
        }
    }

    fn before(&self, number: u64) -> Sum {
        self.entries
            .get(self.index(number))
            .map_or(self.sum, |entry| entry.before)
    }

    fn index(&self, number: u64) -> usize {
        (number - self.first) as usize
    }
}

#[cfg(any(test, fuzzing))]
impl<P> Queue<P> {
    /// How many frames are kept.
    pub fn len(&self) -> usize {
        self.entries.len() + self.apart.len()
    }
}
