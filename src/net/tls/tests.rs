//! Connections between two sides of this process.

use super::*;
use crate::net::connection::{Connection, Established};
use crate::net::stream::Stream;
use std::{
    fs,
    net::{TcpListener, TcpStream},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Both ends of a connection for which the kernel has little room.
pub(crate) fn encrypted_pair() -> (Connection, Connection) {
    let server = self_signed();
    let believing = Credentials {
        believes_anybody: true,
        ..Credentials::default()
    };
    let client = Tls::load(&believing, Side::Client("localhost".into())).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let far = listener.accept().unwrap().0;
    let [near, far] = [(client, near), (server, far)].map(|(tls, socket)| {
        let socket = Socket::from(socket);
        socket.set_nonblocking(true).unwrap();
        socket.set_send_buffer_size(4096).unwrap();
        tls.begin(socket).unwrap()
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

fn self_signed() -> Tls {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let key = rcgen::KeyPair::generate().unwrap();
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
