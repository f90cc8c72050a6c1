//! What a connection begins and ends with, around the stream.

use std::sync::Arc;

/// Bytes that are sent once on each connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Edge {
    bytes: Arc<[u8]>,
    /// So many are with the kernel.
    sent: usize,
}

/// The edges of a connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Edges {
    /// Before everything else.
    pub preamble: Edge,
    /// The frame of length 0 behind the last one, or nothing.
    pub eos_frame: Edge,
}

impl Edge {
    pub fn new(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.into(),
            sent: 0,
        }
    }

    pub fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    pub fn is_sent(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// So many more bytes have been taken. Says whether they are the last.
    pub fn advance(&mut self, bytes: usize) -> bool {
        self.sent += bytes;
        self.is_sent()
    }

    /// A part of it is sent.
    pub fn is_cut(&self) -> bool {
        self.sent > 0 && !self.is_sent()
    }
}

impl Edges {
    pub fn is_cut(&self) -> bool {
        self.preamble.is_cut() || self.eos_frame.is_cut()
    }
}
