//! The lock of an endpoint's state.

use std::{
    marker::PhantomData,
    ops::{Deref, DerefMut},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use super::state::State;
use crate::{fanout::Payload, lock::lock};

/// While it is there, the state is locked, and payloads that are dropped are held back. The fields are
/// dropped in their order: they go when the lock is free.
pub(super) struct Guard<'a, P: Payload> {
    state: MutexGuard<'a, State<P>>,
    held_back: HeldBack<P>,
}

struct HeldBack<P: Payload>(PhantomData<P>);

impl<'a, P: Payload> Guard<'a, P> {
    pub fn lock(mutex: &'a Mutex<State<P>>) -> Self {
        let held_back = HeldBack::begin();
        Self {
            state: lock(mutex),
            held_back,
        }
    }

    /// Waits until it is notified, or not at all: the caller is to look again.
    pub fn wait(self, condvar: &Condvar, mutex: &'a Mutex<State<P>>) -> Self {
        if P::any_held_back() {
            // Not to be kept for so long.
            drop(self);
            return Self::lock(mutex);
        }
        let Self { state, held_back } = self;
        let state = condvar.wait(state).unwrap_or_else(PoisonError::into_inner);
        Self { state, held_back }
    }
}

impl<P: Payload> Deref for Guard<'_, P> {
    type Target = State<P>;

    fn deref(&self) -> &State<P> {
        &self.state
    }
}

impl<P: Payload> DerefMut for Guard<'_, P> {
    fn deref_mut(&mut self) -> &mut State<P> {
        &mut self.state
    }
}

impl<P: Payload> HeldBack<P> {
    fn begin() -> Self {
        P::begin_holding_back();
        Self(PhantomData)
    }
}

impl<P: Payload> Drop for HeldBack<P> {
    fn drop(&mut self) {
        P::end_holding_back();
    }
}
