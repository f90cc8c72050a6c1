//! A socket of the application's.

#![allow(unsafe_code)]

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

/// A `GSocket` that is kept until it is used, by whichever thread starts the element.
#[derive(Clone, Debug)]
pub struct GivenSocket(gio::Socket);

// SAFETY: all that is done with it here is to count references and to ask for its descriptor. The count
// is atomic, the descriptor is set before anybody has the object, and a `GSocket` may be finalized on
// any thread.
unsafe impl Send for GivenSocket {}
// SAFETY: as above.
unsafe impl Sync for GivenSocket {}

impl GivenSocket {
    /// Keeps it.
    pub fn new(socket: gio::Socket) -> Self {
        Self(socket)
    }

    /// The socket itself.
    pub fn get(&self) -> &gio::Socket {
        &self.0
    }

    /// A descriptor of our own for it.
    pub fn duplicate(&self) -> io::Result<OwnedFd> {
        self.0.as_fd().try_clone_to_owned()
    }
}
