// SPDX-License-Identifier: MPL-2.0
//! The framing, without I/O: how a length is written, and how a byte stream becomes frames.
//!
//! ```text
//! frame   = header payload
//! header  = 8 ASCII decimal digits, zero-padded: the payload's length in bytes      "00000005"
//! payload = that many bytes                                                          "hello"
//! ```
//!
//! [`HeaderFormat`] writes and reads a header, [`Decoder`] cuts a stream into frames, and [`record`] is
//! about what may stand between them. Nothing here knows sockets, clocks or GStreamer, so everything here
//! can be read, tested and fuzzed alone.

#![warn(missing_docs)]

mod decoder;
mod header;
pub mod record;
mod text;

pub use decoder::{Decoder, Step, Truncated};
pub use header::{
    Decoded, FormatError, Header, HeaderBytes, HeaderError, HeaderFormat, LengthError, LengthField,
    MAX_ADJUSTMENT, MAX_DIGITS, MAX_SKIPPED,
};
pub use text::{StructureText, TextError};
