// SPDX-License-Identifier: MPL-2.0
//! What rustls says, for a person.

use std::net::{Ipv4Addr, Ipv6Addr};

use rustls::{
    AlertDescription, CertificateError, Error, crypto::hash::HashAlgorithm,
    pki_types::CertificateDer,
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::{
    files::{AUTHORITIES, CLIENT_AUTHORITIES},
    verify::Found,
};
use crate::net::{certificate::Certificate, handshake_fault::TlsFault, shown::shown};

/// What rustls says where the peer knows no signature like that of the key here.
const NO_SIGNATURE: &str = "incompatible signing key";

/// Names of a certificate that are shown.
const NAMES: usize = 8;

/// What a fault means. `host` is the one that was connected to, by the side that did.
pub fn explain(error: &Error, host: Option<&str>, found: &Found) -> TlsFault {
    match error {
        Error::InvalidCertificate(error) => certificate_fault(error, host, found.refused.as_ref()),
        Error::NoCertificatesPresented => TlsFault::NoClientCertificate,
        // All that TLS 1.2 says of a certificate that it misses.
        Error::AlertReceived(AlertDescription::HandshakeFailure) if found.is_asked => {
            TlsFault::WantsCertificate
        }
        // It has given up.
        Error::AlertReceived(AlertDescription::CloseNotify) => TlsFault::Ended(None),
        Error::AlertReceived(alert) => alert_fault(*alert),
        Error::PeerIncompatible(reason) => TlsFault::Incompatible(format!("{reason:?}")),
        Error::General(reason) if reason == NO_SIGNATURE => TlsFault::Incompatible(reason.clone()),
        Error::NoApplicationProtocol => {
            TlsFault::Incompatible("it speaks another protocol under TLS (ALPN)".into())
        }
        error => TlsFault::Broken(shown(&error.to_string())),
    }
}

fn certificate_fault(
    error: &CertificateError,
    host: Option<&str>,
    refused: Option<&CertificateDer<'_>>,
) -> TlsFault {
    let parsed = refused.and_then(|refused| X509Certificate::from_der(refused).ok());
    let Some((_, certificate)) = parsed else {
        return TlsFault::Certificate(shown(&error.to_string()));
    };
    let validity = certificate.validity();
    let is_self_signed = certificate.subject().as_raw() == certificate.issuer().as_raw();
    let cure = if host.is_some() {
        AUTHORITIES
    } else {
        CLIENT_AUTHORITIES
    };
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            TlsFault::Expired(validity.not_after.to_string())
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsFault::NotYetValid(validity.not_before.to_string())
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsFault::WrongName {
                expected: host.unwrap_or_default().into(),
                presented: names(&certificate),
            }
        }
        // An authority's own certificate, as most self-signed ones say to be, is not one that a peer may show.
        CertificateError::UnknownIssuer | CertificateError::Other(_) if is_self_signed => {
            TlsFault::SelfSigned {
                subject: shown(&certificate.subject().to_string()),
                cure,
            }
        }
        CertificateError::UnknownIssuer => TlsFault::UnknownAuthority {
            issuer: shown(&certificate.issuer().to_string()),
            cure,
        },
        CertificateError::BadSignature => TlsFault::OtherAuthority {
            issuer: shown(&certificate.issuer().to_string()),
            cure,
        },
        error => TlsFault::Certificate(shown(&error.to_string())),
    }
}

fn alert_fault(alert: AlertDescription) -> TlsFault {
    TlsFault::RefusesCertificate(match alert {
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
            return TlsFault::WantsCertificate;
        }
        AlertDescription::UnknownCA => "it does not know the authority that has signed it",
        AlertDescription::DecryptError => "its signature is not that of the authority",
        AlertDescription::CertificateExpired => "it has expired, by the clock of the peer",
        AlertDescription::CertificateRevoked => "it is revoked",
        AlertDescription::BadCertificate => {
            "it does not hold, for example since it is for another name than the peer looks for"
        }
        AlertDescription::UnsupportedCertificate => "it is of a kind that the peer cannot use",
        AlertDescription::CertificateUnknown => "the peer does not say why",
        AlertDescription::AccessDenied => "it gives no access",
        AlertDescription::ProtocolVersion => {
            return TlsFault::Incompatible("it wants another version of TLS".into());
        }
        AlertDescription::NoApplicationProtocol => {
            return TlsFault::Incompatible("it speaks another protocol under TLS (ALPN)".into());
        }
        AlertDescription::HandshakeFailure => {
            return TlsFault::Incompatible("it says handshake failure".into());
        }
        alert => return TlsFault::Alert(format!("{alert:?}")),
    })
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|names| &names.value.general_names);
    names.filter_map(name).take(NAMES).collect()
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(shown(name)),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes)
                .ok()
                .map(|bytes| Ipv4Addr::from(bytes).to_string()),
            _ => <[u8; 16]>::try_from(*bytes)
                .ok()
                .map(|bytes| Ipv6Addr::from(bytes).to_string()),
        },
        _ => None,
    }
}

/// What there is to tell of a certificate.
pub fn certificate(der: &CertificateDer<'_>) -> Certificate {
    let parsed = X509Certificate::from_der(der);
    Certificate {
        subject: parsed.map_or_else(
            |_| String::new(),
            |(_, parsed)| shown(&parsed.subject().to_string()),
        ),
        sha256: sha256(der),
    }
}

fn sha256(bytes: &[u8]) -> String {
    let provider = super::provider();
    let mut suites = provider.cipher_suites.iter();
    let hash = suites.find_map(|suite| {
        let hash = suite.tls13()?.common.hash_provider;
        (hash.algorithm() == HashAlgorithm::SHA256).then_some(hash)
    });
    let digest = hash.map(|hash| hash.hash(bytes));
    let digits = digest.iter().flat_map(|digest| digest.as_ref());
    digits.map(|byte| format!("{byte:02x}")).collect()
}
