// SPDX-License-Identifier: MPL-2.0
//! Certificates and keys from files.

use std::{fs, io, sync::Arc, time::SystemTime};

use rustls::{
    InconsistentKeys, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Identity;
use crate::net::{
    credentials::{Credentials, Unusable},
    error::Reason,
};

pub const CERTIFICATE: &str = "tls-certificate-file";
pub const PRIVATE_KEY: &str = "tls-private-key-file";
pub const AUTHORITIES: &str = "tls-ca-file";
pub const CLIENT_AUTHORITIES: &str = "tls-client-ca-file";

/// What this side shows, if it has something to show.
pub fn identity(credentials: &Credentials) -> Result<Option<Identity>, Unusable> {
    let (Some(certificate), Some(key)) = (&credentials.certificate, &credentials.private_key)
    else {
        return Ok(None);
    };
    let chain = certificates(CERTIFICATE, certificate)?;
    if let Some(own) = chain.first() {
        check_time(own, SystemTime::now())
            .map_err(|fault| unusable(CERTIFICATE, certificate, fault))?;
    }
    Ok(Some((chain, private_key(key)?)))
}

/// Those whom a file says to believe, with the certificates themselves.
pub fn authorities(
    property: &'static str,
    path: &str,
) -> Result<(Vec<CertificateDer<'static>>, Arc<RootCertStore>), Unusable> {
    let now = SystemTime::now();
    let certificates = certificates(property, path)?;
    let (mut roots, mut last_fault) = (RootCertStore::empty(), None);
    for certificate in &certificates {
        // Of many, as the system has, some may be too old.
        match check_time(certificate, now) {
            Ok(()) => match roots.add(certificate.clone()) {
                Ok(()) => (),
                Err(error) => last_fault = Some(format!("cannot be used: {error}")),
            },
            Err(fault) => last_fault = Some(fault),
        }
    }
    match last_fault {
        Some(fault) if roots.is_empty() => Err(unusable(property, path, fault)),
        _ => Ok((certificates, Arc::new(roots))),
    }
}

/// A certificate that does not belong to the key, or neither can be used.
pub fn mismatch(credentials: &Credentials, error: &rustls::Error) -> Unusable {
    let certificate = credentials.certificate.as_deref().unwrap_or_default();
    let key = credentials.private_key.as_deref().unwrap_or_default();
    let is_mismatch = matches!(
        error,
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)
    );
    if is_mismatch {
        let fault = format!("is not the key of the certificate in {CERTIFICATE}={certificate}");
        return unusable(PRIVATE_KEY, key, fault);
    }
    let fault = format!("and {PRIVATE_KEY}={key} cannot be used: {error}");
    unusable(CERTIFICATE, certificate, fault)
}

/// What is wrong with a file.
pub fn unusable(property: &'static str, path: &str, fault: impl ToString) -> Unusable {
    Unusable::File {
        property,
        path: path.into(),
        fault: fault.to_string(),
    }
}

fn certificates(
    property: &'static str,
    path: &str,
) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let pem = read(property, path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(unusable(
            property,
            path,
            "has no certificate in PEM form, which begins with -----BEGIN CERTIFICATE-----",
        )),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(unusable(property, path, format!("is no PEM: {error}"))),
    }
}

fn private_key(path: &str) -> Result<PrivateKeyDer<'static>, Unusable> {
    let pem = read(PRIVATE_KEY, path)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| {
        let is_encrypted = pem
            .windows(b"ENCRYPTED".len())
            .any(|text| text == b"ENCRYPTED");
        let fault = match error {
            _ if is_encrypted => {
                "is encrypted: store it without a password, by openssl pkey -in FILE".into()
            }
            rustls::pki_types::pem::Error::NoItemsFound => {
                "has no private key in PEM form, which begins with -----BEGIN PRIVATE KEY-----"
                    .into()
            }
            error => format!("is no PEM: {error}"),
        };
        unusable(PRIVATE_KEY, path, fault)
    })
}

fn read(property: &'static str, path: &str) -> Result<Vec<u8>, Unusable> {
    fs::read(path).map_err(|error: io::Error| {
        let fault = format!("cannot be read: {}", Reason(&error));
        unusable(property, path, fault)
    })
}

/// Whether a certificate is valid now.
fn check_time(certificate: &CertificateDer<'_>, now: SystemTime) -> Result<(), String> {
    let parsed = X509Certificate::from_der(certificate);
    let (_, certificate) = parsed.map_err(|error| format!("is no certificate: {error}"))?;
    let now = now.duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_secs() as i64);
    let validity = certificate.validity();
    if now > validity.not_after.timestamp() {
        return Err(format!(
            "has expired: it was valid until {}",
            validity.not_after
        ));
    }
    if now < validity.not_before.timestamp() {
        return Err(format!(
            "is not yet valid: it will be from {} on; is the clock of this machine right?",
            validity.not_before
        ));
    }
    Ok(())
}
