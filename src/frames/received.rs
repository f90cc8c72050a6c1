// SPDX-License-Identifier: MPL-2.0
//! The buffers that frames are received into.

use gst::{MappedBuffer, buffer::Writable};

use super::{
    Allocation, ProposedPool,
    pool::{self, Pool},
    proposed::Unfit,
};
use crate::transport::FrameMemory;

/// Pools that are kept, each for one class of sizes: JPEG and H.264 vary over a few classes. The one not
/// used for longest gives way to another, and earlier where the sizes add up to more than this many bytes.
const MAX_POOLS: usize = 12;
const MAX_SIZES: u64 = 64 << 20;

/// Frames below this size share one class.
const SMALLEST: usize = 256;

/// Buffers out of pools, one for each class of sizes, so that frames of much the same size are received
/// into the same memory again and again: fresh memory costs a page fault for every 4 kB.
///
/// Frames of the size that downstream proposes a pool for are received into buffers of that pool.
#[derive(Debug, Default)]
pub struct ReceivedBuffers {
    proposed: Option<ProposedPool>,
    align: usize,
    /// The most recently used comes first.
    pools: Vec<Pool>,
}

impl FrameMemory for ReceivedBuffers {
    type Frame = MappedBuffer<Writable>;

    fn allocate(&mut self, len: usize) -> Option<Self::Frame> {
        if let Some(frame) = self.allocate_from_proposed(len) {
            return Some(frame);
        }
        let size = class(len)?;
        let mut buffer = match u32::try_from(size) {
            Ok(size) => self.pool(size)?.acquire()?,
            // More than a pool of GStreamer's can be told of, and no size to keep.
            Err(_) => pool::allocate(size, self.align)?,
        };
        buffer.get_mut()?.set_size(len);
        buffer.into_mapped_buffer_writable().ok()
    }

    fn bytes(frame: &mut Self::Frame) -> &mut [u8] {
        frame.as_mut_slice()
    }

    fn forget(&mut self) {
        self.pools.clear();
    }
}

impl ReceivedBuffers {
    /// From now on memory is what downstream asks for, as far as that goes.
    pub fn follow(&mut self, allocation: Allocation) {
        self.proposed = allocation.pool;
        let align = pool::alignment(allocation.align);
        if align != self.align {
            self.align = align;
            self.pools.clear();
        }
    }

    fn allocate_from_proposed(&mut self, len: usize) -> Option<MappedBuffer<Writable>> {
        let pool = self.proposed.as_ref().filter(|pool| pool.size() == len)?;
        match pool.acquire() {
            Ok(frame) => frame,
            Err(Unfit) => {
                let pool = &pool.pool;
                gst::debug!(gst::CAT_PERFORMANCE, obj = pool, "Not used: other layout");
                self.proposed = None;
                None
            }
        }
    }

    fn pool(&mut self, size: u32) -> Option<&Pool> {
        match self.pools.iter().position(|pool| pool.size() == size) {
            Some(0) => (),
            Some(at) => self.pools[..=at].rotate_right(1),
            None => {
                self.pools.truncate(MAX_POOLS - 1);
                self.pools.insert(0, Pool::new(size, self.align)?);
                while self.pools.len() > 1 && self.sizes() > MAX_SIZES {
                    self.pools.pop();
                }
            }
        }
        self.pools.first()
    }

    fn sizes(&self) -> u64 {
        self.pools.iter().map(|pool| u64::from(pool.size())).sum()
    }
}

/// The size to allocate for `len` bytes: at most a quarter more, four classes to each power of two.
fn class(len: usize) -> Option<usize> {
    if len <= SMALLEST {
        return Some(SMALLEST);
    }
    len.checked_next_multiple_of(1 << (len.ilog2() - 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(memory: &mut ReceivedBuffers, len: usize) -> gst::Buffer {
        gst::init().unwrap();
        let frame = memory.allocate(len).unwrap();
        assert_eq!(frame.len(), len);
        frame.into_buffer()
    }

    fn address(buffer: &gst::Buffer) -> *const u8 {
        buffer.map_readable().unwrap().as_ptr()
    }

    #[test]
    fn classes_hold_what_is_asked_for_and_at_most_a_quarter_more() {
        for len in (SMALLEST + 1..100_000).chain([3_110_400, 99_999_999]) {
            let class = class(len).unwrap();
            assert!((len..=len + len / 4).contains(&class), "{len}: {class}");
        }
        assert_eq!(class(0), Some(SMALLEST));
        assert_eq!(class(usize::MAX), None);
    }

    #[test]
    fn memory_is_used_again() {
        let mut memory = ReceivedBuffers::default();
        for len in [10, 100_000, 3_110_400] {
            let first = received(&mut memory, len);
            let place = address(&first);
            drop(first);
            // Of another length, and of the same class.
            assert_eq!(address(&received(&mut memory, len - 1)), place);
        }
    }

    #[test]
    fn memory_that_somebody_holds_is_left_alone() {
        let mut memory = ReceivedBuffers::default();
        let first = received(&mut memory, 100_000);
        let second = received(&mut memory, 100_000);
        assert_ne!(address(&first), address(&second));

        // The buffer goes, its memory stays in use.
        let place = address(&first);
        let held = first.memory(0).unwrap();
        drop(first);
        assert_ne!(address(&received(&mut memory, 100_000)), place);
        drop(held);

        let place = address(&second);
        let part = second
            .copy_region(gst::BufferCopyFlags::MEMORY, 10..20)
            .unwrap();
        drop(second);
        assert_ne!(address(&received(&mut memory, 100_000)), place);
        drop(part);
    }

    #[test]
    fn a_buffer_comes_back_clean() {
        let mut memory = ReceivedBuffers::default();
        let mut buffer = received(&mut memory, 1000);
        {
            let buffer = buffer.get_mut().unwrap();
            buffer.set_pts(gst::ClockTime::SECOND);
            buffer.set_flags(gst::BufferFlags::DISCONT | gst::BufferFlags::DELTA_UNIT);
            buffer.resize(100..200).unwrap();
        }
        drop(buffer);
        let buffer = received(&mut memory, 1000);
        assert_eq!(buffer.pts(), None);
        assert_eq!(buffer.flags(), gst::BufferFlags::empty());
    }

    #[test]
    fn many_sizes_keep_few_pools() {
        let mut memory = ReceivedBuffers::default();
        for power in 8..24 {
            received(&mut memory, 1 << power);
        }
        assert_eq!(memory.pools.len(), MAX_POOLS);
    }

    #[test]
    fn large_sizes_keep_fewer() {
        let mut memory = ReceivedBuffers::default();
        for megabytes in [20, 25, 30] {
            received(&mut memory, megabytes << 20);
        }
        assert_eq!(memory.pools.len(), 2);
    }

    #[test]
    fn nothing_is_kept_from_one_connection_to_the_next() {
        let mut memory = ReceivedBuffers::default();
        received(&mut memory, 1 << 20);
        memory.forget();
        assert!(memory.pools.is_empty());
    }

    #[test]
    fn memory_that_cannot_be_had_is_no_abort() {
        gst::init().unwrap();
        let mut memory = ReceivedBuffers::default();
        assert!(memory.allocate(isize::MAX as usize / 2).is_none());
    }
}
