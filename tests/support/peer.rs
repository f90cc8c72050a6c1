// SPDX-License-Identifier: MPL-2.0
//! The plain TCP program on the other end, in the ten lines that the wire format asks for.

use super::PATIENCE;
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::AsRawFd;

/// Names have at most 63 letters between two dots. So this one is none, without any name server being asked.
pub const UNKNOWN_NAME: &str =
    "sixty-four-letters-in-one-label-is-one-more-than-a-name-can-have.test";

/// A payload as it goes over the wire.
pub fn frame(payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{:08}", payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

pub struct Peer(TcpStream);

impl Peer {
    pub fn connect(port: u16) -> Self {
        Self::connect_to((Ipv4Addr::LOCALHOST, port))
    }

    #[track_caller]
    pub fn connect_to(address: impl ToSocketAddrs) -> Self {
        Self::bounded(TcpStream::connect(address).expect("somebody listens"))
    }

    fn bounded(stream: TcpStream) -> Self {
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a read timeout");
        stream
            .set_write_timeout(Some(PATIENCE))
            .expect("a write timeout");
        stream.set_nodelay(true).expect("no delay");
        Self(stream)
    }

    /// As the element sees it.
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("a connected socket")
    }

    #[track_caller]
    pub fn send(&self, bytes: &[u8]) {
        (&self.0)
            .write_all(bytes)
            .expect("the element takes what the peer sends");
    }

    /// For as long as the element takes it.
    pub fn send_until_refused(&self, bytes: &[u8]) {
        while (&self.0).write_all(bytes).is_ok() {}
    }

    /// Out of the stream: a receiver that does not ask for it never sees it.
    #[track_caller]
    pub fn send_urgent(&self, byte: &[u8; 1]) {
        SockRef::from(&self.0)
            .send_out_of_band(byte)
            .expect("the other end takes the byte");
    }

    #[track_caller]
    pub fn send_frame(&self, payload: &[u8]) {
        self.send(&frame(payload));
    }

    #[track_caller]
    pub fn receive(&self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        (&self.0)
            .read_exact(&mut bytes)
            .expect("as many bytes as were announced");
        bytes
    }

    /// As much as there is at once; nothing at the end.
    #[track_caller]
    pub fn receive_some(&self) -> Vec<u8> {
        let mut bytes = vec![0; 65_536];
        let len = (&self.0).read(&mut bytes).expect("bytes or a clean end");
        bytes.truncate(len);
        bytes
    }

    #[track_caller]
    pub fn receive_frame(&self) -> Vec<u8> {
        self.next_frame().expect("a frame, not the end")
    }

    #[track_caller]
    pub fn receive_frames(&self, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| self.receive_frame()).collect()
    }

    /// Whole frames up to a clean end; a torn frame or a reset fails the test.
    #[track_caller]
    pub fn receive_until_end(&self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.next_frame()).collect()
    }

    #[track_caller]
    pub fn expect_end(&self) {
        let more = self.next_frame().map(|frame| frame.len());
        assert_eq!(
            more, None,
            "the end of the stream, not a frame of this length"
        );
    }

    /// The connection is over, with or without a reset, and no byte came before that.
    #[track_caller]
    pub fn expect_turned_away(&self) {
        match (&self.0).read(&mut [0]) {
            Ok(0) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            other => panic!("not turned away but {other:?}"),
        }
    }

    #[track_caller]
    fn next_frame(&self) -> Option<Vec<u8>> {
        let mut first = [0];
        if (&self.0).read(&mut first).expect("a frame or a clean end") == 0 {
            return None;
        }
        let header = [&first[..], &self.receive(7)].concat();
        assert!(
            header.iter().all(u8::is_ascii_digit),
            "a header, not {header:?}"
        );
        let len = std::str::from_utf8(&header)
            .expect("digits")
            .parse()
            .expect("digits");
        Some(self.receive(len))
    }

    /// Waits until there is something to read, and leaves it there.
    #[track_caller]
    pub fn await_bytes(&self) {
        assert_ne!(
            self.0.peek(&mut [0]).expect("bytes"),
            0,
            "bytes, not the end"
        );
    }

    pub fn end_sending(&self) {
        self.0
            .shutdown(Shutdown::Write)
            .expect("a connected socket");
    }

    /// Goes away without a good-bye: the other end gets a reset.
    pub fn reset(self) {
        SockRef::from(&self.0)
            .set_linger(Some(std::time::Duration::ZERO))
            .expect("linger");
    }

    /// Goes away without a word, as in a power cut. Where the system allows that to nobody, with a good-bye.
    #[allow(unsafe_code, reason = "no library knows this option")]
    pub fn vanish(self) {
        let on: libc::c_int = 1;
        // SAFETY: the pointer is that of a live local int, and the length is an int's.
        unsafe {
            libc::setsockopt(
                self.0.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_REPAIR,
                (&raw const on).cast(),
                size_of_val(&on) as libc::socklen_t,
            )
        };
    }
}

pub struct Listener(TcpListener);

impl Listener {
    pub fn new() -> Self {
        Self::on(Ipv4Addr::LOCALHOST.into())
    }

    pub fn on(address: std::net::IpAddr) -> Self {
        Self::bind((address, 0).into())
    }

    /// Those who connect can send little before the peer reads.
    pub fn narrow() -> Self {
        let listener = Self::new();
        SockRef::from(&listener.0)
            .set_recv_buffer_size(4_096)
            .expect("a size");
        listener
    }

    /// Begins to answer on a port on which nobody did.
    pub fn at(port: &ReservedPort) -> Self {
        Self::bind((Ipv4Addr::LOCALHOST, port.number()).into())
    }

    fn bind(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).expect("a free port");
        // On Linux this bounds accept().
        SockRef::from(&listener)
            .set_read_timeout(Some(PATIENCE))
            .expect("an accept timeout");
        Self(listener)
    }

    pub fn port(&self) -> u16 {
        self.0.local_addr().expect("a bound socket").port()
    }

    #[track_caller]
    pub fn accept(&self) -> Peer {
        Peer::bounded(self.0.accept().expect("the element connects").0)
    }

    #[track_caller]
    pub fn expect_nobody(&self) {
        self.0.set_nonblocking(true).expect("non-blocking");
        let error = self.0.accept().expect_err("nobody else connects");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
}

/// A port that nobody else is given and on which nobody answers, until an element listens there.
pub struct ReservedPort(Socket);

impl ReservedPort {
    pub fn new() -> Self {
        Self(loopback_socket())
    }

    pub fn number(&self) -> u16 {
        port_of(&self.0)
    }
}

/// A listener that is too busy to answer: whoever connects waits.
pub struct BlackHole {
    listener: Socket,
    _queue: Vec<Socket>,
}

impl BlackHole {
    pub fn new() -> Self {
        let listener = loopback_socket();
        listener.listen(0).expect("a bound socket");
        let address = listener.local_addr().expect("a bound socket");
        let waiting = || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            socket.set_nonblocking(true).expect("non-blocking");
            let error = socket.connect(&address).expect_err("not connected at once");
            assert_eq!(error.raw_os_error(), Some(libc::EINPROGRESS));
            socket
        };
        Self {
            _queue: (0..4).map(|_| waiting()).collect(),
            listener,
        }
    }

    pub fn port(&self) -> u16 {
        port_of(&self.listener)
    }
}

fn loopback_socket() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("reuse");
    socket
        .bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
        .expect("a free port");
    socket
}

fn port_of(socket: &Socket) -> u16 {
    let address = socket.local_addr().expect("a bound socket");
    address.as_socket().expect("an IP address").port()
}

/// A connected GSocket for the `socket` property, a second handle on it, and the peer.
pub fn wrapped_socket() -> (gio::Socket, Socket, Peer) {
    let listener = Listener::new();
    let stream = TcpStream::connect(listener.0.local_addr().expect("bound")).expect("connected");
    let handle = Socket::from(stream.try_clone().expect("a second handle"));
    let socket = gio::Socket::from_fd(stream.into()).expect("a GSocket");
    (socket, handle, listener.accept())
}

pub fn has_ipv6() -> bool {
    TcpListener::bind((std::net::Ipv6Addr::LOCALHOST, 0)).is_ok()
}
