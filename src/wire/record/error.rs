// SPDX-License-Identifier: MPL-2.0
//! The ways in which a record can be bad.

use thiserror::Error;

use super::{super::text::TextError, RecordKind, VERSION};

/// Why a record cannot be understood, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// Fewer bytes than its fixed part has.
    #[error("a record {kind} of {len} bytes is too short: it has at least {}", .kind.lengths().start())]
    TooShort {
        /// Which.
        kind: RecordKind,
        /// The bytes that it has.
        len: usize,
    },
    /// More bytes than one may have.
    #[error("a record {kind} of {len} bytes is too long: it has at most {}", .kind.lengths().end())]
    TooLong {
        /// Which.
        kind: RecordKind,
        /// The bytes that it has.
        len: usize,
    },
    /// A record before the first hello.
    #[error("a record {letter} came before the H (hello) with which records begin")]
    NoHello {
        /// The letter of the record.
        letter: char,
    },
    /// A record between a buffer's and its frame.
    #[error("a record {kind} came between a record B (buffer) and its frame")]
    BeforeFrame {
        /// Which.
        kind: RecordKind,
    },
    /// A meta without the buffer that it belongs to.
    #[error("a record M (meta) came without a record B (buffer) before it")]
    MetaAlone,
    /// More metas than a frame may have.
    #[error("a frame has more than {} records M (meta)", super::MAX_METAS)]
    TooManyMetas,
    /// More bytes of metas than a frame may have.
    #[error(
        "a frame has more than {} bytes of records M (meta)",
        super::MAX_META_BYTES
    )]
    MetasTooLong,
    /// Something behind the end.
    #[error("the stream went on after the record E (end)")]
    AfterEnd,
    /// A text that is not UTF-8.
    #[error("byte {} of a record {kind} is not UTF-8", .at + 1)]
    NotUtf8 {
        /// Which.
        kind: RecordKind,
        /// Where in its payload, from 0.
        at: usize,
    },
    /// A control character in a line of text.
    #[error("byte {} of a record {kind} is a control character", .at + 1)]
    Control {
        /// Which.
        kind: RecordKind,
        /// Where in its payload, from 0.
        at: usize,
    },
    /// A hello without its first line.
    #[error("a record H (hello) does not begin with \"videosocket\" and a version")]
    NoVersion,
    /// A hello of a program that is too new.
    #[error("the peer speaks version {version} of the records; this side understands {VERSION}")]
    Version {
        /// The peer's.
        version: u32,
    },
    /// Letters that this side has to know, and does not.
    #[error("the peer needs records {letter:?} to be understood, and this side does not know them")]
    Needs {
        /// The first that is not known.
        letter: char,
    },
    /// A clock without a time on it.
    #[error("a record K (clock) has no {field}")]
    NoClock {
        /// What is missing.
        field: &'static str,
    },
    /// A stream without an id.
    #[error("a record I (stream start) has no stream id")]
    NoStreamId,
    /// A group that is no number.
    #[error("the group of a record I (stream start) is no number of 32 bits")]
    Group,
    /// Tags for neither the stream nor all of them.
    #[error("a record T (tags) does not begin with \"s \" or \"g \"")]
    Scope,
    /// Tags that are none.
    #[error("the text of a record T (tags) does not begin with \"taglist\"")]
    NoTagList,
    /// A rate of 0, or none at all.
    #[error("the {field} of a record S (segment) is no number or 0")]
    Rate {
        /// Which of the two.
        field: &'static str,
    },
    /// A meta without a name.
    #[error("a record M (meta) does not begin with a name and a NUL")]
    NoMetaName,
    /// A name that is not one.
    #[error("byte {} of the name of a record M (meta) is no letter, digit, dash, underscore or colon", .at + 1)]
    MetaName {
        /// Where, from 0.
        at: usize,
    },
    /// A gap without its begin.
    #[error("a record G (gap) has no time")]
    NoGapTime,
    /// An event of neither kind.
    #[error("a record X (event) does not begin with \"downstream \" or \"sticky \"")]
    EventKind,
    /// A request without a name.
    #[error("a record U (upstream) does not begin with a word")]
    NoRequest,
    /// A quality of service message without its four values.
    #[error("a record U (upstream) of qos has no type, proportion, difference and time that fit")]
    Qos,
    /// Text that GStreamer is not given.
    #[error("the text of a record {kind} is refused: {source}")]
    Text {
        /// Which.
        kind: RecordKind,
        /// Why.
        source: TextError,
    },
    /// A value that has no form in a record: it would be read as something else.
    #[error("a value has no form in a record {kind}")]
    NoForm {
        /// Which.
        kind: RecordKind,
    },
}
