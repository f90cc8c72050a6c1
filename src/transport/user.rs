// SPDX-License-Identifier: MPL-2.0
//! The two users of an endpoint.

use std::sync::Arc;

use super::event::Observer;

/// One who reads, or one who writes.
#[derive(Clone, Default)]
pub(super) enum User {
    /// There is none, nor will there be.
    #[default]
    Absent,
    /// One may come, as on a shared connection.
    Awaited,
    /// One is about to attach.
    Admitted,
    Active(Arc<dyn Observer>),
    /// There was one.
    Gone,
}

impl User {
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Active(_))
    }

    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::Active(_) | Self::Admitted)
    }

    /// Whether one is still to come.
    pub fn is_to_come(&self) -> bool {
        matches!(self, Self::Awaited | Self::Admitted)
    }

    pub fn observer(&self) -> Option<&Arc<dyn Observer>> {
        match self {
            Self::Active(observer) => Some(observer),
            Self::Absent | Self::Awaited | Self::Admitted | Self::Gone => None,
        }
    }
}
