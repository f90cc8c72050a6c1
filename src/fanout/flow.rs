//! What is sent, and by which rules.

use std::{io, ops::AddAssign, time::Duration};

use crate::wire::Header;

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
    /// The payload.
    pub payload: P,
    /// The payload's length in bytes.
    pub len: usize,
    /// Decoding can start here.
    pub keyframe: bool,
    /// It repeats one of the stream's headers, which every client gets first.
    pub repeats_header: bool,
    /// When it is due, on the stream's own time line.
    pub time: Option<Duration>,
}

impl<P> Frame<P> {
    /// Its bytes on the wire.
    pub fn wire_len(&self) -> usize {
        self.header.len() + self.len
    }

    /// Whether a client can begin with it. Not so with a repeated header, which it may have been given.
    pub fn is_place_to_start(&self) -> bool {
        self.keyframe && !self.repeats_header
    }
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
#[derive(Clone, Copy, Debug, Default)]
pub struct Flow {
    /// What happens to a client that is slower than the stream.
    pub overflow: Overflow,
    /// How far it may fall behind before.
    pub limits: Limits,
    /// Where a client that joins starts.
    pub join: JoinAt,
    /// Hold the stream while there is no client.
    pub hold_without_client: bool,
    /// Give up a client that takes nothing for this long.
    pub timeout: Option<Duration>,
    /// Send one frame for each one received.
    pub lockstep: bool,
    /// Refuse more clients than this.
    pub max_clients: Option<usize>,
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

/// Pieces of payload in one system call, unless a single frame has more: with the headers between them
/// far below IOV_MAX, and as many as the stack easily holds.
pub const BATCH_CHUNKS: usize = 256;

/// What has been sent whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Frames.
    pub frames: u64,
    /// Their payloads, in bytes.
    pub payload_bytes: u64,
}

impl Progress {
    pub(super) fn add(&mut self, payload_len: usize) {
        self.frames += 1;
        self.payload_bytes += payload_len as u64;
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
