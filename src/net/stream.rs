//! What carries the bytes of a connection.

use std::{
    io::{self, IoSlice, IoSliceMut, Read},
    mem::MaybeUninit,
    net::Shutdown,
};

use socket2::Socket;

/// One end of a byte stream that does not block, and that two threads may use, one for each direction.
#[derive(Debug)]
pub(super) enum Stream {
    /// A socket.
    Plain(Socket),
    /// What a test has written down.
    #[cfg(test)]
    Script(super::script::Script),
}

impl Stream {
    /// Writes what there is room for.
    pub fn send(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.send_vectored_with_flags(slices, NO_SIGNAL),
            #[cfg(test)]
            Self::Script(script) => script.send(slices),
        }
    }

    /// Reads what is there. 0 is the end of the peer's stream.
    pub fn receive(&self, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => (&mut &*socket).read_vectored(slices),
            #[cfg(test)]
            Self::Script(script) => script.receive(slices),
        }
    }

    /// Throws away some of what is there.
    pub fn discard(&self) -> io::Result<usize> {
        let mut scratch = [MaybeUninit::uninit(); 16 * 1024];
        match self {
            Self::Plain(socket) => socket.recv(&mut scratch),
            #[cfg(test)]
            Self::Script(script) => script.receive(&mut [IoSliceMut::new(&mut [0; 16 * 1024])]),
        }
    }

    /// Ends one direction, or both.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.shutdown(how),
            #[cfg(test)]
            Self::Script(_) => Ok(()),
        }
    }

    /// The socket, to ask the system about and to set options of.
    pub fn socket(&self) -> Option<&Socket> {
        match self {
            Self::Plain(socket) => Some(socket),
            #[cfg(test)]
            Self::Script(_) => None,
        }
    }
}

/// A plugin's host need not ignore SIGPIPE, and would die of it. Apple's sockets carry it as an option.
#[cfg(not(target_vendor = "apple"))]
const NO_SIGNAL: i32 = libc::MSG_NOSIGNAL;
#[cfg(target_vendor = "apple")]
const NO_SIGNAL: i32 = 0;
