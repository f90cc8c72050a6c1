//! GStreamer's buffers as the frames that the transport moves.

use std::{io, ops::Deref};

use gst::memory::MemoryMap;

use crate::fanout::Payload;

mod held_back;
mod pool;
mod proposed;
mod received;

pub use proposed::{Allocation, ProposedPool};
pub use received::ReceivedBuffers;

/// A buffer that is sent: its memories go out one by one, as they are.
#[derive(Clone, Debug)]
pub struct SentBuffer {
    /// Always there, but while it is dropped.
    buffer: Option<gst::Buffer>,
}

impl From<gst::Buffer> for SentBuffer {
    fn from(buffer: gst::Buffer) -> Self {
        Self {
            buffer: Some(buffer),
        }
    }
}

impl Deref for SentBuffer {
    type Target = gst::BufferRef;

    fn deref(&self) -> &gst::BufferRef {
        match &self.buffer {
            Some(buffer) => buffer,
            None => unreachable!("nobody has what is dropped"),
        }
    }
}

impl Drop for SentBuffer {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            held_back::release(buffer);
        }
    }
}

impl Payload for SentBuffer {
    type Chunk<'a> = Chunk<'a>;

    fn chunks(&self) -> impl Iterator<Item = io::Result<Chunk<'_>>> {
        self.iter_memories().map(|memory| {
            memory
                .map_readable()
                .map(Chunk)
                .map_err(|error| io::Error::other(error.to_string()))
        })
    }

    fn begin_holding_back() {
        held_back::begin();
    }

    fn end_holding_back() {
        held_back::end();
    }

    fn any_held_back() -> bool {
        held_back::any()
    }
}

/// One memory of a buffer.
pub struct Chunk<'a>(MemoryMap<'a, gst::memory::Readable>);

impl AsRef<[u8]> for Chunk<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}
