// SPDX-License-Identifier: MPL-2.0
//! The accepting end of what rustls alone encrypts.

use std::{net::TcpStream, sync::Arc};

use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};

use crate::{tls::certified, tls_client::provider};

pub fn server(stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
    let (certificate, key) = certified();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a certificate and its key");
    let connection = ServerConnection::new(Arc::new(config)).expect("a connection");
    StreamOwned::new(connection, stream)
}
