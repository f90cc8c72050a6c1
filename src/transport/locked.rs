// SPDX-License-Identifier: MPL-2.0
//! The lock of an endpoint's state.

use std::{
    mem,
    ops::{Deref, DerefMut},
};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::state::State;
use crate::fanout::Payload;

/// A burst of small frames goes as one.
const MANY: usize = 512;

/// A state, and how it is locked.
///
/// A payload may be the last reference to memory of the application's, whose release calls the application. That
/// may ask the element for its properties, or wait for a thread that does. So what is spent under the lock is dropped
/// after it.
pub(super) struct Lock<P: Payload> {
    state: Mutex<State<P>>,
    /// What takes the place of a list that is being dropped: one for each thread that does, in the end.
    spare: Mutex<Vec<Vec<P>>>,
}

/// While it is there, the state is locked.
pub(super) struct Locked<'a, P: Payload> {
    lock: &'a Lock<P>,
    /// Always there, but while it is dropped.
    state: Option<MutexGuard<'a, State<P>>>,
}

impl<P: Payload> Lock<P> {
    pub fn new(state: State<P>) -> Self {
        Self {
            state: Mutex::new(state),
            spare: Mutex::default(),
        }
    }

    pub fn lock(&self) -> Locked<'_, P> {
        Locked {
            lock: self,
            state: Some(self.state.lock()),
        }
    }

    fn unlock(&self, mut state: MutexGuard<'_, State<P>>) {
        if state.fanout.spent().is_empty() {
            return;
        }
        let spare = self.spare.lock().pop().unwrap_or_default();
        let mut spent = mem::replace(state.fanout.spent(), spare);
        drop(state);
        // May come back here.
        spent.clear();
        // Unless it was a whole group of pictures that went.
        if spent.capacity() <= 2 * MANY {
            self.spare.lock().push(spent);
        }
    }
}

impl<P: Payload> Locked<'_, P> {
    /// Lets another thread have the lock that waits for it. The state may be another after that.
    pub fn give_way(&mut self) {
        if let Some(state) = &mut self.state {
            MutexGuard::bump(state);
        }
    }

    /// Waits until it is notified, or not at all: the caller is to look again.
    pub fn wait(mut self, condvar: &Condvar) -> Self {
        let lock = self.lock;
        let Some(mut state) = self.state.take() else {
            unreachable!("it is there until it is dropped")
        };
        if state.fanout.spent().is_empty() {
            condvar.wait(&mut state);
            self.state = Some(state);
            self
        } else {
            // Not to be kept for so long.
            lock.unlock(state);
            lock.lock()
        }
    }
}

impl<P: Payload> Drop for Locked<'_, P> {
    fn drop(&mut self) {
        if let Some(state) = self.state.take() {
            self.lock.unlock(state);
        }
    }
}

impl<P: Payload> Deref for Locked<'_, P> {
    type Target = State<P>;

    fn deref(&self) -> &State<P> {
        match &self.state {
            Some(state) => state,
            None => unreachable!("it is there until it is dropped"),
        }
    }
}

impl<P: Payload> DerefMut for Locked<'_, P> {
    fn deref_mut(&mut self) -> &mut State<P> {
        match &mut self.state {
            Some(state) => state,
            None => unreachable!("it is there until it is dropped"),
        }
    }
}
