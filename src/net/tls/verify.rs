// SPDX-License-Identifier: MPL-2.0
//! Whom a side believes.

use std::sync::{Arc, Mutex};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::{
        ResolvesClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::{
        ParsedCertificate,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::lock::lock;

/// What tells more of a handshake than its error. Handshakes are made by one thread, one step after the other.
#[derive(Clone, Debug, Default)]
pub struct Evidence(Arc<Mutex<Found>>);

#[derive(Debug, Default)]
pub struct Found {
    /// The certificate that this side has refused.
    pub refused: Option<CertificateDer<'static>>,
    /// The peer has asked for a certificate, and this side has none.
    pub is_asked: bool,
}

impl Evidence {
    /// What there is of the handshake that has just failed, or before one begins.
    pub fn take(&self) -> Found {
        std::mem::take(&mut *lock(&self.0))
    }

    fn note(&self, refused: &CertificateDer<'_>) {
        lock(&self.0).refused = Some(refused.clone().into_owned());
    }
}

/// Shows no certificate.
impl ResolvesClientCert for Evidence {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        lock(&self.0).is_asked = true;
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// Keeps what another refuses, and believes those certificates as well that are given themselves.
#[derive(Debug)]
pub struct Watching<V: ?Sized> {
    inner: Arc<V>,
    given: Vec<CertificateDer<'static>>,
    evidence: Evidence,
}

impl<V: ?Sized> Watching<V> {
    pub fn new(inner: Arc<V>, given: Vec<CertificateDer<'static>>, evidence: &Evidence) -> Self {
        Self {
            inner,
            given,
            evidence: evidence.clone(),
        }
    }

    /// Whether it is one of those given: most self-signed ones say that they are an authority, and so would not do.
    fn is_given(&self, certificate: &CertificateDer<'_>) -> bool {
        self.given.iter().any(|given| given == certificate)
    }

    fn noted<T>(
        &self,
        result: Result<T, Error>,
        certificate: &CertificateDer<'_>,
    ) -> Result<T, Error> {
        if result.is_err() {
            self.evidence.note(certificate);
        }
        result
    }
}

impl ServerCertVerifier for Watching<dyn ServerCertVerifier> {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let result = if self.is_given(certificate) {
            ParsedCertificate::try_from(certificate)
                .and_then(|parsed| verify_server_name(&parsed, name))
                .and_then(|()| check_time(certificate, now))
                .map(|()| ServerCertVerified::assertion())
        } else {
            self.inner
                .verify_server_cert(certificate, intermediates, name, ocsp, now)
        };
        self.noted(result, certificate)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

impl ClientCertVerifier for Watching<dyn ClientCertVerifier> {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let result = if self.is_given(certificate) {
            check_time(certificate, now).map(|()| ClientCertVerified::assertion())
        } else {
            self.inner
                .verify_client_cert(certificate, intermediates, now)
        };
        self.noted(result, certificate)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Believes that everybody is who it should be, but only with a key of its certificate's.
#[derive(Debug)]
pub struct Anybody(pub Arc<CryptoProvider>);

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
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn check_time(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let bad = |_| Error::from(CertificateError::BadEncoding);
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(bad)?;
    let (validity, now) = (parsed.validity(), now.as_secs() as i64);
    if now > validity.not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    if now < validity.not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    Ok(())
}
