// SPDX-License-Identifier: MPL-2.0
//! What is sent, and by which rules.

use std::{
    io,
    ops::{AddAssign, Deref},
    time::Duration,
};

use crate::wire::{Header, record::FramePrefix};

/// What a frame carries: memory in a few pieces.
pub trait Payload: Send + Sync + 'static {
    /// One readable piece.
    type Chunk<'a>: AsRef<[u8]>
    where
        Self: 'a;

    /// The pieces in order. An error means that one cannot be read.
    fn chunks(&self) -> impl Iterator<Item = io::Result<Self::Chunk<'_>>>;
}

/// A frame to send.
#[derive(Debug)]
pub struct Frame<P> {
    /// The header that announces the payload.
    pub header: Header,
    /// What stands in its place for peers that understand records.
    pub lead: Option<Lead>,
    /// The payload.
    pub payload: P,
    /// The payload's length in bytes.
    pub len: usize,
    /// Decoding can start here, or with the picture that this is a piece of.
    pub keyframe: bool,
    /// It repeats one of the stream's headers, which every client gets first.
    pub repeats_header: bool,
    /// It is none, but records alone, for peers that understand them.
    pub is_note: bool,
    /// How much of a picture it is.
    pub piece: Piece,
    /// When it is due, on the stream's own time line.
    pub time: Option<Duration>,
}

impl<P> Frame<P> {
    /// Records between the frames. The payload is to be an empty one.
    pub fn note(records: Box<[u8]>, payload: P) -> Self {
        Self {
            header: Header::none(),
            lead: Some(Lead::Long(records)),
            payload,
            len: 0,
            keyframe: false,
            repeats_header: false,
            is_note: true,
            piece: Piece::Whole,
            time: None,
        }
    }

    /// What stands before the payload, with its records or without.
    pub fn head(&self, is_described: bool) -> &[u8] {
        match &self.lead {
            Some(lead) if is_described => lead,
            _ => &self.header,
        }
    }

    /// Its bytes on the wire, with its records or without.
    pub fn wire_len(&self, is_described: bool) -> usize {
        self.head(is_described).len() + self.len
    }

    /// Whether it counts among what waits.
    pub fn is_counted(&self) -> bool {
        !self.repeats_header && !self.is_note
    }

    /// Whether a client can begin with its picture. Not so with a repeated header, which it may have been given.
    pub fn is_place_to_start(&self) -> bool {
        self.keyframe && self.is_counted()
    }
}

/// How much of a picture a frame is. Decoding can start with a picture, and not amid its pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Piece {
    /// All of it.
    #[default]
    Whole,
    /// More of it follows.
    First,
    /// More of it has come, and follows.
    Middle,
    /// No more follows.
    Last,
}

impl Piece {
    /// Whether a picture begins with it.
    pub fn begins(self) -> bool {
        matches!(self, Self::Whole | Self::First)
    }

    /// Whether the picture is over with it.
    pub fn ends(self) -> bool {
        matches!(self, Self::Whole | Self::Last)
    }
}

/// The records of a frame, and its header behind them.
#[derive(Debug)]
pub enum Lead {
    /// Its times and flags alone.
    Short(FramePrefix),
    /// More than that.
    Long(Box<[u8]>),
}

impl Deref for Lead {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Short(prefix) => prefix,
            Self::Long(bytes) => bytes,
        }
    }
}

/// What is sent in one piece: bytes of this side's own, and a payload behind them.
#[derive(Debug)]
pub struct Part<'a, P> {
    /// A header, or records.
    pub head: &'a [u8],
    /// The frame whose payload is behind that.
    pub frame: Option<&'a Frame<P>>,
    /// All of its bytes.
    pub wire_len: usize,
}

impl<'a, P> Part<'a, P> {
    pub(super) fn frame(frame: &'a Frame<P>, is_described: bool) -> Self {
        Self {
            head: frame.head(is_described),
            frame: Some(frame),
            wire_len: frame.wire_len(is_described),
        }
    }

    pub(super) fn told(bytes: &'a [u8]) -> Self {
        Self {
            head: bytes,
            frame: None,
            wire_len: bytes.len(),
        }
    }
}

/// Which peers are told what the frames are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metadata {
    /// None.
    #[default]
    Off,
    /// Those that ask.
    OnRequest,
    /// All.
    On,
}

/// How far a client may fall behind. `None` is no limit of that kind.
///
/// Whoever joins is not behind: what joining begins with counts as due at that moment, and does not count among
/// the frames and bytes until as many have followed. By then, or after `time`, it must have been taken. The
/// stream's headers count for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Frames that wait.
    pub frames: Option<usize>,
    /// Bytes that wait.
    pub bytes: Option<usize>,
    /// Time between the oldest frame that waits and the newest, or since it waits if that is longer.
    pub time: Option<Duration>,
}

/// What happens to a client that is slower than the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The stream waits for it.
    #[default]
    Block,
    /// It loses frames.
    Drop,
    /// It is removed.
    Disconnect,
}

/// Where a client that joins starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JoinAt {
    /// With the next frame.
    Latest,
    /// With the next keyframe.
    #[default]
    NextKeyframe,
    /// With the last keyframe, which is kept for it with all that follows.
    LatestKeyframe,
}

/// How frames are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Flow {
    /// What happens to a client that is slower than the stream.
    pub overflow: Overflow,
    /// How far it may fall behind before.
    pub limits: Limits,
    /// Where a client that joins starts.
    pub join: JoinAt,
    /// Hold the stream while there is no client.
    pub hold_without_client: bool,
    /// Keep the stream, within the limits, for the peer to which this end connects, until that is there.
    pub keep_for_callee: bool,
    /// Give up a client that takes nothing for this long.
    pub timeout: Option<Duration>,
    /// Send one frame for each one received.
    pub lockstep: bool,
    /// Refuse more clients than this.
    pub max_clients: Option<usize>,
    /// Which peers are told what the frames are.
    pub metadata: Metadata,
}

/// For whom a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Any number of clients, each of which starts where the stream is when it comes.
    Clients,
    /// One at a time, which starts there as well.
    Caller,
    /// The peer that this end connects to. A stream that can wait begins with its first frame.
    Callee,
}

/// What sending came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Frames that a client lost because it was too slow.
    pub dropped: u64,
    /// A client waits for a keyframe.
    pub wants_keyframe: bool,
}

impl AddAssign for Sent {
    fn add_assign(&mut self, other: Self) {
        self.dropped += other.dropped;
        self.wants_keyframe |= other.wants_keyframe;
    }
}

/// Pieces of payload in one system call, unless a single frame has more: with the headers between them far below
/// IOV_MAX, and as many as the stack easily holds. All may be of one memory, which GStreamer maps 255 times at most,
/// and which another endpoint may be sending as well.
pub const BATCH_CHUNKS: usize = 120;

/// What has been sent whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Frames.
    pub frames: u64,
    /// Their payloads, in bytes.
    pub payload_bytes: u64,
}

impl Progress {
    pub(super) fn add<P>(&mut self, frame: &Frame<P>) {
        if !frame.is_note {
            self.frames += 1;
            self.payload_bytes += frame.len as u64;
        }
    }
}

impl AddAssign for Progress {
    fn add_assign(&mut self, other: Self) {
        self.frames += other.frames;
        self.payload_bytes += other.payload_bytes;
    }
}

/// For tests that do without.
#[cfg(test)]
impl Payload for () {
    type Chunk<'a> = [u8; 0];

    fn chunks(&self) -> impl Iterator<Item = io::Result<[u8; 0]>> {
        std::iter::empty()
    }
}
