// SPDX-License-Identifier: MPL-2.0
//! Text of structures from a peer, before a parser of GStreamer sees it.

mod checker;

use std::ops::Deref;

use thiserror::Error;

use checker::{Checker, MAX_ITEMS};

/// The text of caps, tags or a structure that GStreamer's parsers can be given: they take neither long
/// over it, nor much of the stack, and complain of nothing.
///
/// It need not be well-formed. What is refused is what `serialize` never writes and a hostile peer may.
///
/// ```
/// use gstvideosocket::wire::StructureText;
///
/// assert!(StructureText::new(b"video/x-raw, format=(string)I420", 1000).is_ok());
/// assert!(StructureText::new(b"a, x=[b, y=[b, y=[b, y=[b]]]]", 1000).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StructureText<'a>(&'a str);

impl<'a> StructureText<'a> {
    /// Checks text of at most `limit` bytes.
    pub fn new(bytes: &'a [u8], limit: usize) -> Result<Self, TextError> {
        let len = bytes.len();
        if len > limit {
            return Err(TextError::TooLong { len, limit });
        }
        let text = std::str::from_utf8(bytes).map_err(|error| TextError::NotUtf8 {
            at: error.valid_up_to(),
        })?;
        if let Some(at) = bytes.iter().position(|&byte| byte == 0) {
            return Err(TextError::Nul { at });
        }
        Checker::new(text).check()?;
        Ok(Self(text))
    }

    /// The text itself.
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

impl Deref for StructureText<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        self.0
    }
}

/// Why a text is not given to GStreamer. Places are counted in bytes, from 0.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TextError {
    /// More than its limit.
    #[error("a text of {len} bytes is longer than {limit}")]
    TooLong {
        /// The bytes that came.
        len: usize,
        /// The most that may.
        limit: usize,
    },
    /// Not UTF-8.
    #[error("byte {} of the text is not UTF-8", .at + 1)]
    NotUtf8 {
        /// Where.
        at: usize,
    },
    /// A byte at which C would end the text.
    #[error("byte {} of the text is NUL", .at + 1)]
    Nul {
        /// Where.
        at: usize,
    },
    /// A control character outside of quotes.
    #[error("byte {} of the text is a control character outside of quotes", .at + 1)]
    Control {
        /// Where.
        at: usize,
    },
    /// A backslash outside of quotes.
    #[error("byte {} of the text is a backslash outside of quotes", .at + 1)]
    Backslash {
        /// Where.
        at: usize,
    },
    /// Quotes that begin where no string is announced.
    #[error("the quotes at byte {} of the text have no (string) before them", .at + 1)]
    Quotes {
        /// Where.
        at: usize,
    },
    /// Quotes without their end.
    #[error("the quotes at byte {} of the text do not end", .at + 1)]
    OpenQuotes {
        /// Where they begin.
        at: usize,
    },
    /// Quotes that hold no UTF-8 once their escapes are resolved.
    #[error("the quotes at byte {} of the text hold what is not UTF-8", .at + 1)]
    Escapes {
        /// Where they begin.
        at: usize,
    },
    /// Square brackets in the quotes of an inner structure, which GStreamer takes for brackets of structures.
    #[error("the quotes at byte {} of the text hold a square bracket, inside a structure", .at + 1)]
    QuotedBracket {
        /// Where they begin.
        at: usize,
    },
    /// A type elsewhere than before a value: the features of memory, for example.
    #[error("the bracket at byte {} of the text is not before a value", .at + 1)]
    MisplacedType {
        /// Where.
        at: usize,
    },
    /// A type that is not among those that may be sent.
    #[error("the type at byte {} of the text is none that may be sent", .at + 1)]
    Type {
        /// Where its bracket opens.
        at: usize,
    },
    /// A range, or a structure that does not say that it is one.
    #[error("the [ at byte {} of the text has neither (structure) nor (GstCaps) before it", .at + 1)]
    Range {
        /// Where.
        at: usize,
    },
    /// A structure without a name, or with one that does not begin with a letter.
    #[error("a name that begins with a letter is missing at byte {} of the text", .at + 1)]
    Name {
        /// Where.
        at: usize,
    },
    /// Caps of GStreamer 0.10.
    #[error("the name at byte {} of the text is one of GStreamer 0.10", .at + 1)]
    OldName {
        /// Where.
        at: usize,
    },
    /// A structure without its brackets.
    #[error("the structure at byte {} of the text has no [ before it", .at + 1)]
    Bare {
        /// Where.
        at: usize,
    },
    /// A semicolon with something behind it.
    #[error("the semicolon at byte {} of the text is not at the end of a structure", .at + 1)]
    Semicolon {
        /// Where.
        at: usize,
    },
    /// Structures inside structures.
    #[error("the structure at byte {} of the text is inside too many others", .at + 1)]
    TooManyStructures {
        /// Where.
        at: usize,
    },
    /// Brackets inside brackets.
    #[error("the bracket at byte {} of the text is inside too many others", .at + 1)]
    TooDeep {
        /// Where.
        at: usize,
    },
    /// A bracket that closes none.
    #[error("the bracket at byte {} of the text closes none of its kind", .at + 1)]
    Unopened {
        /// Where.
        at: usize,
    },
    /// A bracket without its end.
    #[error("a bracket of the text does not end")]
    Unclosed,
    /// A fraction that may not fit 32 bits, or a buffer that is not hexadecimal.
    #[error("the value at byte {} of the text is none of its type", .at + 1)]
    Value {
        /// Where.
        at: usize,
    },
    /// More than a structure needs.
    #[error("the text has more than {MAX_ITEMS} fields and values")]
    TooManyItems,
}
