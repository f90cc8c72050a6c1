// SPDX-License-Identifier: MPL-2.0
//! A pool of buffers of one size.
//!
//! GStreamer's own takes a lock and a file descriptor to be waited on, which costs two system calls for
//! every buffer where few are in use. Nobody waits here: what is not there is allocated.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicI32, Ordering},
};

use gst::{glib, prelude::*, subclass::prelude::*};
use memmap2::MmapMut;

/// From this size on memory comes straight from the kernel: it is taken page by page as it is written,
/// so that a header that announces much costs nothing, and asking for too much is no abort.
const LARGE: usize = 256 * 1024;

/// Stricter alignments than that to a page, which the kernel's memory has, are not given.
const MAX_ALIGN: usize = 4096 - 1;

/// Free buffers that are kept, in number and in bytes; two are kept whatever their size.
const MAX_FREE: usize = 256;
const MAX_FREE_BYTES: usize = 64 << 20;
const MIN_FREE: usize = 2;

glib::wrapper! {
    /// The GObject.
    pub struct FramePool(ObjectSubclass<imp::FramePool>)
        @extends gst::BufferPool, gst::Object;
}

/// A pool in use.
#[derive(Debug)]
pub struct Pool {
    pool: FramePool,
    size: u32,
}

/// A buffer of its own, aligned as [`alignment`] has it; `None` where there is no memory.
pub fn allocate(size: usize, align: usize) -> Option<gst::Buffer> {
    if size >= LARGE {
        let memory = MmapMut::map_anon(size).ok()?;
        return Some(gst::Buffer::from_mut_slice(memory));
    }
    let mut params = gst::AllocationParams::default();
    params.set_align(align);
    let memory = gst::Allocator::find(None)?.alloc(size, Some(&params));
    let mut new = gst::Buffer::new();
    let buffer = new.get_mut()?;
    buffer.append_memory(memory.ok()?);
    // It stands for memory that is not as it was allocated.
    buffer.unset_flags(gst::BufferFlags::TAG_MEMORY);
    Some(new)
}

/// As much of an alignment, in GStreamer's way a mask of low bits, as can be had.
pub fn alignment(mask: usize) -> usize {
    let is_mask = mask.wrapping_add(1).is_power_of_two();
    if is_mask { mask.min(MAX_ALIGN) } else { 0 }
}

impl Pool {
    /// A pool of buffers of `size` bytes, aligned as [`alignment`] has it.
    pub fn new(size: u32, align: usize) -> Option<Self> {
        let pool: FramePool = glib::Object::new();
        let mut config = pool.config();
        // The base class resets buffers to this size when they come back.
        config.set_params(None, size, 0, 0);
        pool.set_config(config).ok()?;
        pool.imp().set_up(size as usize, align);
        pool.set_active(true).ok()?;
        Some(Self { pool, size })
    }

    /// The size of its buffers in bytes.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// A buffer that nobody else uses; `None` where there is no memory.
    pub fn acquire(&self) -> Option<gst::Buffer> {
        self.pool.acquire_buffer(None).ok()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Buffers under way keep the pool, and are not to be kept by it any more.
        let _ = self.pool.set_active(false);
    }
}

/// A memory held by itself, out of any buffer, counts as writable all the same.
#[allow(unsafe_code)]
pub fn is_sole_reference(memory: &gst::MemoryRef) -> bool {
    // SAFETY: the pointer is that of a live memory. Others may change the count meanwhile, so it is
    // read atomically; where it is one, there are no others.
    let count = unsafe {
        let count = &raw mut (*memory.as_mut_ptr()).mini_object.refcount;
        AtomicI32::from_ptr(count).load(Ordering::Acquire)
    };
    count == 1
}

mod imp {
    use super::*;

    #[derive(Default)]
    pub struct FramePool(Mutex<Free>);

    #[derive(Default)]
    struct Free {
        size: usize,
        align: usize,
        is_active: bool,
        buffers: Vec<gst::Buffer>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for FramePool {
        const NAME: &'static str = "GstVideoSocketFramePool";
        type Type = super::FramePool;
        type ParentType = gst::BufferPool;
    }

    impl ObjectImpl for FramePool {}

    impl GstObjectImpl for FramePool {}

    impl BufferPoolImpl for FramePool {
        fn start(&self) -> bool {
            self.lock().is_active = true;
            true
        }

        fn stop(&self) -> bool {
            let mut free = self.lock();
            free.is_active = false;
            let buffers = std::mem::take(&mut free.buffers);
            drop(free);
            drop(buffers);
            true
        }

        fn acquire_buffer(
            &self,
            _params: Option<&gst::BufferPoolAcquireParams>,
        ) -> Result<gst::Buffer, gst::FlowError> {
            let mut free = self.lock();
            if let Some(buffer) = free.buffers.pop() {
                return Ok(buffer);
            }
            let (size, align) = (free.size, free.align);
            drop(free);
            allocate(size, align).ok_or(gst::FlowError::Error)
        }

        fn release_buffer(&self, buffer: gst::Buffer) {
            let mut free = self.lock();
            let max = MAX_FREE.min(MAX_FREE_BYTES / free.size).max(MIN_FREE);
            if free.is_active && free.buffers.len() < max && is_intact(&buffer, free.size) {
                free.buffers.push(buffer);
            }
        }
    }

    impl FramePool {
        pub fn set_up(&self, size: usize, align: usize) {
            let mut free = self.lock();
            free.size = size;
            free.align = align;
        }

        fn lock(&self) -> MutexGuard<'_, Free> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    /// Whether it is as it was allocated, and nobody holds its memory without it.
    fn is_intact(buffer: &gst::Buffer, size: usize) -> bool {
        buffer.size() == size
            && buffer.n_memory() == 1
            && buffer.is_all_memory_writable()
            && is_sole_reference(buffer.peek_memory(0))
            && !buffer.flags().contains(gst::BufferFlags::TAG_MEMORY)
    }
}
