// SPDX-License-Identifier: MPL-2.0
//! GStreamer's buffers as the frames that the transport moves.

use std::{io, ops::Deref};

use gst::memory::MemoryMap;
use once_cell::sync::Lazy;

use crate::fanout::Payload;

mod pool;
mod proposed;
mod received;

pub use proposed::{Allocation, ProposedPool};
pub use received::ReceivedBuffers;

/// A buffer that is sent: its memories go out one by one, as they are.
#[derive(Debug)]
pub struct SentBuffer(gst::Buffer);

/// A memory cannot be mapped for reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It never can, where it is.
    Foreign,
    /// Somebody writes to it.
    Written,
}

impl TryFrom<gst::Buffer> for SentBuffer {
    type Error = Unreadable;

    /// Fails while the stream can still be told, rather than a client.
    fn try_from(buffer: gst::Buffer) -> Result<Self, Unreadable> {
        let mut memories = buffer.iter_memories();
        match memories.find(|memory| memory.map_readable().is_err()) {
            None => Ok(Self(buffer)),
            Some(memory) if memory.allocator() == SYSTEM_MEMORY.as_ref() => {
                Err(Unreadable::Written)
            }
            Some(_) => Err(Unreadable::Foreign),
        }
    }
}

impl Deref for SentBuffer {
    type Target = gst::BufferRef;

    fn deref(&self) -> &gst::BufferRef {
        &self.0
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
}

/// One memory of a buffer.
pub struct Chunk<'a>(MemoryMap<'a, gst::memory::Readable>);

impl AsRef<[u8]> for Chunk<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

/// Where memory comes from that can be mapped unless somebody writes to it.
static SYSTEM_MEMORY: Lazy<Option<gst::Allocator>> =
    Lazy::new(|| gst::Allocator::find(Some("SystemMemory")));
