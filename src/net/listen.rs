// SPDX-License-Identifier: MPL-2.0
//! Listening sockets.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsRawFd, RawFd},
    time::Duration,
};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::{connection::Established, error::Error, resolve::SYSTEM};

/// Connections that may wait to be accepted; the kernel caps it at its own limit.
const BACKLOG: i32 = 4096;

/// A local name is answered by a file or a name server nearby, or it is none.
const LOOKUP_LIMIT: Duration = Duration::from_millis(500);

/// Tries to find one port that is free on all addresses.
const PORT_TRIES: usize = 16;

/// A bound and listening socket.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    address: SocketAddr,
    /// Who comes in a test.
    #[cfg(test)]
    callers: Option<std::sync::Arc<super::script::Callers>>,
}

impl Listener {
    /// Listens on every address of `host`; port 0 takes one that is free on all of them.
    pub fn bind_all(host: &str, port: u16) -> Result<Vec<Self>, Error> {
        let failed = |source| Error::Bind {
            address: format!("{} port {port}", if host.is_empty() { "*" } else { host }),
            source,
        };
        let addresses = local_addresses(host).map_err(failed)?;
        if port != 0 {
            return bind_each(&addresses, port).map_err(failed);
        }
        let mut result = bind_each(&addresses, 0);
        for _ in 1..PORT_TRIES {
            if result.is_ok() {
                break;
            }
            result = bind_each(&addresses, 0);
        }
        result.map_err(failed)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes a connection that waits, or fails with `WouldBlock`.
    pub fn accept(&self) -> io::Result<Established> {
        #[cfg(test)]
        if let Some(callers) = &self.callers {
            return callers.accept();
        }
        let (socket, address) = self.socket.accept()?;
        Ok(Established::plain(socket, address.as_socket(), 0))
    }

    fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_nonblocking(true)?;
        // A port just left has connections in TIME_WAIT.
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            // The IPv4 wildcard is bound beside it.
            socket.set_only_v6(true)?;
        }
        socket.bind(&SockAddr::from(address))?;
        socket.listen(BACKLOG)?;
        let address = socket
            .local_addr()?
            .as_socket()
            .ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self {
            socket,
            address,
            #[cfg(test)]
            callers: None,
        })
    }

    /// One to which those come whom a test has written down.
    #[cfg(test)]
    pub(crate) fn scripted(callers: std::sync::Arc<super::script::Callers>) -> Self {
        Self {
            socket: Socket::new(Domain::UNIX, Type::STREAM, None).unwrap(),
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            callers: Some(callers),
        }
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        #[cfg(test)]
        if let Some(callers) = &self.callers {
            return callers.as_raw_fd();
        }
        self.socket.as_raw_fd()
    }
}

fn local_addresses(host: &str) -> io::Result<Vec<SocketAddr>> {
    let wildcard = [
        (Ipv6Addr::UNSPECIFIED, 0).into(),
        (Ipv4Addr::UNSPECIFIED, 0).into(),
    ];
    if matches!(host, "" | "*" | "::") {
        return Ok(wildcard.into());
    }
    match SYSTEM.start(host, None).wait(LOOKUP_LIMIT) {
        Some(Ok(addresses)) => Ok(addresses),
        Some(Err((kind, reason))) => Err(io::Error::new(kind, reason)),
        None => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the name has not been resolved in time; an address needs no lookup",
        )),
    }
}

/// All on one port. A family that this machine does not have is passed over where another serves.
fn bind_each(addresses: &[SocketAddr], mut port: u16) -> io::Result<Vec<Listener>> {
    let mut listeners: Vec<Listener> = Vec::new();
    let mut unavailable = None;
    for &address in addresses {
        let mut address = address;
        address.set_port(port);
        if listeners.iter().any(|listener| listener.address == address) {
            continue;
        }
        match Listener::bind(address) {
            Ok(listener) => {
                port = listener.address.port();
                listeners.push(listener);
            }
            Err(error) if is_unavailable(&error) => unavailable = Some(error),
            Err(error) => return Err(error),
        }
    }
    match unavailable {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

fn is_unavailable(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    fn families(listeners: &[Listener]) -> (bool, bool) {
        (
            listeners.iter().any(|listener| listener.address.is_ipv4()),
            listeners.iter().any(|listener| listener.address.is_ipv6()),
        )
    }

    #[test]
    fn a_name_binds_all_its_addresses_on_one_port() {
        let listeners = Listener::bind_all("localhost", 0).unwrap();
        assert!(families(&listeners).0);
        let port = listeners[0].address.port();
        assert_ne!(port, 0);
        for listener in &listeners {
            assert_eq!(listener.address.port(), port);
            TcpStream::connect(listener.address).unwrap();
        }
    }

    #[test]
    fn every_interface_in_both_families() {
        let has_ipv6 = families(&Listener::bind_all("localhost", 0).unwrap()).1;
        for host in ["", "*", "::"] {
            let listeners = Listener::bind_all(host, 0).unwrap();
            assert_eq!(families(&listeners), (true, has_ipv6), "{host:?}");
        }
    }

    #[test]
    fn a_port_in_use_is_refused_and_named() {
        let first = Listener::bind_all("127.0.0.1", 0).unwrap();
        let port = first[0].address.port();
        let error = Listener::bind_all("127.0.0.1", port).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("Cannot listen on 127.0.0.1 port {port}: address in use")
        );
    }

    #[test]
    fn an_address_of_another_machine_is_refused() {
        let error = Listener::bind_all("192.0.2.1", 0).unwrap_err();
        assert!(matches!(error, Error::Bind { .. }), "{error}");
    }
}
