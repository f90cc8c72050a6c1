// SPDX-License-Identifier: MPL-2.0
//! What can go wrong with a connection, in sentences for a person.

use std::{
    fmt, io,
    mem::{Discriminant, discriminant},
    net::SocketAddr,
    time::Duration,
};

use thiserror::Error;

use super::{credentials::Unusable, handshake_fault::TlsFault, peer::Peer};
use crate::wire::{HeaderError, Truncated};

/// A fault of an endpoint or of one of its connections.
#[derive(Debug, Error)]
pub enum Error {
    /// No connection came about within the time allowed.
    #[error(
        "Nobody answers at {host} port {port}: {} (tried {} for {})",
        Reason(.source), List(.tried), Span(*.after)
    )]
    Unreachable {
        /// The host as the user wrote it.
        host: String,
        /// The port.
        port: u16,
        /// Its addresses.
        tried: Vec<SocketAddr>,
        /// How long the tries went on.
        after: Duration,
        /// What the last of them failed with.
        source: io::Error,
    },
    /// A name without an address, within the time allowed.
    #[error("The name {host} has no known address: {} (tried for {})", Reason(.source), Span(*.after))]
    Unresolved {
        /// The host as the user wrote it.
        host: String,
        /// How long the tries went on.
        after: Duration,
        /// What the last of them failed with.
        source: io::Error,
    },
    /// A local address that cannot be listened on.
    #[error("Cannot listen on {address}: {}", Reason(.source))]
    Bind {
        /// The host and port as the user wrote them, or the one address that failed.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// A socket handed over that cannot be used.
    #[error("The socket given cannot be used: {}", Reason(.0))]
    Socket(#[source] io::Error),
    /// The system denies what every connection needs.
    #[error("The system denies the connection a thread, a descriptor or a poll: {}", Reason(.0))]
    Exhausted(#[source] io::Error),
    /// A shared connection of which another has used this direction.
    #[error(
        "The connection to {peer} has ended in this direction, of which another has made use: to open the next one, \
         stop both elements that share it, or set reconnect=true"
    )]
    Spent {
        /// The other end.
        peer: Peer,
    },
    /// Clients that wait cannot be accepted.
    #[error("A client cannot be accepted: {}", Reason(.0))]
    Accept(#[source] io::Error),
    /// Sending failed.
    #[error("{}", Lost("to", .peer, .source))]
    Send {
        /// The other end.
        peer: Peer,
        /// What the system says.
        source: io::Error,
    },
    /// Receiving failed.
    #[error("{}{}", Lost("from", .peer, .source), Cut(.cut))]
    Receive {
        /// The other end.
        peer: Peer,
        /// Where, if inside a frame.
        cut: Option<Truncated>,
        /// What the system says.
        source: io::Error,
    },
    /// The stream ended inside a frame, or inside what comes before the first.
    #[error("{peer} ended the stream inside {}: {cut}", Place(.cut))]
    Truncated {
        /// The other end.
        peer: Peer,
        /// Where.
        #[source]
        cut: Truncated,
    },
    /// A connection that is to be encrypted, and cannot be.
    #[error("{peer} {fault}")]
    Handshake {
        /// The other end.
        peer: Peer,
        /// Why.
        #[source]
        fault: TlsFault,
    },
    /// What this side is to show, or whom it is to believe, cannot be had.
    #[error(transparent)]
    Credentials(#[from] Unusable),
    /// A header that is none.
    #[error("{peer} sent a bad {}: {source}{}", Kind(.source), Hint(.source))]
    Header {
        /// The other end.
        peer: Peer,
        /// What came.
        source: HeaderError,
    },
    /// A record whose text makes no sense.
    #[error("{peer} sent a bad record: {reason}")]
    Record {
        /// The other end.
        peer: Peer,
        /// Why it makes none.
        reason: String,
    },
    /// A peer that says that it is encrypted.
    #[error("{peer} speaks TLS: set tls=true, or tls=false at the other end")]
    IsTls {
        /// The other end.
        peer: Peer,
    },
    /// A stream that says when it is over ended before that.
    #[error("The connection from {peer} ended before the stream was over")]
    Cut {
        /// The other end.
        peer: Peer,
    },
    /// A peer that asks far too often.
    #[error("{peer} asks for more than a thousand things a second")]
    Flood {
        /// The other end.
        peer: Peer,
    },
    /// A peer from which nothing came for as long as the user allowed.
    #[error("{peer} sent nothing for {}", Span(*.after))]
    Silent {
        /// The other end.
        peer: Peer,
        /// How long.
        after: Duration,
    },
    /// A peer that sent not even a header, and had its time for that.
    #[error("{peer} has sent no frame, and gives way to another sender that waits")]
    GivesWay {
        /// The other end.
        peer: Peer,
    },
    /// A peer that took nothing for as long as the user allowed.
    #[error("{peer} took nothing for {}", Span(*.after))]
    Stalled {
        /// The other end.
        peer: Peer,
        /// How long.
        after: Duration,
    },
    /// A peer that was slower than the stream, where that ends the connection.
    #[error("{peer} was slower than the stream")]
    TooSlow {
        /// The other end.
        peer: Peer,
    },
    /// A peer that ends each connection in good order, before it is of any use.
    #[error(
        "The peer at {host} port {port} accepts the connection and ends it, as one does \
         that has all the clients it serves"
    )]
    Futile {
        /// The host as the user wrote it.
        host: String,
        /// The port.
        port: u32,
    },
    /// A fault of this code.
    #[error("The I/O thread has failed: {0}")]
    Internal(String),
    /// A frame for which there is no memory.
    #[error("There is no memory for a frame of {len} bytes from {peer}")]
    OutOfMemory {
        /// The other end.
        peer: Peer,
        /// The length that it announced.
        len: usize,
    },
}

/// What faults of several connections to one host have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// The peer has ended the connection. It is chance whether by a reset, and which direction finds it.
    EndedByPeer,
    /// Anything else.
    Fault(Discriminant<Error>, Option<io::ErrorKind>),
}

impl Error {
    /// Whether either side does not believe the other. A client learns that of TLS 1.3 behind the handshake.
    pub fn is_about_trust(&self) -> bool {
        let fault = match self {
            Self::Handshake { fault, .. } => Some(fault),
            Self::Send { source, .. } | Self::Receive { source, .. } => tls_fault(source),
            _ => None,
        };
        fault.is_some_and(TlsFault::is_about_trust)
    }

    /// What makes it the same fault as that of another connection.
    pub fn nature(&self) -> Nature {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        let kind = match self {
            Self::Futile { .. } => return Nature::EndedByPeer,
            Self::Send { source, .. }
            | Self::Receive {
                source, cut: None, ..
            } => match source.kind() {
                BrokenPipe | ConnectionAborted | ConnectionReset => return Nature::EndedByPeer,
                kind => Some(kind),
            },
            Self::Receive { source, .. } | Self::Accept(source) | Self::Socket(source) => {
                Some(source.kind())
            }
            _ => None,
        };
        Nature::Fault(discriminant(self), kind)
    }
}

/// A connection that was there, in this direction.
struct Lost<'a>(&'static str, &'a Peer, &'a io::Error);

impl fmt::Display for Lost<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(direction, peer, source) = self;
        match tls_fault(source).filter(|fault| fault.is_of_peer()) {
            Some(fault) => write!(f, "{peer} {fault}"),
            None => write!(
                f,
                "The connection {direction} {peer} is lost: {}",
                Reason(source)
            ),
        }
    }
}

fn tls_fault(error: &io::Error) -> Option<&TlsFault> {
    error.get_ref()?.downcast_ref()
}

/// "connection refused" rather than "Connection refused (os error 111)".
pub(super) struct Reason<'a>(pub &'a io::Error);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.raw_os_error(), self.0.kind()) {
            (_, io::ErrorKind::BrokenPipe) => f.write_str("closed by the peer"),
            (_, io::ErrorKind::ConnectionReset) => f.write_str("reset by the peer"),
            (Some(_), io::ErrorKind::NotFound) => f.write_str("no such file"),
            (Some(_), kind) if !GENERIC.contains(&kind.to_string().as_str()) => write!(f, "{kind}"),
            _ => write!(f, "{}", self.0),
        }
    }
}

/// Kinds that say no more than that there was an error.
const GENERIC: [&str; 2] = ["other error", "uncategorized error"];

struct Kind<'a>(&'a HeaderError);

impl fmt::Display for Kind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            HeaderError::Record(_) => "record",
            _ => "header",
        })
    }
}

struct List<'a>(&'a [SocketAddr]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, address) in self.0.iter().enumerate() {
            let gap = match i {
                0 => "",
                i if i + 1 == self.0.len() => " and ",
                _ => ", ",
            };
            write!(f, "{gap}{}", Host(*address))?;
        }
        Ok(())
    }
}

/// An address without its port, but with its interface: "fe80::1%2".
pub struct Host(pub SocketAddr);

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.ip())?;
        match self.0 {
            SocketAddr::V6(address) if address.scope_id() != 0 => {
                write!(f, "%{}", address.scope_id())
            }
            _ => Ok(()),
        }
    }
}

struct Place<'a>(&'a Truncated);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Truncated::Preamble { .. } => "its preamble",
            _ => "a frame",
        })
    }
}

struct Cut<'a>(&'a Option<Truncated>);

impl fmt::Display for Cut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |cut| write!(f, ", when {cut}"))
    }
}

/// What else the bytes may be.
struct Hint<'a>(&'a HeaderError);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.bytes() {
            // A handshake, or its end, of any version.
            Some([0x15 | 0x16, 3, ..]) => {
                f.write_str("; it speaks TLS: set tls=true, or tls=false at the other end")
            }
            _ => Ok(()),
        }
    }
}

/// "300 ms", "1.5 s", "10 s".
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = (self.0.as_secs_f64() * 1000.0).round();
        if milliseconds < 1.0 {
            f.write_str("less than 1 ms")
        } else if milliseconds < 1000.0 {
            write!(f, "{milliseconds} ms")
        } else {
            write!(f, "{} s", (milliseconds / 100.0).round() / 10.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_does_not_answer() {
        let error = Error::Unreachable {
            host: "camera.local".into(),
            port: 4953,
            tried: ["127.0.0.1:4953", "[::1]:4953", "[fe80::1%2]:4953"]
                .map(|address| address.parse().unwrap())
                .into(),
            after: Duration::from_millis(10_004),
            source: io::Error::from_raw_os_error(libc::ECONNREFUSED),
        };
        assert_eq!(
            error.to_string(),
            "Nobody answers at camera.local port 4953: connection refused \
             (tried 127.0.0.1, ::1 and fe80::1%2 for 10 s)"
        );
    }

    #[test]
    fn spans_have_figures_that_say_something() {
        for (nanoseconds, text) in [
            (0, "less than 1 ms"),
            (1, "less than 1 ms"),
            (600_000, "1 ms"),
            (200_000_000, "200 ms"),
            (999_400_000, "999 ms"),
            (999_600_000, "1 s"),
            (1_500_000_000, "1.5 s"),
            (10_004_000_000, "10 s"),
            (3_600_000_000_000, "3600 s"),
        ] {
            assert_eq!(Span(Duration::from_nanos(nanoseconds)).to_string(), text);
        }
    }

    #[test]
    fn a_reason_without_a_kind_keeps_its_text() {
        let source = io::Error::from_raw_os_error(libc::EPROTO);
        assert_eq!(
            Error::Accept(source).to_string(),
            "A client cannot be accepted: Protocol error (os error 71)"
        );
    }
}
