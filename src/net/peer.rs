// SPDX-License-Identifier: MPL-2.0
//! Who is at the other end.

use std::{fmt, net::SocketAddr};

/// The other end of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peer(Option<SocketAddr>);

impl Peer {
    /// Its address; a socket handed over need not have one.
    pub fn address(self) -> Option<SocketAddr> {
        self.0
    }
}

impl From<Option<SocketAddr>> for Peer {
    fn from(address: Option<SocketAddr>) -> Self {
        Self(address.map(unmapped))
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("the given socket's peer"),
        }
    }
}

/// 127.0.0.1 rather than ::ffff:127.0.0.1.
fn unmapped(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip if ip.is_ipv4() => SocketAddr::new(ip, address.port()),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_mapped_address_is_another() {
        for (address, expected) in [
            ("[::ffff:192.0.2.1]:1", "192.0.2.1:1"),
            ("192.0.2.1:1", "192.0.2.1:1"),
            ("[2001:db8::1]:1", "[2001:db8::1]:1"),
            ("[fe80::1%7]:1", "[fe80::1%7]:1"),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(unmapped(address).to_string(), expected);
        }
    }
}
