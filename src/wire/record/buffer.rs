// SPDX-License-Identifier: MPL-2.0
//! What stands before each frame.

use std::{
    fmt,
    ops::{BitOr, BitOrAssign, Deref},
};

use super::{
    RecordError, RecordHead,
    bytes::{Fields, Put},
};
use crate::wire::{HeaderFormat, LengthError};

/// The times, flags and offsets of the frame that follows.
///
/// Times are running times in nanoseconds: with the sender's base time, times on its clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buffer {
    /// Counts the frames of the stream, and begins again after 65,535: a gap tells that frames were dropped.
    pub sequence: u16,
    /// What kind of frame it is.
    pub flags: BufferFlags,
    /// When to show it.
    pub pts: Option<i64>,
    /// When to decode it.
    pub dts: Option<i64>,
    /// For how long.
    pub duration: Option<u64>,
    /// When it was handed over to be sent, on the sender's clock.
    pub clock: Option<u64>,
    /// Its number, or what else the stream counts in.
    pub offset: Option<u64>,
    /// The same at its end.
    pub offset_end: Option<u64>,
}

impl Buffer {
    const LEN: usize = 36;
    const LEN_WITH_OFFSETS: usize = 52;

    /// The record, and behind it the header of its frame: all that stands before a payload of
    /// `payload_len` bytes.
    ///
    /// ```
    /// use gstvideosocket::wire::record::Buffer;
    ///
    /// let prefix = Buffer { sequence: 7, ..Buffer::default() }.prefix(5).unwrap();
    /// assert_eq!(&prefix[..8], b"B0000036");
    /// assert_eq!(&prefix[44..], b"00000005");
    /// ```
    pub fn prefix(&self, payload_len: u64) -> Result<FramePrefix, LengthError> {
        let header = HeaderFormat::default().encode(payload_len)?;
        let mut prefix = FramePrefix {
            bytes: [0; FramePrefix::MAX_LEN],
            len: 0,
        };
        prefix.put(self.head());
        self.put(&mut prefix);
        prefix.put(&header);
        Ok(prefix)
    }

    /// There are two, and one for each frame: they are written down.
    fn head(&self) -> &'static [u8; RecordHead::LEN] {
        if self.has_offsets() {
            b"B0000052"
        } else {
            b"B0000036"
        }
    }

    fn has_offsets(&self) -> bool {
        self.offset.is_some() || self.offset_end.is_some()
    }

    pub(super) fn put(&self, out: &mut impl Put) {
        out.put_u16(self.sequence);
        out.put_u16(self.flags.bits());
        out.put_signed(self.pts);
        out.put_signed(self.dts);
        out.put_unsigned(self.duration);
        out.put_unsigned(self.clock);
        if self.has_offsets() {
            out.put_unsigned(self.offset);
            out.put_unsigned(self.offset_end);
        }
    }

    pub(super) fn parse(mut fields: Fields<'_>) -> Result<Self, RecordError> {
        let mut buffer = Self {
            sequence: fields.u16()?,
            flags: BufferFlags::from_bits(fields.u16()?),
            pts: fields.signed()?,
            dts: fields.signed()?,
            duration: fields.unsigned()?,
            clock: fields.unsigned()?,
            offset: None,
            offset_end: None,
        };
        if fields.len() >= Self::LEN_WITH_OFFSETS - Self::LEN {
            buffer.offset = fields.unsigned()?;
            buffer.offset_end = fields.unsigned()?;
        }
        Ok(buffer)
    }
}

/// The bytes before a payload. They are the same for every client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FramePrefix {
    bytes: [u8; Self::MAX_LEN],
    len: u8,
}

impl FramePrefix {
    /// The most bytes that it has: a record with its head, and a header.
    pub const MAX_LEN: usize = RecordHead::LEN + Buffer::LEN_WITH_OFFSETS + RecordHead::LEN;
}

impl Put for FramePrefix {
    fn put(&mut self, bytes: &[u8]) {
        let start = usize::from(self.len);
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len() as u8;
    }
}

impl Deref for FramePrefix {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len.into()]
    }
}

impl fmt::Debug for FramePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FramePrefix({})", self.escape_ascii())
    }
}

/// What kind of frame it is: 14 bits, with numbers of their own.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct BufferFlags(u16);

impl BufferFlags {
    /// It cannot be decoded alone.
    pub const DELTA_UNIT: Self = Self(1 << 0);
    /// Something is missing before it.
    pub const DISCONT: Self = Self(1 << 1);
    /// It is a header of the stream.
    pub const HEADER: Self = Self(1 << 2);
    /// It ends a unit of the stream.
    pub const MARKER: Self = Self(1 << 3);
    /// It holds nothing that is worth showing.
    pub const GAP: Self = Self(1 << 4);
    /// Its bytes are damaged.
    pub const CORRUPTED: Self = Self(1 << 5);
    /// No other frame needs it.
    pub const DROPPABLE: Self = Self(1 << 6);
    /// It must not be dropped.
    pub const NON_DROPPABLE: Self = Self(1 << 7);
    /// Decoding can start again here.
    pub const RESYNC: Self = Self(1 << 8);
    /// It is to be decoded, and not shown.
    pub const DECODE_ONLY: Self = Self(1 << 9);
    /// A picture of two fields.
    pub const INTERLACED: Self = Self(1 << 10);
    /// The top field is first.
    pub const TFF: Self = Self(1 << 11);
    /// The first field is repeated.
    pub const RFF: Self = Self(1 << 12);
    /// A picture of one field.
    pub const ONEFIELD: Self = Self(1 << 13);

    const NAMES: [&str; 14] = [
        "DELTA_UNIT",
        "DISCONT",
        "HEADER",
        "MARKER",
        "GAP",
        "CORRUPTED",
        "DROPPABLE",
        "NON_DROPPABLE",
        "RESYNC",
        "DECODE_ONLY",
        "INTERLACED",
        "TFF",
        "RFF",
        "ONEFIELD",
    ];

    /// The flags of these bits. Reserved bits are ignored.
    pub fn from_bits(bits: u16) -> Self {
        Self(bits & ((1 << Self::NAMES.len()) - 1))
    }

    /// Their bits.
    pub fn bits(self) -> u16 {
        self.0
    }

    /// Whether all of these are set.
    pub fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }
}

impl BitOr for BufferFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for BufferFlags {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl fmt::Debug for BufferFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_set = |bit: &usize| self.0 >> bit & 1 == 1;
        let names = (0..Self::NAMES.len()).filter(is_set);
        let names: Vec<_> = names.map(|bit| Self::NAMES[bit]).collect();
        write!(f, "BufferFlags({})", names.join(" | "))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Record, RecordKind, tests::come_back},
        *,
    };

    const BUFFER: Buffer = Buffer {
        sequence: 7,
        flags: BufferFlags::DELTA_UNIT,
        pts: Some(1_500_000_000),
        dts: None,
        duration: Some(33_333_333),
        clock: Some(8_001_502_000_000),
        offset: None,
        offset_end: None,
    };

    #[test]
    fn they_come_back() {
        come_back(Record::Buffer(BUFFER));
        come_back(Record::Buffer(Buffer::default()));
        come_back(Record::Buffer(Buffer {
            dts: Some(-1),
            offset: Some(0),
            ..BUFFER
        }));
        come_back(Record::Buffer(Buffer {
            offset_end: Some(u64::MAX - 1),
            ..BUFFER
        }));
    }

    #[test]
    fn a_prefix_is_the_record_and_the_header() {
        let with_offsets = Buffer {
            offset: Some(1),
            offset_end: Some(2),
            ..BUFFER
        };
        for (buffer, len) in [(BUFFER, 44 + 8), (with_offsets, 60 + 8)] {
            let mut expected = Vec::new();
            Record::Buffer(buffer).encode(&mut expected).unwrap();
            expected.extend_from_slice(b"00000005");
            let prefix = buffer.prefix(5).unwrap();
            assert_eq!(prefix[..], expected);
            assert_eq!(prefix.len(), len);
        }
    }

    #[test]
    fn a_payload_too_long_for_the_header_has_no_prefix() {
        assert!(BUFFER.prefix(99_999_999).is_ok());
        assert_eq!(
            BUFFER.prefix(100_000_000),
            Err(LengthError::TooLong {
                payload_len: 100_000_000,
                max: 99_999_999
            })
        );
    }

    #[test]
    fn what_is_behind_is_ignored() {
        let mut payload = [0; 52];
        payload[51] = 9;
        for (len, offset_end) in [(36, None), (51, None), (52, Some(9))] {
            let Ok(Record::Buffer(buffer)) = Record::parse(RecordKind::Buffer, &payload[..len])
            else {
                panic!("no buffer of {len} bytes")
            };
            assert_eq!(buffer.offset_end, offset_end);
        }
        let longer = [&payload[..], &[7; 20]].concat();
        assert_eq!(
            Record::parse(RecordKind::Buffer, &longer),
            Record::parse(RecordKind::Buffer, &payload)
        );
    }

    #[test]
    fn reserved_flags_are_ignored() {
        let mut payload = [0; 36];
        payload[2..4].fill(0xff);
        let Ok(Record::Buffer(buffer)) = Record::parse(RecordKind::Buffer, &payload) else {
            panic!("no buffer")
        };
        assert_eq!(buffer.flags.bits(), 0x3fff);
    }

    #[test]
    fn flags_have_names() {
        let mut flags = BufferFlags::DELTA_UNIT | BufferFlags::ONEFIELD;
        assert_eq!(format!("{flags:?}"), "BufferFlags(DELTA_UNIT | ONEFIELD)");
        assert!(flags.contains(BufferFlags::ONEFIELD));
        assert!(!flags.contains(BufferFlags::ONEFIELD | BufferFlags::RFF));
        flags |= BufferFlags::RFF;
        assert!(flags.contains(BufferFlags::ONEFIELD | BufferFlags::RFF));
    }
}
