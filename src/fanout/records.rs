// SPDX-License-Identifier: MPL-2.0
//! What stands between the frames for peers that understand records.

use std::{sync::Arc, time::Instant};

use crate::wire::record::Clock;

/// Where a peer has been told so much that it has not taken, what else it would be told is left out.
const MAX_UNTOLD: usize = 64 * 1024;

/// What the frames are from one of them on. A peer is told before it gets that one, whatever it has lost before.
#[derive(Debug, Default)]
pub struct Description {
    /// Grows with each. The first one is 1.
    pub(super) version: u64,
    /// The record of the sender's clock, and when it was right.
    clock: Option<(Box<[u8]>, Instant)>,
    /// All other records.
    records: Box<[u8]>,
}

impl Description {
    /// The records that a peer needs: that of the clock as it is now, and the others.
    pub fn new(clock: Option<Vec<u8>>, records: Vec<u8>, now: Instant) -> Self {
        Self {
            version: 0,
            clock: clock.map(|clock| (clock.into(), now)),
            records: records.into(),
        }
    }

    /// The same with another clock, for those who come later.
    pub(super) fn with_clock(&self, clock: Vec<u8>, now: Instant) -> Self {
        Self {
            version: self.version,
            clock: Some((clock.into(), now)),
            records: self.records.clone(),
        }
    }

    /// Appends them as they are now.
    pub fn append_to(&self, bytes: &mut Vec<u8>, now: Instant) {
        if let Some((clock, at)) = &self.clock {
            let start = bytes.len();
            bytes.extend_from_slice(clock);
            Clock::advance(&mut bytes[start..], now.saturating_duration_since(*at));
        }
        bytes.extend_from_slice(&self.records);
    }
}

/// What one peer is told between frames.
#[derive(Debug, Default)]
pub(super) struct Between {
    bytes: Vec<u8>,
    /// Of those, so many are with the kernel.
    sent: usize,
    hearing: Hearing,
}

/// What a peer understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Hearing {
    /// Frames.
    #[default]
    Plain,
    /// Records as well, from the next frame on: one is under way without.
    Soon,
    /// Records as well. It has been told of this version.
    Described(u64),
}

impl Between {
    /// From now on the peer is sent records, or from the next frame on if one `is_begun`.
    pub fn understand(&mut self, hello: &[u8], is_begun: bool) {
        if self.hearing == Hearing::Plain {
            self.bytes.extend_from_slice(hello);
            self.hearing = if is_begun {
                Hearing::Soon
            } else {
                Hearing::Described(0)
            };
        }
    }

    /// No frame is under way.
    pub fn is_between_frames(&mut self) {
        if self.hearing == Hearing::Soon {
            self.hearing = Hearing::Described(0);
        }
    }

    /// Whether more may be sent than the frame that is under way.
    pub fn goes_on(&self) -> bool {
        self.hearing != Hearing::Soon
    }

    /// Whether frames go to it with their records, now or from the next one on.
    pub fn understands(&self) -> bool {
        self.hearing != Hearing::Plain
    }

    /// Whether frames go to it with their records.
    pub fn is_described(&self) -> bool {
        matches!(self.hearing, Hearing::Described(_))
    }

    /// Whether it goes on with what is described so without being told.
    pub fn knows(&self, description: Option<&Arc<Description>>) -> bool {
        match (self.hearing, description) {
            (Hearing::Described(told), Some(description)) => told == description.version,
            _ => true,
        }
    }

    /// Tells of it, behind the hello, or once the one before has been told.
    pub fn describe(&mut self, description: &Description, now: Instant) {
        if let Hearing::Described(told) = &mut self.hearing
            && (*told == 0 || self.bytes.len() == self.sent)
        {
            *told = description.version;
            description.append_to(&mut self.bytes, now);
        }
    }

    /// Tells something else, unless as much waits as a peer takes that takes anything.
    pub fn tell(&mut self, bytes: &[u8]) {
        if self.sent >= MAX_UNTOLD {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        if self.unsent().len() < MAX_UNTOLD {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// What is to be told.
    pub fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Some of it has been.
    pub fn advance(&mut self, bytes: usize) {
        self.sent += bytes;
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            self.sent = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        super::{
            Audience, Fanout, Flow, Frame, JoinAt, Lead, Limits, Metadata, Overflow, Piece,
            tests::{Letter, some_time},
        },
        *,
    };
    use crate::wire::{
        HeaderFormat,
        record::{Record, RecordKind},
    };

    struct Stream {
        fanout: Fanout<Letter>,
        now: Instant,
    }

    /// A capital letter is a keyframe. Its record is the other case of it.
    fn frame(letter: char) -> Frame<Letter> {
        let letter = letter as u8;
        Frame {
            header: HeaderFormat::default().encode(1).unwrap(),
            lead: Some(Lead::Long(Box::new([letter ^ 0x20, b'|']))),
            payload: Letter(letter),
            len: 1,
            keyframe: letter.is_ascii_uppercase(),
            repeats_header: false,
            is_note: false,
            piece: Piece::Whole,
            time: None,
        }
    }

    impl Stream {
        fn new(metadata: Metadata, flow: Flow) -> Self {
            let mut fanout = Fanout::new(Audience::Clients);
            fanout.begin(Flow { metadata, ..flow });
            fanout.set_hello(b"hello ".to_vec());
            let now = some_time();
            Self { fanout, now }
        }

        fn of_all() -> Self {
            let limits = Limits {
                frames: Some(3),
                ..Limits::default()
            };
            Self::new(
                Metadata::On,
                Flow {
                    overflow: Overflow::Drop,
                    limits,
                    ..Flow::default()
                },
            )
        }

        fn join(&mut self) -> usize {
            self.fanout.join(0, self.now).0
        }

        fn describe(&mut self, records: &str) {
            let description = Description::new(None, records.into(), self.now);
            self.fanout.describe(description);
        }

        fn push(&mut self, letters: &str) {
            for letter in letters.chars() {
                self.fanout.push(frame(letter), self.now);
                self.fanout.keep_within(self.now);
            }
        }

        fn note(&mut self, records: &str) {
            let note = Frame::note(records.as_bytes().into(), Letter(0));
            self.fanout.note(note, self.now);
        }

        /// What the kernel is given at once, of which it takes so many bytes.
        fn send(&mut self, key: usize, max: usize) -> Vec<u8> {
            if self.fanout.is_undescribed(key) {
                self.fanout.describe_to(key, self.now);
            }
            let mut bytes = Vec::new();
            let Some((parts, before)) = self.fanout.unsent(key) else {
                return bytes;
            };
            for part in parts {
                bytes.extend_from_slice(part.head);
                let payload = part.frame.filter(|frame| !frame.is_note);
                bytes.extend(payload.map(|frame| frame.payload.0));
            }
            bytes.drain(..before);
            bytes.truncate(max);
            self.fanout.sent(key, bytes.len(), false, self.now);
            bytes
        }

        /// All that it is sent, in pieces of so many bytes.
        fn sent_in(&mut self, key: usize, max: usize) -> String {
            let pieces =
                std::iter::from_fn(|| Some(self.send(key, max)).filter(|sent| !sent.is_empty()));
            let sent = pieces.collect::<Vec<_>>().concat();
            assert!(self.fanout.is_idle(key));
            String::from_utf8(sent).unwrap()
        }

        fn sent(&mut self, key: usize) -> String {
            self.sent_in(key, usize::MAX)
        }
    }

    #[test]
    fn a_peer_is_told_what_frames_are_before_the_first() {
        let mut stream = Stream::of_all();
        let early = stream.join();
        assert_eq!(stream.sent(early), "hello ");
        stream.describe("caps ");
        assert_eq!(stream.sent(early), "caps ");
        stream.push("Ab");
        assert_eq!(stream.sent(early), "a|AB|b");
        let late = stream.join();
        assert_eq!(stream.sent(late), "hello caps ");
        stream.push("Cd");
        assert_eq!(stream.sent(late), "c|CD|d");
    }

    #[test]
    fn what_changes_is_told_between_the_frames_wherever_they_are_cut() {
        for max in 1..30 {
            let mut stream = Stream::of_all();
            let key = stream.join();
            stream.describe("one ");
            stream.push("Ab");
            stream.describe("two ");
            stream.push("c");
            assert_eq!(stream.sent_in(key, max), "hello one a|AB|btwo C|c");
        }
    }

    #[test]
    fn what_was_said_of_lost_frames_is_told_before_the_next() {
        let mut stream = Stream::of_all();
        let key = stream.join();
        stream.describe("one ");
        stream.push("A");
        assert_eq!(stream.sent(key), "hello one a|A");
        stream.fanout.set_writable(key, false);
        stream.push("b");
        stream.describe("two ");
        stream.push("cd");
        stream.describe("three ");
        stream.push("eFg");
        stream.fanout.set_writable(key, true);
        assert_eq!(stream.sent(key), "three f|FG|g");
        assert_eq!(stream.fanout.counts(key).dropped, 4);
    }

    #[test]
    fn one_who_joins_at_a_keyframe_is_told_what_was_said_of_it() {
        let flow = Flow {
            join: JoinAt::LatestKeyframe,
            ..Flow::default()
        };
        let mut stream = Stream::new(Metadata::On, flow);
        stream.describe("one ");
        stream.push("Ab");
        stream.describe("two ");
        stream.push("c");
        let key = stream.join();
        assert_eq!(stream.sent(key), "hello one a|AB|btwo C|c");
    }

    #[test]
    fn a_peer_that_asks_is_told_from_the_next_frame_on() {
        let plain = "00000001A00000001b00000001C";
        for cut in 0..=plain.len() {
            let mut stream = Stream::new(Metadata::OnRequest, Flow::default());
            stream.describe("one ");
            let (asks, other) = (stream.join(), stream.join());
            stream.push("AbC");
            let mut sent = stream.send(asks, cut);
            stream.fanout.understand(asks);
            sent.extend(stream.sent_in(asks, 1).bytes());
            let whole = cut.div_ceil(9);
            let records = ["a|A", "B|b", "c|C"];
            let expected = format!(
                "{}hello one {}",
                &plain[..9 * whole],
                records[whole..].concat()
            );
            assert_eq!(String::from_utf8(sent).unwrap(), expected, "cut at {cut}");
            assert_eq!(stream.sent(other), plain);
        }
    }

    #[test]
    fn notes_are_for_those_who_understand_and_count_for_nothing() {
        let mut stream = Stream::new(Metadata::OnRequest, Flow::default());
        let (plain, described) = (stream.join(), stream.join());
        stream.fanout.understand(described);
        stream.push("A");
        stream.note("gap ");
        stream.push("b");
        let progress = stream.fanout.counts(described).sent.frames;
        assert_eq!(stream.sent(described), "hello a|Agap B|b");
        assert_eq!(stream.fanout.counts(described).sent.frames - progress, 2);
        assert_eq!(stream.sent(plain), "00000001A00000001b");
    }

    #[test]
    fn notes_that_nobody_takes_are_bounded() {
        let mut stream = Stream::new(Metadata::OnRequest, Flow::default());
        let (plain, described) = (stream.join(), stream.join());
        stream.note("before ");
        stream.fanout.understand(described);
        stream.push("A");
        assert_eq!(stream.sent(plain), "00000001A");
        for _ in 0..10_000 {
            stream.note("gap ");
        }
        assert_eq!(stream.fanout.queue.len(), 1 + super::super::MAX_NOTES);
        assert_eq!(
            stream.sent(described).matches("gap").count(),
            super::super::MAX_NOTES
        );
        assert_eq!(stream.fanout.queue.len(), 0);
    }

    #[test]
    fn headers_that_the_stream_has_not_had_stand_in_its_description_alone() {
        for in_band in [false, true] {
            let mut stream = Stream::of_all();
            let header = |repeats_header| Frame {
                repeats_header,
                ..frame('X')
            };
            stream.fanout.set_headers(vec![header(false)]);
            stream.describe("caps ");
            let early = stream.join();
            if in_band {
                stream.fanout.push(header(true), stream.now);
            }
            stream.push("A");
            let late = stream.join();
            stream.push("B");
            let (of_early, of_late) = if in_band { ("x|X", "x|X") } else { ("", "") };
            assert_eq!(stream.sent(early), format!("hello caps {of_early}a|Ab|B"));
            assert_eq!(stream.sent(late), format!("hello caps {of_late}b|B"));
        }
    }

    #[test]
    fn who_lost_some_of_the_headers_that_the_stream_has_is_given_all_of_them() {
        for lost in [false, true] {
            let mut stream = Stream::of_all();
            let header = |letter, repeats_header| Frame {
                repeats_header,
                ..frame(letter)
            };
            let key = stream.join();
            stream.push("A");
            assert_eq!(stream.sent(key), "hello a|A");
            let headers = ['X', 'Y'].map(|letter| header(letter, false));
            stream.fanout.set_headers(headers.into());
            stream.fanout.push(header('X', true), stream.now);
            assert_eq!(stream.sent(key), "x|X");
            stream.fanout.set_writable(key, false);
            stream.fanout.push(header('Y', true), stream.now);
            stream.push(if lost { "bcdeF" } else { "F" });
            stream.fanout.set_writable(key, true);
            let before = if lost { "x|Xy|Y" } else { "y|Y" };
            assert_eq!(stream.sent(key), format!("{before}f|F"));
        }
    }

    #[test]
    fn headers_that_wait_for_a_peer_are_not_for_one_that_understands() {
        let mut stream = Stream::of_all();
        stream.fanout = Fanout::new(Audience::Callee);
        stream.fanout.begin(Flow {
            metadata: Metadata::OnRequest,
            ..Flow::default()
        });
        stream.fanout.set_headers(vec![frame('X')]);
        stream.push("A");
        let key = stream.join();
        stream.fanout.understand(key);
        assert_eq!(stream.sent(key), "a|A");
    }

    #[test]
    fn who_takes_what_it_is_told_bit_by_bit_makes_nothing_grow() {
        let mut between = Between::default();
        for _ in 0..100_000 {
            between.tell(&[b'r'; 100]);
            between.advance(90);
        }
        assert!(between.bytes.len() < 3 * MAX_UNTOLD);
    }

    #[test]
    fn the_end_is_told_by_a_record() {
        let mut stream = Stream::new(Metadata::OnRequest, Flow::default());
        stream.fanout.set_edges(b"", b"00000000");
        let (plain, described) = (stream.join(), stream.join());
        stream.fanout.understand(described);
        assert_eq!(stream.sent(described), "hello ");
        stream.fanout.finish(stream.now);
        assert_eq!(stream.fanout.unsent_edge(plain), Some(&b"00000000"[..]));
        assert_eq!(stream.fanout.unsent_edge(described), Some(&b"E0000000"[..]));
        let progress = stream.fanout.sent_edge(described, 8, false, stream.now);
        assert_eq!(progress.frames, 0);
        assert!(stream.fanout.is_draining(described) && stream.fanout.is_idle(described));
    }

    #[test]
    fn the_clock_is_told_as_it_is_then() {
        let clock = Clock {
            now: 1_000,
            base_time: 7,
            unix_offset: None,
            latency: 0,
            is_paced: true,
            is_unix_synchronised: false,
            id: "id",
        };
        let mut record = Vec::new();
        Record::Clock(clock).encode(&mut record).unwrap();
        let mut stream = Stream::of_all();
        let description = Description::new(Some(record), Vec::new(), stream.now);
        stream.fanout.describe(description);
        stream.now += Duration::from_nanos(234);
        let key = stream.join();
        let sent = stream.send(key, usize::MAX);
        let payload = &sent["hello ".len() + 8..];
        let expected = Clock {
            now: 1_234,
            ..clock
        };
        let parsed = Record::parse(RecordKind::Clock, payload);
        assert_eq!(parsed, Ok(Record::Clock(expected)));
    }

    #[test]
    fn the_next_connection_begins_with_a_hello() {
        let mut stream = Stream::of_all();
        stream.fanout = Fanout::new(Audience::Callee);
        stream.fanout.begin(Flow {
            metadata: Metadata::On,
            ..Flow::default()
        });
        stream.fanout.set_hello(b"hello ".to_vec());
        stream.describe("one ");
        let key = stream.join();
        stream.push("AB");
        assert_eq!(stream.send(key, 13), b"hello one a|A");
        stream.fanout.leave(key, true);
        let key = stream.join();
        assert_eq!(stream.sent(key), "hello one b|B");
    }
}
