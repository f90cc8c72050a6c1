// SPDX-License-Identifier: MPL-2.0
//! One try to connect to one address.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsRawFd, RawFd},
};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::connection::Established;

/// Who connects: the system, or what takes its place in a test.
#[derive(Clone, Default)]
pub(super) enum Connector {
    #[default]
    System,
    #[cfg(test)]
    Script(std::sync::Arc<super::script::Callers>),
}

/// A connect that is under way, or over. When it is over its descriptor is writable.
#[derive(Debug)]
pub(super) enum Attempt {
    Socket(Socket, SocketAddr),
    #[cfg(test)]
    Script(super::script::Called),
}

impl Connector {
    /// Begins to connect.
    pub fn begin(&self, address: SocketAddr) -> io::Result<Attempt> {
        match self {
            Self::System => Ok(Attempt::Socket(begin(address)?, address)),
            #[cfg(test)]
            Self::Script(callers) => callers.connect().map(Attempt::Script),
        }
    }
}

impl Attempt {
    /// How it ended; `None` while it has not. Success comes with the error that has ended the connection since, or 0.
    pub fn outcome(&self) -> Option<io::Result<i32>> {
        match self {
            Self::Socket(socket, address) => outcome(socket, *address),
            #[cfg(test)]
            Self::Script(called) => called.outcome(),
        }
    }

    /// What it has come to, with that error.
    pub fn established(self, failure: i32) -> Established {
        match self {
            Self::Socket(socket, address) => Established::plain(socket, Some(address), failure),
            #[cfg(test)]
            Self::Script(called) => called.established(failure),
        }
    }
}

impl AsRawFd for Attempt {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Socket(socket, _) => socket.as_raw_fd(),
            #[cfg(test)]
            Self::Script(called) => called.as_raw_fd(),
        }
    }
}

fn begin(address: SocketAddr) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::from(address)) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(socket),
    }
}

fn outcome(socket: &Socket, address: SocketAddr) -> Option<io::Result<i32>> {
    match socket.take_error() {
        Ok(None) => (),
        Ok(Some(error)) => {
            return Some(match error.raw_os_error() {
                Some(failure @ (libc::ECONNRESET | libc::EPIPE)) => Ok(failure),
                _ => Err(error),
            });
        }
        Err(error) => return Some(Err(error)),
    }
    if socket.peer_addr().is_err() {
        return None;
    }
    // A connect to a free port of this machine can meet itself.
    let meets_itself = socket
        .local_addr()
        .is_ok_and(|local| local.as_socket() == Some(address));
    Some(if meets_itself {
        Err(io::ErrorKind::ConnectionRefused.into())
    } else {
        Ok(0)
    })
}
