// SPDX-License-Identifier: MPL-2.0
//! What goes wrong between two sides of an encrypted connection, in sentences for a person.

use std::{fmt, io, mem::discriminant, time::Duration};

use thiserror::Error;

/// As long as this many bytes are shown of what is no TLS.
pub(super) const SHOWN: usize = 16;

/// Why a handshake comes to nothing, or TLS ends a connection. Each goes on after the peer's name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TlsFault {
    /// A certificate for others.
    #[error("has a certificate for {}, not for {expected}: set host to one of its names", Names(.presented))]
    WrongName {
        /// The host as the user wrote it.
        expected: String,
        /// What the certificate is for.
        presented: Vec<String>,
    },
    /// A certificate of an authority that is none here.
    #[error("has a certificate of an unknown authority, {issuer}: give that one's as {cure}")]
    UnknownAuthority {
        /// Who has signed it.
        issuer: String,
        /// The property.
        cure: &'static str,
    },
    /// A certificate of an authority that was replaced.
    #[error(
        "has a certificate of an authority of the same name as that in {cure}, {issuer}, but with another key: \
         is {cure} that of the last time?"
    )]
    OtherAuthority {
        /// Who has signed it.
        issuer: String,
        /// The property.
        cure: &'static str,
    },
    /// A certificate that only its owner has signed.
    #[error(
        "has a self-signed certificate, {subject}: where it is the right one, give it as {cure}"
    )]
    SelfSigned {
        /// Whose it is.
        subject: String,
        /// The property.
        cure: &'static str,
    },
    /// A certificate of the past.
    #[error("has a certificate that has expired: it was valid until {0}")]
    Expired(String),
    /// A certificate of the future.
    #[error(
        "has a certificate that is not yet valid: it will be from {0} on; is the clock of this machine right?"
    )]
    NotYetValid(String),
    /// A certificate with another fault.
    #[error("has a certificate that cannot be accepted: {0}")]
    Certificate(String),
    /// A client has to show one.
    #[error("shows no client certificate, which tls-client-ca-file asks for")]
    NoClientCertificate,
    /// The peer asks for a client certificate.
    #[error(
        "wants a certificate of this side: set tls-certificate-file and tls-private-key-file to one that \
         an authority of the peer's has signed"
    )]
    WantsCertificate,
    /// The peer does not believe this side.
    #[error("refuses the certificate of this side: {0}")]
    RefusesCertificate(&'static str),
    /// The peer refuses something else.
    #[error("has broken off TLS: {0}")]
    Alert(String),
    /// Something else than TLS came.
    #[error("does not speak TLS, but {}: it needs tls=true, or this side tls=false", Bytes(.0))]
    NotTls(Vec<u8>),
    /// TLS came where there was to be none.
    #[error("it speaks TLS: set tls=true, or tls=false at the other end")]
    IsTls,
    /// The connection ended before there was an answer.
    #[error("has ended the connection in the TLS handshake without an answer{}, as one does that does not speak TLS", Because(.0))]
    Unanswered(Option<io::ErrorKind>),
    /// The connection ended later.
    #[error("has ended the connection in the TLS handshake{}", Because(.0))]
    Ended(Option<io::ErrorKind>),
    /// Nothing came of it for too long.
    #[error("{} within {} s{}", if *.silent { "has not answered the TLS handshake" } else { "has not completed the TLS handshake" }, .after.as_secs(), if *.silent { "; does it speak TLS?" } else { "" })]
    TimedOut {
        /// How long that is.
        after: Duration,
        /// Not one byte came.
        silent: bool,
    },
    /// The two have nothing in common.
    #[error("and this side have no version, cipher or signature of TLS in common: {0}")]
    Incompatible(String),
    /// More than a handshake takes.
    #[error("has sent more than a TLS handshake takes, {0} bytes")]
    TooLong(usize),
    /// What is no TLS any more.
    #[error("has broken the rules of TLS: {0}")]
    Broken(String),
    /// Records, and no byte of a stream.
    #[error("has sent {0} bytes of TLS in which there is nothing")]
    Barren(usize),
    /// The stream ended without the end that TLS has.
    #[error("cut off by the peer without the end that TLS has")]
    Cut,
}

impl TlsFault {
    /// Whether it is the same fault, as far as a person cares.
    pub fn is_like(&self, other: &Self) -> bool {
        discriminant(self) == discriminant(other)
    }

    /// Whether the sentence begins with the peer: that of a lost connection goes on in another way.
    pub fn is_of_peer(&self) -> bool {
        !matches!(self, Self::Cut | Self::IsTls)
    }

    /// Whether either side does not believe the other.
    pub fn is_about_trust(&self) -> bool {
        matches!(
            self,
            Self::WrongName { .. }
                | Self::UnknownAuthority { .. }
                | Self::OtherAuthority { .. }
                | Self::SelfSigned { .. }
                | Self::Expired(_)
                | Self::NotYetValid(_)
                | Self::Certificate(_)
                | Self::NoClientCertificate
                | Self::WantsCertificate
                | Self::RefusesCertificate(_)
        )
    }
}

impl From<TlsFault> for io::Error {
    fn from(fault: TlsFault) -> Self {
        let kind = match fault {
            TlsFault::Cut => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, fault)
    }
}

struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("no name"),
            names => f.write_str(&names.join(", ")),
        }
    }
}

struct Bytes<'a>(&'a [u8]);

impl fmt::Display for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sent \"{}\"", self.0.escape_ascii())
    }
}

struct Because<'a>(&'a Option<io::ErrorKind>);

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |kind| write!(f, " ({kind})"))
    }
}
