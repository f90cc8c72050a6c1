// SPDX-License-Identifier: MPL-2.0
//! What carries the bytes of a connection.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    net::Shutdown,
};

use socket2::Socket;

use super::{carrier::Carrier, handshake_fault::TlsFault, sent::Sent, tls::Session};

/// One end of a byte stream that does not block, and that two threads may use, one for each direction.
#[derive(Debug)]
pub(super) enum Stream {
    /// One that says what it sends.
    Plain(Carrier),
    /// One that is encrypted.
    Tls(Box<Session>),
}

impl Stream {
    /// Writes what there is room for.
    pub fn send(&self, slices: &[IoSlice<'_>]) -> io::Result<Sent> {
        let bytes = match self {
            Self::Plain(carrier) => carrier.send(slices)?,
            Self::Tls(session) => return session.send(slices),
        };
        Ok(Sent::by_kernel(bytes, slices))
    }

    /// Writes what was taken and is still here. Says whether nothing is left.
    pub fn flush(&self) -> io::Result<bool> {
        match self {
            Self::Plain(_) => Ok(true),
            Self::Tls(session) => session.flush(),
        }
    }

    /// Reads what is there. 0 is the end of the peer's stream.
    pub fn receive(&self, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(carrier) => carrier.receive(slices),
            Self::Tls(session) => session.receive(slices),
        }
    }

    /// Whether something can be received of which the kernel does not tell any more.
    pub fn holds_more(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(session) => session.holds_more(),
        }
    }

    /// Whether something can be received.
    pub fn has_more(&self) -> bool {
        let waits = |socket: &Socket| {
            let peeked = socket.peek(&mut [MaybeUninit::uninit()]);
            peeked.is_ok_and(|bytes| bytes > 0)
        };
        self.holds_more() || self.carrier().socket().is_some_and(waits)
    }

    /// Throws away some of what is there.
    pub fn discard(&self) -> io::Result<usize> {
        self.overhear(&mut [0; SCRATCH])
    }

    /// Reads some of what a peer says that is to say nothing.
    pub fn overhear(&self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(carrier) => {
                let read = carrier.receive(&mut [IoSliceMut::new(bytes)])?;
                if tells_of_tls(&bytes[..read]) {
                    return Err(TlsFault::IsTls.into());
                }
                Ok(read)
            }
            Self::Tls(session) => session.discard(bytes),
        }
    }

    /// Ends one direction, or both.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Self::Plain(carrier) => carrier.shutdown(how),
            Self::Tls(session) if how == Shutdown::Write => session.end_sending(),
            Self::Tls(session) => {
                // The peer is to see an end, unless something is left that was to come before it.
                let _ = session.end_sending();
                session.carrier().shutdown(how)
            }
        }
    }

    /// Of the bytes sent those that the peer has not acknowledged, it having left so many to the kernel.
    pub fn unacknowledged(&self, by_kernel: usize) -> usize {
        match self {
            Self::Tls(session) => session.unacknowledged(by_kernel),
            Self::Plain(_) => by_kernel,
        }
    }

    /// How many bytes more than those that are to be received may come before they do.
    pub fn overhead(&self) -> usize {
        match self {
            Self::Tls(_) => MAX_RECORD,
            Self::Plain(_) => 0,
        }
    }

    /// What is under it.
    pub fn carrier(&self) -> &Carrier {
        match self {
            Self::Plain(carrier) => carrier,
            Self::Tls(session) => session.carrier(),
        }
    }
}

/// Whether a peer that is sent plain frames, and is read for nothing else, says that they are no TLS: it has one
/// kind of message for that.
pub fn tells_of_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x15, 3, 1..=4, 0, 2, 1 | 2, _, ..])
}

/// Room for what is thrown away.
const SCRATCH: usize = 16 * 1024;

/// The longest record of TLS, of which a part may have been read.
const MAX_RECORD: usize = 5 + (1 << 14) + 2048;
