// SPDX-License-Identifier: MPL-2.0
//! What a connection begins and ends with, around the stream.

use std::sync::Arc;

/// Bytes that are sent once on each connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Edge {
    bytes: Arc<[u8]>,
    is_record: bool,
    /// So many are with the kernel.
    sent: usize,
}

/// The edges of a connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Edges {
    /// Before everything else.
    pub preamble: Edge,
    /// The frame of length 0 behind the last one, a record that says the same, or nothing.
    pub eos_frame: Edge,
}

impl Edge {
    pub fn new(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.into(),
            is_record: false,
            sent: 0,
        }
    }

    pub fn record(bytes: &[u8]) -> Self {
        Self {
            is_record: true,
            ..Self::new(bytes)
        }
    }

    /// Whether it counts among the frames.
    pub fn is_frame(&self) -> bool {
        !self.is_record
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
