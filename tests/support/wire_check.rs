// SPDX-License-Identifier: MPL-2.0
//! What the wire module promises, checked against a second, slower way to say it.
//!
//! Property tests and fuzz targets call the same functions: the ones run everywhere and in a second,
//! the others for as long as one lets them. [`header`], [`length`], [`decoder`], [`records`] and
//! [`record`] panic when a promise is broken.

use std::io::{IoSliceMut, Read};

use gstvideosocket::wire::{
    Decoded, Decoder, HeaderError, HeaderFormat, LengthError, LengthField, MAX_ADJUSTMENT,
    MAX_DIGITS, MAX_SKIPPED, Step, Truncated,
    record::{MAX_META_BYTES, MAX_METAS, Record, RecordHead, RecordKind},
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

/// Frames of these lengths, or of the nearest that the format can say, between `preamble` and `tail`.
pub fn stream(form: Form, preamble: &[u8], lens: &[usize], tail: &[u8]) -> Vec<u8> {
    let format = form.format();
    let mut stream = preamble.to_vec();
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
    preamble: usize,
    max_frame_size: u64,
    ahead: usize,
    stream: &[u8],
    pieces: impl Iterator<Item = usize>,
) {
    let format = form.format();
    let decoder = Decoder::new(format, max_frame_size, ahead).with_preamble(preamble);
    assert_eq!(
        decode(decoder, stream, pieces),
        reference_decoder(form, preamble, max_frame_size, stream)
    );
}

/// One part of a stream with records.
#[derive(Clone, Debug)]
pub enum Part {
    /// A frame of so many bytes.
    Frame(usize),
    /// A record that is as it must be, one of several for each number.
    Good(u8),
    /// A record of these bytes, whatever they are.
    Any {
        /// A letter for each number.
        letter: u8,
        /// Its payload.
        payload: Vec<u8>,
    },
    /// Bytes that need not be anything.
    Bytes(Vec<u8>),
}

/// A stream of these parts, behind a hello.
pub fn stream_of(parts: &[Part]) -> Vec<u8> {
    let mut stream = record_bytes(b'H', b"videosocket 1\n");
    for part in parts {
        match part {
            Part::Frame(len) => stream.extend(self::stream(
                Form::plain(LengthField::Decimal(8)),
                &[],
                &[*len],
                &[],
            )),
            Part::Good(number) => {
                let (letter, payload) = GOOD[usize::from(*number) % GOOD.len()];
                stream.extend(record_bytes(letter, payload));
            }
            Part::Any { letter, payload } => {
                stream.extend(record_bytes(b'A' + letter % 26, payload));
            }
            Part::Bytes(bytes) => stream.extend_from_slice(bytes),
        }
    }
    stream
}

const GOOD: [(u8, &[u8]); 12] = [
    (b'B', &[0; 36]),
    (b'B', &[1; 36]),
    (b'B', &[2; 52]),
    (b'M', b"crop\0data"),
    (b'M', b"x\0"),
    (b'C', b"video/x-raw, format=(string)I420"),
    (b'K', &[3; 36]),
    (b'T', b"s taglist, title=(string)x;"),
    (b'I', b"id\n"),
    (b'Q', b"not known"),
    (b'U', b"keyframe"),
    (b'E', b""),
];

fn record_bytes(letter: u8, payload: &[u8]) -> Vec<u8> {
    let len = payload.len();
    [&RecordHead { letter, len }.encode(), payload].concat()
}

/// A payload is read within its limits, and comes back if it is a record.
pub fn record(kind: RecordKind, payload: &[u8]) {
    let Ok(record) = Record::parse(kind, payload) else {
        return;
    };
    assert!(kind.lengths().contains(&payload.len()));
    assert_eq!(record.kind(), kind);
    let mut bytes = Vec::new();
    // What is passed over is not kept, so it need not be a record that can be sent.
    if record.encode(&mut bytes).is_ok() {
        let (head, payload) = bytes.split_first_chunk().unwrap();
        let head = RecordHead::decode(head).unwrap();
        assert_eq!((head.letter, head.len), (kind as u8, payload.len()));
        assert_eq!(Record::parse(kind, payload), Ok(record));
    }
}

/// A decoder finds the same frames, records and ending in a stream, whatever `pieces` it comes in.
pub fn records(
    max_frame_size: u64,
    ahead: usize,
    stream: &[u8],
    pieces: impl Iterator<Item = usize>,
) {
    let decoder = Decoder::new(HeaderFormat::default(), max_frame_size, ahead).with_records();
    assert_eq!(
        decode_items(decoder, stream, pieces),
        reference_records(max_frame_size, stream)
    );
}

/// The payloads, in order.
pub type Frames = Vec<Vec<u8>>;

/// What is between two reads of a stream.
#[derive(Debug, PartialEq)]
pub enum Item {
    /// The payload of a frame.
    Frame(Vec<u8>),
    /// A record, in the words of [`Record::parse`].
    Record(RecordKind, String),
}

/// How a stream ends for its receiver.
#[derive(Debug, PartialEq)]
pub enum Ending {
    /// Between two frames.
    Clean,
    /// Inside a frame.
    Truncated(Truncated),
    /// With a header that is none.
    Malformed(HeaderError),
    /// With a record that is none, or not in its place.
    Refused,
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
    decoder: Decoder,
    stream: &[u8],
    pieces: impl Iterator<Item = usize>,
) -> (Frames, Ending) {
    let (items, ending) = decode_items(decoder, stream, pieces);
    let frames = items.into_iter().map(|item| match item {
        Item::Frame(frame) => frame,
        Item::Record(kind, _) => panic!("{kind} without records"),
    });
    (frames.collect(), ending)
}

/// What a decoder finds, with records or without, in a stream that comes in `pieces`.
pub fn decode_items(
    mut decoder: Decoder,
    stream: &[u8],
    pieces: impl Iterator<Item = usize>,
) -> (Vec<Item>, Ending) {
    let mut source = Trickle { stream, pieces };
    let (mut items, mut payload) = (Vec::new(), Vec::new());
    // What frame_ahead said of the next frame, and whether that was so.
    let (mut was_there, mut had_to_read) = (None, false);
    // Of what is behind records it need not tell.
    let mut is_plain = true;
    let ending = loop {
        match decoder.next(&mut payload) {
            Ok(Step::Head(len)) => payload = vec![0; len],
            Ok(Step::Frame) => {
                match was_there {
                    Some(len) => assert!(!had_to_read && len == payload.len()),
                    None => assert!(had_to_read || !is_plain),
                }
                (was_there, had_to_read) = (decoder.frame_ahead(), false);
                items.push(Item::Frame(std::mem::take(&mut payload)));
            }
            Ok(Step::Record(kind)) => {
                is_plain = false;
                assert!(was_there.is_none() || kind == RecordKind::Buffer);
                items.push(Item::Record(
                    kind,
                    format!("{:?}", decoder.record().unwrap()),
                ));
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
                assert_eq!(was_there, None);
                assert_eq!(decoder.next(&mut []), Err(error.clone()));
                break error.into();
            }
        }
    };
    (items, ending)
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
            HeaderError::Record(_) => Self::Refused,
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
    form: Form,
    preamble: usize,
    max_frame_size: u64,
    stream: &[u8],
) -> (Frames, Ending) {
    let mut frames = Vec::new();
    let mut stream = match (stream.len(), stream.get(preamble..)) {
        (_, Some(rest)) => rest,
        (0, None) => return (frames, Ending::Clean),
        (got, None) => {
            let len = preamble;
            return (frames, Ending::Truncated(Truncated::Preamble { got, len }));
        }
    };
    let ending = loop {
        if stream.is_empty() {
            break Ending::Clean;
        }
        match reference_frame(form, max_frame_size, stream) {
            Ok((payload, rest)) => {
                frames.push(payload.to_vec());
                stream = rest;
            }
            Err(ending) => break ending,
        }
    };
    (frames, ending)
}

/// The payload of the frame at the start of a stream, and the rest of the stream.
fn reference_frame(
    form: Form,
    max_frame_size: u64,
    stream: &[u8],
) -> Result<(&[u8], &[u8]), Ending> {
    let format = form.format();
    // What is wrong with it is the format's to say.
    let head = reference_header(form, stream).map_err(|_| format.decode(stream).unwrap_err())?;
    let head = head.ok_or({
        Ending::Truncated(Truncated::Header {
            got: stream.len(),
            len: format.max_header_len(),
            is_varint: format.varies(),
        })
    })?;
    let (header, rest) = stream.split_at(head.header_len);
    if head.payload_len > max_frame_size {
        return Err(Ending::TooLong {
            header: header.to_vec(),
            payload_len: head.payload_len,
        });
    }
    let len = head.payload_len as usize;
    let got = rest.len();
    rest.split_at_checked(len)
        .ok_or(Ending::Truncated(Truncated::Payload { got, len }))
}

/// Takes frames and records off a stream that is all there.
fn reference_records(max_frame_size: u64, mut stream: &[u8]) -> (Vec<Item>, Ending) {
    let mut items = Vec::new();
    let plain = Form::plain(LengthField::Decimal(8));
    // The letters since the last frame, and the lengths of the metas among them.
    let (mut has_greeted, mut letters, mut metas) = (false, Vec::new(), Vec::new());
    let ending = loop {
        let is_announced = letters.contains(&b'B');
        match stream {
            [] if is_announced => break Ending::Truncated(Truncated::Announced),
            [] => break Ending::Clean,
            _ if letters.contains(&b'E') => break Ending::Refused,
            _ => (),
        }
        let Some((letter, len)) = reference_head(stream) else {
            match reference_frame(plain, max_frame_size, stream) {
                Ok((payload, rest)) => {
                    items.push(Item::Frame(payload.to_vec()));
                    (letters, metas) = (Vec::new(), Vec::new());
                    stream = rest;
                    continue;
                }
                Err(ending) => break ending,
            }
        };
        let kind = RecordKind::from_letter(letter);
        let is_in_place = match letter {
            b'H' => !is_announced,
            _ if !has_greeted => false,
            b'M' => {
                metas.push(len);
                is_announced
                    && metas.len() <= MAX_METAS
                    && metas.iter().sum::<usize>() <= MAX_META_BYTES
            }
            _ => kind.is_none() || !is_announced,
        };
        if !is_in_place || kind.is_some_and(|kind| !kind.lengths().contains(&len)) {
            break Ending::Refused;
        }
        (has_greeted, stream) = (true, &stream[8..]);
        letters.extend(kind.map(|_| letter));
        let Some((payload, rest)) = stream.split_at_checked(len) else {
            let missing = len - stream.len();
            break Ending::Truncated(Truncated::Record { missing });
        };
        items.extend(kind.map(|kind| {
            let record = Record::parse(kind, payload);
            Item::Record(kind, format!("{record:?}"))
        }));
        stream = rest;
    };
    (items, ending)
}

fn reference_head(stream: &[u8]) -> Option<(u8, usize)> {
    let head = std::str::from_utf8(stream.get(..8)?).ok()?;
    let (letter, digits) = head.split_at_checked(1)?;
    let is_head = letter.chars().all(|letter| letter.is_ascii_uppercase())
        && digits.chars().all(|digit| digit.is_ascii_digit());
    is_head.then(|| (head.as_bytes()[0], digits.parse().unwrap()))
}
