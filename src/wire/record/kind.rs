// SPDX-License-Identifier: MPL-2.0
//! Which records there are, and how each begins.

use std::{fmt, ops::RangeInclusive};

/// The longest payload that the head of a record can announce, in bytes.
pub const MAX_RECORD_LEN: usize = 9_999_999;

/// The records of fixed length may grow by as much: what is behind the part that is known is ignored.
const ROOM: usize = 128;

/// What a record tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RecordKind {
    /// Who is there, and what it understands.
    Hello = b'H',
    /// The sender's clock.
    Clock = b'K',
    /// A stream begins.
    StreamStart = b'I',
    /// What the frames are.
    Caps = b'C',
    /// Title, language and the like.
    Tags = b'T',
    /// How fast the stream is played.
    Segment = b'S',
    /// What belongs to the frame that follows: its times and flags.
    Buffer = b'B',
    /// More that belongs to it.
    Meta = b'M',
    /// No frame comes for a while.
    Gap = b'G',
    /// Another event.
    Event = b'X',
    /// The stream is over.
    End = b'E',
    /// What the receiver asks of the sender.
    Upstream = b'U',
    /// Times for a comparison of clocks.
    Probe = b'P',
}

impl RecordKind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Hello,
        Self::Clock,
        Self::StreamStart,
        Self::Caps,
        Self::Tags,
        Self::Segment,
        Self::Buffer,
        Self::Meta,
        Self::Gap,
        Self::Event,
        Self::End,
        Self::Upstream,
        Self::Probe,
    ];

    /// The kind that begins with this letter.
    pub fn from_letter(letter: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == letter)
    }

    /// The letter that it begins with.
    pub fn letter(self) -> char {
        char::from(self as u8)
    }

    /// How long its payload may be, in bytes.
    pub fn lengths(self) -> RangeInclusive<usize> {
        match self {
            Self::Hello => 13..=4 * 1024,
            Self::Clock => 36..=512,
            Self::StreamStart => 0..=4 * 1024,
            Self::Caps => 1..=256 * 1024,
            Self::Tags | Self::Event => 2..=64 * 1024,
            Self::Segment => 24..=24 + ROOM,
            Self::Buffer => 36..=52 + ROOM,
            Self::Meta => 2..=64 * 1024,
            Self::Gap => 16..=16 + ROOM,
            Self::End => 0..=ROOM,
            Self::Upstream => 1..=4 * 1024,
            Self::Probe => 8..=24 + ROOM,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Clock => "clock",
            Self::StreamStart => "stream start",
            Self::Caps => "caps",
            Self::Tags => "tags",
            Self::Segment => "segment",
            Self::Buffer => "buffer",
            Self::Meta => "meta",
            Self::Gap => "gap",
            Self::Event => "event",
            Self::End => "end",
            Self::Upstream => "upstream",
            Self::Probe => "probe",
        }
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.letter(), self.name())
    }
}

/// How a record begins: a letter, and seven digits for the length of its payload.
///
/// ```
/// use gstvideosocket::wire::record::RecordHead;
///
/// let head = RecordHead { letter: b'B', len: 36 };
/// assert_eq!(head.encode(), *b"B0000036");
/// assert_eq!(RecordHead::decode(b"B0000036"), Some(head));
/// assert_eq!(RecordHead::decode(b"GET / HT"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHead {
    /// `A` to `Z`.
    pub letter: u8,
    /// The payload's length in bytes, [`MAX_RECORD_LEN`] at most.
    pub len: usize,
}

impl RecordHead {
    /// Its length in bytes: that of the decimal header between which it stands.
    pub const LEN: usize = 8;

    /// The head of a record.
    ///
    /// # Panics
    /// When the length does not fit.
    pub fn encode(self) -> [u8; Self::LEN] {
        assert!(self.len <= MAX_RECORD_LEN, "a record of {} bytes", self.len);
        let mut bytes = [self.letter; Self::LEN];
        let mut len = self.len;
        for digit in bytes[1..].iter_mut().rev() {
            *digit = b'0' + (len % 10) as u8;
            len /= 10;
        }
        bytes
    }

    /// Reads the head of a record; `None` if it is none. Spaces are no digits here.
    pub fn decode(bytes: &[u8; Self::LEN]) -> Option<Self> {
        let [letter, digits @ ..] = bytes;
        let is_head = letter.is_ascii_uppercase() && digits.iter().all(u8::is_ascii_digit);
        is_head.then(|| Self {
            letter: *letter,
            len: digits
                .iter()
                .fold(0, |len, digit| 10 * len + usize::from(digit - b'0')),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_come_back() {
        for len in [0, 1, 9, 10, 36, 1_234_567, MAX_RECORD_LEN] {
            for letter in b'A'..=b'Z' {
                let head = RecordHead { letter, len };
                assert_eq!(RecordHead::decode(&head.encode()), Some(head));
            }
        }
        let head = RecordHead {
            letter: b'C',
            len: 1234,
        };
        assert_eq!(&head.encode(), b"C0001234");
    }

    #[test]
    #[should_panic(expected = "a record of 10000000 bytes")]
    fn a_length_of_eight_digits_has_no_head() {
        RecordHead {
            letter: b'C',
            len: MAX_RECORD_LEN + 1,
        }
        .encode();
    }

    #[test]
    fn other_protocols_have_no_heads() {
        for bytes in [
            b"GET / HT",
            b"SSH-2.0-",
            b"\x16\x03\x01\x02\x00\x01\x00\x01",
            b"B     36",
            b"B36     ",
            b"B+000036",
            b"B000003\0",
            b"b0000036",
            b"@0000036",
            b"[0000036",
            b"00000036",
            b"\xc10000036",
            b"BB000036",
        ] {
            assert_eq!(RecordHead::decode(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn letters_name_kinds() {
        for kind in RecordKind::ALL {
            assert_eq!(RecordKind::from_letter(kind as u8), Some(kind));
            assert!(kind.letter().is_ascii_uppercase());
            assert!(*kind.lengths().end() <= MAX_RECORD_LEN);
        }
        for letter in [b'A', b'Z', b'h', b'0', 0, 255] {
            assert_eq!(RecordKind::from_letter(letter), None);
        }
        assert_eq!(RecordKind::Clock.to_string(), "K (clock)");
    }
}
