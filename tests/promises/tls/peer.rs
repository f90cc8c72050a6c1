// SPDX-License-Identifier: MPL-2.0
//! A plain program on the other end that speaks TLS.

use super::authority::{Authority, Identity};
use crate::support::{PATIENCE, eventually, frame};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion,
};
use socket2::SockRef;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex};

pub struct Peer {
    socket: TcpStream,
    connection: Mutex<Connection>,
}

impl Peer {
    /// Believes `authority`, shows `own`, and speaks these versions; those that are usual, where there are none.
    #[track_caller]
    pub fn connect(
        port: u16,
        authority: &Authority,
        own: Option<&Identity>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("somebody listens");
        Self::start(socket, client_config(authority, own, versions))
    }

    /// Says what it speaks under TLS.
    #[track_caller]
    pub fn naming(port: u16, authority: &Authority, protocol: &[u8]) -> Self {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("somebody listens");
        let mut config = client_config(authority, None, &[]);
        config.alpn_protocols = vec![protocol.to_vec()];
        Self::start(socket, config)
    }

    fn start(socket: TcpStream, config: ClientConfig) -> Self {
        let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
        let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
        Self::new(socket, connection.into())
    }

    fn new(socket: TcpStream, mut connection: Connection) -> Self {
        socket
            .set_read_timeout(Some(PATIENCE))
            .expect("a read timeout");
        connection.set_buffer_limit(None);
        // Where it fails, whoever sends or receives meets with it.
        let _ = connection.complete_io(&mut &socket);
        Self {
            socket,
            connection: Mutex::new(connection),
        }
    }

    #[track_caller]
    pub fn send(&self, bytes: &[u8]) {
        let mut connection = self.connection.lock().unwrap();
        let taken = connection.writer().write_all(bytes);
        taken.expect("TLS takes it");
        self.flush(&mut connection);
    }

    /// The second when the element's kernel has the first, of so many encrypted bytes.
    #[track_caller]
    pub fn send_in_parts(&self, bytes: &[u8], first: usize) {
        let mut connection = self.connection.lock().unwrap();
        let taken = connection.writer().write_all(bytes);
        taken.expect("TLS takes it");
        let mut encrypted = Vec::new();
        while connection.wants_write() {
            let written = connection.write_tls(&mut encrypted);
            written.expect("memory takes it");
        }
        let (one, two) = encrypted.split_at(first);
        for part in [one, two] {
            (&self.socket)
                .write_all(part)
                .expect("the element takes it");
            eventually("it is there", || is_acknowledged(&self.socket));
        }
    }

    #[track_caller]
    fn flush(&self, connection: &mut Connection) {
        while connection.wants_write() {
            let sent = connection.write_tls(&mut &self.socket);
            sent.expect("the element takes it");
        }
    }

    fn read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut connection = self.connection.lock().unwrap();
        loop {
            match connection.reader().read(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
                result => return result,
            }
            connection.read_tls(&mut &self.socket)?;
            let processed = connection.process_new_packets();
            processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
    }

    #[track_caller]
    pub fn send_frame(&self, payload: &[u8]) {
        self.send(&frame(payload));
    }

    #[track_caller]
    pub fn receive_frame(&self) -> Vec<u8> {
        let header = self.receive(8);
        let len = String::from_utf8(header).expect("digits");
        self.receive(len.parse().expect("digits"))
    }

    #[track_caller]
    pub fn receive_frames(&self, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| self.receive_frame()).collect()
    }

    /// Whole frames up to a clean end.
    #[track_caller]
    pub fn receive_until_end(&self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| {
            let mut first = [0];
            let received = self.read(&mut first).expect("a frame or a clean end");
            (received > 0).then(|| {
                let header = [&first[..], &self.receive(7)].concat();
                let len = String::from_utf8(header).expect("digits");
                self.receive(len.parse().expect("digits"))
            })
        })
        .collect()
    }

    #[track_caller]
    fn receive(&self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        let mut rest = &mut bytes[..];
        while !rest.is_empty() {
            let received = self.read(rest).expect("as many bytes as were announced");
            assert_ne!(received, 0, "{} bytes are missing at the end", rest.len());
            rest = &mut rest[received..];
        }
        bytes
    }

    /// The end that TLS has, and nothing before it.
    #[track_caller]
    pub fn expect_end(&self) {
        let more = self.read(&mut [0]);
        assert!(matches!(more, Ok(0)), "a clean end, not {more:?}");
    }

    /// By TLS, and of the socket.
    #[track_caller]
    pub fn end_sending(&self) {
        self.announce_end();
        self.cut();
    }

    /// By TLS alone, as one does that waits for the other's.
    #[track_caller]
    pub fn announce_end(&self) {
        let mut connection = self.connection.lock().unwrap();
        connection.send_close_notify();
        self.flush(&mut connection);
    }

    /// The socket ends without the end that TLS has.
    pub fn cut(&self) {
        self.socket
            .shutdown(Shutdown::Write)
            .expect("a connected socket");
    }

    /// From now on with other keys, which the element is to have as well.
    pub fn update_keys(&self) {
        self.connection
            .lock()
            .unwrap()
            .refresh_traffic_keys()
            .expect("other keys");
    }

    /// Sends the request for other keys, and waits for something of TLS that is no data.
    #[track_caller]
    pub fn await_record(&self) {
        let mut connection = self.connection.lock().unwrap();
        self.flush(&mut connection);
        let read = connection.read_tls(&mut &self.socket);
        assert_ne!(read.expect("an answer"), 0, "an answer, not the end");
        let state = connection.process_new_packets().expect("an answer of TLS");
        assert_eq!(state.plaintext_bytes_to_read(), 0);
    }

    /// By the name of the protocol.
    pub fn version(&self) -> String {
        let version = self.connection.lock().unwrap().protocol_version();
        format!("{:?}", version.expect("a handshake"))
    }

    pub fn protocol(&self) -> Option<Vec<u8>> {
        let connection = self.connection.lock().unwrap();
        connection.alpn_protocol().map(<[u8]>::to_vec)
    }
}

pub struct Server {
    listener: TcpListener,
    config: Arc<ServerConfig>,
}

impl Server {
    /// Shows `own`, and speaks these versions.
    pub fn new(own: &Identity, versions: &[&'static SupportedProtocolVersion]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(usual(versions))
            .expect("versions")
            .with_no_client_auth();
        let (chain, key) = files(own);
        let config = builder.with_single_cert(chain, key).expect("an identity");
        Self {
            listener,
            config: Arc::new(config),
        }
    }

    pub fn port(&self) -> u16 {
        self.listener.local_addr().expect("a bound socket").port()
    }

    #[track_caller]
    pub fn accept(&self) -> Peer {
        SockRef::from(&self.listener)
            .set_read_timeout(Some(PATIENCE))
            .expect("an accept timeout");
        let (socket, _) = self.listener.accept().expect("the element connects");
        let connection = ServerConnection::new(self.config.clone()).expect("a connection");
        Peer::new(socket, connection.into())
    }
}

#[allow(unsafe_code, reason = "no library asks for this")]
fn is_acknowledged(socket: &TcpStream) -> bool {
    let mut bytes: libc::c_int = 0;
    // SAFETY: TIOCOUTQ writes one int, and the pointer is that of a live local int.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    assert_eq!(result, 0);
    bytes == 0
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn usual<'a>(
    versions: &'a [&'static SupportedProtocolVersion],
) -> &'a [&'static SupportedProtocolVersion] {
    if versions.is_empty() {
        rustls::DEFAULT_VERSIONS
    } else {
        versions
    }
}

fn client_config(
    authority: &Authority,
    own: Option<&Identity>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_file(&authority.file).expect("a certificate");
    roots.add(root).expect("an authority");
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(usual(versions))
        .expect("versions")
        .with_root_certificates(roots);
    match own {
        Some(own) => {
            let (chain, key) = files(own);
            builder
                .with_client_auth_cert(chain, key)
                .expect("an identity")
        }
        None => builder.with_no_client_auth(),
    }
}

fn files(identity: &Identity) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let certificate = CertificateDer::from_pem_file(&identity.certificate);
    let key = PrivateKeyDer::from_pem_file(&identity.key);
    (
        vec![certificate.expect("a certificate")],
        key.expect("a key"),
    )
}
