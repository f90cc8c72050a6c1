// SPDX-License-Identifier: MPL-2.0
//! A byte stream cut into frames, without reading it and without owning a payload.

mod records;

use std::io::IoSliceMut;

use thiserror::Error;

use super::{
    header::{HeaderBytes, HeaderError, HeaderFormat},
    record::RecordKind,
};
use records::Records;

/// From this length on a payload is worth reading to where it stays: of the bytes behind it only the
/// next header is read along. Smaller frames are read many at a time and copied to their place.
const LARGE: usize = 16 * 1024;

/// Cuts a byte stream into frames.
///
/// The payload's memory is the caller's. [`read_slices`](Self::read_slices) says where the next bytes
/// belong: the rest of the payload, then a look-ahead that holds the next header, so that one vectored
/// read fills both. [`next`](Self::next) says what has come of it.
///
/// ```
/// use gstvideosocket::wire::{Decoder, HeaderFormat, Step};
/// use std::io::Read;
///
/// let mut stream = &b"00000005hello00000000"[..];
/// let mut decoder = Decoder::new(HeaderFormat::default(), 99_999_999, 64 * 1024);
/// let (mut payload, mut frames) = (Vec::new(), Vec::new());
/// loop {
///     match decoder.next(&mut payload)? {
///         Step::Head(len) => payload = vec![0; len],
///         Step::Frame => frames.push(std::mem::take(&mut payload)),
///         Step::Record(_) => unreachable!("only with_records"),
///         Step::More => match stream.read_vectored(&mut decoder.read_slices(&mut payload))? {
///             0 => break decoder.finish()?,
///             n => decoder.advance(n),
///         },
///     }
/// }
/// assert_eq!(frames, [&b"hello"[..], b""]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    format: HeaderFormat,
    max_frame_size: u64,
    state: State,
    /// `ahead[start..end]` has been read and not decoded.
    ahead: Box<[u8]>,
    start: usize,
    end: usize,
    /// The last header announced a payload of at least [`LARGE`] bytes, so the next will as well.
    large: bool,
    /// What stands between two large payloads, in bytes.
    between: usize,
    /// Unless a record is a bad header.
    records: Option<Records>,
}

#[derive(Clone, Debug)]
enum State {
    /// So many bytes of the preamble have come, of so many.
    Preamble {
        len: usize,
        got: usize,
    },
    Header,
    Payload {
        len: usize,
        filled: usize,
    },
    Record {
        kind: RecordKind,
        len: usize,
    },
    /// So many bytes of a record are of no use.
    Skip(usize),
    Failed(HeaderError),
}

/// What [`Decoder::next`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A frame begins: its payload has this length and needs that much memory from here on.
    Head(usize),
    /// The payload is complete. The next call is about the next frame.
    Frame,
    /// A record has come, and is there until the next call: see [`Decoder::record`].
    Record(RecordKind),
    /// Nothing more without more bytes.
    More,
}

/// The stream ended inside a frame, or before the first one can begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Truncated {
    /// Inside the preamble.
    #[error("{got} of a preamble's {len} bytes had come")]
    Preamble {
        /// The bytes that came.
        got: usize,
        /// The bytes of the preamble.
        len: usize,
    },
    /// Inside a header.
    #[error("{got} of a header's {}{len} bytes had come", if *.is_varint { "at most " } else { "" })]
    Header {
        /// The bytes that came.
        got: usize,
        /// The bytes of a header, or the most it can have.
        len: usize,
        /// Headers vary in length.
        is_varint: bool,
    },
    /// Inside a payload.
    #[error("{got} of a frame's {len} bytes had come")]
    Payload {
        /// The bytes that came.
        got: usize,
        /// The bytes that its header announced.
        len: usize,
    },
    /// Inside a record.
    #[error("the last {missing} bytes of a record had not come")]
    Record {
        /// The bytes that did not come.
        missing: usize,
    },
    /// Behind a record that tells of a frame.
    #[error("the frame that a record tells of had not come")]
    Announced,
}

impl Decoder {
    /// A decoder at the start of a stream.
    ///
    /// A frame longer than `max_frame_size` bytes is an error. The look-ahead takes `ahead` bytes of
    /// memory, and no fewer than a header needs.
    pub fn new(format: HeaderFormat, max_frame_size: u64, ahead: usize) -> Self {
        Self {
            format,
            max_frame_size: max_frame_size.min(usize::MAX as u64),
            state: State::Header,
            ahead: vec![0; ahead.max(format.max_header_len())].into_boxed_slice(),
            start: 0,
            end: 0,
            large: false,
            between: format.max_header_len(),
            records: None,
        }
    }

    /// Skips as many bytes at the start of the stream, whatever they are.
    pub fn with_preamble(mut self, len: usize) -> Self {
        if len > 0 {
            self.state = State::Preamble { len, got: 0 };
        }
        self
    }

    /// Decodes what has been read.
    ///
    /// `payload` is the memory of the frame that the last [`Step::Head`] announced, from its first
    /// byte on; between frames it is not touched. An error stays: after it no byte can be trusted.
    ///
    /// # Panics
    /// When `payload` is shorter than announced.
    pub fn next(&mut self, payload: &mut [u8]) -> Result<Step, HeaderError> {
        match self.state {
            State::Preamble { len, got } => self.skip_preamble(len, got),
            State::Header => self.next_header(),
            State::Payload { len, filled } => Ok(self.fill(&mut payload[..len], filled)),
            State::Record { .. } | State::Skip(_) => self.next_record(),
            State::Failed(ref error) => Err(error.clone()),
        }
    }

    /// The length of the next frame, if that has been read whole: it costs no read.
    ///
    /// A record before it may be that of its times and flags, and no other.
    pub fn frame_ahead(&self) -> Option<usize> {
        let State::Header = self.state else {
            return None;
        };
        let ahead = &self.ahead[self.start..self.end];
        let ahead = match &self.records {
            Some(records) => records.behind_buffer(ahead)?,
            None => ahead,
        };
        let head = self.format.decode(ahead).ok()??;
        let is_whole = head.payload_len <= (ahead.len() - head.header_len) as u64;
        (is_whole && head.payload_len <= self.max_frame_size).then_some(head.payload_len as usize)
    }

    /// How many bytes the payload that has begun still lacks; 0 between frames.
    pub fn missing(&self) -> usize {
        match self.state {
            State::Payload { len, filled } => len - filled,
            _ => 0,
        }
    }

    /// Where the next bytes of the stream belong, in this order. `payload` is as in
    /// [`next`](Self::next), which has to have returned [`Step::More`].
    pub fn read_slices<'a>(&'a mut self, payload: &'a mut [u8]) -> [IoSliceMut<'a>; 2] {
        self.ahead.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let rest = match self.state {
            State::Payload { len, filled } => &mut payload[filled..len],
            _ => &mut [],
        };
        let window = if self.large {
            let window = self.between + self.missing_of_record();
            window.min(self.ahead.len())
        } else {
            self.ahead.len()
        };
        [
            IoSliceMut::new(rest),
            IoSliceMut::new(&mut self.ahead[self.end..window]),
        ]
    }

    /// `n` bytes have been read into the [`read_slices`](Self::read_slices).
    pub fn advance(&mut self, n: usize) {
        let into_payload = match &mut self.state {
            State::Payload { len, filled } => {
                let into_payload = n.min(*len - *filled);
                *filled += into_payload;
                into_payload
            }
            _ => 0,
        };
        self.end += n - into_payload;
        assert!(
            self.end <= self.ahead.len(),
            "more bytes than there was room for"
        );
    }

    /// Whether no byte of a payload has come since the last header or part of one.
    pub fn is_outside_payload(&self) -> bool {
        !matches!(self.state, State::Payload { filled: 1.., .. })
    }

    /// What has come of the next header.
    pub fn ahead(&self) -> &[u8] {
        &self.ahead[self.start..self.end]
    }

    /// The stream has ended: fine between frames, and nowhere else.
    pub fn finish(&self) -> Result<(), Truncated> {
        match self.state {
            State::Payload { len, filled: got } => Err(Truncated::Payload { got, len }),
            State::Header if self.end > self.start => Err(Truncated::Header {
                got: self.end - self.start,
                len: self.format.max_header_len(),
                is_varint: self.format.varies(),
            }),
            State::Record { .. } | State::Skip(_) => Err(Truncated::Record {
                missing: self.missing_of_record(),
            }),
            State::Header if self.expects_frame() => Err(Truncated::Announced),
            // What was read has been skipped.
            State::Preamble {
                len,
                got: got @ 1..,
            } => Err(Truncated::Preamble { got, len }),
            State::Preamble { .. } | State::Header | State::Failed(_) => Ok(()),
        }
    }

    fn skip_preamble(&mut self, len: usize, got: usize) -> Result<Step, HeaderError> {
        let n = (len - got).min(self.end - self.start);
        self.start += n;
        if got + n < len {
            self.state = State::Preamble { len, got: got + n };
            return Ok(Step::More);
        }
        self.state = State::Header;
        self.next_header()
    }

    fn next_header(&mut self) -> Result<Step, HeaderError> {
        if self.records.is_some() {
            return self.next_record();
        }
        self.next_frame()
    }

    fn next_frame(&mut self) -> Result<Step, HeaderError> {
        let ahead = &self.ahead[self.start..self.end];
        let decoded = self.format.decode(ahead).and_then(|head| match head {
            Some(head) if head.payload_len > self.max_frame_size => Err(HeaderError::TooLong {
                bytes: HeaderBytes::new(&ahead[..head.header_len]),
                payload_len: head.payload_len,
                max: self.max_frame_size,
            }),
            head => Ok(head),
        });
        match decoded {
            Ok(None) => Ok(Step::More),
            Ok(Some(head)) => {
                self.start += head.header_len;
                // The limit is no larger than usize::MAX.
                let len = head.payload_len as usize;
                self.large = len >= LARGE;
                self.state = State::Payload { len, filled: 0 };
                Ok(Step::Head(len))
            }
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: HeaderError) -> Result<Step, HeaderError> {
        self.state = State::Failed(error.clone());
        Err(error)
    }

    fn fill(&mut self, payload: &mut [u8], filled: usize) -> Step {
        let n = (payload.len() - filled).min(self.end - self.start);
        payload[filled..][..n].copy_from_slice(&self.ahead[self.start..][..n]);
        self.start += n;
        if filled + n == payload.len() {
            self.state = State::Header;
            Step::Frame
        } else {
            self.state = State::Payload {
                len: payload.len(),
                filled: filled + n,
            };
            Step::More
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::header::LengthField, *};

    /// How a stream ended: in its bytes, or before them in a header.
    pub type Ending = Result<Result<(), Truncated>, HeaderError>;

    /// Feeds a stream in the given pieces and returns the frames and the ending.
    pub fn decode(
        mut decoder: Decoder,
        pieces: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> (Vec<Vec<u8>>, Ending) {
        let (mut frames, mut payload) = (Vec::new(), Vec::new());
        for piece in pieces {
            let mut piece = piece.as_ref();
            loop {
                match decoder.next(&mut payload) {
                    Ok(Step::Head(len)) => payload = vec![0; len],
                    Ok(Step::Frame) => frames.push(std::mem::take(&mut payload)),
                    Ok(Step::Record(kind)) => panic!("{kind} without records"),
                    Ok(Step::More) if piece.is_empty() => break,
                    Ok(Step::More) => {
                        let n = scatter(&mut piece, decoder.read_slices(&mut payload));
                        decoder.advance(n);
                    }
                    Err(error) => return (frames, Err(error)),
                }
            }
        }
        (frames, Ok(decoder.finish()))
    }

    pub fn scatter(from: &mut &[u8], slices: [IoSliceMut<'_>; 2]) -> usize {
        let before = from.len();
        for mut slice in slices {
            let n = slice.len().min(from.len());
            slice[..n].copy_from_slice(&from[..n]);
            *from = &from[n..];
        }
        before - from.len()
    }

    pub fn decoder(ahead: usize) -> Decoder {
        Decoder::new(HeaderFormat::default(), 99_999_999, ahead)
    }

    fn encode(format: HeaderFormat, frames: &[Vec<u8>]) -> Vec<u8> {
        frames
            .iter()
            .flat_map(|frame| {
                let header = format.encode(frame.len() as u64).unwrap();
                [&header[..], frame].concat()
            })
            .collect()
    }

    fn frames() -> Vec<Vec<u8>> {
        vec![b"hello".to_vec(), vec![], vec![7; 40], b"x".to_vec()]
    }

    #[test]
    fn every_split_gives_the_same_frames() {
        let format = |field| HeaderFormat::new(field).unwrap();
        let varint = format(LengthField::Varint);
        for format in [
            HeaderFormat::default(),
            format(LengthField::U16Le),
            format(LengthField::U24Be).with_adjustment(-3).unwrap(),
            varint,
            varint.with_offset(2).unwrap().with_trailer(1).unwrap(),
        ] {
            let stream = encode(format, &frames());
            for ahead in [0, 21, 4096] {
                for first in 0..=stream.len() {
                    for second in first..=stream.len() {
                        let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
                        let decoder = Decoder::new(format, 1000, ahead);
                        assert_eq!(decode(decoder, pieces), (frames(), Ok(Ok(()))));
                    }
                }
            }
        }
    }

    #[test]
    fn byte_by_byte() {
        let stream = encode(HeaderFormat::default(), &frames());
        assert_eq!(
            decode(decoder(4096), stream.chunks(1)),
            (frames(), Ok(Ok(())))
        );
    }

    #[test]
    fn a_preamble_is_skipped_at_every_split() {
        let behind = encode(HeaderFormat::default(), &frames());
        for len in [1, 3, 24, 100] {
            let stream = [&vec![b'0'; len][..], &behind].concat();
            for ahead in [0, 21, 4096] {
                for first in 0..=stream.len() {
                    for second in first..=stream.len().min(len + 20) {
                        let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
                        let decoder = decoder(ahead).with_preamble(len);
                        let expected = (frames(), Ok(Ok(())));
                        assert_eq!(decode(decoder, pieces), expected, "{len}: {first} {second}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_stream_may_end_on_either_side_of_the_preamble_and_not_inside() {
        let stream = [&[7; 24][..], b"00000002ok"].concat();
        for ahead in [0, 4096] {
            for end in 0..=24 {
                let decoder = decoder(ahead).with_preamble(24);
                let expected = match end {
                    0 | 24 => Ok(()),
                    got => Err(Truncated::Preamble { got, len: 24 }),
                };
                let cut = decode(decoder, [&stream[..end]]);
                assert_eq!(cut, (vec![], Ok(expected)), "cut at {end}");
            }
        }
        let behind = decode(decoder(4096).with_preamble(24), [&stream[..27]]);
        let (got, len, is_varint) = (3, 8, false);
        let expected = Truncated::Header {
            got,
            len,
            is_varint,
        };
        assert_eq!(behind, (vec![], Ok(Err(expected))));
    }

    #[test]
    fn no_preamble_is_none() {
        let stream = encode(HeaderFormat::default(), &frames());
        let decoded = decode(decoder(4096).with_preamble(0), [stream]);
        assert_eq!(decoded, (frames(), Ok(Ok(()))));
    }

    #[test]
    fn behind_the_longest_header() {
        let format = HeaderFormat::new(LengthField::Decimal(64)).unwrap();
        let format = format.with_offset(64).unwrap().with_trailer(64).unwrap();
        let stream = encode(format, &frames());
        for ahead in [0, 4096] {
            for piece in [1, 191, 192, stream.len()] {
                let decoder = Decoder::new(format, 1000, ahead);
                assert_eq!(
                    decode(decoder, stream.chunks(piece)),
                    (frames(), Ok(Ok(())))
                );
            }
        }
    }

    #[test]
    fn frames_around_the_large_threshold() {
        let sizes = [LARGE - 1, LARGE, LARGE + 1, 3, 5 * LARGE, 0, 1];
        let frames: Vec<_> = sizes.map(|len| (0..len).map(|i| i as u8).collect()).into();
        let stream = encode(HeaderFormat::default(), &frames);
        for piece in [1000, LARGE, stream.len()] {
            assert_eq!(
                decode(decoder(64 * 1024), stream.chunks(piece)),
                (frames.clone(), Ok(Ok(())))
            );
        }
    }

    #[test]
    fn every_prefix_ends_as_it_must() {
        let stream = encode(HeaderFormat::default(), &frames());
        let ends: Vec<_> = frames()
            .iter()
            .scan(0, |end, frame| {
                let start = *end;
                *end += 8 + frame.len();
                Some((start, *end, frame.len()))
            })
            .collect();
        for end in 0..=stream.len() {
            let (whole, ending) = decode(decoder(4096), [&stream[..end]]);
            assert_eq!(
                whole.len(),
                ends.iter().filter(|frame| frame.1 <= end).count()
            );
            let open = ends.iter().find(|frame| frame.0 < end && end < frame.1);
            let expected = match open.map(|&(start, _, len)| (end - start, len)) {
                None => Ok(()),
                Some((got, _)) if got < 8 => Err(Truncated::Header {
                    got,
                    len: 8,
                    is_varint: false,
                }),
                Some((got, len)) => Err(Truncated::Payload { got: got - 8, len }),
            };
            assert_eq!(ending, Ok(expected), "cut at {end}");
        }
    }

    #[test]
    fn frames_before_a_bad_header_are_delivered_and_none_after_it() {
        let (frames, ending) = decode(decoder(4096), [b"00000002okGET / HT00000002no"]);
        assert_eq!(frames, [b"ok"]);
        assert!(matches!(
            ending,
            Err(HeaderError::NotADigit { position: 0, .. })
        ));
    }

    #[test]
    fn an_error_stays() {
        let mut decoder = decoder(4096);
        let n = scatter(
            &mut &b"GET / HT00000002no"[..],
            decoder.read_slices(&mut []),
        );
        decoder.advance(n);
        let error = decoder.next(&mut []).unwrap_err();
        assert_eq!(decoder.next(&mut []), Err(error));
    }

    #[test]
    fn a_length_above_the_limit_is_refused_with_both_numbers() {
        let limited = |max| Decoder::new(HeaderFormat::default(), max, 4096);
        assert_eq!(decode(limited(2), [b"00000002ok"]).0, [b"ok"]);
        let (frames, ending) = decode(limited(1), [b"00000002ok"]);
        assert!(frames.is_empty());
        assert_eq!(
            ending,
            Err(HeaderError::TooLong {
                bytes: HeaderBytes::new(b"00000002"),
                payload_len: 2,
                max: 1
            })
        );
    }

    #[test]
    fn a_whole_frame_read_ahead_is_known() {
        let mut decoder = decoder(4096);
        let mut stream = &b"00000002ok00000002n"[..];
        let n = scatter(&mut stream, decoder.read_slices(&mut []));
        decoder.advance(n);
        assert_eq!(decoder.frame_ahead(), Some(2));
        let mut payload = [0; 2];
        assert_eq!(decoder.next(&mut []), Ok(Step::Head(2)));
        assert_eq!(decoder.next(&mut payload), Ok(Step::Frame));
        assert_eq!(decoder.frame_ahead(), None);
        assert_eq!(decoder.missing(), 0);
    }

    #[test]
    fn behind_a_large_payload_only_the_next_header_is_read() {
        let mut decoder = decoder(64 * 1024);
        let header = HeaderFormat::default().encode(LARGE as u64).unwrap();
        let n = scatter(&mut &header[..], decoder.read_slices(&mut []));
        decoder.advance(n);
        let mut payload = vec![0; LARGE];
        assert_eq!(decoder.next(&mut []), Ok(Step::Head(LARGE)));
        assert_eq!(decoder.next(&mut payload), Ok(Step::More));
        let lens = decoder.read_slices(&mut payload).map(|slice| slice.len());
        assert_eq!(lens, [LARGE, 8]);
        assert!(decoder.is_outside_payload());
        decoder.advance(1);
        assert!(!decoder.is_outside_payload());
    }
}
