//! GStreamer's buffers as the frames that the transport moves.

use std::io;

use gst::memory::MemoryMap;

use crate::transport::Payload;

mod pool;
mod proposed;
mod received;

pub use proposed::{Allocation, ProposedPool};
pub use received::ReceivedBuffers;

/// A buffer that is sent: its memories go out one by one, as they are.
#[derive(Clone, Debug)]
pub struct SentBuffer(pub gst::Buffer);

impl Payload for SentBuffer {
    type Chunk<'a> = Chunk<'a>;

    fn chunks(&self) -> impl Iterator<Item = io::Result<Chunk<'_>>> {
        self.0.iter_memories().map(|memory| {
            memory
                .map_readable()
                .map(Chunk)
                .map_err(|error| io::Error::other(error.to_string()))
        })
    }
}

/// One memory of a buffer.
pub struct Chunk<'a>(MemoryMap<'a, gst::memory::Readable>);

impl AsRef<[u8]> for Chunk<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}
