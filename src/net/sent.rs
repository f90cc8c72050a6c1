// SPDX-License-Identifier: MPL-2.0
//! How bytes are sent, and what came of it.

use std::io::IoSlice;

/// A plugin's host need not ignore SIGPIPE, and would die of it. Apple's sockets carry it as an option.
#[cfg(not(target_vendor = "apple"))]
pub(super) const NO_SIGNAL: i32 = libc::MSG_NOSIGNAL;
#[cfg(target_vendor = "apple")]
pub(super) const NO_SIGNAL: i32 = 0;

/// What came of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Bytes that were taken.
    pub bytes: usize,
    /// The kernel has no room for more.
    pub is_full: bool,
}

impl Sent {
    /// A kernel that takes less than it is given has no room for more.
    pub(super) fn by_kernel(bytes: usize, slices: &[IoSlice<'_>]) -> Self {
        let given: usize = slices.iter().map(|slice| slice.len()).sum();
        let is_full = bytes < given;
        Self { bytes, is_full }
    }
}
