// SPDX-License-Identifier: MPL-2.0
//! The memory that downstream asks for.

use gst::{MappedBuffer, buffer::Writable, prelude::*};
use gst_video::{VideoInfo, VideoMeta};

use super::pool::is_sole_reference;

/// What downstream asks for.
#[derive(Debug, Default)]
pub struct Allocation {
    /// The pool for frames of its size.
    pub pool: Option<ProposedPool>,
    /// The alignment of other frames: a mask of the address bits that are to be 0.
    pub align: usize,
}

/// Downstream's pool, for frames of raw video.
#[derive(Debug)]
pub struct ProposedPool {
    /// In use, until its owner ends that.
    pub pool: gst::BufferPool,
    /// How the bytes of a frame lie as they come.
    pub layout: VideoInfo,
}

/// The pool's buffers do not hold a frame as it comes.
#[derive(Debug)]
pub struct Unfit;

impl ProposedPool {
    /// The size of its frames in bytes.
    pub fn size(&self) -> usize {
        self.layout.size()
    }

    /// A buffer that nobody else uses; `None` where there is none now.
    pub fn acquire(&self) -> Result<Option<MappedBuffer<Writable>>, Unfit> {
        // Whoever holds the others may wait for a frame more.
        let flags = gst::BufferPoolAcquireFlags::DONTWAIT;
        let params = gst::BufferPoolAcquireParams::with_flags(flags);
        let Ok(buffer) = self.pool.acquire_buffer(Some(&params)) else {
            return Ok(None);
        };
        if !self.is_packed(&buffer) {
            return Err(Unfit);
        }
        let memory = buffer.peek_memory(0);
        if !is_sole_reference(memory) {
            return Ok(None);
        }
        let memory = memory.as_ptr();
        let frame = buffer.into_mapped_buffer_writable().map_err(|_| Unfit)?;
        // Where the memory cannot be written to, that of the mapped buffer is a copy.
        let is_original = std::ptr::eq(frame.buffer().peek_memory(0).as_ptr(), memory);
        is_original.then_some(Some(frame)).ok_or(Unfit)
    }

    /// Whether whoever reads the buffer finds each row where it is written as it comes.
    fn is_packed(&self, buffer: &gst::BufferRef) -> bool {
        let layout = &self.layout;
        buffer.n_memory() == 1
            && buffer.size() == layout.size()
            && buffer.iter_meta::<VideoMeta>().all(|meta| {
                meta.format() == layout.format()
                    && (meta.width(), meta.height()) == (layout.width(), layout.height())
                    && meta.offset() == layout.offset()
                    && meta.stride() == layout.stride()
            })
    }
}
