// SPDX-License-Identifier: MPL-2.0
//! Waits that end, also when what they wait for does not.

use super::PATIENCE;
use std::sync::mpsc;
use std::thread;

/// A call that may be held up, in a thread of its own.
pub struct Background<T>(mpsc::Receiver<T>);

impl<T: Send + 'static> Background<T> {
    pub fn run(call: impl FnOnce() -> T + Send + 'static) -> Self {
        let (done, result) = mpsc::channel();
        thread::spawn(move || {
            let result = call();
            let _ = done.send(result);
        });
        Self(result)
    }

    /// What the call returned, unless it panicked or hangs.
    pub fn join(self) -> Result<T, mpsc::RecvTimeoutError> {
        self.0.recv_timeout(PATIENCE)
    }
}
