// SPDX-License-Identifier: MPL-2.0
//! The limit: what a plain C program would do, with the same system calls; and the same through rustls alone.

use std::{
    io::{self, IoSlice, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use crate::{
    child::fail,
    clock,
    meter::{Meter, STAMP_LEN},
    outlet::Outlet,
    tls_client, tls_server,
};

pub struct RawSender {
    stream: Box<dyn Write + Send>,
    payload: Vec<u8>,
}

impl RawSender {
    pub fn connect(port: u16, size: usize, is_encrypted: bool) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        let payload = vec![7; size];
        let stream: Box<dyn Write + Send> = if is_encrypted {
            Box::new(tls_client::client(stream))
        } else {
            Box::new(stream)
        };
        Ok(Self { stream, payload })
    }

    /// One `writev`, and more of them only after a short one.
    fn write(&mut self) -> io::Result<()> {
        let header = format!("{:08}", self.payload.len());
        let mut slices = [IoSlice::new(header.as_bytes()), IoSlice::new(&self.payload)];
        let mut left = &mut slices[..];
        while !left.is_empty() {
            match self.stream.write_vectored(left)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                sent => IoSlice::advance_slices(&mut left, sent),
            }
        }
        self.stream.flush()
    }
}

impl Outlet for RawSender {
    fn send(&mut self) -> Result<(), String> {
        self.write().map_err(|error| error.to_string())
    }

    fn send_stamped(&mut self) -> Result<(), String> {
        self.payload[..STAMP_LEN].copy_from_slice(&clock::now().to_ne_bytes());
        self.send()
    }
}

/// Waits for the sender at the port that it returns.
pub fn receive(is_encrypted: bool, meter: Arc<Meter>) -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        if let Err(error) = serve(&listener, is_encrypted, &meter) {
            fail(format!("receiver: {error}"));
        }
    });
    Ok(port)
}

fn serve(listener: &TcpListener, is_encrypted: bool, meter: &Meter) -> io::Result<()> {
    let (peer, _) = listener.accept()?;
    peer.set_nodelay(true)?;
    if is_encrypted {
        read(tls_server::server(peer), meter)
    } else {
        read(peer, meter)
    }
}

/// `read` on a socket is one `recv`; `read_exact` goes on after a short one.
fn read(mut stream: impl Read, meter: &Meter) -> io::Result<()> {
    let mut header = [0; 8];
    let mut payload = vec![0; meter.size];
    loop {
        stream.read_exact(&mut header)?;
        let len = std::str::from_utf8(&header)
            .ok()
            .and_then(|digits| digits.parse::<usize>().ok())
            .ok_or(io::ErrorKind::InvalidData)?;
        payload.resize(len, 0);
        stream.read_exact(&mut payload)?;
        meter.arrived(len, |place, part| {
            part.copy_from_slice(&payload[place..place + part.len()]);
        });
    }
}
