// SPDX-License-Identifier: MPL-2.0
//! `reconnect=true`: what ends a connection does not end the stream.

use crate::support::*;
use std::sync::mpsc;

fn starts_anew(buffer: &gst::Buffer) -> bool {
    buffer.flags().contains(gst::BufferFlags::DISCONT)
}

#[test]
fn a_listening_source_serves_one_sender_after_the_other() {
    let source = Receiver::playing("mode=listen port=0 reconnect=true");
    for name in [b"one", b"two"] {
        let peer = Peer::connect(source.port());
        peer.send_frame(name);
        peer.send_frame(b"more");
        assert!(starts_anew(&source.buffer()));
        assert!(!starts_anew(&source.buffer()));
    }
    assert_eq!(stat(&source.source, "connections"), 2);
}

#[test]
fn the_next_sender_waits_its_turn() {
    let source = Receiver::playing("mode=listen port=0 reconnect=true");
    let first = Peer::connect(source.port());
    first.send_frame(b"first");
    assert_eq!(source.frame(), b"first");
    let second = Peer::connect(source.port());
    second.send_frame(b"second");
    first.send_frame(b"first again");
    drop(first);
    assert_eq!(source.frames(2), [&b"first again"[..], b"second"]);
}

#[test]
fn a_sender_that_lost_power_is_served_when_it_comes_again() {
    let source = Receiver::playing("mode=listen port=0 reconnect=true");
    let lost = Peer::connect(source.port());
    lost.send_frame(b"before");
    assert_eq!(source.frame(), b"before");
    lost.vanish();
    let again = Peer::connect(source.port());
    again.send_frame(b"after");
    let buffer = source.buffer();
    assert!(starts_anew(&buffer));
    assert_eq!(buffer.size(), 5);
    assert!(source.unread_errors(&source.source).is_empty());
}

#[test]
fn a_connecting_source_connects_again() {
    let listener = Listener::new();
    let source = Receiver::playing(&format!("port={} reconnect=true", listener.port()));
    for name in [b"one", b"two"] {
        let peer = listener.accept();
        peer.send_frame(name);
        assert_eq!(source.frame(), name);
    }
}

#[test]
fn a_torn_frame_is_dropped_and_counted() {
    let source = Receiver::playing("mode=listen port=0 reconnect=true");
    let peer = Peer::connect(source.port());
    peer.send_frame(b"whole");
    peer.send(b"00000005tor");
    drop(peer);
    source
        .expect_warning()
        .from(&source.source)
        .is(gst::ResourceError::Read)
        .counts(3, 5);
    Peer::connect(source.port()).send_frame(b"next");
    assert_eq!(source.frames(2), [b"whole".to_vec(), b"next".to_vec()]);
    assert_eq!(stat(&source.source, "frames-truncated"), 1);
    assert_eq!(stat(&source.source, "frames-received"), 2);
    assert!(source.unread_errors(&source.source).is_empty());
}

#[test]
fn a_connecting_sink_connects_again() {
    let listener = Listener::new();
    let sink = Sender::playing(&format!("port={} reconnect=true", listener.port()));
    let pushing = sink.in_background(|feed| while feed.try_push(buffer(&[0; 100_000])).is_ok() {});
    let lost = listener.accept();
    assert_eq!(lost.receive_frame().len(), 100_000);
    lost.reset();
    sink.expect_warning()
        .from(&sink.sink)
        .is(gst::ResourceError::Write);
    let peer = listener.accept();
    assert!(
        peer.receive_frames(10)
            .iter()
            .all(|frame| frame.len() == 100_000)
    );
    assert!(sink.unread_errors(&sink.sink).is_empty());
    sink.stop();
    pushing.join().expect("stopped");
}

#[test]
fn the_first_connection_is_not_thrown_away() {
    // Many times: it may be there before the element has finished starting.
    for _ in 0..100 {
        let listener = Listener::new();
        let sink = Sender::playing(&format!("port={} reconnect=true", listener.port()));
        sink.push(b"frame");
        assert_eq!(listener.accept().receive_frame(), b"frame");
    }
}

#[test]
fn a_listening_sink_holds_the_stream_for_the_next_client() {
    let sink = Sender::playing("mode=listen port=0 reconnect=true");
    for name in [b"one", b"two"] {
        let pushing = sink.in_background(|feed| feed.push(name));
        let peer = Peer::connect(sink.port());
        assert_eq!(peer.receive_frame(), name);
        pushing.join().expect("the frame was taken");
        peer.reset();
        await_number(&sink.sink, "num-clients", 0);
    }
}

#[test]
fn a_sink_that_connects_again_starts_with_a_keyframe() {
    let listener = Listener::new();
    let sink = Sender::playing(&format!(
        "port={} reconnect=true overflow=drop",
        listener.port()
    ));
    let lost = listener.accept();
    await_number(&sink.sink, "num-clients", 1);
    sink.push(b"key 1");
    assert_eq!(lost.receive_frame(), b"key 1");
    lost.reset();
    let peer = listener.accept();
    await_number(&sink.sink, "num-clients", 1);
    sink.push_buffer(delta(b"delta")).expect("taken");
    sink.push(b"key 2");
    assert_eq!(peer.receive_frame(), b"key 2");
}

#[test]
fn what_passed_between_two_connections_leaves_headers_and_a_keyframe_first() {
    let port = ReservedPort::new();
    let sink = Sender::new(&format!(
        "port={} reconnect=true overflow=drop",
        port.number()
    ));
    let listener = Listener::at(&port);
    sink.start_with_caps(&caps_with_header(b"head"));
    let lost = listener.accept();
    await_number(&sink.sink, "num-clients", 1);
    sink.push(b"key 1");
    sink.push_buffer(delta(b"delta 1")).expect("taken");
    assert_eq!(lost.receive_frames(3), [&b"head"[..], b"key 1", b"delta 1"]);
    drop(listener);
    lost.reset();
    await_number(&sink.sink, "num-clients", 0);
    sink.push_buffer(delta(b"delta 2")).expect("taken");
    let listener = Listener::at(&port);
    let peer = listener.accept();
    await_number(&sink.sink, "num-clients", 1);
    sink.push_buffer(delta(b"delta 3")).expect("taken");
    sink.push(b"key 2");
    assert_eq!(peer.receive_frames(2), [&b"head"[..], b"key 2"]);
}

#[test]
fn no_frame_gets_lost_unseen_while_a_connection_breaks() {
    let listener = Listener::new();
    let sink = Sender::new(&format!(
        "port={} reconnect=true overflow=drop",
        listener.port()
    ));
    let held = Held::at_each_client(&sink);
    sink.start();
    held.await_client();
    listener.accept().reset();
    // Sending the first one fails. What follows it is not to be thrown away.
    sink.push(b"key 1");
    sink.push_buffer(delta(b"delta 1")).expect("taken");
    held.let_go();
    let peer = listener.accept();
    held.await_client();
    sink.push_buffer(delta(b"delta 2")).expect("taken");
    sink.push(b"key 2");
    held.let_go();
    sink.end();
    let received = peer.receive_until_end();
    let gap = received
        .windows(2)
        .any(|pair| pair == [b"key 1".to_vec(), b"delta 2".to_vec()]);
    assert!(!gap, "a frame that cannot be decoded follows a gap");
}

#[test]
fn block_loses_no_frame_while_a_connection_breaks() {
    let listener = Listener::new();
    let sink = Sender::new(&format!(
        "port={} reconnect=true overflow=block max-size-time=0",
        listener.port()
    ));
    let held = Held::at_each_client(&sink);
    sink.start();
    held.await_client();
    listener.accept().reset();
    for frame in [&b"one"[..], b"two", b"three"] {
        sink.push(frame);
    }
    held.let_go();
    held.let_go();
    let peer = listener.accept();
    sink.end();
    assert_eq!(peer.receive_until_end(), [&b"one"[..], b"two", b"three"]);
}

#[test]
fn a_client_that_breaks_is_not_one_to_send_to() {
    let sink = Sender::playing("mode=listen port=0");
    let lost = Peer::connect(sink.port());
    await_number(&sink.sink, "num-clients", 1);
    lost.reset();
    // Sending one fails, unless the reset is known before. Nobody else is there, so the stream is to be held.
    let (begin, begun) = mpsc::channel();
    let pushing = sink.in_background(move |feed| {
        for number in 0..=9 {
            begin.send(()).expect("a test");
            feed.push(number.to_string().as_bytes());
        }
        feed.end();
    });
    begun.recv_timeout(PATIENCE).expect("a push");
    let peer = Peer::connect(sink.port());
    let received = peer.receive_until_end();
    let all: Vec<_> = (0..=9)
        .map(|number| number.to_string().into_bytes())
        .collect();
    assert!(received == all || received == all[1..], "{received:?}");
    pushing.join().expect("all were taken");
}
