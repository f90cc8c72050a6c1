// SPDX-License-Identifier: MPL-2.0
//! What stands between the frames, where both ends understand it: caps, times, events.
//!
//! ```text
//! record  = letter length payload
//! letter  = A to Z
//! length  = 7 ASCII decimal digits, zero-padded: the payload's length in bytes
//! ```
//!
//! Numbers are in big-endian order, times in nanoseconds. The smallest signed and the largest unsigned
//! number mean none. Bits that are not described are 0 and ignored, and so is what is behind the part of
//! a payload that is described. An unknown letter is passed over.

mod buffer;
mod bytes;
mod clock;
mod error;
mod hello;
mod kind;
mod sequence;
mod text;

pub use buffer::{Buffer, BufferFlags, FramePrefix};
pub use clock::{Clock, Gap, Probe, Segment};
pub use error::RecordError;
pub use hello::{Back, Hello, StreamFlags, StreamStart, VERSION};
pub use kind::{MAX_RECORD_LEN, RecordHead, RecordKind};
pub use text::{Event, Meta, Qos, QosKind, Scope, Tags, Upstream};

pub(super) use sequence::Sequence;

use super::StructureText;
use bytes::Fields;

/// The most metas that a frame may have.
pub const MAX_METAS: usize = 64;

/// The most bytes that the metas of a frame may have together.
pub const MAX_META_BYTES: usize = 256 * 1024;

/// A record, with what it borrows from its payload.
///
/// ```
/// use gstvideosocket::wire::record::{Gap, Record, RecordKind};
///
/// let mut bytes = Vec::new();
/// let gap = Record::Gap(Gap { time: 5, duration: None });
/// gap.encode(&mut bytes)?;
/// assert_eq!(&bytes[..8], b"G0000016");
/// assert_eq!(Record::parse(RecordKind::Gap, &bytes[8..])?, gap);
/// # Ok::<(), gstvideosocket::wire::record::RecordError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Record<'a> {
    /// Who is there, and what it understands. The first record of each direction.
    Hello(Hello<'a>),
    /// The sender's clock.
    Clock(Clock<'a>),
    /// A stream begins.
    StreamStart(StreamStart<'a>),
    /// What the frames are: fixed caps as GStreamer writes them.
    Caps(StructureText<'a>),
    /// Title, language and the like.
    Tags(Tags<'a>),
    /// How fast the stream is played.
    Segment(Segment),
    /// What belongs to the frame that follows.
    Buffer(Buffer),
    /// More that belongs to it.
    Meta(Meta<'a>),
    /// No frame comes for a while.
    Gap(Gap),
    /// Another event.
    Event(Event<'a>),
    /// The stream is over, and the connection ends.
    End,
    /// What the receiver asks of the sender.
    Upstream(Upstream<'a>),
    /// Times for a comparison of clocks.
    Probe(Probe),
}

impl<'a> Record<'a> {
    /// Reads a payload.
    pub fn parse(kind: RecordKind, payload: &'a [u8]) -> Result<Self, RecordError> {
        check_len(kind, payload.len())?;
        let fields = Fields::new(kind, payload);
        Ok(match kind {
            RecordKind::Hello => Self::Hello(Hello::parse(fields)?),
            RecordKind::Clock => Self::Clock(Clock::parse(fields)?),
            RecordKind::StreamStart => Self::StreamStart(StreamStart::parse(fields)?),
            RecordKind::Caps => Self::Caps(fields.structure()?),
            RecordKind::Tags => Self::Tags(Tags::parse(fields)?),
            RecordKind::Segment => Self::Segment(Segment::parse(fields)?),
            RecordKind::Buffer => Self::Buffer(Buffer::parse(fields)?),
            RecordKind::Meta => Self::Meta(Meta::parse(fields)?),
            RecordKind::Gap => Self::Gap(Gap::parse(fields)?),
            RecordKind::Event => Self::Event(Event::parse(fields)?),
            RecordKind::End => Self::End,
            RecordKind::Upstream => Self::Upstream(Upstream::parse(fields)?),
            RecordKind::Probe => Self::Probe(Probe::parse(fields)?),
        })
    }

    /// Appends the record, head and payload. What would not be read as it is meant is refused, and
    /// then nothing is appended.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), RecordError> {
        let (kind, start) = (self.kind(), out.len());
        out.extend_from_slice(&[0; RecordHead::LEN]);
        self.put(out);
        let (head, payload) = out[start..].split_at_mut(RecordHead::LEN);
        let read = Record::parse(kind, payload);
        let result = match read {
            Ok(read) if read == *self => {
                head.copy_from_slice(
                    &RecordHead {
                        letter: kind as u8,
                        len: payload.len(),
                    }
                    .encode(),
                );
                return Ok(());
            }
            Ok(_) => Err(RecordError::NoForm { kind }),
            Err(error) => Err(error),
        };
        out.truncate(start);
        result
    }

    /// What it tells of.
    pub fn kind(&self) -> RecordKind {
        match self {
            Self::Hello(_) => RecordKind::Hello,
            Self::Clock(_) => RecordKind::Clock,
            Self::StreamStart(_) => RecordKind::StreamStart,
            Self::Caps(_) => RecordKind::Caps,
            Self::Tags(_) => RecordKind::Tags,
            Self::Segment(_) => RecordKind::Segment,
            Self::Buffer(_) => RecordKind::Buffer,
            Self::Meta(_) => RecordKind::Meta,
            Self::Gap(_) => RecordKind::Gap,
            Self::Event(_) => RecordKind::Event,
            Self::End => RecordKind::End,
            Self::Upstream(_) => RecordKind::Upstream,
            Self::Probe(_) => RecordKind::Probe,
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hello(hello) => hello.put(out),
            Self::Clock(clock) => clock.put(out),
            Self::StreamStart(start) => start.put(out),
            Self::Caps(text) => out.extend_from_slice(text.as_bytes()),
            Self::Tags(tags) => tags.put(out),
            Self::Segment(segment) => segment.put(out),
            Self::Buffer(buffer) => buffer.put(out),
            Self::Meta(meta) => meta.put(out),
            Self::Gap(gap) => gap.put(out),
            Self::Event(event) => event.put(out),
            Self::End => (),
            Self::Upstream(upstream) => upstream.put(out),
            Self::Probe(probe) => probe.put(out),
        }
    }
}

fn check_len(kind: RecordKind, len: usize) -> Result<(), RecordError> {
    match kind.lengths() {
        lengths if len < *lengths.start() => Err(RecordError::TooShort { kind, len }),
        lengths if len > *lengths.end() => Err(RecordError::TooLong { kind, len }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is encoded is read as what it was.
    pub fn come_back(record: Record<'_>) {
        let mut bytes = b"before".to_vec();
        record.encode(&mut bytes).unwrap();
        let bytes = bytes.strip_prefix(b"before").unwrap();
        let (head, payload) = bytes.split_first_chunk().unwrap();
        assert_eq!(
            RecordHead::decode(head),
            Some(RecordHead {
                letter: record.kind() as u8,
                len: payload.len()
            })
        );
        assert_eq!(Record::parse(record.kind(), payload), Ok(record));
    }

    #[test]
    fn lengths_have_limits() {
        for kind in RecordKind::ALL {
            let (least, most) = kind.lengths().into_inner();
            let len = most + 1;
            assert_eq!(
                Record::parse(kind, &vec![0; len]),
                Err(RecordError::TooLong { kind, len })
            );
            if let Some(len) = least.checked_sub(1) {
                assert_eq!(
                    Record::parse(kind, &vec![0; len]),
                    Err(RecordError::TooShort { kind, len })
                );
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_appended() {
        let mut bytes = b"before".to_vec();
        let gap = Gap {
            time: i64::MIN,
            duration: None,
        };
        assert_eq!(
            Record::Gap(gap).encode(&mut bytes),
            Err(RecordError::NoGapTime)
        );
        assert_eq!(bytes, b"before");
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let error = Record::parse(RecordKind::Buffer, b"").unwrap_err();
        assert_eq!(
            error.to_string(),
            "a record B (buffer) of 0 bytes is too short: it has at least 36"
        );
        let error = Record::parse(RecordKind::Caps, b"a, b=[5,1]").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the text of a record C (caps) is refused: the [ at byte 6 of the text has neither \
             (structure) nor (GstCaps) before it"
        );
    }
}
