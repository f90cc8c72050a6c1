// SPDX-License-Identifier: MPL-2.0
//! The socket under a stream, or what takes its place in a test.

use std::{
    io::{self, IoSlice, IoSliceMut, Read},
    net::Shutdown,
    os::fd::{AsRawFd, RawFd},
};

use socket2::Socket;

use super::sent::NO_SIGNAL;

#[derive(Debug)]
pub(super) enum Carrier {
    /// What the system has connected. It does not block.
    Socket(Socket),
    /// What a test has written down.
    #[cfg(test)]
    Script(super::script::Scripted),
}

impl Carrier {
    /// Writes what there is room for, and raises no signal.
    pub fn send(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Socket(socket) => socket.send_vectored_with_flags(slices, NO_SIGNAL),
            #[cfg(test)]
            Self::Script(script) => script.send(slices),
        }
    }

    /// Reads what is there. 0 is the end of the peer's stream.
    pub fn receive(&self, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        match self {
            Self::Socket(socket) => (&mut &*socket).read_vectored(slices),
            #[cfg(test)]
            Self::Script(script) => script.receive(slices),
        }
    }

    /// Ends one direction, or both.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Self::Socket(socket) => socket.shutdown(how),
            #[cfg(test)]
            Self::Script(script) => script.shutdown(how),
        }
    }

    /// The socket, to ask the system about and to set options of.
    pub fn socket(&self) -> Option<&Socket> {
        match self {
            Self::Socket(socket) => Some(socket),
            #[cfg(test)]
            Self::Script(_) => None,
        }
    }

    /// Sees to it that no call waits.
    pub fn set_nonblocking(&self) -> io::Result<()> {
        let socket = self.socket();
        socket.map_or(Ok(()), |socket| socket.set_nonblocking(true))
    }
}

impl AsRawFd for Carrier {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Socket(socket) => socket.as_raw_fd(),
            #[cfg(test)]
            Self::Script(script) => script.as_raw_fd(),
        }
    }
}
