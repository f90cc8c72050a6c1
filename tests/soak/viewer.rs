// SPDX-License-Identifier: MPL-2.0
//! A peer that reads when it is told to.

use crate::random::Random;
use crate::stream::Parser;
use socket2::{SockRef, Socket};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

pub struct Viewer {
    stream: TcpStream,
    parser: Parser,
    pub reads: bool,
    /// The element was told to let go of it, at any byte.
    pub is_dismissed: bool,
    pub has_ended: bool,
}

impl Viewer {
    pub fn connect(address: SocketAddr, random: &mut Random) -> Self {
        let domain = socket2::Domain::for_address(address);
        let socket = Socket::new(domain, socket2::Type::STREAM, None).expect("a socket");
        // Some stall the sender soon, some after megabytes.
        let size = *random.pick(&[2_048, 16_384, 262_144]);
        socket.set_recv_buffer_size(size).expect("a size");
        socket.connect(&address.into()).expect("somebody listens");
        Self::new(socket.into())
    }

    pub fn new(stream: TcpStream) -> Self {
        stream.set_nonblocking(true).expect("non-blocking");
        Self {
            stream,
            parser: Parser::lenient(),
            reads: true,
            is_dismissed: false,
            has_ended: false,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.stream.local_addr().expect("a connected socket")
    }

    pub fn last(&self) -> Option<u64> {
        self.parser.last
    }

    /// All that is there, or a part of it. An end is right only between frames.
    #[track_caller]
    pub fn read(&mut self, limit: usize) {
        let mut bytes = [0; 65_536];
        let mut left = limit;
        while left > 0 && !self.has_ended {
            let most = left.min(bytes.len());
            match self.stream.read(&mut bytes[..most]) {
                Ok(0) => {
                    let is_clean = self.parser.is_between_frames();
                    assert!(
                        is_clean || self.is_dismissed,
                        "torn after {:?}",
                        self.last()
                    );
                    self.end_sending();
                    self.has_ended = true;
                }
                Ok(len) => {
                    self.parser.feed(&bytes[..len]);
                    left -= len;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => {
                    assert!(self.is_dismissed, "{error} after {:?}", self.last());
                    self.has_ended = true;
                }
            }
        }
    }

    pub fn talk(&mut self, bytes: &[u8]) {
        // The element may have let go of it.
        let _ = self.stream.write(bytes);
    }

    pub fn end_sending(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    pub fn reset(self) {
        let linger = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        linger.expect("linger");
    }
}
