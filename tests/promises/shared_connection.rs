//! One connection, both ways: a sink and a source with the same `connection-id`, and the turn-taking of the original
//! chat program.

use crate::support::*;

/// The element's end of a connection that both elements use.
struct Pair {
    sink: Sender,
    source: Receiver,
}

impl Pair {
    fn new(settings: &str, of_sink: &str) -> Self {
        Self {
            sink: Sender::new(&format!("{settings} {of_sink}")),
            source: Receiver::new(settings),
        }
    }

    fn start(&self) {
        self.source.play();
        self.sink.start();
    }
}

/// A pair, named after the test as ids hold for the whole process, and the program that it talks to.
fn connected(id: &str, mode: &str, of_sink: &str) -> (Pair, Peer) {
    let listener = Listener::new();
    let port = if mode == "connect" {
        listener.port()
    } else {
        0
    };
    let settings = format!("connection-id={id}-{mode} mode={mode} port={port}");
    let pair = Pair::new(&settings, of_sink);
    pair.start();
    let peer = match mode {
        "connect" => listener.accept(),
        _ => Peer::connect(pair.source.port()),
    };
    (pair, peer)
}

#[track_caller]
fn talk(pair: &Pair, peer: &Peer) {
    for turn in 0..10 {
        let (there, back) = (payload(turn, 1_000), payload(turn, 2_000));
        pair.sink.push(&there);
        assert_eq!(peer.receive_frame(), there);
        peer.send_frame(&back);
        assert_eq!(pair.source.frame(), back);
    }
}

#[test]
fn both_ways_over_one_connection() {
    for mode in ["connect", "listen"] {
        let (pair, peer) = connected("both-ways", mode, "");
        talk(&pair, &peer);
    }
}

#[test]
fn whichever_starts_first_opens_it() {
    for sink_first in [true, false] {
        let listener = Listener::new();
        let settings = format!("connection-id=first-{sink_first} port={}", listener.port());
        let pair = Pair::new(&settings, "");
        if sink_first {
            pair.sink.start();
            pair.source.play();
        } else {
            pair.source.play();
            pair.sink.start();
        }
        let peer = listener.accept();
        talk(&pair, &peer);
        listener.expect_nobody();
    }
}

#[test]
fn the_second_may_join_late() {
    let listener = Listener::new();
    let pair = Pair::new(&format!("connection-id=late port={}", listener.port()), "");
    pair.source.play();
    let peer = listener.accept();
    peer.send_frame(b"before");
    assert_eq!(pair.source.frame(), b"before");
    pair.sink.start();
    talk(&pair, &peer);
    listener.expect_nobody();
}

#[test]
fn both_may_be_in_one_pipeline() {
    let listener = Listener::new();
    let settings = format!("connection-id=echo host=127.0.0.1 port={}", listener.port());
    let pipeline = Pipeline::launch(&format!(
        "videosocketsrc {settings} ! queue ! videosocketsink sync=false {settings}"
    ));
    pipeline.play();
    let peer = listener.accept();
    for frame in payloads(20, 1_000) {
        peer.send_frame(&frame);
        assert_eq!(peer.receive_frame(), frame);
    }
    peer.end_sending();
    peer.expect_end();
    pipeline.expect_eos();
}

#[test]
fn settings_that_contradict_each_other_are_named() {
    let (port, other) = (ReservedPort::new(), ReservedPort::new());
    for (source, sink, named) in [
        ("", &*format!("port={}", other.number()), "port"),
        ("host=127.0.0.1", "host=127.0.0.2", "host"),
        ("mode=listen", "mode=connect", "mode"),
    ] {
        let common = format!(
            "connection-id=quarrel port={} connect-timeout=0",
            port.number()
        );
        let source = Receiver::playing(&format!("{common} {source}"));
        let sink = Sender::new(&format!("{common} {sink}"));
        sink.try_play();
        sink.expect_error().from(&sink.sink).shows(&[named]);
        assert!(source.unread_errors(&source.source).is_empty());
    }
}

#[test]
fn the_sink_ends_only_its_own_direction() {
    for mode in ["connect", "listen"] {
        let (pair, peer) = connected("sink-ends", mode, "");
        pair.sink.push(b"last");
        pair.sink.end();
        pair.sink.expect_eos();
        pair.sink.stop();
        assert_eq!(peer.receive_until_end(), [b"last"]);
        for frame in payloads(10, 1_000) {
            peer.send_frame(&frame);
            assert_eq!(pair.source.frame(), frame);
        }
        drop(peer);
        assert!(pair.source.rest().is_empty());
        pair.source.expect_eos();
    }
}

#[test]
fn the_source_ends_only_its_own_direction() {
    for mode in ["connect", "listen"] {
        let (pair, peer) = connected("source-ends", mode, "");
        peer.send_frame(b"last");
        assert_eq!(pair.source.frame(), b"last");
        pair.source.stop();
        for frame in payloads(10, 1_000) {
            pair.sink.push(&frame);
            assert_eq!(peer.receive_frame(), frame);
        }
        pair.sink.stop();
        peer.expect_end();
    }
}

#[test]
fn the_peer_that_stops_sending_still_receives() {
    for mode in ["connect", "listen"] {
        let (pair, peer) = connected("peer-ends", mode, "");
        peer.send_frame(b"last");
        peer.end_sending();
        assert_eq!(pair.source.rest(), [b"last"]);
        pair.source.expect_eos();
        for frame in payloads(10, 1_000) {
            pair.sink.push(&frame);
            assert_eq!(peer.receive_frame(), frame);
        }
    }
}

const TURNS: u64 = 2_000;

#[test]
fn lockstep_with_the_original_server() {
    let (pair, peer) = connected("chat", "connect", "lockstep=true");
    for turn in 0..TURNS {
        let (there, back) = (payload(turn, 100), payload(turn, 200));
        pair.sink.push(&there);
        assert_eq!(peer.receive_frame(), there);
        peer.send_frame(&back);
        assert_eq!(pair.source.frame(), back);
    }
}

#[test]
fn lockstep_with_the_original_client() {
    let (pair, peer) = connected("chat", "listen", "lockstep=true");
    for turn in 0..TURNS {
        let (there, back) = (payload(turn, 200), payload(turn, 100));
        pair.sink.push(&back);
        peer.send_frame(&there);
        assert_eq!(pair.source.frame(), there);
        assert_eq!(peer.receive_frame(), back);
    }
}

#[test]
fn between_turns_only_the_newest_frame_is_kept() {
    let (pair, peer) = connected("newest", "connect", "lockstep=true");
    pair.sink.push(b"at once");
    assert_eq!(peer.receive_frame(), b"at once");
    for turn in 0..10 {
        for stale in payloads(5, 100) {
            pair.sink.push(&stale);
        }
        let newest = payload(100 + turn, 100);
        pair.sink.push(&newest);
        peer.send_frame(b"your turn");
        assert_eq!(pair.source.frame(), b"your turn");
        assert_eq!(peer.receive_frame(), newest);
    }
}

#[test]
fn a_listening_end_waits_for_the_first_frame() {
    let (pair, peer) = connected("waits", "listen", "lockstep=true");
    pair.sink.push(b"stale");
    pair.sink.push(b"newest");
    peer.send_frame(b"your turn");
    assert_eq!(pair.source.frame(), b"your turn");
    assert_eq!(peer.receive_frame(), b"newest");
}

#[test]
fn two_pipelines_chat_with_each_other() {
    let port = ReservedPort::new();
    let end = |mode| {
        let settings = format!(
            "connection-id=pipes-{mode} mode={mode} port={}",
            port.number()
        );
        Pair::new(&settings, "lockstep=true")
    };
    let (server, client) = (end("listen"), end("connect"));
    server.start();
    client.start();
    for turn in 0..100 {
        let (there, back) = (payload(turn, 100), payload(turn, 200));
        client.sink.push(&there);
        assert_eq!(server.source.frame(), there);
        server.sink.push(&back);
        assert_eq!(client.source.frame(), back);
    }
}

#[test]
fn lockstep_needs_a_connection_to_share() {
    let listener = Listener::new();
    let sink = Sender::new(&format!("lockstep=true port={}", listener.port()));
    sink.try_play();
    sink.expect_error()
        .from(&sink.sink)
        .shows(&["lockstep", "connection-id"]);
}
