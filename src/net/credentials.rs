// SPDX-License-Identifier: MPL-2.0
//! What the user says about encryption.

use thiserror::Error;

/// What this side shows, and whom it believes: files in PEM form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Its own certificate, and those between that and the authority's.
    pub certificate: Option<String>,
    /// The key of its own certificate.
    pub private_key: Option<String>,
    /// The authorities that a side believes that connects; without them the system's.
    pub authorities: Option<String>,
    /// The authorities of which a side that listens wants to see a certificate.
    pub client_authorities: Option<String>,
    /// Anybody is believed.
    pub believes_anybody: bool,
}

/// Which side of the handshake this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that connects, to a host of this name or address.
    Client(String),
    /// The one that listens.
    Server,
}

/// Why a side cannot show or verify what it is to.
#[derive(Debug, Error)]
pub enum Unusable {
    /// A file, by the name of its property, and what is wrong with it.
    #[error("{property}={path} {fault}")]
    File {
        /// The property.
        property: &'static str,
        /// The file.
        path: String,
        /// What follows in the sentence.
        fault: String,
    },
    /// A name that no certificate can be for.
    #[error(
        "No certificate can be for the host {0:?}: set host to the name or address in the peer's certificate"
    )]
    Host(String),
    /// The system has no authorities.
    #[error("The system's certificate authorities cannot be used: {0}; give one as tls-ca-file")]
    System(String),
    /// A build without encryption.
    #[error("tls=true cannot be had: this plugin was built without TLS (cargo feature tls)")]
    Missing,
}
