// SPDX-License-Identifier: MPL-2.0
//! Sockets in the property `socket` that cannot be used.

use crate::support::*;
use gio::prelude::*;

/// Of every kind that cannot be used, and what it is refused with.
fn unusable_sockets() -> [(gio::Socket, [&'static str; 2]); 5] {
    let closed = wrapped_socket().0;
    closed.close().expect("an open socket");
    let listening = stream_socket();
    listening.listen().expect("a bound socket");
    let udp = new_socket(gio::SocketFamily::Ipv4, gio::SocketType::Datagram);
    let unix = new_socket(gio::SocketFamily::Unix, gio::SocketType::Datagram);
    [
        (closed, ["socket given", "closed"]),
        (udp, ["socket given", "is a UDP socket"]),
        (unix, ["socket given", "is no stream socket"]),
        (listening, ["socket given", "listens"]),
        (stream_socket(), ["socket given", "is not connected"]),
    ]
}

fn new_socket(family: gio::SocketFamily, kind: gio::SocketType) -> gio::Socket {
    gio::Socket::new(family, kind, gio::SocketProtocol::Default).expect("a socket")
}

/// Bound, and nothing else.
fn stream_socket() -> gio::Socket {
    let socket = new_socket(gio::SocketFamily::Ipv4, gio::SocketType::Stream);
    let loopback = gio::InetAddress::new_loopback(gio::SocketFamily::Ipv4);
    let address = gio::InetSocketAddress::new(&loopback, 0);
    socket.bind(&address, false).expect("a free port");
    socket
}

#[test]
fn a_sink_says_what_is_wrong_with_its_socket_and_takes_another() {
    for (socket, says) in unusable_sockets() {
        let sink = Sender::new("");
        sink.sink.set_property("socket", &socket);
        let error = sink.expect_refusal().from(&sink.sink);
        error.is(gst::ResourceError::Settings).says(&says);
        assert!(sink.unread_errors(&sink.sink).is_empty(), "after {says:?}");

        let (usable, _, peer) = wrapped_socket();
        sink.sink.set_property("socket", &usable);
        sink.start();
        sink.push(b"hello");
        assert_eq!(peer.receive_frame(), b"hello");
    }
}

#[test]
fn a_source_says_what_is_wrong_with_its_socket_and_takes_another() {
    for (socket, says) in unusable_sockets() {
        let source = Receiver::new("");
        source.source.set_property("socket", &socket);
        let error = source.expect_refusal().from(&source.source);
        error.is(gst::ResourceError::Settings).says(&says);
        let more = source.unread_errors(&source.source);
        assert!(more.is_empty(), "after {says:?}: {more:?}");

        let (usable, _, peer) = wrapped_socket();
        source.source.set_property("socket", &usable);
        source.play();
        peer.send_frame(b"hello");
        assert_eq!(source.frame(), b"hello");
    }
}

#[test]
fn without_its_socket_an_element_connects_by_itself() {
    let (socket, ..) = wrapped_socket();
    socket.close().expect("an open socket");
    let listener = Listener::new();
    let settings = format!("port={}", listener.port());

    let sink = Sender::new(&settings);
    sink.sink.set_property("socket", &socket);
    sink.expect_refusal();
    sink.sink.set_property("socket", None::<gio::Socket>);
    sink.start();
    sink.push(b"hello");
    assert_eq!(listener.accept().receive_frame(), b"hello");

    let source = Receiver::new(&settings);
    source.source.set_property("socket", &socket);
    source.expect_refusal();
    source.source.set_property("socket", None::<gio::Socket>);
    source.play();
    listener.accept().send_frame(b"hello");
    assert_eq!(source.frame(), b"hello");
}

#[test]
fn a_connected_unix_socket_is_as_good() {
    let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let socket = gio::Socket::from_fd(ours.into()).expect("a GSocket");
    let source = Receiver::new("");
    source.source.set_property("socket", &socket);
    source.play();
    std::io::Write::write_all(&mut theirs, &frame(b"hello")).expect("the source reads");
    assert_eq!(source.frame(), b"hello");
}
