// SPDX-License-Identifier: MPL-2.0
//! Locks that outlive a panic: what they guard is whole whenever they are free.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, also where a thread has panicked with the lock in its hands.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
