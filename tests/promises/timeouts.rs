// SPDX-License-Identifier: MPL-2.0
//! A connection on which nothing moves is given up after `timeout`.

use crate::support::*;
use std::thread;
use std::time::{Duration, Instant};

const SHORT: &str = "timeout=200000000";

#[test]
fn a_silent_sender_is_given_up() {
    let source = Receiver::playing(&format!("mode=listen port=0 {SHORT}"));
    let peer = Peer::connect(source.port());
    peer.send_frame(b"last");
    assert_eq!(source.rest(), [b"last"]);
    source
        .expect_error()
        .from(&source.source)
        .is(gst::ResourceError::Read)
        .says(&["200 ms"]);
    peer.expect_turned_away();
}

#[test]
fn a_sender_silent_in_mid_frame_is_given_up() {
    let source = Receiver::playing(&format!("mode=listen port=0 {SHORT}"));
    let peer = Peer::connect(source.port());
    peer.send(b"00000005hel");
    assert!(source.rest().is_empty());
    source.expect_error().is(gst::ResourceError::Read);
    peer.expect_turned_away();
}

#[test]
fn the_next_sender_is_served_after_a_silent_one() {
    let source = Receiver::playing(&format!("mode=listen port=0 reconnect=true {SHORT}"));
    let silent = Peer::connect(source.port());
    source.expect_warning().is(gst::ResourceError::Read);
    silent.expect_turned_away();
    Peer::connect(source.port()).send_frame(b"next");
    assert_eq!(source.frame(), b"next");
}

#[test]
fn waiting_for_a_sender_is_no_silence() {
    // The second source has been waiting for longer than the first, whose time is up.
    let patient = Receiver::playing(&format!("mode=listen port=0 {SHORT}"));
    let source = Receiver::playing(&format!("mode=listen port=0 {SHORT}"));
    let _silent = Peer::connect(source.port());
    source.expect_error();
    Peer::connect(patient.port()).send_frame(b"hello");
    assert_eq!(patient.frame(), b"hello");
}

#[test]
fn a_receiver_that_takes_nothing_is_given_up() {
    let listener = Listener::new();
    let sink = Sender::playing(&format!("port={} {SHORT}", listener.port()));
    let pushing =
        sink.in_background(|feed| while feed.try_push(buffer(&[0; 1_000_000])).is_ok() {});
    let _peer = listener.accept();
    sink.expect_error()
        .from(&sink.sink)
        .is(gst::ResourceError::Write);
    pushing.join().expect("the sink refuses further frames");
}

#[test]
fn a_receiver_that_got_everything_is_not_given_up() {
    let listener = Listener::new();
    let sink = Sender::playing(&format!("port={} {SHORT}", listener.port()));
    sink.push(b"first");
    let peer = listener.accept();
    assert_eq!(peer.receive_frame(), b"first");
    // Until the time is up for a source with the same patience, started later.
    let clock = Receiver::playing(&format!("mode=listen port=0 {SHORT}"));
    let _silent = Peer::connect(clock.port());
    clock.expect_error();
    sink.push(b"second");
    assert_eq!(peer.receive_frame(), b"second");
}

/// What the kernel takes at once, and a narrow peer does not.
const ALL_WITH_THE_KERNEL: usize = 100_000;

/// A sink that has given everything to the kernel, and its peer, of which the kernel acknowledges what little it takes.
fn served_narrowly(settings: &str) -> (Sender, Peer) {
    let listener = Listener::narrow();
    let sink = Sender::playing(&format!("port={} {settings}", listener.port()));
    sink.push(&payload(0, ALL_WITH_THE_KERNEL));
    let peer = listener.accept();
    peer.await_bytes();
    assert_eq!(stat(&sink.sink, "bytes-queued"), 0);
    (sink, peer)
}

#[test]
fn a_receiver_that_takes_nothing_more_of_what_the_kernel_holds_is_given_up() {
    let (sink, _peer) = served_narrowly(SHORT);
    sink.expect_error()
        .from(&sink.sink)
        .is(gst::ResourceError::Write)
        .says(&["took nothing for 200 ms"]);
}

#[test]
fn a_receiver_that_takes_a_little_all_the_time_is_not_given_up() {
    let (sink, peer) = served_narrowly("timeout=500000000");
    let begin = Instant::now();
    let mut taken = 0;
    // Time is the matter here: several times what it may take nothing for.
    while begin.elapsed() < Duration::from_millis(2_500) {
        taken += peer.receive(500).len();
        thread::sleep(Duration::from_millis(20));
    }
    let rest = peer.receive(8 + ALL_WITH_THE_KERNEL - taken);
    assert!(rest.len() > ALL_WITH_THE_KERNEL / 4, "it took too much");
    sink.push(b"next");
    assert_eq!(peer.receive_frame(), b"next");
}
