// SPDX-License-Identifier: MPL-2.0
//! A stream of which each frame tells everything about itself.

use crate::clock;

/// Nanoseconds from one frame to the next.
pub const PERIOD: u64 = 1_000_000_000 / 30;

/// Frames from one keyframe to the next.
const GROUP: u64 = 15;

const STAMP_LEN: usize = 16;
const KEYFRAME_LEN: usize = 60_000;

/// The number of a stream's first frame: a sender that begins anew goes on behind the one before it.
pub fn first_number() -> u64 {
    clock::now() / PERIOD
}

pub fn is_keyframe(number: u64) -> bool {
    number.is_multiple_of(GROUP)
}

fn len(number: u64) -> usize {
    match number % GROUP {
        0 => KEYFRAME_LEN,
        n => STAMP_LEN + 1_500 * n as usize,
    }
}

/// Of now.
pub fn bytes(number: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len(number));
    bytes.extend_from_slice(&clock::now().to_be_bytes());
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.resize(len(number), filling(number));
    bytes
}

fn filling(number: u64) -> u8 {
    number as u8
}

/// What a viewer has seen of the stream.
#[derive(Default)]
pub struct Seen {
    last: Option<u64>,
}

impl Seen {
    /// Takes a frame, which is to be whole and in its place. Says how old it is, in nanoseconds, and how many are
    /// missing before it.
    pub fn frame(&mut self, bytes: &[u8]) -> Result<(u64, u64), String> {
        let (stamp, rest) = bytes.split_at_checked(STAMP_LEN).ok_or("a short frame")?;
        let number = |at: usize| u64::from_be_bytes(stamp[at..at + 8].try_into().expect("8 bytes"));
        let (pushed, number) = (number(0), number(8));
        if bytes.len() != len(number) || rest.iter().any(|&byte| byte != filling(number)) {
            return Err(format!("frame {number} is not what it was"));
        }
        let missing = match self.last.replace(number) {
            None => 0,
            Some(last) if number > last => number - last - 1,
            Some(last) => return Err(format!("frame {number} after {last}")),
        };
        Ok((clock::now().saturating_sub(pushed), missing))
    }

    /// Whether the last frame can be shown, so many missing before it.
    pub fn can_be_shown(&self, missing: u64, is_first: bool) -> bool {
        !(is_first || missing > 0) || self.last.is_some_and(is_keyframe)
    }
}
