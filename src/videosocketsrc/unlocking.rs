// SPDX-License-Identifier: MPL-2.0
//! Which calls of `unlock` and `unlock_stop` are about the wait for the network.

use std::{
    sync::Mutex,
    thread::{self, ThreadId},
};

use crate::lock::lock;

/// Knows whose calls are not meant for a wait.
///
/// From 1.24 on the base class unlocks for a pause too, and takes that back from the streaming thread before
/// it calls `create` again. A wait goes on in a pause: what comes in it is kept. So neither of the two calls
/// may touch the interrupt, which a flush may have raised in the meantime.
#[derive(Default)]
pub struct Unlocking {
    pausing: Mutex<Option<ThreadId>>,
    streaming: Mutex<Option<ThreadId>>,
}

impl Unlocking {
    /// Whether a call that comes now, on this thread, is for the wait.
    pub fn is_for_wait(&self) -> bool {
        let caller = Some(thread::current().id());
        *lock(&self.pausing) != caller && *lock(&self.streaming) != caller
    }

    /// Changes the state from PLAYING to PAUSED.
    pub fn pause<T>(&self, change: impl FnOnce() -> T) -> T {
        *lock(&self.pausing) = Some(thread::current().id());
        let changed = change();
        *lock(&self.pausing) = None;
        changed
    }

    /// This thread streams from now on.
    pub fn enter(&self) {
        *lock(&self.streaming) = Some(thread::current().id());
    }

    /// This thread does not stream any more.
    pub fn leave(&self) {
        *lock(&self.streaming) = None;
    }
}
