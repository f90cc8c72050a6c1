// SPDX-License-Identifier: MPL-2.0
//! What the user says about encryption.

use super::{Changeable::InReady, Mode, Property, Settings, text};
use crate::net::Credentials;

/// What the user says about encryption. The files are in PEM form.
#[derive(Clone, Debug)]
pub struct Tls {
    pub is_on: bool,
    pub certificate_file: Option<String>,
    pub private_key_file: Option<String>,
    pub ca_file: Option<String>,
    pub client_ca_file: Option<String>,
    pub verify: bool,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            is_on: false,
            certificate_file: None,
            private_key_file: None,
            ca_file: None,
            client_ca_file: None,
            verify: true,
        }
    }
}

impl Tls {
    /// What the transport is to do, where anything is to be encrypted.
    pub fn credentials(&self) -> Option<Credentials> {
        self.is_on.then(|| Credentials {
            certificate: self.certificate_file.clone(),
            private_key: self.private_key_file.clone(),
            authorities: self.ca_file.clone(),
            client_authorities: self.client_ca_file.clone(),
            believes_anybody: !self.verify,
        })
    }

    /// Whether the settings make sense together; else a sentence that says what does.
    pub fn check(&self, mode: Mode) -> Result<(), String> {
        let files = [
            ("tls-certificate-file", &self.certificate_file),
            ("tls-private-key-file", &self.private_key_file),
            ("tls-ca-file", &self.ca_file),
            ("tls-client-ca-file", &self.client_ca_file),
        ];
        let is_set = |file: &Option<String>| file.is_some();
        if !self.is_on {
            let set = files.iter().find(|(_, file)| is_set(file));
            return set.map_or(Ok(()), |(name, _)| {
                Err(format!(
                    "{name} is set, but tls=false sends everything for all to read: set tls=true, or no {name}"
                ))
            });
        }
        match (&self.certificate_file, &self.private_key_file) {
            (Some(_), None) => Err(only_one("tls-certificate-file", "tls-private-key-file")),
            (None, Some(_)) => Err(only_one("tls-private-key-file", "tls-certificate-file")),
            (None, None) if mode == Mode::Listen => Err(
                "With tls=true and mode=listen this element shows a certificate to those who connect: set \
                 tls-certificate-file and tls-private-key-file to PEM files, such as openssl makes"
                    .into(),
            ),
            _ => self.check_trust(mode),
        }
    }

    /// Whether it is clear whom to believe.
    fn check_trust(&self, mode: Mode) -> Result<(), String> {
        let (own, of_other, other_mode) = match mode {
            Mode::Connect => (
                ("tls-ca-file", &self.ca_file),
                ("tls-client-ca-file", &self.client_ca_file),
                "listen",
            ),
            Mode::Listen => (
                ("tls-client-ca-file", &self.client_ca_file),
                ("tls-ca-file", &self.ca_file),
                "connect",
            ),
        };
        if of_other.1.is_some() {
            return Err(format!(
                "{} says whom to believe with mode={other_mode}: here it is {}",
                of_other.0, own.0
            ));
        }
        if !self.verify && own.1.is_some() {
            return Err(format!(
                "{} says whom to believe, and tls-verify=false to believe anybody: set one of them",
                own.0
            ));
        }
        Ok(())
    }

    /// What is to be told at the start of connections that anybody may have made.
    pub fn warning(&self) -> Option<&'static str> {
        (self.is_on && !self.verify).then_some(
            "tls-verify=false: whoever is at the other end, or in between, is taken for the right one. Where the peer \
             has a certificate of its own making, give that as tls-ca-file instead",
        )
    }
}

fn only_one(set: &str, missing: &str) -> String {
    format!(
        "{set} is set, and {missing} is not: a certificate is of use with its key only (both may be in one file)"
    )
}

/// Those of both elements.
pub fn properties<S: Settings>() -> [Property<S>; 6] {
    [
        Property::boolean(
            "tls",
            "Encrypt the connection (TLS 1.3 or 1.2), as the other end must as well; a URI with the scheme \
             videosockets:// says the same. mode=listen shows tls-certificate-file; mode=connect verifies that the \
             peer's certificate is for host",
            InReady,
            |s: &S| s.common().tls.is_on,
            |s, is_on| s.common_mut().tls.is_on = is_on,
        ),
        file(
            "tls-certificate-file",
            "PEM file with the certificate of this side, and those between it and the authority's (none = none; \
             mode=listen needs one)",
            |tls| &tls.certificate_file,
            |tls| &mut tls.certificate_file,
        ),
        file(
            "tls-private-key-file",
            "PEM file with the key of tls-certificate-file, without a password",
            |tls| &tls.private_key_file,
            |tls| &mut tls.private_key_file,
        ),
        file(
            "tls-ca-file",
            "mode=connect: PEM file with the authorities to believe, or the very certificate of the peer (none = the \
             system's authorities)",
            |tls| &tls.ca_file,
            |tls| &mut tls.ca_file,
        ),
        file(
            "tls-client-ca-file",
            "mode=listen: PEM file with the authorities, one of which must have signed the certificate of whoever \
             connects (none = everybody may connect)",
            |tls| &tls.client_ca_file,
            |tls| &mut tls.client_ca_file,
        ),
        Property::boolean(
            "tls-verify",
            "Verify the peer's certificate; false = believe anybody, with a warning at each start",
            InReady,
            |s: &S| s.common().tls.verify,
            |s, verify| s.common_mut().tls.verify = verify,
        ),
    ]
}

fn file<S: Settings>(
    name: &'static str,
    blurb: &'static str,
    get: fn(&Tls) -> &Option<String>,
    place: fn(&mut Tls) -> &mut Option<String>,
) -> Property<S> {
    text(
        name,
        blurb,
        move |s: &S| get(&s.common().tls).clone(),
        move |s, file| {
            *place(&mut s.common_mut().tls) = file.filter(|file| !file.is_empty());
            Ok(())
        },
    )
}
