// SPDX-License-Identifier: MPL-2.0
//! Without a descriptor left nobody can be let in, and whoever waits is as soon as there is one again.
//!
//! A single test with a process of its own: it uses up what this process may open.

#[path = "support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "the helpers serve the other tests too"
)]
mod support;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use support::*;

/// What this process may open in the test.
const LIMIT: u64 = 256;

#[test]
fn who_comes_without_a_descriptor_left_is_let_in_when_there_is_one() {
    init();
    let sink = Sender::playing("mode=listen port=0 wait-for-connection=false");
    let source = Receiver::playing("mode=listen port=0 reconnect=true");
    let ports = [sink.port(), source.port()];
    let callers = ports.map(|_| Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket"));
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, LIMIT.min(most), most).expect("a lower limit");
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    let peers: Vec<_> = callers
        .into_iter()
        .zip(ports)
        .map(|(caller, port)| {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            caller.connect(&address.into()).expect("the kernel answers");
            TcpStream::from(caller)
        })
        .collect();
    for pipeline in [&*sink, &*source] {
        pipeline
            .expect_warning()
            .says(&["cannot be accepted", "open files"]);
    }
    files.clear();
    await_number(&sink.sink, "num-clients", 1);
    sink.push(b"hello");
    let mut received = [0; 13];
    (&peers[0]).read_exact(&mut received).expect("a frame");
    assert_eq!(received, *b"00000005hello");
    std::io::Write::write_all(&mut &peers[1], &frame(b"hello")).expect("a sender");
    assert_eq!(source.frame(), b"hello");
}
