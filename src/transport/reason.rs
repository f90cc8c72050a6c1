// SPDX-License-Identifier: MPL-2.0
//! Why connections end.

use std::io;

use crate::net::{Error, Peer};

/// Why a connection ended, or a client is none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The peer ended it.
    ClosedByPeer,
    /// It broke: reset, timed out, unreachable, cut inside a frame, or not speaking the framing.
    Failed,
    /// The client was slower than the stream, and `overflow` says to remove it.
    TooSlow,
    /// The peer took, or sent, nothing for as long as the user allowed.
    TimedOut,
    /// The stream has ended, and everything is sent.
    EndOfStream,
    /// The user removed it.
    Removed,
    /// The element was stopped.
    Stopped,
}

/// What it means for a client that sending to it has ended with this error.
pub(super) fn sending_ended(peer: Peer, source: io::Error) -> (Reason, Option<Error>) {
    let reason = match source.kind() {
        io::ErrorKind::BrokenPipe => Reason::ClosedByPeer,
        _ => Reason::Failed,
    };
    (reason, Some(Error::Send { peer, source }))
}
