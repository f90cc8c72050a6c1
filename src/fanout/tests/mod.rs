// SPDX-License-Identifier: MPL-2.0
//! Each decision by itself, in time that passes when the test says so.

mod edges;
mod ending;
mod headers;
mod joining;
mod pieces;
mod records;
mod stalls;
mod thinning;
mod turns;

pub(super) use super::model::Letter;

use super::*;
use crate::wire::HeaderFormat;

const WIRE_LEN: usize = 9;
const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

/// A capital letter is a keyframe, a digit one of the stream's headers, which says the second at which it is due.
fn frame(letter: u8) -> Frame<Letter> {
    Frame {
        header: HeaderFormat::default().encode(1).unwrap(),
        lead: None,
        payload: Letter(letter),
        len: 1,
        keyframe: !letter.is_ascii_lowercase(),
        repeats_header: letter.is_ascii_digit(),
        is_note: false,
        piece: Piece::Whole,
        time: Some(u32::from(letter.to_ascii_lowercase()) * SECOND),
    }
}

/// When tests begin. From then on time passes as they say.
pub(super) fn some_time() -> Instant {
    Instant::now()
}

/// A stream, and the time.
struct Stream {
    fanout: Fanout<Letter>,
    now: Instant,
}

impl Stream {
    fn new(audience: Audience, flow: Flow) -> Self {
        let mut fanout = Fanout::new(audience);
        fanout.begin(flow);
        let now = some_time();
        Self { fanout, now }
    }

    fn for_clients(flow: Flow) -> Self {
        Self::new(Audience::Clients, flow)
    }

    fn headers(&mut self, letters: &str) {
        let frames = letters.bytes().map(|letter| Frame {
            repeats_header: false,
            ..frame(letter)
        });
        self.fanout.set_headers(frames.collect());
    }

    /// Sends these frames, and thins what waits after each.
    fn push(&mut self, letters: &str) -> Sent {
        let mut sent = Sent::default();
        for letter in letters.bytes() {
            sent += self.fanout.push(frame(letter), self.now);
            sent += self.fanout.keep_within(self.now);
        }
        sent
    }

    /// The same for pictures: a word each, of a letter for each piece.
    fn push_pictures(&mut self, words: &str) -> Sent {
        let mut sent = Sent::default();
        for word in words.split(' ') {
            for (at, letter) in word.bytes().enumerate() {
                let piece = match (at == 0, at + 1 == word.len()) {
                    (true, true) => Piece::Whole,
                    (true, false) => Piece::First,
                    (false, false) => Piece::Middle,
                    (false, true) => Piece::Last,
                };
                sent += self.push_piece(letter, piece);
            }
        }
        sent
    }

    fn push_piece(&mut self, letter: u8, piece: Piece) -> Sent {
        let frame = Frame {
            piece,
            ..frame(letter)
        };
        let mut sent = self.fanout.push(frame, self.now);
        sent += self.fanout.keep_within(self.now);
        sent
    }

    fn must_wait(&self, letter: char) -> bool {
        self.fanout.must_wait(&frame(letter as u8), self.now)
    }

    fn join(&mut self) -> usize {
        self.fanout.join(0, self.now).0
    }

    /// One that has a kernel without room.
    fn join_full(&mut self) -> usize {
        let key = self.join();
        self.fanout.set_writable(key, false);
        key
    }

    /// What a client would be sent now.
    fn waiting(&mut self, key: usize) -> String {
        let was_writable = self.fanout.is_writable(key);
        self.fanout.set_writable(key, true);
        let letters = self.fanout.unsent(key).map(|(frames, _)| {
            let frames = frames.filter_map(|part| part.frame);
            let letters = frames.map(|frame| char::from(frame.payload.0));
            letters.collect()
        });
        self.fanout.set_writable(key, was_writable);
        letters.unwrap_or_default()
    }

    /// The kernel takes so many bytes, and no more.
    fn take(&mut self, key: usize, bytes: usize) -> Progress {
        self.fanout.sent(key, bytes, true, self.now)
    }

    fn take_frames(&mut self, key: usize, frames: usize) {
        assert_eq!(self.take(key, frames * WIRE_LEN).frames, frames as u64);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn dropped(&self, key: usize) -> u64 {
        self.fanout.counts(key).dropped
    }

    /// How many payloads there are.
    fn kept(&mut self) -> usize {
        self.fanout.spent().clear();
        self.fanout.queue.len()
    }
}

fn flow(overflow: Overflow, limits: Limits) -> Flow {
    Flow {
        overflow,
        limits,
        ..Flow::default()
    }
}

fn frames(max: usize) -> Limits {
    Limits {
        frames: Some(max),
        ..Limits::default()
    }
}

fn bytes(max: usize) -> Limits {
    Limits {
        bytes: Some(max),
        ..Limits::default()
    }
}

fn time(max: Duration) -> Limits {
    Limits {
        time: Some(max),
        ..Limits::default()
    }
}

fn dropping(limits: Limits) -> Stream {
    Stream::for_clients(flow(Overflow::Drop, limits))
}

fn blocking(limits: Limits) -> Stream {
    Stream::for_clients(flow(Overflow::Block, limits))
}

/// What of preamble and last frame it would be sent now.
fn edge(stream: &Stream, key: usize) -> &str {
    let edge = stream.fanout.unsent_edge(key);
    std::str::from_utf8(edge.unwrap_or_default()).unwrap()
}

impl Stream {
    fn with_edges(audience: Audience, flow: Flow) -> Self {
        let mut stream = Self::new(audience, flow);
        stream.fanout.set_edges(b"hi", b"00");
        stream
    }

    /// The kernel takes so many bytes of that.
    fn take_edge(&mut self, key: usize, bytes: usize) -> Progress {
        self.fanout.sent_edge(key, bytes, false, self.now)
    }
}
