// SPDX-License-Identifier: MPL-2.0
//! Where browsers reach us.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;

const BACKLOG: i32 = 1024;
/// Tries to find one port that is free on all addresses.
const PORT_TRIES: usize = 16;

/// Listens on every address of a host, as the sink does; port 0 takes one that is free on all of them.
pub fn bind_all(host: &str, port: u16) -> io::Result<Vec<TcpListener>> {
    let addresses = local_addresses(host)?;
    let tries = if port == 0 { PORT_TRIES } else { 1 };
    let mut result = bind_each(&addresses, port);
    for _ in 1..tries {
        if result.is_err() {
            result = bind_each(&addresses, port);
        }
    }
    result
}

fn local_addresses(host: &str) -> io::Result<Vec<IpAddr>> {
    if matches!(host, "" | "*" | "::") {
        return Ok(vec![
            Ipv6Addr::UNSPECIFIED.into(),
            Ipv4Addr::UNSPECIFIED.into(),
        ]);
    }
    let found = (host, 0).to_socket_addrs()?;
    let mut addresses: Vec<_> = found.map(|address| address.ip()).collect();
    addresses.dedup();
    Ok(addresses)
}

/// All on one port. A family that this machine does not have is passed over where another serves.
fn bind_each(addresses: &[IpAddr], mut port: u16) -> io::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    let mut unavailable = io::ErrorKind::AddrNotAvailable.into();
    for &address in addresses {
        match bind(SocketAddr::new(address, port)) {
            Ok(listener) => {
                port = listener.local_addr()?.port();
                listeners.push(listener);
            }
            Err(error) if is_unavailable(&error) => unavailable = error,
            Err(error) => return Err(error),
        }
    }
    if listeners.is_empty() {
        return Err(unavailable);
    }
    Ok(listeners)
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // A port just left has connections in TIME_WAIT.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // The IPv4 wildcard is bound beside it.
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn is_unavailable(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT)
    )
}
