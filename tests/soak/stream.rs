// SPDX-License-Identifier: MPL-2.0
//! The stream that everybody gets: its number tells everything about a frame.

use crate::support::payload;
use once_cell::sync::Lazy;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Frames from one keyframe to the next.
pub const GROUP: u64 = 10;
const NUMBER_LEN: usize = size_of::<u64>();
pub const LONGEST: usize = 200_000;

static CONTENT: Lazy<Vec<u8>> = Lazy::new(|| payload(0, LONGEST + MOST_SHIFTED));
const MOST_SHIFTED: usize = 64;

/// Payloads that somebody still holds.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// Pieces of payload that are still held, wherever.
pub fn held() -> usize {
    HELD.load(Ordering::Relaxed)
}

/// A frame in two pieces of memory.
pub fn buffer(number: u64) -> gst::Buffer {
    let mut buffer = gst::Buffer::new();
    let frame = buffer.get_mut().expect("a new buffer");
    frame.append_memory(gst::Memory::from_slice(Piece::new(
        number.to_be_bytes().to_vec(),
    )));
    frame.append_memory(gst::Memory::from_slice(content(number).to_vec()));
    if !is_keyframe(number) {
        frame.set_flags(gst::BufferFlags::DELTA_UNIT);
    }
    buffer
}

pub fn is_keyframe(number: u64) -> bool {
    number.is_multiple_of(GROUP)
}

/// The first that is one from `number` on.
pub fn next_keyframe(number: u64) -> u64 {
    number.next_multiple_of(GROUP)
}

/// What follows the number.
fn content(number: u64) -> &'static [u8] {
    let len = match number % 37 {
        0 => 0,
        1 => LONGEST - NUMBER_LEN,
        n => 800 * n as usize,
    };
    let from = number as usize % MOST_SHIFTED;
    &CONTENT[from..from + len]
}

/// Of memory that says when nobody holds it any more.
struct Piece(Vec<u8>);

impl Piece {
    fn new(bytes: Vec<u8>) -> Self {
        HELD.fetch_add(1, Ordering::Relaxed);
        Self(bytes)
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        HELD.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Takes the bytes of one connection and accepts nothing but whole frames, bit for bit and in order.
#[derive(Default)]
pub struct Parser {
    bytes: Vec<u8>,
    pub last: Option<u64>,
    /// Frames may be missing, up to a keyframe.
    may_lose: bool,
}

impl Parser {
    pub fn lenient() -> Self {
        Self {
            may_lose: true,
            ..Self::default()
        }
    }

    #[track_caller]
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let mut done = 0;
        while let Some(len) = next_len(&self.bytes[done..]) {
            let end = done + HEADER_LEN + len;
            let Some(frame) = self.bytes.get(done + HEADER_LEN..end) else {
                break;
            };
            self.last = Some(check(frame, self.last, self.may_lose));
            done = end;
        }
        self.bytes.drain(..done);
    }

    pub fn is_between_frames(&self) -> bool {
        self.bytes.is_empty()
    }
}

#[track_caller]
fn next_len(bytes: &[u8]) -> Option<usize> {
    let header = &bytes[..bytes.len().min(HEADER_LEN)];
    assert!(header.iter().all(u8::is_ascii_digit), "{header:?}");
    if header.len() < HEADER_LEN {
        return None;
    }
    let len = str::from_utf8(header)
        .expect("digits")
        .parse()
        .expect("digits");
    assert!((NUMBER_LEN..=LONGEST).contains(&len), "{len}");
    Some(len)
}

#[track_caller]
fn check(frame: &[u8], last: Option<u64>, may_lose: bool) -> u64 {
    let (number, rest) = frame.split_at(NUMBER_LEN);
    let number = u64::from_be_bytes(number.try_into().expect("so many"));
    let follows = last.is_some_and(|last| number == last + 1);
    let resumes = is_keyframe(number) && last.is_none_or(|last| may_lose && number > last);
    assert!(follows || resumes, "{number} after {last:?}");
    assert!(rest == content(number), "the content of frame {number}");
    number
}

const HEADER_LEN: usize = 8;
