// SPDX-License-Identifier: MPL-2.0
//! A socket of the application's.

#![allow(unsafe_code)]

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use gio::prelude::*;
use thiserror::Error;

/// A `GSocket` that is kept until it is used, by whichever thread starts the element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenSocket(gio::Socket);

/// Why a socket cannot be used.
#[derive(Debug, Error)]
pub enum Unusable {
    /// The application has closed it.
    #[error("The socket given is closed: set another, or none to open one")]
    Closed,
    /// Datagrams over IP.
    #[error("The socket given is a UDP socket, and a stream needs a TCP socket")]
    Udp,
    /// Anything else but a byte stream.
    #[error("The socket given is no stream socket, and a stream needs a TCP socket")]
    NoStream,
    /// It waits for connections.
    #[error("The socket given listens: set one that it has accepted, or none and mode=listen")]
    Listens,
    /// It has no peer.
    #[error("The socket given is not connected: set one that is, or none to open one")]
    NotConnected,
    /// There is no descriptor left for it.
    #[error("The socket given cannot be duplicated: {0}")]
    Duplicate(#[from] io::Error),
}

// SAFETY: all that is done with it here is to count references and to ask for its descriptor and state. The
// count is atomic, the kernel answers for the descriptor on any thread, the flags beside it are plain bits that
// an application which goes on using the socket may at worst change in between, and a `GSocket` may be
// finalized on any thread.
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

    /// A descriptor of our own for it, if it is one to send or receive a stream over.
    pub fn duplicate(&self) -> Result<OwnedFd, Unusable> {
        let socket = &self.0;
        // First: a closed one has no descriptor to ask.
        if socket.is_closed() {
            return Err(Unusable::Closed);
        }
        if socket.socket_type() != gio::SocketType::Stream {
            let is_ip = socket.family() != gio::SocketFamily::Unix;
            let is_udp = is_ip && socket.socket_type() == gio::SocketType::Datagram;
            return Err(if is_udp {
                Unusable::Udp
            } else {
                Unusable::NoStream
            });
        }
        if socket.option(libc::SOL_SOCKET, libc::SO_ACCEPTCONN).ok() == Some(1) {
            return Err(Unusable::Listens);
        }
        // Only the GSocket knows of a peer that has reset the connection, with frames still to be read.
        if !socket.is_connected() && socket.remote_address().is_err() {
            return Err(Unusable::NotConnected);
        }
        Ok(socket.as_fd().try_clone_to_owned()?)
    }
}
