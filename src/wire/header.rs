// SPDX-License-Identifier: MPL-2.0
//! How the length of a payload is written before it.

use std::{
    fmt,
    ops::{Deref, RangeInclusive},
};

use thiserror::Error;

use super::record::RecordError;

/// The widest decimal length. Some programs pad a few digits to a header of this size.
pub const MAX_DIGITS: u8 = 64;

/// The most bytes of a header in front of the length, and the most behind it.
pub const MAX_SKIPPED: u8 = 64;

/// The furthest that the number in a header may be from the payload's length.
pub const MAX_ADJUSTMENT: i8 = 64;

/// The longest varint: 64 bits in groups of 7.
const MAX_VARINT_LEN: usize = 10;

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthField {
    /// That many ASCII digits, 1 to [`MAX_DIGITS`], padded with zeros. Spaces are accepted as padding.
    Decimal(u8),
    /// 8 bits.
    U8,
    /// 16 bits, most significant byte first.
    U16Be,
    /// 16 bits, least significant byte first.
    U16Le,
    /// 24 bits, most significant byte first.
    U24Be,
    /// 24 bits, least significant byte first.
    U24Le,
    /// 32 bits, most significant byte first.
    U32Be,
    /// 32 bits, least significant byte first.
    U32Le,
    /// 64 bits, most significant byte first.
    U64Be,
    /// 64 bits, least significant byte first.
    U64Le,
    /// LEB128 as in protobuf: groups of 7 bits, least significant first, at most 10 bytes.
    Varint,
}

impl LengthField {
    fn max_number(self) -> u64 {
        match self {
            Self::Decimal(digits) => 10u64
                .checked_pow(digits.into())
                .map_or(u64::MAX, |next| next - 1),
            Self::Varint => u64::MAX,
            _ => u64::MAX >> (64 - 8 * self.max_len()),
        }
    }

    /// Every number takes as many bytes, except as a varint.
    fn max_len(self) -> usize {
        match self {
            Self::Decimal(digits) => digits.into(),
            Self::U8 => 1,
            Self::U16Be | Self::U16Le => 2,
            Self::U24Be | Self::U24Le => 3,
            Self::U32Be | Self::U32Le => 4,
            Self::U64Be | Self::U64Le => 8,
            Self::Varint => MAX_VARINT_LEN,
        }
    }
}

/// The form of a header.
///
/// ```
/// use gstvideosocket::wire::{Decoded, HeaderFormat, LengthField};
///
/// let format = HeaderFormat::default();
/// assert_eq!(&format.encode(5)?[..], b"00000005");
/// assert_eq!(
///     format.decode(b"00000005hello"),
///     Ok(Some(Decoded { payload_len: 5, header_len: 8 })),
/// );
///
/// // A type in front of the length, which counts itself.
/// let format = HeaderFormat::new(LengthField::U16Be)?.with_offset(1)?.with_adjustment(-2)?;
/// assert_eq!(&format.encode(5)?[..], [0, 0, 7]);
/// assert_eq!(
///     format.decode(b"\x01\x00\x07hello"),
///     Ok(Some(Decoded { payload_len: 5, header_len: 3 })),
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderFormat {
    length: LengthField,
    offset: u8,
    trailer: u8,
    adjustment: i8,
}

impl Default for HeaderFormat {
    fn default() -> Self {
        Self::plain(LengthField::Decimal(8))
    }
}

impl HeaderFormat {
    /// The length and nothing else.
    ///
    /// # Errors
    /// A decimal length that has not 1 to [`MAX_DIGITS`] digits.
    pub fn new(length: LengthField) -> Result<Self, FormatError> {
        match length {
            LengthField::Decimal(digits) if !(1..=MAX_DIGITS).contains(&digits) => {
                Err(FormatError::Digits(digits))
            }
            length => Ok(Self::plain(length)),
        }
    }

    const fn plain(length: LengthField) -> Self {
        Self {
            length,
            offset: 0,
            trailer: 0,
            adjustment: 0,
        }
    }

    /// The same with that many bytes in front of the length: zeros, and any on receipt.
    ///
    /// # Errors
    /// More than [`MAX_SKIPPED`].
    pub fn with_offset(self, offset: u8) -> Result<Self, FormatError> {
        if offset > MAX_SKIPPED {
            return Err(FormatError::Offset(offset));
        }
        Ok(Self { offset, ..self })
    }

    /// The same with that many bytes between the length and the payload: zeros, and any on receipt.
    ///
    /// # Errors
    /// More than [`MAX_SKIPPED`].
    pub fn with_trailer(self, trailer: u8) -> Result<Self, FormatError> {
        if trailer > MAX_SKIPPED {
            return Err(FormatError::Trailer(trailer));
        }
        Ok(Self { trailer, ..self })
    }

    /// The same with a number in it to which `adjustment` is added to have the payload's length.
    ///
    /// # Errors
    /// More than [`MAX_ADJUSTMENT`] or less than its opposite, and what makes every length negative.
    pub fn with_adjustment(self, adjustment: i8) -> Result<Self, FormatError> {
        const RANGE: RangeInclusive<i8> = -MAX_ADJUSTMENT..=MAX_ADJUSTMENT;
        let max = self.length.max_number();
        if !RANGE.contains(&adjustment) {
            Err(FormatError::Adjustment(adjustment))
        } else if adjusted(max, adjustment.into()).is_none() && adjustment < 0 {
            Err(FormatError::Negative { max, adjustment })
        } else {
            Ok(Self { adjustment, ..self })
        }
    }

    /// The shortest payload that a header of this form can announce, in bytes.
    pub fn min_payload_len(self) -> u64 {
        self.adjustment.max(0) as u64
    }

    /// The longest payload that a header of this form can announce, in bytes.
    pub fn max_payload_len(self) -> u64 {
        self.length
            .max_number()
            .saturating_add_signed(self.adjustment.into())
    }

    /// The most bytes that a header of this form takes.
    pub fn max_header_len(self) -> usize {
        self.skipped() + self.length.max_len()
    }

    /// Whether headers of this form differ in length.
    pub fn varies(self) -> bool {
        self.length == LengthField::Varint
    }

    /// The header of a payload of `payload_len` bytes.
    ///
    /// # Errors
    /// A length that no header of this form can announce.
    pub fn encode(self, payload_len: u64) -> Result<Header, LengthError> {
        let number = self.number(payload_len)?;
        let (be, le) = (number.to_be_bytes(), number.to_le_bytes());
        Ok(match self.length {
            LengthField::Decimal(digits) => {
                self.encode_as(digits.into(), |field| write_decimal(number, field))
            }
            LengthField::U8 => self.encode_as(1, |field| field.copy_from_slice(&be[7..])),
            LengthField::U16Be => self.encode_as(2, |field| field.copy_from_slice(&be[6..])),
            LengthField::U16Le => self.encode_as(2, |field| field.copy_from_slice(&le[..2])),
            LengthField::U24Be => self.encode_as(3, |field| field.copy_from_slice(&be[5..])),
            LengthField::U24Le => self.encode_as(3, |field| field.copy_from_slice(&le[..3])),
            LengthField::U32Be => self.encode_as(4, |field| field.copy_from_slice(&be[4..])),
            LengthField::U32Le => self.encode_as(4, |field| field.copy_from_slice(&le[..4])),
            LengthField::U64Be => self.encode_as(8, |field| field.copy_from_slice(&be)),
            LengthField::U64Le => self.encode_as(8, |field| field.copy_from_slice(&le)),
            LengthField::Varint => {
                self.encode_as(varint_len(number), |field| write_varint(number, field))
            }
        })
    }

    /// Inlined, so that each length is known where a number of it is written.
    #[inline(always)]
    fn encode_as(self, len: usize, write: impl FnOnce(&mut [u8])) -> Header {
        let start = usize::from(self.offset);
        let mut header = Header::zeros(self.skipped() + len);
        write(&mut header.as_mut_slice()[start..start + len]);
        header
    }

    /// Reads the header at the start of `bytes`. `None` means that its end has not come yet.
    ///
    /// # Errors
    /// Bytes that are no header of this form.
    pub fn decode(self, bytes: &[u8]) -> Result<Option<Decoded>, HeaderError> {
        let be = |field: &[u8]| Ok(big_endian(field.iter()));
        let le = |field: &[u8]| Ok(big_endian(field.iter().rev()));
        match self.length {
            LengthField::Decimal(digits) => self.decode_as(bytes, digits.into(), read_decimal),
            LengthField::U8 => self.decode_as(bytes, 1, be),
            LengthField::U16Be => self.decode_as(bytes, 2, be),
            LengthField::U16Le => self.decode_as(bytes, 2, le),
            LengthField::U24Be => self.decode_as(bytes, 3, be),
            LengthField::U24Le => self.decode_as(bytes, 3, le),
            LengthField::U32Be => self.decode_as(bytes, 4, be),
            LengthField::U32Le => self.decode_as(bytes, 4, le),
            LengthField::U64Be => self.decode_as(bytes, 8, be),
            LengthField::U64Le => self.decode_as(bytes, 8, le),
            LengthField::Varint => {
                let start = usize::from(self.offset);
                match varint_len_in(bytes.get(start..).unwrap_or_default()) {
                    Ok(Some(len)) => self.decode_as(bytes, len, read_varint),
                    Ok(None) => Ok(None),
                    Err(flaw) => Err(flaw.of(&bytes[..start + MAX_VARINT_LEN], self)),
                }
            }
        }
    }

    /// Inlined, as above.
    #[inline(always)]
    fn decode_as(
        self,
        bytes: &[u8],
        len: usize,
        read: impl FnOnce(&[u8]) -> Result<u64, Flaw>,
    ) -> Result<Option<Decoded>, HeaderError> {
        let start = usize::from(self.offset);
        let header_len = self.skipped() + len;
        let Some(header) = bytes.get(..header_len) else {
            return Ok(None);
        };
        match read(&header[start..start + len]).and_then(|number| self.payload_len(number)) {
            Ok(payload_len) => Ok(Some(Decoded {
                payload_len,
                header_len,
            })),
            Err(flaw) => Err(flaw.of(header, self)),
        }
    }

    fn skipped(self) -> usize {
        usize::from(self.offset) + usize::from(self.trailer)
    }

    /// What a header says of a payload.
    fn number(self, payload_len: u64) -> Result<u64, LengthError> {
        let (min, max) = (self.min_payload_len(), self.max_payload_len());
        let opposite = -i64::from(self.adjustment);
        match adjusted(payload_len, opposite) {
            Some(number) if payload_len <= max => Ok(number),
            None if payload_len < min => Err(LengthError::TooShort { payload_len, min }),
            _ => Err(LengthError::TooLong { payload_len, max }),
        }
    }

    /// What a header that says `number` means.
    fn payload_len(self, number: u64) -> Result<u64, Flaw> {
        let adjusted = adjusted(number, self.adjustment.into());
        adjusted.ok_or(if self.adjustment < 0 {
            Flaw::Negative(number as u8)
        } else {
            Flaw::Overflow
        })
    }
}

fn adjusted(number: u64, adjustment: i64) -> Option<u64> {
    number.checked_add_signed(adjustment)
}

/// The ways in which a form cannot be that of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FormatError {
    /// No digits, or too many.
    #[error("a decimal length has 1 to {MAX_DIGITS} digits, not {0}")]
    Digits(u8),
    /// Too much in front of the length.
    #[error("a length has at most {MAX_SKIPPED} bytes in front of it, not {0}")]
    Offset(u8),
    /// Too much behind it.
    #[error("a length has at most {MAX_SKIPPED} bytes behind it, not {0}")]
    Trailer(u8),
    /// Too far from the payload's length.
    #[error("a length is adjusted by -{MAX_ADJUSTMENT} to {MAX_ADJUSTMENT}, not by {0}")]
    Adjustment(i8),
    /// No payload can be announced, not even an empty one.
    #[error(
        "the header says {max} at most, which an adjustment of {adjustment} makes a negative length"
    )]
    Negative {
        /// The largest number that the header can say.
        max: u64,
        /// What is added to it.
        adjustment: i8,
    },
}

/// What a header says, and how many bytes it took to say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The length of the payload that follows, in bytes.
    pub payload_len: u64,
    /// The length of the header itself, in bytes.
    pub header_len: usize,
}

/// Headers of up to this many bytes, which most are, stand in the frame that they belong to.
const INLINE_LEN: usize = 22;

/// The bytes of one header, ready to be sent.
#[derive(Clone)]
pub struct Header(Bytes);

/// Every frame has one, so that what few of them need stands elsewhere.
#[derive(Clone)]
enum Bytes {
    Inline { len: u8, bytes: [u8; INLINE_LEN] },
    Boxed(Box<[u8]>),
}

impl Header {
    /// None at all: of what is no frame.
    pub fn none() -> Self {
        Self::zeros(0)
    }

    fn zeros(len: usize) -> Self {
        Self(if len <= INLINE_LEN {
            Bytes::Inline {
                len: len as u8,
                bytes: [0; INLINE_LEN],
            }
        } else {
            Bytes::Boxed(vec![0; len].into())
        })
    }

    fn as_mut_slice(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Bytes::Inline { len, bytes } => &mut bytes[..usize::from(*len)],
            Bytes::Boxed(bytes) => bytes,
        }
    }
}

impl Deref for Header {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Bytes::Boxed(bytes) => bytes,
        }
    }
}

impl PartialEq for Header {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Header {}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header({})", self.escape_ascii())
    }
}

/// A payload that no header of the chosen form can announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LengthError {
    /// The number does not fit the header.
    #[error("a payload of {payload_len} bytes does not fit a header that can say {max} at most")]
    TooLong {
        /// The payload's length in bytes.
        payload_len: u64,
        /// The longest that the header can announce.
        max: u64,
    },
    /// The number would be negative.
    #[error("a payload of {payload_len} bytes does not fit a header that says {min} at least")]
    TooShort {
        /// The payload's length in bytes.
        payload_len: u64,
        /// The shortest that the header can announce.
        min: u64,
    },
}

/// The ways in which a header can be bad. Each shows the bytes that came.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// A byte that is neither a digit nor padding.
    #[error("{bytes} is no decimal length: byte {} is not a digit", .position + 1)]
    NotADigit {
        /// The header as it came.
        bytes: HeaderBytes,
        /// Where the first such byte stands, from 0.
        position: usize,
    },
    /// Padding and nothing else.
    #[error("{bytes} is no decimal length: it is blank")]
    Blank {
        /// The header as it came.
        bytes: HeaderBytes,
    },
    /// A number that does not fit 64 bits.
    #[error("{bytes} is no length: it exceeds 64 bits")]
    Overflow {
        /// The header as it came.
        bytes: HeaderBytes,
    },
    /// A varint whose tenth byte announces an eleventh.
    #[error("{bytes} is no varint: it does not end within 10 bytes")]
    Unterminated {
        /// The header as it came.
        bytes: HeaderBytes,
    },
    /// A number that the adjustment makes a negative length.
    #[error("{bytes} is no length: {number}, adjusted by {adjustment}, is negative")]
    Negative {
        /// The header as it came.
        bytes: HeaderBytes,
        /// The number in it.
        number: u64,
        /// What is added to it.
        adjustment: i8,
    },
    /// A length above the receiver's limit.
    #[error("{bytes} announces a frame of {payload_len} bytes; the limit is {max}")]
    TooLong {
        /// The header as it came.
        bytes: HeaderBytes,
        /// The length that it announces.
        payload_len: u64,
        /// The receiver's limit.
        max: u64,
    },
    /// A record in the place of a header, and a bad one.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl HeaderError {
    /// The header as it came, where it is none of a record.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::NotADigit { bytes, .. }
            | Self::Blank { bytes }
            | Self::Overflow { bytes }
            | Self::Unterminated { bytes }
            | Self::Negative { bytes, .. }
            | Self::TooLong { bytes, .. } => Some(bytes.as_slice()),
            Self::Record(_) => None,
        }
    }
}

/// What is wrong with a header, without its bytes.
#[derive(Clone, Copy)]
enum Flaw {
    /// Where, from the start of the length on.
    NotADigit(u8),
    Blank,
    Overflow,
    Unterminated,
    /// The number, which is less than what is subtracted.
    Negative(u8),
}

impl Flaw {
    #[cold]
    fn of(self, header: &[u8], format: HeaderFormat) -> HeaderError {
        let bytes = HeaderBytes::new(header);
        match self {
            Self::NotADigit(at) => HeaderError::NotADigit {
                bytes,
                position: usize::from(format.offset) + usize::from(at),
            },
            Self::Blank => HeaderError::Blank { bytes },
            Self::Overflow => HeaderError::Overflow { bytes },
            Self::Unterminated => HeaderError::Unterminated { bytes },
            Self::Negative(number) => HeaderError::Negative {
                bytes,
                number: number.into(),
                adjustment: format.adjustment,
            },
        }
    }
}

/// A received header, kept to be shown: `"GET / HT" (47 45 54 20 2f 20 48 54)`.
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderBytes(Box<[u8]>);

impl HeaderBytes {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes themselves.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for HeaderBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" (", self.0.escape_ascii())?;
        for (i, byte) in self.0.iter().enumerate() {
            let gap = if i == 0 { "" } else { " " };
            write!(f, "{gap}{byte:02x}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for HeaderBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn write_decimal(mut number: u64, field: &mut [u8]) {
    for digit in field.iter_mut().rev() {
        *digit = b'0';
        if number > 0 {
            *digit += (number % 10) as u8;
            number /= 10;
        }
    }
}

/// `str::parse` would take a sign, and no padding.
fn read_decimal(field: &[u8]) -> Result<u64, Flaw> {
    match read_digits(field) {
        Some(number) => Ok(number),
        None => read_padded(field),
    }
}

/// What nearly every header is: digits, and so few that they fit.
fn read_digits(field: &[u8]) -> Option<u64> {
    const ALWAYS_FIT: usize = u64::MAX.ilog10() as usize;
    let add = |number, byte: &u8| {
        let is_digit = byte.is_ascii_digit();
        is_digit.then(|| number * 10 + u64::from(byte - b'0'))
    };
    let fits = field.len() <= ALWAYS_FIT;
    fits.then(|| field.iter().try_fold(0, add)).flatten()
}

fn read_padded(field: &[u8]) -> Result<u64, Flaw> {
    let start = field.iter().position(|&byte| byte != b' ');
    let start = start.ok_or(Flaw::Blank)?;
    let end = field.iter().rposition(|&byte| byte != b' ');
    let end = end.map_or(field.len(), |last| last + 1);
    let mut number = 0u64;
    for (i, byte) in field[start..end].iter().enumerate() {
        if !byte.is_ascii_digit() {
            return Err(Flaw::NotADigit((start + i) as u8));
        }
        number = number
            .checked_mul(10)
            .and_then(|number| number.checked_add((byte - b'0').into()))
            .ok_or(Flaw::Overflow)?;
    }
    Ok(number)
}

fn big_endian<'a>(bytes: impl Iterator<Item = &'a u8>) -> u64 {
    bytes.fold(0, |number, &byte| number << 8 | u64::from(byte))
}

fn varint_len(number: u64) -> usize {
    // Also 0 takes a group.
    (64 - (number | 1).leading_zeros()).div_ceil(7) as usize
}

fn write_varint(mut number: u64, field: &mut [u8]) {
    for group in field.iter_mut() {
        *group = number as u8 | 0x80;
        number >>= 7;
    }
    if let Some(last) = field.last_mut() {
        *last &= 0x7f;
    }
}

/// The length of the varint at the start of `bytes`, if its end has come.
fn varint_len_in(bytes: &[u8]) -> Result<Option<usize>, Flaw> {
    let groups = &bytes[..bytes.len().min(MAX_VARINT_LEN)];
    match groups.iter().position(|byte| byte & 0x80 == 0) {
        Some(last) => Ok(Some(last + 1)),
        None if groups.len() < MAX_VARINT_LEN => Ok(None),
        None => Err(Flaw::Unterminated),
    }
}

fn read_varint(groups: &[u8]) -> Result<u64, Flaw> {
    // Nine groups are 63 bits: the tenth has room for one.
    if groups.len() == MAX_VARINT_LEN && groups[MAX_VARINT_LEN - 1] > 1 {
        return Err(Flaw::Overflow);
    }
    Ok(groups
        .iter()
        .rev()
        .fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [LengthField; 14] = [
        LengthField::Decimal(1),
        LengthField::Decimal(8),
        LengthField::Decimal(20),
        LengthField::Decimal(64),
        LengthField::U8,
        LengthField::U16Be,
        LengthField::U16Le,
        LengthField::U24Be,
        LengthField::U24Le,
        LengthField::U32Be,
        LengthField::U32Le,
        LengthField::U64Be,
        LengthField::U64Le,
        LengthField::Varint,
    ];

    /// Each field plain, between other bytes, and adjusted as far as it can be.
    fn formats() -> Vec<HeaderFormat> {
        let of_field = |field| {
            let plain = HeaderFormat::new(field).unwrap();
            let adjusted = [-64, -9, -1, 1, 64].map(|by| plain.with_adjustment(by));
            let between = plain.with_offset(64).unwrap().with_trailer(64).unwrap();
            let behind = plain.with_offset(3).unwrap().with_adjustment(-4);
            let before = plain.with_trailer(1).unwrap().with_adjustment(5);
            let adjusted = adjusted.into_iter().chain([behind, before]);
            let adjusted: Vec<_> = adjusted.filter_map(Result::ok).collect();
            [vec![plain, between], adjusted].concat()
        };
        FIELDS.into_iter().flat_map(of_field).collect()
    }

    fn plain(field: LengthField) -> HeaderFormat {
        HeaderFormat::new(field).unwrap()
    }

    fn decode_len(format: HeaderFormat, bytes: &[u8]) -> Result<Option<u64>, HeaderError> {
        format
            .decode(bytes)
            .map(|decoded| decoded.map(|decoded| decoded.payload_len))
    }

    fn bytes(header: &[u8]) -> HeaderBytes {
        HeaderBytes::new(header)
    }

    #[test]
    fn every_format_round_trips_at_its_edges() {
        for format in formats() {
            let (min, max) = (format.min_payload_len(), format.max_payload_len());
            let edges = (0..64).flat_map(|bit| {
                let power = 1u64 << bit;
                [power - 1, power, power.saturating_add(1)]
            });
            let edges = edges.chain([min, min + 1, max.saturating_sub(1), max]);
            for len in edges.filter(|&len| min <= len && len <= max) {
                let header = format.encode(len).unwrap();
                assert!(header.len() <= format.max_header_len());
                let expected = Decoded {
                    payload_len: len,
                    header_len: header.len(),
                };
                assert_eq!(format.decode(&header), Ok(Some(expected)), "{format:?}");
            }
        }
    }

    #[test]
    fn every_decimal_width_round_trips_its_largest() {
        for digits in 1..=MAX_DIGITS {
            let format = plain(LengthField::Decimal(digits));
            let header = format.encode(format.max_payload_len()).unwrap();
            assert_eq!(header.len(), usize::from(digits));
            assert_eq!(
                decode_len(format, &header),
                Ok(Some(format.max_payload_len()))
            );
        }
    }

    #[test]
    fn layout_on_the_wire() {
        let layouts: [(LengthField, u64, &[u8]); 14] = [
            (LengthField::Decimal(8), 5, b"00000005"),
            (LengthField::Decimal(8), 99_999_999, b"99999999"),
            (LengthField::Decimal(24), 300, b"000000000000000000000300"),
            (LengthField::U8, 0xfe, &[0xfe]),
            (LengthField::U16Be, 0x0102, &[1, 2]),
            (LengthField::U16Le, 0x0102, &[2, 1]),
            (LengthField::U24Be, 0x01_0203, &[1, 2, 3]),
            (LengthField::U24Le, 0x01_0203, &[3, 2, 1]),
            (LengthField::U32Be, 0x0102_0304, &[1, 2, 3, 4]),
            (LengthField::U32Le, 0x0102_0304, &[4, 3, 2, 1]),
            (LengthField::U64Be, 0x0102, &[0, 0, 0, 0, 0, 0, 1, 2]),
            (LengthField::U64Le, 0x0102, &[2, 1, 0, 0, 0, 0, 0, 0]),
            (LengthField::Varint, 0, &[0]),
            (LengthField::Varint, 300, &[0xac, 0x02]),
        ];
        for (field, len, expected) in layouts {
            assert_eq!(&plain(field).encode(len).unwrap()[..], expected);
        }
    }

    #[test]
    fn what_stands_around_the_length_is_sent_as_zeros_and_skipped() {
        let length = plain(LengthField::U16Be);
        let format = length.with_offset(2).unwrap().with_trailer(1).unwrap();
        assert_eq!(&format.encode(0x0102).unwrap()[..], [0, 0, 1, 2, 0]);
        assert_eq!(
            decode_len(format, &[0xff, 0x20, 1, 2, 0x39]),
            Ok(Some(0x0102))
        );
        let varint = plain(LengthField::Varint);
        let format = varint.with_offset(1).unwrap().with_trailer(2).unwrap();
        assert_eq!(&format.encode(300).unwrap()[..], [0, 0xac, 2, 0, 0]);
        assert_eq!(
            decode_len(format, &[0x80, 0xac, 2, 0x80, 0x80]),
            Ok(Some(300))
        );
    }

    #[test]
    fn the_longest_header_round_trips() {
        let digits = plain(LengthField::Decimal(64));
        let format = digits.with_offset(64).unwrap().with_trailer(64).unwrap();
        let header = format.encode(12_345).unwrap();
        let expected = [&[0; 64][..], &[b'0'; 59], b"12345", &[0; 64]].concat();
        assert_eq!(&header[..], expected);
        assert_eq!(decode_len(format, &header), Ok(Some(12_345)));
    }

    #[test]
    fn the_adjustment_is_what_the_number_lacks() {
        for (adjustment, header) in [(-4, [0, 9]), (0, [0, 5]), (5, [0, 0])] {
            let length = plain(LengthField::U16Be);
            let format = length.with_adjustment(adjustment).unwrap();
            assert_eq!(&format.encode(5).unwrap()[..], header);
            assert_eq!(decode_len(format, &header), Ok(Some(5)));
        }
    }

    #[test]
    fn a_payload_too_long_for_its_header_is_refused_with_both_numbers() {
        for (field, adjustment, max) in [
            (LengthField::Decimal(1), 0, 9),
            (LengthField::Decimal(1), -9, 0),
            (LengthField::Decimal(8), 0, 99_999_999),
            (LengthField::U8, 0, 255),
            (LengthField::U8, -4, 251),
            (LengthField::U8, 64, 319),
            (LengthField::U16Be, 0, 65_535),
            (LengthField::U24Le, 0, 16_777_215),
            (LengthField::U32Le, 0, 4_294_967_295),
            (LengthField::U64Be, -1, u64::MAX - 1),
        ] {
            let format = plain(field).with_adjustment(adjustment).unwrap();
            assert!(format.encode(max).is_ok());
            let payload_len = max + 1;
            assert_eq!(
                format.encode(payload_len),
                Err(LengthError::TooLong { payload_len, max })
            );
        }
    }

    #[test]
    fn a_payload_too_short_for_its_header_is_refused_with_both_numbers() {
        for field in FIELDS {
            let format = plain(field).with_adjustment(4).unwrap();
            assert!(format.encode(4).is_ok());
            let (payload_len, min) = (3, 4);
            assert_eq!(
                format.encode(payload_len),
                Err(LengthError::TooShort { payload_len, min })
            );
        }
    }

    #[test]
    fn an_incomplete_header_waits_for_more() {
        for format in formats() {
            let header = format.encode(format.max_payload_len()).unwrap();
            for end in 0..header.len() {
                assert_eq!(format.decode(&header[..end]), Ok(None), "{format:?}");
            }
        }
    }

    #[test]
    fn a_decimal_length_without_digits_or_with_too_many_is_none() {
        for digits in [0, 65, u8::MAX] {
            assert_eq!(
                HeaderFormat::new(LengthField::Decimal(digits)),
                Err(FormatError::Digits(digits))
            );
        }
    }

    #[test]
    fn more_bytes_around_the_length_than_there_may_be_are_refused() {
        let format = HeaderFormat::default();
        assert_eq!(format.with_offset(65), Err(FormatError::Offset(65)));
        assert_eq!(format.with_trailer(65), Err(FormatError::Trailer(65)));
    }

    #[test]
    fn an_adjustment_too_far_is_refused() {
        for adjustment in [-65, 65] {
            assert_eq!(
                HeaderFormat::default().with_adjustment(adjustment),
                Err(FormatError::Adjustment(adjustment))
            );
        }
    }

    #[test]
    fn an_adjustment_that_makes_every_length_negative_is_refused() {
        let (max, adjustment) = (9, -10);
        assert_eq!(
            plain(LengthField::Decimal(1)).with_adjustment(adjustment),
            Err(FormatError::Negative { max, adjustment })
        );
    }

    #[test]
    fn a_number_that_the_adjustment_makes_negative_is_refused() {
        for (field, header) in [
            (LengthField::U16Be, &[0, 3][..]),
            (LengthField::Varint, &[3]),
            (LengthField::Decimal(4), b"   3"),
        ] {
            let format = plain(field).with_adjustment(-4).unwrap();
            assert_eq!(
                format.decode(header),
                Err(HeaderError::Negative {
                    bytes: bytes(header),
                    number: 3,
                    adjustment: -4
                })
            );
        }
    }

    #[test]
    fn spaces_pad_on_either_side() {
        for header in [b"      42", b"42      ", b"   42   ", b"00000042"] {
            assert_eq!(decode_len(HeaderFormat::default(), header), Ok(Some(42)));
        }
    }

    #[test]
    fn anything_but_digits_is_refused_where_it_stands() {
        for (header, position) in [
            (b"-0000001", 0),
            (b"+0000012", 0),
            (b"0000 012", 4),
            (b"12345abc", 5),
            (b"1_000_00", 1),
            (b"\0\0\0\0\0\0\0\0", 0),
            (b"0000001\0", 7),
            (b"GET / HT", 0),
            (b"\x001\x002\x003\x004", 0),
            (b"1\x002\x003\x004\x00", 1),
            (b"\xef\xbc\x91\xef\xbc\x92\xef\xbc", 0),
            (b"   -1   ", 3),
            (b"\t     12", 0),
        ] {
            assert_eq!(
                HeaderFormat::default().decode(header),
                Err(HeaderError::NotADigit {
                    bytes: bytes(header),
                    position
                })
            );
        }
    }

    #[test]
    fn a_blank_header_is_refused() {
        assert_eq!(
            HeaderFormat::default().decode(b"        "),
            Err(HeaderError::Blank {
                bytes: bytes(b"        ")
            })
        );
    }

    #[test]
    fn a_number_above_64_bits_is_refused() {
        let adjusted = plain(LengthField::U64Be).with_adjustment(1).unwrap();
        for (format, header) in [
            (
                plain(LengthField::Decimal(20)),
                &b"18446744073709551616"[..],
            ),
            (
                plain(LengthField::Varint),
                b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
            ),
            (adjusted, &[0xff; 8]),
        ] {
            assert_eq!(
                format.decode(header),
                Err(HeaderError::Overflow {
                    bytes: bytes(header)
                })
            );
        }
    }

    #[test]
    fn a_varint_without_end_is_refused() {
        let header = [0x80; 13];
        for offset in [0, 3] {
            let format = plain(LengthField::Varint).with_offset(offset).unwrap();
            let end = usize::from(offset) + 10;
            assert_eq!(format.decode(&header[..end - 1]), Ok(None));
            assert_eq!(
                format.decode(&header),
                Err(HeaderError::Unterminated {
                    bytes: bytes(&header[..end])
                })
            );
        }
    }

    #[test]
    fn errors_show_the_bytes() {
        let error = HeaderFormat::default().decode(b"GET / HT").unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"GET / HT\" (47 45 54 20 2f 20 48 54) is no decimal length: byte 1 is not a digit"
        );
        let format = plain(LengthField::Decimal(2)).with_offset(1).unwrap();
        let error = format.decode(b"x1y").unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"x1y\" (78 31 79) is no decimal length: byte 3 is not a digit"
        );
        let format = plain(LengthField::U8).with_adjustment(-4).unwrap();
        let error = format.decode(&[3]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"\\x03\" (03) is no length: 3, adjusted by -4, is negative"
        );
    }
}
