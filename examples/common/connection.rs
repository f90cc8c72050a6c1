// SPDX-License-Identifier: MPL-2.0
//! Where the other end is, and how the way there is kept from strangers.

use std::error::Error;
use std::path::PathBuf;

use clap::Args;
use gst::prelude::*;

/// The same for every program; a URI says it in its own words (`videosockets://camera.local?tls-ca-file=...`).
#[derive(Debug, Default, Args)]
pub struct Tls {
    /// Encrypt, as videosockets:// does
    #[arg(long, global = true)]
    pub tls: bool,
    /// Encrypt, and show this certificate, a PEM file; who listens needs one
    #[arg(long, value_name = "FILE", global = true, requires = "key")]
    pub certificate: Option<PathBuf>,
    /// The private key of the certificate, a PEM file
    #[arg(long, value_name = "FILE", global = true, requires = "certificate")]
    pub key: Option<PathBuf>,
    /// Encrypt, and believe this authority, a PEM file, in place of the system's
    #[arg(long, value_name = "FILE", global = true)]
    pub ca: Option<PathBuf>,
    /// Listening: take only those who have a certificate of this authority, a PEM file
    #[arg(long, value_name = "FILE", global = true, requires = "certificate")]
    pub client_ca: Option<PathBuf>,
}

impl Tls {
    /// Tells a sink or a source; what is not asked for stays as it is.
    pub fn secure(&self, element: &gst::Element) -> Result<(), Box<dyn Error>> {
        let mut is_asked = self.tls;
        for (property, file) in [
            ("tls-certificate-file", &self.certificate),
            ("tls-private-key-file", &self.key),
            ("tls-ca-file", &self.ca),
            ("tls-client-ca-file", &self.client_ca),
        ] {
            if let Some(file) = file {
                let name = file.to_str();
                let name = name.ok_or_else(|| format!("{}: not UTF-8", file.display()))?;
                element.set_property(property, name);
                is_asked = true;
            }
        }
        if is_asked {
            element.set_property("tls", true);
        }
        Ok(())
    }
}

/// Tells a sink or a source all that a URI says.
pub fn set_uri(element: &gst::Element, uri: &str) -> Result<(), Box<dyn Error>> {
    let handler = element.dynamic_cast_ref::<gst::URIHandler>();
    let outcome = handler.ok_or("an element without URIs")?.set_uri(uri);
    outcome.map_err(|error| error.message().into())
}
