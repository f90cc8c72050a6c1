// SPDX-License-Identifier: MPL-2.0
//! Who a peer has shown to be.

/// The certificate that a peer has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is: "CN=camera, O=Example".
    pub subject: String,
    /// The SHA-256 of all of it, in hexadecimal digits.
    pub sha256: String,
}
