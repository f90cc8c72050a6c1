// SPDX-License-Identifier: MPL-2.0
//! Who the ends of an encrypted connection are.

use std::{env, fs, path::PathBuf, process};

use gst::prelude::*;

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

/// A certificate of its own authority, and its key.
pub fn certified() -> (rcgen::Certificate, rcgen::KeyPair) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(["localhost".to_string()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    (certificate, key)
}
