// SPDX-License-Identifier: MPL-2.0
//! The ways in which what a peer says of a stream can be bad for GStreamer.

use thiserror::Error;

use crate::wire::TextError;

/// Why something is not restored, in words for a person.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum RestoreError {
    /// More than a name has.
    #[error("a name of {len} bytes is longer than {}", super::names::MAX_NAME_LEN)]
    LongName {
        /// The bytes that it has.
        len: usize,
    },
    /// Nothing, or what C would take for the end.
    #[error("a name is empty, holds a NUL or is not UTF-8")]
    NoName,
    /// More than are kept in memory.
    #[error(
        "peers have brought {} names already: {name:?} is not taken",
        super::names::MAX_NEW_NAMES
    )]
    TooManyNames {
        /// The first that is not.
        name: String,
    },
    /// Caps that are none.
    #[error("the caps cannot be parsed")]
    NoCaps,
    /// Caps that leave something open.
    #[error("the caps are not fixed")]
    OpenCaps,
    /// Raw frames without a known form.
    #[error("the caps are {media_type} and do not say what a frame is")]
    RawCaps {
        /// The media type.
        media_type: &'static str,
    },
    /// What elements would take for a buffer.
    #[error("the {field} of the caps is no buffer")]
    NoBuffer {
        /// Which.
        field: &'static str,
    },
    /// Tags that are none.
    #[error("the tags cannot be parsed")]
    NoTags,
    /// A structure that is none.
    #[error("the structure cannot be parsed")]
    NoStructure,
    /// A rate that no number holds.
    #[error("the rates {rate} and {applied_rate} have no product")]
    Rate {
        /// The rate.
        rate: f64,
        /// The applied rate.
        applied_rate: f64,
    },
    /// A meta without all of its values.
    #[error("a meta {name} of {len} bytes is too short")]
    ShortMeta {
        /// Which.
        name: &'static str,
        /// The bytes that it has.
        len: usize,
    },
    /// Text that GStreamer is not given.
    #[error("the text of a meta {name} is refused: {source}")]
    MetaText {
        /// Which.
        name: &'static str,
        /// Why.
        source: TextError,
    },
    /// A timestamp without a time.
    #[error("a meta timestamp has no time")]
    NoTimestamp,
    /// A layout where there are no planes.
    #[error("a meta video came though the caps have no raw video with a layout of its own")]
    NoLayout,
    /// Too few planes, or too many.
    #[error("a meta video has {planes} planes; the format has {expected}")]
    Planes {
        /// The number of the meta.
        planes: u32,
        /// That of the format.
        expected: u32,
    },
    /// Less than the caps say.
    #[error("a meta video of {width}x{height} is smaller than the picture of the caps")]
    SmallPicture {
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
    },
    /// Lines that would overlap.
    #[error("a line of plane {plane} of a meta video has {stride} bytes, which are too few")]
    Stride {
        /// Which, from 0.
        plane: usize,
        /// The bytes.
        stride: i32,
    },
    /// Bytes that the frame has not got.
    #[error("plane {plane} of a meta video ends behind the frame of {size} bytes")]
    PlaneOutside {
        /// Which, from 0.
        plane: usize,
        /// The bytes of the frame.
        size: usize,
    },
    /// A time of day that is none.
    #[error("a meta timecode holds no time code")]
    TimeCode,
    /// A kind of captions that is not known.
    #[error("a meta caption is of the type {number}, which is not known")]
    CaptionType {
        /// Its number.
        number: u8,
    },
    /// Captions without captions.
    #[error("a meta caption is empty")]
    NoCaption,
    /// Neither of two fields.
    #[error("a meta {name} is for field {field} of two")]
    Field {
        /// Which meta.
        name: &'static str,
        /// The field, from 0.
        field: u8,
    },
    /// A description that its standard has not got.
    #[error("a meta afd has the value {afd}, which standard {spec} does not know")]
    Afd {
        /// The number of the standard.
        spec: u8,
        /// The value.
        afd: u8,
    },
    /// Pixels that the picture has not got.
    #[error("the rectangle of a meta {name} is not within the picture")]
    Rectangle {
        /// Which.
        name: &'static str,
    },
}
