//! Buffers whose last reference may go while a lock is held.
//!
//! With it may go memory of the application's, whose release calls the application. What that does is up to
//! it: it may ask the element for its counters, and must not meet with the lock.

use std::{cell::RefCell, mem};

/// A burst of small frames goes as one.
const MANY: usize = 512;

thread_local! {
    static HELD_BACK: RefCell<HeldBack> = const { RefCell::new(HeldBack::new()) };
}

struct HeldBack {
    /// How many locks are held.
    locks: usize,
    buffers: Vec<gst::Buffer>,
}

impl HeldBack {
    const fn new() -> Self {
        Self {
            locks: 0,
            buffers: Vec::new(),
        }
    }
}

/// This thread is about to take a lock.
pub fn begin() {
    // A thread that is about to end keeps no buffers.
    let _ = HELD_BACK.try_with(|held| held.borrow_mut().locks += 1);
}

/// This thread has released the lock.
pub fn end() {
    let _ = HELD_BACK.try_with(|held| {
        let mut buffers = {
            let mut held = held.borrow_mut();
            held.locks -= 1;
            if held.locks > 0 || held.buffers.is_empty() {
                return;
            }
            mem::take(&mut held.buffers)
        };
        // May come back here.
        buffers.clear();
        // Its memory is of use the next time.
        held.borrow_mut().buffers = buffers;
    });
}

/// Whether there are any in this thread.
pub fn any() -> bool {
    let any = HELD_BACK.try_with(|held| !held.borrow().buffers.is_empty());
    any.unwrap_or(false)
}

/// Lets go of a buffer, now or at the [`end`].
pub fn release(buffer: gst::Buffer) {
    let mut buffer = Some(buffer);
    let _ = HELD_BACK.try_with(|held| {
        let mut held = held.borrow_mut();
        if held.locks > 0 {
            if held.buffers.capacity() == 0 {
                held.buffers.reserve(MANY);
            }
            held.buffers.extend(buffer.take());
        }
    });
}
