// SPDX-License-Identifier: MPL-2.0
//! Connections between two sides of this process.

use super::*;
use crate::net::connection::{Connection, Established};
use crate::net::script::Script;
use crate::net::stream::Stream;
use std::{
    fs,
    io::{IoSlice, IoSliceMut, Write},
    net::{TcpListener, TcpStream},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

/// Both ends of a connection for which the kernel has little room.
pub(crate) fn encrypted_pair() -> (Connection, Connection) {
    let server = self_signed();
    let client = believing();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let far = listener.accept().unwrap().0;
    let [near, far] = [(client, near), (server, far)].map(|(tls, socket)| {
        let socket = socket2::Socket::from(socket);
        socket.set_nonblocking(true).unwrap();
        socket.set_send_buffer_size(4096).unwrap();
        tls.begin(Carrier::Socket(socket)).unwrap()
    });
    while !(near.handshake().unwrap() & far.handshake().unwrap()) {}
    (connection(near), connection(far))
}

fn connection(session: Session) -> Connection {
    let established = Established {
        stream: Stream::Tls(Box::new(session)),
        address: None,
        failure: 0,
        certificate: None,
    };
    Connection::new(established, None).unwrap()
}

/// Both sides of connections to come.
pub(crate) struct Sides {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl Sides {
    /// Those for whom keys and certificates were made once.
    pub fn get() -> &'static Self {
        static SIDES: OnceLock<Sides> = OnceLock::new();
        SIDES.get_or_init(|| match (believing().config, self_signed().config) {
            (Config::Client { config, .. }, Config::Server(server)) => Self {
                client: config,
                server,
            },
            _ => unreachable!("each is loaded for its side"),
        })
    }

    /// What connects, or who is connected to.
    pub fn near(&self, connects: bool) -> Tls {
        let config = if connects {
            Config::Client {
                config: self.client.clone(),
                name: server_name("localhost").unwrap(),
                host: "localhost".into(),
            }
        } else {
            Config::Server(self.server.clone())
        };
        let evidence = Evidence::default();
        Tls { config, evidence }
    }

    /// The other side of that.
    pub fn far(&self, connects: bool) -> rustls::Connection {
        if connects {
            let server = ServerConnection::new(self.server.clone());
            server.unwrap().into()
        } else {
            let name = server_name("localhost").unwrap();
            let client = ClientConnection::new(self.client.clone(), name);
            client.unwrap().into()
        }
    }
}

fn believing() -> Tls {
    let believing = Credentials {
        believes_anybody: true,
        ..Credentials::default()
    };
    Tls::load(&believing, Side::Client("localhost".into())).unwrap()
}

fn self_signed() -> Tls {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    // Its signatures are all of one length.
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let params = rcgen::CertificateParams::new(["localhost".to_string()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let name = format!(
        "tls-{}-{}.pem",
        std::process::id(),
        COUNT.fetch_add(1, Relaxed)
    );
    let path = std::env::temp_dir().join(name);
    fs::write(&path, certificate.pem() + &key.serialize_pem()).unwrap();
    let both = path.to_str().map(String::from);
    let credentials = Credentials {
        certificate: both.clone(),
        private_key: both,
        ..Credentials::default()
    };
    let tls = Tls::load(&credentials, Side::Server);
    fs::remove_file(path).unwrap();
    tls.unwrap()
}

/// A session, what carries it, and the other side of it.
fn shaken_hands() -> (Session, Arc<Script>, rustls::Connection) {
    shaken_hands_with(Sides::get().far(true))
}

fn shaken_hands_with(mut far: rustls::Connection) -> (Session, Arc<Script>, rustls::Connection) {
    let script = Arc::<Script>::default();
    let near = Sides::get().near(true);
    let near = near.begin(Carrier::Script(script.clone().into())).unwrap();
    while !near.handshake().unwrap() || far.is_handshaking() {
        far.read_tls(&mut &script.take()[..]).unwrap();
        far.process_new_packets().unwrap();
        script.give(&encrypted(&mut far, b""));
    }
    (near, script, far)
}

/// What is sent of these bytes, and of what was to be sent before.
fn encrypted(far: &mut rustls::Connection, plain: &[u8]) -> Vec<u8> {
    far.writer().write_all(plain).unwrap();
    let mut sent = Vec::new();
    while far.wants_write() {
        far.write_tls(&mut sent).unwrap();
    }
    sent
}

#[test]
fn all_that_came_before_a_fault_is_received() {
    const BAD_RECORD: &[u8] = b"\x17\x03\x03\x00\x20and this is not what it looks like";
    let (near, script, mut far) = shaken_hands();
    let sent = encrypted(&mut far, &[7; 1_000]);
    // They are read at once.
    script.give(&[&sent, BAD_RECORD].concat());
    let mut received = Vec::new();
    let fault = loop {
        let mut bytes = [0; 300];
        match near.receive(&mut [IoSliceMut::new(&mut bytes)]) {
            Ok(0) => panic!("a good end"),
            Ok(n) => received.extend_from_slice(&bytes[..n]),
            Err(fault) => break fault,
        }
    };
    assert_eq!(received.len(), 1_000, "{fault}");
    let again = near.receive(&mut [IoSliceMut::new(&mut [0])]);
    assert_eq!(again.unwrap_err().to_string(), fault.to_string());
}

/// A session whose server has sent so many tickets.
fn with_tickets(tickets: usize) -> (Session, Arc<Script>, rustls::Connection) {
    let mut config = ServerConfig::clone(&Sides::get().server);
    config.send_tls13_tickets = tickets;
    config.session_storage = rustls::server::ServerSessionMemoryCache::new(1);
    let far = ServerConnection::new(config.into());
    shaken_hands_with(far.unwrap().into())
}

#[test]
fn records_without_a_stream_are_read_within_limits() {
    let receive = |near: &Session| near.receive(&mut [IoSliceMut::new(&mut [0; 100])]);
    let (near, script, mut far) = with_tickets(400);
    script.give(&encrypted(&mut far, b"one"));
    assert_eq!(receive(&near).unwrap(), 3);
    // 56 kB of them, and 80 kB, of which TLS does not keep as much as it would have to.
    for (tickets, told) in [
        (700, "in which there is nothing"),
        (1_000, "the rules of TLS"),
    ] {
        let (near, ..) = with_tickets(tickets);
        let fault = receive(&near).unwrap_err().to_string();
        assert!(fault.contains(told), "{fault}");
        let to_sender = near.send(&[IoSlice::new(b"two")]).unwrap_err();
        assert_eq!(to_sender.to_string(), fault);
    }
}
