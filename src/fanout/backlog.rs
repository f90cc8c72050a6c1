//! The frames that wait for one client, and the place in the first of them that has been reached.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::flow::{Frame, Limits, Payload};

pub(super) struct Backlog<P> {
    frames: VecDeque<Waiting<P>>,
    /// Bytes of the first frame that are with the kernel. A frame begun is never dropped.
    cursor: usize,
    bytes: usize,
    /// What joining began with, until it has been taken, or some of it dropped.
    given: Size,
    /// What has followed it.
    followed: Size,
}

struct Waiting<P> {
    frame: Frame<P>,
    since: Instant,
    /// A stream header, which outlives every thinning.
    is_header: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Size {
    frames: usize,
    bytes: usize,
}

/// What has been sent whole.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Frames.
    pub frames: u64,
    /// Their payloads, in bytes.
    pub payload_bytes: u64,
}

impl<P: Payload> Backlog<P> {
    pub fn new() -> Self {
        Self {
            frames: VecDeque::new(),
            cursor: 0,
            bytes: 0,
            given: Size::default(),
            followed: Size::default(),
        }
    }

    pub fn push(&mut self, frame: Frame<P>, now: Instant) {
        self.followed.add(&frame);
        self.enqueue(frame, false, now);
    }

    /// Adds a stream header, with which joining begins.
    pub fn push_header(&mut self, frame: Frame<P>, now: Instant) {
        self.given.add(&frame);
        self.enqueue(frame, true, now);
    }

    /// Adds the frames that joining begins with. However old they are, they are due now.
    pub fn push_group<'a>(
        &mut self,
        group: impl Iterator<Item = &'a Frame<P>> + Clone,
        now: Instant,
    ) {
        let time = group.clone().filter_map(|frame| frame.time).max();
        for frame in group {
            self.given.add(frame);
            let frame = Frame {
                time,
                ..frame.clone()
            };
            self.enqueue(frame, false, now);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Bytes that are not with the kernel yet, headers included.
    pub fn bytes(&self) -> usize {
        self.bytes - self.cursor
    }

    /// Since when the first frame waits.
    pub fn oldest(&self) -> Option<Instant> {
        self.frames.front().map(|waiting| waiting.since)
    }

    /// Whether `next` would be too much. One frame always may wait.
    pub fn has_no_room(&self, next: &Frame<P>, limits: &Limits, now: Instant) -> bool {
        let (count, bytes) = self.waiting();
        let excess = self.excess();
        count > 0
            && (limits
                .frames
                .is_some_and(|max| count >= max.saturating_add(excess.frames))
                || limits
                    .bytes
                    .is_some_and(|max| bytes + next.wire_len() > max.saturating_add(excess.bytes))
                || limits.time.is_some_and(|max| self.lag(next, now) >= max))
    }

    /// Whether a frame waits that does not say when it is due.
    pub fn is_untimed(&self) -> bool {
        self.first_waiting()
            .is_some_and(|waiting| waiting.frame.time.is_none())
    }

    /// Whether more bytes than these wait.
    pub fn exceeds(&self, bytes: usize) -> bool {
        self.bytes() > bytes + self.excess().bytes
    }

    /// Whether a frame waits from which decoding can start.
    pub fn has_keyframe_waiting(&self) -> bool {
        let mut waiting = self.frames.range(self.begun()..);
        waiting.any(|waiting| waiting.frame.keyframe && !waiting.is_header)
    }

    /// Drops what the limits do not allow, so that what remains can be decoded, and says how many frames
    /// that were. Nothing may remain: then the next frame to send is the next keyframe.
    pub fn thin(&mut self, limits: &Limits, now: Instant) -> u64 {
        if !self.is_over(limits, now) {
            return 0;
        }
        let first = self.begun();
        if self
            .frames
            .range(first..)
            .all(|waiting| waiting.frame.keyframe)
        {
            let headers = self
                .frames
                .range(first..)
                .take_while(|waiting| waiting.is_header);
            let oldest = first + headers.count();
            let mut dropped = 0;
            while self.is_over(limits, now) && oldest + 1 < self.frames.len() {
                dropped += self.drop_waiting(oldest..oldest + 1);
            }
            return dropped;
        }
        let headers = self.frames.range(first..);
        let oldest = first + headers.take_while(|waiting| waiting.is_header).count();
        let newest_keyframe = self
            .frames
            .iter()
            .rposition(|waiting| waiting.frame.keyframe && !waiting.is_header)
            .filter(|&at| at > oldest);
        self.drop_waiting(first..newest_keyframe.unwrap_or(self.frames.len()))
    }

    /// Drops the frames that have not been begun.
    pub fn drop_all_waiting(&mut self) -> u64 {
        self.drop_waiting(self.begun()..self.frames.len())
    }

    /// Forgets everything: a connection has replaced another, and what was begun on it is void.
    pub fn clear(&mut self) -> u64 {
        self.cursor = 0;
        self.drop_waiting(0..self.frames.len())
    }

    /// A connection has replaced another: the frame begun is to be sent whole, and as what came before it
    /// is lost, what cannot be decoded without it is dropped.
    pub fn start_over(&mut self) -> u64 {
        self.cursor = 0;
        let keyframe = self
            .frames
            .iter()
            .position(|waiting| waiting.frame.keyframe && !waiting.is_header);
        self.drop_waiting(0..keyframe.unwrap_or(self.frames.len()))
    }

    /// Puts stream headers before everything else. Only between frames.
    pub fn push_headers_first(&mut self, headers: &[Frame<P>], now: Instant) {
        debug_assert_eq!(self.cursor, 0);
        self.frames.retain(|waiting| !waiting.is_header);
        for frame in headers.iter().rev() {
            self.frames.push_front(Waiting {
                frame: frame.clone(),
                since: now,
                is_header: true,
            });
        }
        self.bytes = self
            .frames
            .iter()
            .map(|waiting| waiting.frame.wire_len())
            .sum();
    }

    /// The frames that wait, in their order, and how many bytes of the first have been taken.
    pub fn unsent(&self) -> (impl Iterator<Item = &Frame<P>> + Clone, usize) {
        let frames = self.frames.iter().map(|waiting| &waiting.frame);
        (frames, self.cursor)
    }

    /// So many more bytes have been taken. Says what has become complete by them.
    pub fn advance(&mut self, bytes: usize) -> Progress {
        let mut progress = Progress::default();
        self.cursor += bytes;
        while let Some(first) = self.frames.front() {
            let len = first.frame.wire_len();
            if self.cursor < len {
                break;
            }
            progress.frames += 1;
            progress.payload_bytes += first.frame.len as u64;
            self.cursor -= len;
            self.bytes -= len;
            self.frames.pop_front();
        }
        if self.frames.is_empty() {
            self.given = Size::default();
        }
        progress
    }

    fn enqueue(&mut self, frame: Frame<P>, is_header: bool, since: Instant) {
        self.bytes += frame.wire_len();
        self.frames.push_back(Waiting {
            frame,
            since,
            is_header,
        });
    }

    fn begun(&self) -> usize {
        usize::from(self.cursor > 0)
    }

    fn first_waiting(&self) -> Option<&Waiting<P>> {
        self.frames.get(self.begun())
    }

    /// Frames and bytes that have not been begun.
    fn waiting(&self) -> (usize, usize) {
        let begun = match self.frames.front() {
            Some(first) if self.cursor > 0 => first.frame.wire_len(),
            _ => 0,
        };
        (self.frames.len() - self.begun(), self.bytes - begun)
    }

    /// Whether more waits than the limits allow. One frame always may.
    pub fn is_over(&self, limits: &Limits, now: Instant) -> bool {
        let (count, bytes) = self.waiting();
        let excess = self.excess();
        let lag = || {
            self.frames
                .back()
                .map_or(Duration::ZERO, |newest| self.lag(&newest.frame, now))
        };
        count > 1
            && (limits
                .frames
                .is_some_and(|max| count > max.saturating_add(excess.frames))
                || limits
                    .bytes
                    .is_some_and(|max| bytes > max.saturating_add(excess.bytes))
                || limits.time.is_some_and(|max| lag() > max))
    }

    /// What may wait beyond the limits: what joining began with, until as much has followed.
    fn excess(&self) -> Size {
        let Self {
            given, followed, ..
        } = self;
        let unless_followed = |given, followed| if followed < given { given } else { 0 };
        Size {
            frames: unless_followed(given.frames, followed.frames),
            bytes: unless_followed(given.bytes, followed.bytes),
        }
    }

    /// How far the oldest frame that waits is behind `newest`.
    fn lag(&self, newest: &Frame<P>, now: Instant) -> Duration {
        let Some(oldest) = self.first_waiting() else {
            return Duration::ZERO;
        };
        let by_time = newest
            .time
            .zip(oldest.frame.time)
            .map_or(Duration::ZERO, |(newest, oldest)| {
                newest.saturating_sub(oldest)
            });
        by_time.max(now.saturating_duration_since(oldest.since))
    }

    fn drop_waiting(&mut self, range: std::ops::Range<usize>) -> u64 {
        let mut dropped = 0;
        let mut at = range.start;
        for _ in range {
            if self.frames[at].is_header {
                at += 1;
            } else if let Some(waiting) = self.frames.remove(at) {
                self.bytes -= waiting.frame.wire_len();
                dropped += 1;
            }
        }
        if dropped > 0 {
            self.given = Size::default();
        }
        dropped
    }
}

impl Size {
    fn add<P>(&mut self, frame: &Frame<P>) {
        self.frames += 1;
        self.bytes += frame.wire_len();
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::wire::HeaderFormat;

    /// The payload is the frame's number.
    #[derive(Clone, Debug)]
    struct Number(u8);

    impl Payload for Number {
        type Chunk<'a> = [u8; 1];

        fn chunks(&self) -> impl Iterator<Item = io::Result<[u8; 1]>> {
            std::iter::once(Ok([self.0]))
        }
    }

    const WIRE_LEN: usize = 9;

    fn frame(number: u8, keyframe: bool) -> Frame<Number> {
        Frame {
            header: HeaderFormat::default().encode(1).unwrap(),
            payload: Number(number),
            len: 1,
            keyframe,
            repeats_header: false,
            time: Some(Duration::from_secs(number.into())),
        }
    }

    /// A capital letter is a keyframe.
    fn backlog(frames: &str) -> Backlog<Number> {
        let mut backlog = Backlog::new();
        for letter in frames.bytes() {
            backlog.push(frame(letter, letter.is_ascii_uppercase()), Instant::now());
        }
        backlog
    }

    fn content(backlog: &Backlog<Number>) -> String {
        let frames = backlog.frames.iter();
        frames
            .map(|waiting| char::from(waiting.frame.payload.0))
            .collect()
    }

    fn frames(max: usize) -> Limits {
        Limits {
            frames: Some(max),
            ..Limits::default()
        }
    }

    #[test]
    fn keyframes_lose_the_oldest() {
        let mut backlog = backlog("ABCDE");
        assert_eq!(backlog.thin(&frames(3), Instant::now()), 2);
        assert_eq!(content(&backlog), "CDE");
        assert_eq!(backlog.bytes(), 3 * WIRE_LEN);
        assert_eq!(backlog.thin(&frames(3), Instant::now()), 0);
    }

    #[test]
    fn a_stream_with_delta_units_goes_on_with_the_newest_keyframe() {
        let mut backlog = backlog("AbcDefGh");
        assert_eq!(backlog.thin(&frames(7), Instant::now()), 6);
        assert_eq!(content(&backlog), "Gh");
    }

    #[test]
    fn without_a_later_keyframe_nothing_is_left() {
        for stream in ["Abcd", "abcd"] {
            let mut backlog = backlog(stream);
            assert_eq!(backlog.thin(&frames(3), Instant::now()), 4);
            assert!(backlog.is_empty());
            assert!(!backlog.has_keyframe_waiting());
        }
    }

    #[test]
    fn a_frame_begun_stays_and_does_not_count() {
        let mut backlog = backlog("ABC");
        backlog.advance(WIRE_LEN / 2);
        assert_eq!(backlog.thin(&frames(2), Instant::now()), 0);
        assert_eq!(backlog.thin(&frames(1), Instant::now()), 1);
        assert_eq!(content(&backlog), "AC");
        assert_eq!(backlog.drop_all_waiting(), 1);
        assert_eq!(content(&backlog), "A");
        assert_eq!(backlog.bytes(), WIRE_LEN - WIRE_LEN / 2);
    }

    #[test]
    fn one_frame_may_wait_whatever_the_limits() {
        let limits = Limits {
            frames: Some(1),
            bytes: Some(1),
            time: Some(Duration::from_nanos(1)),
        };
        let mut backlog = backlog("");
        assert!(!backlog.has_no_room(&frame(b'A', true), &limits, Instant::now()));
        backlog.push(frame(b'A', true), Instant::now());
        assert!(!backlog.is_over(&limits, Instant::now()));
        assert!(backlog.has_no_room(&frame(b'B', true), &limits, Instant::now()));
    }

    #[test]
    fn every_limit_counts_by_itself() {
        let waiting = backlog("AB");
        let next = frame(b'C', true);
        let bytes = |max| Limits {
            bytes: Some(max),
            ..Limits::default()
        };
        let time = |max| Limits {
            time: Some(Duration::from_secs(max)),
            ..Limits::default()
        };
        for (limits, has_room) in [
            (frames(2), false),
            (frames(3), true),
            (bytes(3 * WIRE_LEN - 1), false),
            (bytes(3 * WIRE_LEN), true),
            (time(2), false),
            (time(3600), true),
            (Limits::default(), true),
        ] {
            assert_eq!(
                !waiting.has_no_room(&next, &limits, Instant::now()),
                has_room,
                "{limits:?}"
            );
        }
    }

    #[test]
    fn stream_headers_survive_every_thinning() {
        let mut backlog = Backlog::new();
        backlog.push_header(frame(b'#', true), Instant::now());
        for letter in *b"ABCD" {
            backlog.push(frame(letter, true), Instant::now());
        }
        assert_eq!(backlog.thin(&frames(2), Instant::now()), 3);
        assert_eq!(content(&backlog), "#D");
        assert_eq!(backlog.drop_all_waiting(), 1);
        assert_eq!(content(&backlog), "#");
    }

    /// What joining begins with.
    fn joined(headers: &str, group: &str, now: Instant) -> Backlog<Number> {
        let mut backlog = Backlog::new();
        for letter in headers.bytes() {
            backlog.push_header(frame(letter, true), now);
        }
        let group = group.bytes();
        let group: Vec<_> = group
            .map(|letter| frame(letter, letter.is_ascii_uppercase()))
            .collect();
        backlog.push_group(group.iter(), now);
        backlog
    }

    #[test]
    fn a_group_is_as_old_as_the_join() {
        let limits = Limits {
            time: Some(Duration::from_secs(2)),
            ..Limits::default()
        };
        let now = Instant::now();
        let mut backlog = joined("", "Abcdefgh", now);
        for (next, has_room) in [(b'i', true), (b'j', false)] {
            let next = frame(next, false);
            assert_eq!(!backlog.has_no_room(&next, &limits, now), has_room);
            backlog.push(next, now);
            assert!(!backlog.is_over(&limits, now));
        }
        backlog.push(frame(b'k', false), now);
        assert_eq!(backlog.thin(&limits, now), 11);
    }

    #[test]
    fn a_group_that_nobody_takes_grows_too_old() {
        let limits = Limits {
            time: Some(Duration::from_millis(500)),
            ..Limits::default()
        };
        let begin = Instant::now();
        let mut backlog = joined("", "Abc", begin);
        let in_time = begin + Duration::from_millis(500);
        assert_eq!(backlog.thin(&limits, in_time), 0);
        let too_late = in_time + Duration::from_millis(1);
        assert!(backlog.has_no_room(&frame(b'c', false), &limits, too_late));
        assert_eq!(backlog.thin(&limits, too_late), 3);
    }

    #[test]
    fn what_joining_begins_with_counts_when_as_much_has_followed() {
        let bytes = Limits {
            bytes: Some(2 * WIRE_LEN),
            ..Limits::default()
        };
        for limits in [frames(2), bytes] {
            let now = Instant::now();
            let mut backlog = joined("#", "Abc", now);
            for next in *b"de" {
                assert!(!backlog.has_no_room(&frame(next, false), &limits, now));
                backlog.push(frame(next, false), now);
                assert_eq!(backlog.thin(&limits, now), 0, "{limits:?}");
            }
            assert!(backlog.has_no_room(&frame(b'f', false), &limits, now));
            backlog.advance(2 * WIRE_LEN);
            for next in *b"fg" {
                assert_eq!(backlog.thin(&limits, now), 0, "{limits:?}");
                backlog.push(frame(next, false), now);
            }
            assert_eq!(backlog.thin(&limits, now), 6, "{limits:?}");
            assert_eq!(content(&backlog), "");
        }
    }

    #[test]
    fn who_has_taken_what_joining_begins_with_is_as_everybody() {
        let now = Instant::now();
        let mut backlog = joined("", "Abcdefgh", now);
        backlog.advance(8 * WIRE_LEN);
        for next in *b"ijk" {
            backlog.push(frame(next, false), now);
        }
        assert_eq!(backlog.thin(&frames(2), now), 3);
    }

    #[test]
    fn a_group_without_times_leaves_room_for_what_follows() {
        let untimed = |number| Frame {
            time: None,
            ..frame(number, number == b'A')
        };
        let now = Instant::now();
        let mut backlog = Backlog::new();
        backlog.push_group([b'A', b'b', b'c'].map(untimed).iter(), now);
        assert!(backlog.is_untimed());
        assert!(!backlog.exceeds(WIRE_LEN));
        backlog.push(untimed(b'd'), now);
        assert!(!backlog.exceeds(WIRE_LEN));
        backlog.push(untimed(b'e'), now);
        assert!(backlog.exceeds(WIRE_LEN));
    }

    #[test]
    fn a_new_connection_starts_with_headers_and_a_whole_keyframe() {
        let mut keyframe_begun = backlog("Abc");
        keyframe_begun.advance(3);
        assert_eq!(keyframe_begun.start_over(), 0);
        assert_eq!(content(&keyframe_begun), "Abc");

        let mut delta_begun = backlog("abCd");
        delta_begun.advance(3);
        assert_eq!(delta_begun.start_over(), 2);
        delta_begun.push_headers_first(&[frame(b'#', true)], Instant::now());
        assert_eq!(content(&delta_begun), "#Cd");
        assert_eq!(delta_begun.bytes(), 3 * WIRE_LEN);
    }

    #[test]
    fn progress_counts_whole_frames() {
        let mut backlog = backlog("ABC");
        let progress = backlog.advance(2 * WIRE_LEN + 4);
        assert_eq!((progress.frames, progress.payload_bytes), (2, 2));
        assert_eq!(content(&backlog), "C");
        assert_eq!(backlog.bytes(), WIRE_LEN - 4);
    }
}
