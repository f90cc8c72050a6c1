//! What the wire module promises, checked against a second, slower way to say it.
//!
//! Property tests and fuzz targets call the same functions: the ones run everywhere and in a second,
//! the others for as long as one lets them. [`header`], [`length`] and [`decoder`] panic when a
//! promise is broken.

use std::io::{IoSliceMut, Read};

use gstvideosocket::wire::{
    Decoded, Decoder, HeaderError, HeaderFormat, LengthError, LengthField, MAX_ADJUSTMENT,
    MAX_DIGITS, MAX_SKIPPED, Step, Truncated,
};

/// A header format that shows what it is made of.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// How the number is written.
    pub length: LengthField,
    /// Bytes in front of it.
    pub offset: u8,
    /// Bytes behind it.
    pub trailer: u8,
    /// What is added to it.
    pub adjustment: i8,
}

impl Form {
    /// One of them, each for some numbers.
    pub fn any((length, offset, trailer, adjustment): (u8, u8, u8, i8)) -> Self {
        let form = Self {
            length: field(length),
            offset: offset % (MAX_SKIPPED + 1),
            trailer: trailer % (MAX_SKIPPED + 1),
            adjustment: adjustment % (MAX_ADJUSTMENT + 1),
        };
        // A digit says 9 at most.
        let adjustment = match form.length {
            LengthField::Decimal(1) => form.adjustment.max(-9),
            _ => form.adjustment,
        };
        Self { adjustment, ..form }
    }

    /// Nothing but the number.
    pub fn plain(length: LengthField) -> Self {
        Self {
            length,
            offset: 0,
            trailer: 0,
            adjustment: 0,
        }
    }

    /// The format itself.
    pub fn format(self) -> HeaderFormat {
        HeaderFormat::new(self.length)
            .and_then(|format| format.with_offset(self.offset))
            .and_then(|format| format.with_trailer(self.trailer))
            .and_then(|format| format.with_adjustment(self.adjustment))
            .unwrap()
    }
}

fn field(number: u8) -> LengthField {
    match number % (10 + MAX_DIGITS) {
        0 => LengthField::U8,
        1 => LengthField::U16Be,
        2 => LengthField::U16Le,
        3 => LengthField::U24Be,
        4 => LengthField::U24Le,
        5 => LengthField::U32Be,
        6 => LengthField::U32Le,
        7 => LengthField::U64Be,
        8 => LengthField::U64Le,
        9 => LengthField::Varint,
        digits => LengthField::Decimal(digits - 9),
    }
}

/// A header is read as the format is defined, no prefix of it is, and what it says can be written.
pub fn header(form: Form, bytes: &[u8]) {
    let format = form.format();
    let decoded = format.decode(bytes);
    assert_eq!(
        decoded.clone().map_err(|_| Malformed),
        reference_header(form, bytes)
    );
    if let Ok(Some(head)) = decoded {
        assert!(head.header_len <= format.max_header_len());
        for end in 0..head.header_len {
            assert_eq!(format.decode(&bytes[..end]), Ok(None));
        }
        assert!(head.payload_len >= format.min_payload_len());
        assert!(head.payload_len <= format.max_payload_len());
        length(form, head.payload_len);
    }
}

/// A length is either refused as one that the format cannot say, or comes back from its header.
pub fn length(form: Form, payload_len: u64) {
    let format = form.format();
    let (min, max) = (format.min_payload_len(), format.max_payload_len());
    match format.encode(payload_len) {
        Ok(header) => {
            let len = usize::from(form.offset);
            assert!(header[..len].iter().all(|&byte| byte == 0));
            let len = header.len() - usize::from(form.trailer);
            assert!(header[len..].iter().all(|&byte| byte == 0));
            let header_len = header.len();
            let expected = Decoded {
                payload_len,
                header_len,
            };
            assert_eq!(format.decode(&header), Ok(Some(expected)));
        }
        Err(error) if payload_len < min => {
            assert_eq!(error, LengthError::TooShort { payload_len, min });
        }
        Err(error) => {
            assert!(payload_len > max);
            assert_eq!(error, LengthError::TooLong { payload_len, max });
        }
    }
}

/// Frames of these lengths, or of the nearest that the format can say, and behind them `tail`.
pub fn stream(form: Form, lens: &[usize], tail: &[u8]) -> Vec<u8> {
    let format = form.format();
    let mut stream = Vec::new();
    for &len in lens {
        let len = (len as u64).clamp(format.min_payload_len(), format.max_payload_len());
        stream.extend_from_slice(&format.encode(len).unwrap());
        stream.extend((0..len).map(|i| i as u8));
    }
    stream.extend_from_slice(tail);
    stream
}

/// A decoder finds the same frames and the same ending in a stream, whatever `pieces` it comes in.
pub fn decoder(
    form: Form,
    max_frame_size: u64,
    ahead: usize,
    stream: &[u8],
    pieces: impl Iterator<Item = usize>,
) {
    let format = form.format();
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
fn reference_header(form: Form, bytes: &[u8]) -> Result<Option<Decoded>, Malformed> {
    let Some((_, bytes)) = bytes.split_at_checked(form.offset.into()) else {
        return Ok(None);
    };
    let field_len = match form.length {
        LengthField::Varint => match bytes.iter().take(10).position(|&byte| byte < 0x80) {
            Some(last) => last + 1,
            None if bytes.len() < 10 => return Ok(None),
            None => return Err(Malformed),
        },
        LengthField::Decimal(digits) => digits.into(),
        LengthField::U8 => 1,
        LengthField::U16Be | LengthField::U16Le => 2,
        LengthField::U24Be | LengthField::U24Le => 3,
        LengthField::U32Be | LengthField::U32Le => 4,
        LengthField::U64Be | LengthField::U64Le => 8,
    };
    let trailer = usize::from(form.trailer);
    if bytes.len() < field_len + trailer {
        return Ok(None);
    }
    let number = reference_number(form.length, &bytes[..field_len]).ok_or(Malformed)?;
    let payload_len = i128::from(number) + i128::from(form.adjustment);
    Ok(Some(Decoded {
        payload_len: payload_len.try_into().map_err(|_| Malformed)?,
        header_len: usize::from(form.offset) + field_len + trailer,
    }))
}

fn reference_number(length: LengthField, field: &[u8]) -> Option<u64> {
    Some(match length {
        LengthField::Decimal(_) => return reference_decimal(field),
        LengthField::U8 => field[0].into(),
        LengthField::U16Be => u16::from_be_bytes(field.try_into().unwrap()).into(),
        LengthField::U16Le => u16::from_le_bytes(field.try_into().unwrap()).into(),
        LengthField::U24Be => u32::from_be_bytes([0, field[0], field[1], field[2]]).into(),
        LengthField::U24Le => u32::from_le_bytes([field[0], field[1], field[2], 0]).into(),
        LengthField::U32Be => u32::from_be_bytes(field.try_into().unwrap()).into(),
        LengthField::U32Le => u32::from_le_bytes(field.try_into().unwrap()).into(),
        LengthField::U64Be => u64::from_be_bytes(field.try_into().unwrap()),
        LengthField::U64Le => u64::from_le_bytes(field.try_into().unwrap()),
        LengthField::Varint => return reference_varint(field),
    })
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
                    is_varint: format.varies(),
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
