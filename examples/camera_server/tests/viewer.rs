// SPDX-License-Identifier: MPL-2.0
//! A plain TCP program that watches.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

use super::support::PATIENCE;

/// A plain TCP program that watches.
pub struct Viewer(TcpStream);

impl Viewer {
    pub fn connect(port: u16, receive_buffer: Option<usize>) -> Self {
        Self(connect(port, receive_buffer))
    }

    /// How the lines about this viewer begin.
    pub fn row(&self) -> String {
        format!("{} connected", self.0.local_addr().unwrap())
    }

    /// The next frame; none at a clean end.
    pub fn receive(&self) -> Option<Vec<u8>> {
        let mut header = Vec::new();
        (&self.0).take(8).read_to_end(&mut header).unwrap();
        if header.is_empty() {
            return None;
        }
        assert_eq!(header.len(), 8, "a whole header");
        let mut frame = vec![0; std::str::from_utf8(&header).unwrap().parse().unwrap()];
        (&self.0).read_exact(&mut frame).unwrap();
        Some(frame)
    }

    pub fn receive_until_end(&self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.receive()).collect()
    }
}

/// With a small receive buffer the sender soon notices when nothing is read.
pub fn connect(port: u16, receive_buffer: Option<usize>) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    if let Some(size) = receive_buffer {
        socket.set_recv_buffer_size(size).unwrap();
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    socket.connect(&address.into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.into()
}
