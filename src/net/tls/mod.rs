// SPDX-License-Identifier: MPL-2.0
//! TLS, by rustls: whom a side believes, what it shows, and connections that are encrypted so.

mod explain;
mod files;
mod session;
mod verify;

use std::{net::IpAddr, sync::Arc};

use rustls::{
    ClientConfig, ConfigBuilder, Connection, ServerConfig,
    client::{ClientConnection, Resumption, WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    server::{NoServerSessionStorage, ServerConnection, WebPkiClientVerifier},
};

use self::verify::{Anybody, Evidence, Watching};
use super::{
    carrier::Carrier,
    credentials::{Credentials, Side, Unusable},
    handshake_fault::TlsFault,
};

pub(super) use self::session::Session;

/// What is spoken under TLS, by its name in the handshake. Peers that name nothing are as welcome.
const PROTOCOL: &[u8] = b"videosocket";

/// One side of connections to come.
#[derive(Debug)]
pub struct Tls {
    config: Config,
    evidence: Evidence,
}

#[derive(Debug)]
enum Config {
    Client {
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        /// As the user wrote it.
        host: String,
    },
    Server(Arc<ServerConfig>),
}

impl Tls {
    /// Reads the files.
    pub fn load(credentials: &Credentials, side: Side) -> Result<Self, Unusable> {
        let evidence = Evidence::default();
        let config = match side {
            Side::Client(host) => Config::Client {
                config: Arc::new(client_config(credentials, &evidence)?),
                name: server_name(&host)?,
                host,
            },
            Side::Server => Config::Server(Arc::new(server_config(credentials, &evidence)?)),
        };
        Ok(Self { config, evidence })
    }

    /// Begins to make an encrypted connection of one, which does not block.
    pub(super) fn begin(&self, carrier: Carrier) -> Result<Session, TlsFault> {
        // Of a handshake that went well.
        self.evidence.take();
        let broken = |error: rustls::Error| TlsFault::Broken(error.to_string());
        let (connection, host): (Connection, _) = match &self.config {
            Config::Client { config, name, host } => {
                let connection = ClientConnection::new(config.clone(), name.clone());
                (connection.map_err(broken)?.into(), Some(host.clone()))
            }
            Config::Server(config) => {
                let connection = ServerConnection::new(config.clone());
                (connection.map_err(broken)?.into(), None)
            }
        };
        Ok(Session::new(
            carrier,
            connection,
            host,
            self.evidence.clone(),
        ))
    }
}

#[cfg(feature = "tls")]
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

#[cfg(not(feature = "tls"))]
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn client_config(credentials: &Credentials, evidence: &Evidence) -> Result<ClientConfig, Unusable> {
    let builder = with_versions(ClientConfig::builder_with_provider(provider()));
    let verifier = server_verifier(credentials, evidence)?;
    let builder = builder
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match files::identity(credentials)? {
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| files::mismatch(credentials, &error))?,
        None => builder.with_client_cert_resolver(Arc::new(evidence.clone())),
    };
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Whom a side believes that connects.
fn server_verifier(
    credentials: &Credentials,
    evidence: &Evidence,
) -> Result<Arc<dyn ServerCertVerifier>, Unusable> {
    if credentials.believes_anybody {
        return Ok(Arc::new(Anybody(provider())));
    }
    let (pinned, inner): (_, Arc<dyn ServerCertVerifier>) = match &credentials.authorities {
        Some(path) => {
            let (certificates, roots) = files::authorities(files::AUTHORITIES, path)?;
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider()).build();
            let unusable = |error| files::unusable(files::AUTHORITIES, path, error);
            (certificates, verifier.map_err(unusable)?)
        }
        None => {
            let verifier = rustls_platform_verifier::Verifier::new(provider());
            let unusable = |error: rustls::Error| Unusable::System(error.to_string());
            (Vec::new(), Arc::new(verifier.map_err(unusable)?))
        }
    };
    Ok(Arc::new(Watching::new(inner, pinned, evidence)))
}

fn server_config(credentials: &Credentials, evidence: &Evidence) -> Result<ServerConfig, Unusable> {
    let builder = with_versions(ServerConfig::builder_with_provider(provider()));
    let builder = match &credentials.client_authorities {
        Some(path) => {
            let (pinned, roots) = files::authorities(files::CLIENT_AUTHORITIES, path)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
            let verifier = verifier
                .map_err(|error| files::unusable(files::CLIENT_AUTHORITIES, path, error))?;
            builder.with_client_cert_verifier(Arc::new(Watching::new(verifier, pinned, evidence)))
        }
        None => builder.with_no_client_auth(),
    };
    let (chain, key) = own_identity(credentials)?;
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| files::mismatch(credentials, &error))?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    // A peer that only writes would not read a ticket, and its close would be a reset.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn own_identity(credentials: &Credentials) -> Result<Identity, Unusable> {
    files::identity(credentials)?.ok_or_else(|| Unusable::File {
        property: files::CERTIFICATE,
        path: String::new(),
        fault: "is needed by a side that listens".into(),
    })
}

fn with_versions<S: rustls::ConfigSide>(
    builder: ConfigBuilder<S, rustls::WantsVersions>,
) -> ConfigBuilder<S, rustls::WantsVerifier> {
    builder
        .with_safe_default_protocol_versions()
        .unwrap_or_else(|_| unreachable!("the provider has ciphers for both versions"))
}

/// What the peer's certificate is to be for: the interface of a link-local address is this side's own.
fn server_name(host: &str) -> Result<ServerName<'static>, Unusable> {
    let address = host.split_once('%').map_or(host, |(address, _)| address);
    if let Ok(address) = address.parse::<IpAddr>() {
        return Ok(ServerName::IpAddress(address.into()));
    }
    ServerName::try_from(host.to_string()).map_err(|_| Unusable::Host(host.into()))
}

#[cfg(all(test, feature = "tls"))]
pub(crate) mod tests;
