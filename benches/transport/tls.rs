//! Who the ends of an encrypted connection are.

use std::{env, fs, net::TcpStream, path::PathBuf, process, sync::Arc};

use gst::prelude::*;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, ServerConfig, ServerConnection,
    SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime},
};

/// A certificate and its key, in one file for as long as it takes to start with them.
pub struct Identity(PathBuf);

impl Identity {
    pub fn new() -> Self {
        let (certificate, key) = certified();
        let path = env::temp_dir().join(format!("transport-{}.pem", process::id()));
        fs::write(&path, certificate.pem() + &key.serialize_pem()).expect("a file");
        Self(path)
    }

    pub fn show(&self, element: &gst::Element) {
        let path = self.0.to_str().expect("a path of text");
        element.set_property("tls", true);
        element.set_property("tls-certificate-file", path);
        element.set_property("tls-private-key-file", path);
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Whoever it is.
pub fn believe(element: &gst::Element) {
    element.set_property("tls", true);
    element.set_property("tls-verify", false);
}

/// The accepting end of a connection, by rustls alone.
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

/// The connecting end.
pub fn client(stream: TcpStream) -> StreamOwned<ClientConnection, TcpStream> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
    StreamOwned::new(connection, stream)
}

fn certified() -> (rcgen::Certificate, rcgen::KeyPair) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(["localhost".to_string()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    (certificate, key)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_tls12_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
