// SPDX-License-Identifier: MPL-2.0
//! The frames are those that are sent, whoever is at the other end.

use super::authority::Authority;
use super::peer::{Peer, Server};
use crate::support::*;
use gst::prelude::*;
use rustls::version::{TLS12, TLS13};

/// Nothing, little, some records of TLS, and more than a socket takes at once.
fn frames() -> Vec<Vec<u8>> {
    [0, 1, 60_000, 3_000_000, 0, 100_000, 5]
        .iter()
        .zip(1..)
        .map(|(&len, seed)| payload(seed, len))
        .collect()
}

#[track_caller]
fn pass(sender: &Sender, receiver: &Receiver) {
    let pushing = sender.in_background(|feed| {
        feed.push_all(&frames());
        feed.end();
    });
    assert_frames(&receiver.frames(frames().len()), &frames());
    pushing.join().expect("the sink takes it all");
    receiver.expect_eos();
    sender.expect_eos();
}

#[test]
fn between_the_two_elements() {
    let authority = Authority::new();
    let (own, trust) = (authority.server().properties(), &authority.file);
    let sender = Sender::playing(&format!("mode=listen port=0 tls=true overflow=block {own}"));
    let port = sender.port();
    let receiver = Receiver::playing(&format!("port={port} tls=true tls-ca-file={trust}"));
    pass(&sender, &receiver);

    let receiver = Receiver::playing(&format!("mode=listen port=0 tls=true {own}"));
    let port = receiver.port();
    let sender = Sender::playing(&format!("port={port} tls=true tls-ca-file={trust}"));
    pass(&sender, &receiver);
}

#[test]
fn by_uri() {
    let authority = Authority::new();
    let (own, trust) = (authority.server(), &authority.file);
    let (certificate, key) = (&own.certificate, &own.key);
    let receiver = Receiver::playing(&format!(
        "uri=\"videosockets://127.0.0.1:0?mode=listen&tls-certificate-file={certificate}&tls-private-key-file={key}\""
    ));
    let port = receiver.port();
    let sender = Sender::playing(&format!(
        "uri=\"videosockets://127.0.0.1:{port}?tls-ca-file={trust}\""
    ));
    pass(&sender, &receiver);
}

#[test]
fn of_either_version_and_with_the_protocol_named_or_not() {
    let authority = Authority::new();
    let (own, trust) = (authority.server(), &authority.file);
    for (versions, name) in [(&TLS12, "TLSv1_2"), (&TLS13, "TLSv1_3")] {
        let receiver =
            Receiver::playing(&format!("mode=listen port=0 tls=true {}", own.properties()));
        let peer = Peer::connect(receiver.port(), &authority, None, &[versions]);
        assert_eq!((peer.version().as_str(), peer.protocol()), (name, None));
        for payload in frames() {
            peer.send_frame(&payload);
        }
        assert_frames(&receiver.frames(frames().len()), &frames());
        peer.end_sending();
        receiver.expect_eos();
        receiver.stop();
        peer.expect_end();

        let server = Server::new(&own, &[versions]);
        let port = server.port();
        let accepting = Background::run(move || server.accept());
        let sender = Sender::playing(&format!("port={port} tls=true tls-ca-file={trust}"));
        let peer = accepting.join().expect("the sink connects");
        assert_eq!(peer.version(), name);
        let pushing = sender.in_background(|feed| {
            feed.push_all(&frames());
            feed.end();
        });
        assert_frames(&peer.receive_frames(frames().len()), &frames());
        peer.expect_end();
        pushing.join().expect("the sink takes it all");
    }
}

#[test]
fn the_protocol_has_a_name() {
    let authority = Authority::new();
    let own = authority.server();
    let receiver = Receiver::playing(&format!("mode=listen port=0 tls=true {}", own.properties()));
    let peer = Peer::naming(receiver.port(), &authority, b"videosocket");
    assert_eq!(peer.protocol().as_deref(), Some(&b"videosocket"[..]));
    peer.send_frame(b"hello");
    assert_eq!(receiver.frame(), b"hello");
}

/// A peer that announces its end and waits for the other's has not closed its socket.
#[test]
fn an_end_of_tls_alone() {
    let authority = Authority::new();
    let own = authority.server().properties();
    let receiver = Receiver::playing(&format!("mode=listen port=0 tls=true {own}"));
    let peer = Peer::connect(receiver.port(), &authority, None, &[]);
    peer.send_frame(b"hello");
    peer.announce_end();
    assert_eq!(receiver.frame(), b"hello");
    receiver.expect_eos();
    peer.expect_end();
}

/// What is waited for is counted as it comes, encrypted, of which a part has come already.
#[test]
fn in_two_parts() {
    let authority = Authority::new();
    let own = authority.server().properties();
    let receiver = Receiver::playing(&format!("mode=listen port=0 tls=true {own}"));
    let peer = Peer::connect(receiver.port(), &authority, None, &[]);
    for payload in payloads(20, 200_000) {
        peer.send_in_parts(&frame(&payload), 100_000);
        assert!(receiver.frame() == payload);
    }
}

/// The answer goes out although the element has nothing to send.
#[test]
fn other_keys_on_the_way() {
    let authority = Authority::new();
    let own = authority.server().properties();
    let receiver = Receiver::playing(&format!("mode=listen port=0 tls=true {own}"));
    let peer = Peer::connect(receiver.port(), &authority, None, &[&TLS13]);
    for payload in frames() {
        peer.send_frame(&payload);
        peer.update_keys();
        peer.await_record();
    }
    assert_frames(&receiver.frames(frames().len()), &frames());

    let sender = Sender::playing(&format!("mode=listen port=0 tls=true overflow=block {own}"));
    let peer = Peer::connect(sender.port(), &authority, None, &[&TLS13]);
    for payload in frames() {
        let pushed = payload.clone();
        let pushing = sender.in_background(move |feed| feed.push(&pushed));
        assert!(peer.receive_frame() == payload);
        peer.update_keys();
        peer.await_record();
        pushing.join().expect("the sink takes the frame");
    }
}

#[test]
fn to_several_viewers_one_of_which_reads_nothing() {
    let authority = Authority::new();
    let own = authority.server().properties();
    let sender = Sender::playing(&format!(
        "mode=listen port=0 tls=true overflow=drop max-size-time=0 max-size-buffers=2 {own}"
    ));
    let connect = || Peer::connect(sender.port(), &authority, None, &[]);
    let stalled = connect();
    let viewers = [connect(), connect(), connect()];
    await_number(&sender.sink, "num-clients", 4);
    let sent = payloads(60, 300_000);
    let receiving = viewers.map(|viewer| {
        Background::run(move || {
            let received = viewer.receive_frames(60);
            (received, viewer)
        })
    });
    let mut viewers = Vec::new();
    for payload in &sent {
        sender.push(payload);
        // As fast as those take it who read.
        let stats = || sender.sink.property::<gst::Structure>("stats");
        eventually("the others have it", || queued_of_others(&stats()) == 0);
    }
    for receiving in receiving {
        let (received, viewer) = receiving.join().expect("the viewer gets its frames");
        assert_frames(&received, &sent);
        viewers.push(viewer);
    }
    assert!(stat(&sender.sink, "frames-dropped") > 0);
    // What it gets is whole all the same.
    let receiving = Background::run(move || stalled.receive_until_end());
    sender.end();
    for viewer in &viewers {
        viewer.expect_end();
    }
    let received = receiving.join().expect("whole frames and a clean end");
    let mut from = sent.iter();
    assert!(received.len() < 60 && received.iter().all(|frame| from.any(|sent| sent == frame)));
}

/// Bytes that wait for all clients but the first.
fn queued_of_others(stats: &gst::Structure) -> u64 {
    let clients = stats.get::<gst::Array>("clients").expect("clients");
    let clients = clients.iter().map(|client| client.get::<gst::Structure>());
    let others = clients.map(|client| client.expect("a client"));
    others
        .filter(|client| number_in(client, "id") > 1)
        .map(|client| number_in(&client, "bytes-queued"))
        .sum()
}

/// A viewer that lags behind at the end has all of the stream all the same.
#[test]
fn the_end_follows_what_is_encrypted() {
    let authority = Authority::new();
    let own = authority.server().properties();
    let sender = Sender::playing(&format!(
        "mode=listen port=0 tls=true overflow=block max-size-time=0 {own}"
    ));
    let peer = Peer::connect(sender.port(), &authority, None, &[]);
    let sent = payloads(100, 200_000);
    let pushed = sent.clone();
    let pushing = sender.in_background(move |feed| {
        feed.push_all(&pushed);
        feed.end();
    });
    eventually("the kernel is full", || {
        stat(&sender.sink, "bytes-queued") > 0
    });
    assert_frames(&peer.receive_until_end(), &sent);
    pushing.join().expect("the sink takes it all");
}

#[test]
fn both_ways_over_one_connection() {
    let authority = Authority::new();
    let (own, trust) = (authority.server().properties(), &authority.file);
    let id = "tls-both-ways";
    let properties = format!("mode=listen port=0 tls=true connection-id={id} {own}");
    let receiver = Receiver::playing(&properties);
    let sender = Sender::new(&format!("{properties} port=0"));
    sender.start();
    let port = receiver.port();
    let far = format!("port={port} tls=true connection-id={id}-far tls-ca-file={trust}");
    let (far_receiver, far_sender) = (Receiver::playing(&far), Sender::playing(&far));
    let push = |sender: &Sender| sender.in_background(|feed| feed.push_all(&frames()));
    let pushing = [push(&sender), push(&far_sender)];
    let far_receiving = Background::run(move || {
        let received = far_receiver.frames(frames().len());
        (received, far_receiver)
    });
    assert_frames(&receiver.frames(frames().len()), &frames());
    let (received, _far_receiver) = far_receiving.join().expect("the frames");
    assert_frames(&received, &frames());
    for pushing in pushing {
        pushing.join().expect("the sink takes it all");
    }
}

#[test]
fn of_one_connection_after_the_other() {
    let authority = Authority::new();
    let (own, trust) = (authority.server(), &authority.file);
    let server = Server::new(&own, &[]);
    let port = server.port();
    let receiver = Receiver::playing(&format!(
        "port={port} tls=true tls-ca-file={trust} reconnect=true caps=video/x-test"
    ));
    for payload in payloads(3, 1_000) {
        let peer = server.accept();
        peer.send_frame(&payload);
        assert_eq!(receiver.frame(), payload);
        peer.cut();
        receiver.expect_warning().says(&["is lost"]);
    }
}

/// A given socket is that of a side that connects, or of one that listens.
#[test]
fn over_a_given_socket() {
    let authority = Authority::new();
    let own = authority.server();
    let server = Server::new(&own, &[]);
    let socket = std::net::TcpStream::connect(("127.0.0.1", server.port())).expect("connected");
    let socket = gio::Socket::from_fd(socket.into()).expect("a GSocket");
    let receiver = Receiver::new(&format!("tls=true tls-ca-file={}", authority.file));
    receiver.source.set_property("socket", &socket);
    let accepting = Background::run(move || server.accept());
    receiver.play();
    let peer = accepting.join().expect("a handshake");
    peer.send_frame(b"hello");
    assert_eq!(receiver.frame(), b"hello");
}
