// SPDX-License-Identifier: MPL-2.0
//! The ways that frames leave.

/// How a frame leaves.
pub trait Outlet {
    /// As many as are pushed at once.
    fn send(&mut self) -> Result<(), String>;

    /// One frame that starts with the time.
    fn send_stamped(&mut self) -> Result<(), String>;
}
