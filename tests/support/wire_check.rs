//! What the wire module promises, checked against a second, slower way to say it.
//!
//! Property tests and fuzz targets call the same functions: the ones run everywhere and in a second,
//! the others for as long as one lets them. [`header`], [`length`] and [`decoder`] panic when a
//! promise is broken.

use std::io::{IoSliceMut, Read};

use gstvideosocket::wire::{
    Decoded, Decoder, HeaderError, HeaderFormat, MAX_DIGITS, Step, Truncated,
};

/// One of the header formats, each for some number.
pub fn format(number: u8) -> HeaderFormat {
    match number % (7 + MAX_DIGITS) {
        0 => HeaderFormat::U16Be,
        1 => HeaderFormat::U16Le,
        2 => HeaderFormat::U32Be,
        3 => HeaderFormat::U32Le,
        4 => HeaderFormat::U64Be,
        5 => HeaderFormat::U64Le,
        6 => HeaderFormat::Varint,
        digits => HeaderFormat::Decimal(digits - 6),
    }
}

/// A header is read as the format is defined, no prefix of it is, and what it says can be written.
pub fn header(format: HeaderFormat, bytes: &[u8]) {
    let decoded = format.decode(bytes);
    assert_eq!(
        decoded.clone().map_err(|_| Malformed),
        reference_header(format, bytes)
    );
    if let Ok(Some(head)) = decoded {
        assert!(head.header_len <= format.max_header_len());
        for end in 0..head.header_len {
            assert_eq!(format.decode(&bytes[..end]), Ok(None));
        }
        assert!(head.payload_len <= format.max_payload_len());
        length(format, head.payload_len);
    }
}

/// A length is either refused as too long for the format, or comes back from its header.
pub fn length(format: HeaderFormat, payload_len: u64) {
    match format.encode(payload_len) {
        Ok(header) => assert_eq!(
            format.decode(&header),
            Ok(Some(Decoded {
                payload_len,
                header_len: header.len()
            }))
        ),
        Err(error) => {
            assert!(payload_len > format.max_payload_len());
            assert_eq!(error.payload_len, payload_len);
            assert_eq!(error.max, format.max_payload_len());
        }
    }
}

/// Frames of these lengths, or of the longest that the format can say, and behind them `tail`.
pub fn stream(format: HeaderFormat, lens: &[usize], tail: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    for &len in lens {
        let len = format.max_payload_len().min(len as u64);
        stream.extend_from_slice(&format.encode(len).unwrap());
        stream.extend((0..len).map(|i| i as u8));
    }
    stream.extend_from_slice(tail);
    stream
}

/// A decoder finds the same frames and the same ending in a stream, whatever `pieces` it comes in.
pub fn decoder(
    format: HeaderFormat,
    max_frame_size: u64,
    ahead: usize,
    stream: &[u8],
    pieces: impl Iterator<Item = usize>,
) {
    let decoder = Decoder::new(format, max_frame_size, ahead);
    assert_eq!(
        decode(decoder, stream, pieces),
        reference_decoder(format, max_frame_size, stream)
    );
}

/// The payloads, in order.
pub type Frames = Vec<Vec<u8>>;

/// How a stream ends for its receiver.
#[derive(Debug, PartialEq)]
pub enum Ending {
    /// Between two frames.
    Clean,
    /// Inside a frame.
    Truncated(Truncated),
    /// With a header that is none.
    Malformed(HeaderError),
    /// With a header above the limit.
    TooLong {
        /// The header as it came.
        header: Vec<u8>,
        /// The length that it announces.
        payload_len: u64,
    },
}

/// What a decoder finds in a stream that comes in `pieces`.
pub fn decode(
    mut decoder: Decoder,
    stream: &[u8],
    pieces: impl Iterator<Item = usize>,
) -> (Frames, Ending) {
    let mut source = Trickle { stream, pieces };
    let (mut frames, mut payload) = (Vec::new(), Vec::new());
    // What has_frame said of the next frame, and whether that was so.
    let (mut was_there, mut had_to_read) = (false, false);
    let ending = loop {
        match decoder.next(&mut payload) {
            Ok(Step::Head(len)) => payload = vec![0; len],
            Ok(Step::Frame) => {
                assert_eq!(was_there, !had_to_read);
                (was_there, had_to_read) = (decoder.frame_ahead().is_some(), false);
                frames.push(std::mem::take(&mut payload));
            }
            Ok(Step::More) => {
                let mut slices = decoder.read_slices(&mut payload);
                assert!(slices.iter().any(|slice| !slice.is_empty()));
                match source.read(&mut slices) {
                    0 => {
                        break decoder
                            .finish()
                            .map_or_else(Ending::Truncated, |()| Ending::Clean);
                    }
                    n => decoder.advance(n),
                }
                had_to_read = true;
            }
            Err(error) => {
                assert!(!was_there);
                assert_eq!(decoder.next(&mut []), Err(error.clone()));
                break error.into();
            }
        }
    };
    (frames, ending)
}

/// A header that is none, for whatever reason.
#[derive(Debug, PartialEq)]
struct Malformed;

/// `None` when the end of the header has not come.
fn reference_header(format: HeaderFormat, bytes: &[u8]) -> Result<Option<Decoded>, Malformed> {
    let header_len = match format {
        HeaderFormat::Varint => match bytes.iter().take(10).position(|&byte| byte < 0x80) {
            Some(last) => last + 1,
            None if bytes.len() < 10 => return Ok(None),
            None => return Err(Malformed),
        },
        _ => format.max_header_len(),
    };
    let Some(header) = bytes.get(..header_len) else {
        return Ok(None);
    };
    let payload_len = match format {
        HeaderFormat::Decimal(_) => reference_decimal(header),
        HeaderFormat::U16Be => Some(u16::from_be_bytes(header.try_into().unwrap()).into()),
        HeaderFormat::U16Le => Some(u16::from_le_bytes(header.try_into().unwrap()).into()),
        HeaderFormat::U32Be => Some(u32::from_be_bytes(header.try_into().unwrap()).into()),
        HeaderFormat::U32Le => Some(u32::from_le_bytes(header.try_into().unwrap()).into()),
        HeaderFormat::U64Be => Some(u64::from_be_bytes(header.try_into().unwrap())),
        HeaderFormat::U64Le => Some(u64::from_le_bytes(header.try_into().unwrap())),
        HeaderFormat::Varint => reference_varint(header),
    };
    let payload_len = payload_len.ok_or(Malformed)?;
    Ok(Some(Decoded {
        payload_len,
        header_len,
    }))
}

fn reference_decimal(header: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(header).ok()?.trim_matches(' ');
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

fn reference_varint(header: &[u8]) -> Option<u64> {
    let groups = header.iter().zip((0..).step_by(7));
    let number: u128 = groups
        .map(|(byte, shift)| u128::from(byte & 0x7f) << shift)
        .sum();
    number.try_into().ok()
}

impl From<HeaderError> for Ending {
    fn from(error: HeaderError) -> Self {
        match error {
            HeaderError::TooLong {
                bytes, payload_len, ..
            } => Self::TooLong {
                header: bytes.as_slice().to_vec(),
                payload_len,
            },
            error => Self::Malformed(error),
        }
    }
}

/// A socket: a read returns what happens to be there, and nothing at the end alone.
struct Trickle<'a, I> {
    stream: &'a [u8],
    pieces: I,
}

impl<I: Iterator<Item = usize>> Trickle<'_, I> {
    fn read(&mut self, slices: &mut [IoSliceMut<'_>]) -> usize {
        let there = self.pieces.next().map_or(usize::MAX, |piece| piece.max(1));
        let mut piece = &self.stream[..there.min(self.stream.len())];
        let n = piece.read_vectored(slices).unwrap();
        self.stream = &self.stream[n..];
        n
    }
}

/// Takes frame by frame off a stream that is all there.
fn reference_decoder(
    format: HeaderFormat,
    max_frame_size: u64,
    mut stream: &[u8],
) -> (Frames, Ending) {
    let mut frames = Vec::new();
    let ending = loop {
        if stream.is_empty() {
            break Ending::Clean;
        }
        let head = match format.decode(stream) {
            Ok(Some(head)) => head,
            Ok(None) => {
                break Ending::Truncated(Truncated::Header {
                    got: stream.len(),
                    len: format.max_header_len(),
                    is_varint: format == HeaderFormat::Varint,
                });
            }
            Err(error) => break error.into(),
        };
        let (header, rest) = stream.split_at(head.header_len);
        if head.payload_len > max_frame_size {
            break Ending::TooLong {
                header: header.to_vec(),
                payload_len: head.payload_len,
            };
        }
        let len = head.payload_len as usize;
        let Some((payload, rest)) = rest.split_at_checked(len) else {
            let got = rest.len();
            break Ending::Truncated(Truncated::Payload { got, len });
        };
        frames.push(payload.to_vec());
        stream = rest;
    };
    (frames, ending)
}
