// SPDX-License-Identifier: MPL-2.0
//! When to look again.

use std::time::Instant;

/// There is nothing now. There may be when a socket is ready, and at this time, if any, whatever the sockets do.
///
/// Who looks says so, and whoever does not look has nothing to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Later(pub Option<Instant>);

impl Later {
    /// Nothing before that, if ever.
    pub(super) fn unless_past(at: Option<Instant>, now: Instant) -> Result<(), Self> {
        if at.is_some_and(|at| at <= now) {
            Ok(())
        } else {
            Err(Self(at))
        }
    }
}
