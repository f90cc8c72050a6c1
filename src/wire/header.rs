//! How the length of a payload is written before it.

use std::{fmt, ops::Deref};

use thiserror::Error;

/// The widest decimal header: `u64::MAX` has 20 digits.
pub const MAX_DIGITS: u8 = 20;

/// The longest varint: 64 bits in groups of 7.
const MAX_VARINT_LEN: usize = 10;

/// The form of a header.
///
/// ```
/// use gstvideosocket::wire::{Decoded, HeaderFormat};
///
/// let format = HeaderFormat::default();
/// assert_eq!(&format.encode(5).unwrap()[..], b"00000005");
/// assert_eq!(
///     format.decode(b"00000005hello"),
///     Ok(Some(Decoded { payload_len: 5, header_len: 8 })),
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderFormat {
    /// That many ASCII digits, padded with zeros. Spaces are accepted as padding.
    ///
    /// There are 1 to [`MAX_DIGITS`] of them. With any other number [`encode`](Self::encode) panics.
    Decimal(u8),
    /// 16 bits, most significant byte first.
    U16Be,
    /// 16 bits, least significant byte first.
    U16Le,
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

impl Default for HeaderFormat {
    fn default() -> Self {
        Self::Decimal(8)
    }
}

impl HeaderFormat {
    /// The longest payload that a header of this form can announce, in bytes.
    pub fn max_payload_len(self) -> u64 {
        match self {
            Self::Decimal(digits) => 10u64
                .checked_pow(digits.into())
                .map_or(u64::MAX, |next| next - 1),
            Self::U16Be | Self::U16Le => u16::MAX.into(),
            Self::U32Be | Self::U32Le => u32::MAX.into(),
            Self::U64Be | Self::U64Le | Self::Varint => u64::MAX,
        }
    }

    /// The most bytes that a header of this form takes.
    pub fn max_header_len(self) -> usize {
        match self {
            Self::Decimal(digits) => digits.into(),
            Self::U16Be | Self::U16Le => 2,
            Self::U32Be | Self::U32Le => 4,
            Self::U64Be | Self::U64Le => 8,
            Self::Varint => MAX_VARINT_LEN,
        }
    }

    /// The header of a payload of `payload_len` bytes.
    pub fn encode(self, payload_len: u64) -> Result<Header, TooLong> {
        let max = self.max_payload_len();
        if payload_len > max {
            return Err(TooLong { payload_len, max });
        }
        // The casts below keep every bit, because of the check above.
        Ok(match self {
            Self::Decimal(digits) => encode_decimal(payload_len, digits.into()),
            Self::U16Be => Header::new(&(payload_len as u16).to_be_bytes()),
            Self::U16Le => Header::new(&(payload_len as u16).to_le_bytes()),
            Self::U32Be => Header::new(&(payload_len as u32).to_be_bytes()),
            Self::U32Le => Header::new(&(payload_len as u32).to_le_bytes()),
            Self::U64Be => Header::new(&payload_len.to_be_bytes()),
            Self::U64Le => Header::new(&payload_len.to_le_bytes()),
            Self::Varint => encode_varint(payload_len),
        })
    }

    /// Reads the header at the start of `bytes`. `None` means that its end has not come yet.
    pub fn decode(self, bytes: &[u8]) -> Result<Option<Decoded>, HeaderError> {
        if self == Self::Varint {
            return decode_varint(bytes);
        }
        let header_len = self.max_header_len();
        let Some(header) = bytes.get(..header_len) else {
            return Ok(None);
        };
        let payload_len = match self {
            Self::Decimal(_) => decode_decimal(header)?,
            Self::U16Be | Self::U32Be | Self::U64Be => big_endian(header.iter()),
            Self::U16Le | Self::U32Le | Self::U64Le => big_endian(header.iter().rev()),
            Self::Varint => unreachable!("handled above"),
        };
        Ok(Some(Decoded {
            payload_len,
            header_len,
        }))
    }
}

/// What a header says, and how many bytes it took to say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The length of the payload that follows, in bytes.
    pub payload_len: u64,
    /// The length of the header itself, in bytes.
    pub header_len: usize,
}

/// The bytes of one header, ready to be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Header {
    bytes: [u8; MAX_DIGITS as usize],
    len: u8,
}

impl Header {
    fn new(bytes: &[u8]) -> Self {
        let mut header = Self {
            bytes: [0; MAX_DIGITS as usize],
            len: bytes.len() as u8,
        };
        header.bytes[..bytes.len()].copy_from_slice(bytes);
        header
    }
}

impl Deref for Header {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len.into()]
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header({})", self.escape_ascii())
    }
}

/// A payload that no header of the chosen form can announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a payload of {payload_len} bytes does not fit a header that can say {max} at most")]
pub struct TooLong {
    /// The payload's length in bytes.
    pub payload_len: u64,
    /// The longest that the header can announce.
    pub max: u64,
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
}

/// A received header, kept to be shown: `"GET / HT" (47 45 54 20 2f 20 48 54)`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HeaderBytes(Header);

impl HeaderBytes {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self(Header::new(bytes))
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

fn encode_decimal(mut number: u64, digits: usize) -> Header {
    assert!(
        (1..=MAX_DIGITS.into()).contains(&digits),
        "a decimal header of {digits} digits"
    );
    let mut bytes = [b'0'; MAX_DIGITS as usize];
    for digit in bytes[..digits].iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    Header::new(&bytes[..digits])
}

/// `str::parse` would take a sign, and no padding.
fn decode_decimal(header: &[u8]) -> Result<u64, HeaderError> {
    let bytes = || HeaderBytes::new(header);
    let start = header
        .iter()
        .position(|&byte| byte != b' ')
        .ok_or_else(|| HeaderError::Blank { bytes: bytes() })?;
    let end = header
        .iter()
        .rposition(|&byte| byte != b' ')
        .map_or(header.len(), |last| last + 1);
    let mut number = 0u64;
    for (i, byte) in header[start..end].iter().enumerate() {
        if !byte.is_ascii_digit() {
            return Err(HeaderError::NotADigit {
                bytes: bytes(),
                position: start + i,
            });
        }
        number = number
            .checked_mul(10)
            .and_then(|number| number.checked_add((byte - b'0').into()))
            .ok_or_else(|| HeaderError::Overflow { bytes: bytes() })?;
    }
    Ok(number)
}

fn big_endian<'a>(bytes: impl Iterator<Item = &'a u8>) -> u64 {
    bytes.fold(0, |number, &byte| number << 8 | u64::from(byte))
}

fn encode_varint(mut number: u64) -> Header {
    let mut bytes = [0; MAX_VARINT_LEN];
    let mut len = 0;
    loop {
        let group = (number & 0x7f) as u8;
        number >>= 7;
        bytes[len] = if number == 0 { group } else { group | 0x80 };
        len += 1;
        if number == 0 {
            return Header::new(&bytes[..len]);
        }
    }
}

fn decode_varint(bytes: &[u8]) -> Result<Option<Decoded>, HeaderError> {
    let bytes = &bytes[..bytes.len().min(MAX_VARINT_LEN)];
    let Some(last) = bytes.iter().position(|byte| byte & 0x80 == 0) else {
        return if bytes.len() < MAX_VARINT_LEN {
            Ok(None)
        } else {
            Err(HeaderError::Unterminated {
                bytes: HeaderBytes::new(bytes),
            })
        };
    };
    let header = &bytes[..=last];
    // Nine groups are 63 bits: the tenth has room for one.
    if last + 1 == MAX_VARINT_LEN && header[last] > 1 {
        return Err(HeaderError::Overflow {
            bytes: HeaderBytes::new(header),
        });
    }
    let payload_len = header
        .iter()
        .rev()
        .fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f));
    Ok(Some(Decoded {
        payload_len,
        header_len: header.len(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMATS: [HeaderFormat; 10] = [
        HeaderFormat::Decimal(1),
        HeaderFormat::Decimal(8),
        HeaderFormat::Decimal(20),
        HeaderFormat::U16Be,
        HeaderFormat::U16Le,
        HeaderFormat::U32Be,
        HeaderFormat::U32Le,
        HeaderFormat::U64Be,
        HeaderFormat::U64Le,
        HeaderFormat::Varint,
    ];

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
        for format in FORMATS {
            let max = format.max_payload_len();
            let edges = (0..64).flat_map(|bit| {
                let power = 1u64 << bit;
                [power - 1, power, power.saturating_add(1)]
            });
            for len in edges.chain([max - 1, max]).filter(|&len| len <= max) {
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
            let format = HeaderFormat::Decimal(digits);
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
        let layouts: [(HeaderFormat, u64, &[u8]); 9] = [
            (HeaderFormat::Decimal(8), 5, b"00000005"),
            (HeaderFormat::Decimal(8), 99_999_999, b"99999999"),
            (HeaderFormat::U16Be, 0x0102, &[1, 2]),
            (HeaderFormat::U16Le, 0x0102, &[2, 1]),
            (HeaderFormat::U32Be, 0x0102_0304, &[1, 2, 3, 4]),
            (HeaderFormat::U32Le, 0x0102_0304, &[4, 3, 2, 1]),
            (HeaderFormat::U64Be, 0x0102, &[0, 0, 0, 0, 0, 0, 1, 2]),
            (HeaderFormat::U64Le, 0x0102, &[2, 1, 0, 0, 0, 0, 0, 0]),
            (HeaderFormat::Varint, 300, &[0xac, 0x02]),
        ];
        for (format, len, expected) in layouts {
            assert_eq!(&format.encode(len).unwrap()[..], expected);
        }
    }

    #[test]
    fn a_payload_too_long_for_its_header_is_refused_with_both_numbers() {
        for (format, max) in [
            (HeaderFormat::Decimal(1), 9),
            (HeaderFormat::Decimal(8), 99_999_999),
            (HeaderFormat::U16Be, 65_535),
            (HeaderFormat::U32Le, 4_294_967_295),
        ] {
            let payload_len = max + 1;
            assert_eq!(
                format.encode(payload_len),
                Err(TooLong { payload_len, max })
            );
        }
    }

    #[test]
    fn an_incomplete_header_waits_for_more() {
        for format in FORMATS {
            let header = format.encode(format.max_payload_len()).unwrap();
            for end in 0..header.len() {
                assert_eq!(format.decode(&header[..end]), Ok(None), "{format:?}");
            }
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
        let decimal = b"18446744073709551616";
        assert_eq!(
            HeaderFormat::Decimal(20).decode(decimal),
            Err(HeaderError::Overflow {
                bytes: bytes(decimal)
            })
        );
        let varint = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02";
        assert_eq!(
            HeaderFormat::Varint.decode(varint),
            Err(HeaderError::Overflow {
                bytes: bytes(varint)
            })
        );
    }

    #[test]
    fn a_varint_without_end_is_refused() {
        let header = [0x80; 10];
        assert_eq!(HeaderFormat::Varint.decode(&header[..9]), Ok(None));
        assert_eq!(
            HeaderFormat::Varint.decode(&header),
            Err(HeaderError::Unterminated {
                bytes: bytes(&header)
            })
        );
    }

    #[test]
    fn errors_show_the_bytes() {
        let error = HeaderFormat::default().decode(b"GET / HT").unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"GET / HT\" (47 45 54 20 2f 20 48 54) is no decimal length: byte 1 is not a digit"
        );
    }
}
