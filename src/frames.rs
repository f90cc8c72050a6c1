//! GStreamer's buffers as the frames that the transport moves.

use std::io;

use gst::{MappedBuffer, buffer::Writable, memory::MemoryMap};
use memmap2::MmapMut;

use crate::transport::{FrameMemory, Payload};

/// From this size on memory comes straight from the kernel: it is taken page by page as it is written,
/// so that a header that announces much costs nothing, and asking for too much is no abort.
const LARGE: usize = 256 * 1024;

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

/// The buffers that are received into.
#[derive(Debug, Default)]
pub struct ReceivedBuffers;

impl FrameMemory for ReceivedBuffers {
    type Frame = MappedBuffer<Writable>;

    fn allocate(&mut self, len: usize) -> Option<Self::Frame> {
        let buffer = if len < LARGE {
            gst::Buffer::with_size(len).ok()?
        } else {
            gst::Buffer::from_mut_slice(MmapMut::map_anon(len).ok()?)
        };
        buffer.into_mapped_buffer_writable().ok()
    }

    fn bytes(frame: &mut Self::Frame) -> &mut [u8] {
        frame.as_mut_slice()
    }
}
