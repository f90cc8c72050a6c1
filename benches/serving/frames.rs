// SPDX-License-Identifier: MPL-2.0
//! Frames that say when they were pushed.

use crate::{clock, job::Stream};

/// Frames per second.
pub const RATE: u64 = 30;

/// Frames from one keyframe to the next.
const GROUP: u64 = 60;

/// Bytes per frame of a stream that a client is too slow for.
pub const SLOW_SIZE: usize = 133_000;

const HEADER_LEN: usize = 8;
const STAMP_LEN: usize = 17;

#[derive(Clone, Copy)]
pub struct Stamp {
    pub pushed: u64,
    pub number: u64,
    pub keyframe: bool,
}

pub fn is_keyframe(stream: Stream, number: u64) -> bool {
    stream == Stream::Jpeg || number.is_multiple_of(GROUP)
}

/// With the header that its row does not write, if so.
pub fn bytes(len: usize, stamp: Stamp, with_header: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_LEN + len);
    if with_header {
        bytes.extend_from_slice(format!("{len:08}").as_bytes());
    }
    let end = bytes.len() + len;
    bytes.extend_from_slice(&stamp.pushed.to_be_bytes());
    bytes.extend_from_slice(&stamp.number.to_be_bytes());
    bytes.push(stamp.keyframe.into());
    bytes.resize(end, 7);
    bytes
}

pub fn wire_len(len: usize) -> u64 {
    (HEADER_LEN + len) as u64
}

/// Takes what comes over one connection, and says of each frame that is complete what it began with.
#[derive(Default)]
pub struct Parser {
    /// Header and stamp of the frame that is arriving.
    head: Vec<u8>,
    /// Bytes that are still to come behind them.
    rest: usize,
}

impl Parser {
    pub fn feed(&mut self, mut bytes: &[u8], mut arrived: impl FnMut(Stamp, u64)) {
        while !bytes.is_empty() {
            let missing = HEADER_LEN + STAMP_LEN - self.head.len();
            let taken = if missing > 0 { missing } else { self.rest }.min(bytes.len());
            let (now, later) = bytes.split_at(taken);
            bytes = later;
            if missing > 0 {
                self.head.extend_from_slice(now);
                if taken == missing {
                    self.rest = announced(&self.head) - STAMP_LEN;
                }
            } else {
                self.rest -= taken;
            }
            if self.head.len() == HEADER_LEN + STAMP_LEN && self.rest == 0 {
                arrived(stamp(&self.head[HEADER_LEN..]), clock::now());
                self.head.clear();
            }
        }
    }
}

fn announced(head: &[u8]) -> usize {
    let digits = std::str::from_utf8(&head[..HEADER_LEN]).expect("digits");
    digits.parse().expect("digits")
}

fn stamp(bytes: &[u8]) -> Stamp {
    let number = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    Stamp {
        pushed: number(0),
        number: number(8),
        keyframe: bytes[16] != 0,
    }
}
