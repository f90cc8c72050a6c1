//! Buffers whose last reference may go while a lock is held.
//!
//! With it may go memory of the application's, whose release calls the application. That may ask the element
//! for its properties, and wait for a thread that does. To change the element's state, though, is to wait for
//! threads that may be the ones to release it.

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
    // A thread that is about to end holds nothing back.
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
        // Its memory is of use the next time, unless it was a whole group of pictures that went.
        if buffers.capacity() <= 2 * MANY {
            held.borrow_mut().buffers = buffers;
        }
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
