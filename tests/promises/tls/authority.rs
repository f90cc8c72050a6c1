// SPDX-License-Identifier: MPL-2.0
//! Certificates and keys, in files that are gone with the test.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// One that signs certificates.
pub struct Authority {
    folder: Folder,
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Its own certificate.
    pub file: String,
}

/// A certificate and its key.
pub struct Identity {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        Self::named("Test authority")
    }

    pub fn named(name: &str) -> Self {
        let folder = Folder::new();
        let mut params = params(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let issuer = CertifiedIssuer::self_signed(params, key()).expect("a certificate");
        let file = folder.write("authority", &issuer.pem());
        Self {
            folder,
            issuer,
            file,
        }
    }

    /// For these names.
    pub fn issue(&self, name: &str, names: &[&str]) -> Identity {
        self.sign(name, params(name, names))
    }

    /// For 127.0.0.1, where the tests take place.
    pub fn server(&self) -> Identity {
        self.issue("server", &["127.0.0.1", "localhost"])
    }

    pub fn client(&self) -> Identity {
        self.issue("client", &[])
    }

    /// Of the past.
    pub fn expired(&self, name: &str) -> Identity {
        let mut params = params(name, &["127.0.0.1"]);
        params.not_before = date_time_ymd(2001, 2, 3);
        params.not_after = date_time_ymd(2004, 5, 6);
        self.sign(name, params)
    }

    /// Of the future.
    pub fn not_yet_valid(&self, name: &str) -> Identity {
        let mut params = params(name, &["127.0.0.1"]);
        params.not_before = date_time_ymd(2999, 1, 1);
        params.not_after = date_time_ymd(2999, 12, 31);
        self.sign(name, params)
    }

    /// That nobody else has signed. Most say that they are an authority.
    pub fn self_signed(&self, name: &str, is_authority: bool) -> Identity {
        let mut params = params(name, &["127.0.0.1"]);
        if is_authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let key = key();
        let certificate = params.self_signed(&key).expect("a certificate");
        self.folder.identity(name, &certificate, &key)
    }

    /// A file of any content.
    pub fn file(&self, name: &str, content: &str) -> String {
        self.folder.write(name, content)
    }

    fn sign(&self, name: &str, params: CertificateParams) -> Identity {
        let key = key();
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        self.folder.identity(name, &certificate, &key)
    }
}

impl Identity {
    /// As an element is given it.
    pub fn properties(&self) -> String {
        let Self {
            certificate, key, ..
        } = self;
        format!("tls-certificate-file={certificate} tls-private-key-file={key}")
    }
}

fn params(name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    // Python since 3.13 wants it.
    params.use_authority_key_identifier_extension = true;
    params
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("tls-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn write(&self, name: &str, content: &str) -> String {
        let path = self.0.join(format!("{name}.pem"));
        fs::write(&path, content).expect("a file");
        path.to_str().expect("a path of text").into()
    }

    fn identity(&self, name: &str, certificate: &rcgen::Certificate, key: &KeyPair) -> Identity {
        Identity {
            certificate: self.write(name, &certificate.pem()),
            key: self.write(&format!("{name}-key"), &key.serialize_pem()),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
