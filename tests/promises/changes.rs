// SPDX-License-Identifier: MPL-2.0
//! What is changed while the elements play takes effect at once.

use crate::support::*;
use gst::glib;
use gst::prelude::*;
use std::sync::mpsc;

/// More than the kernel takes for a client that does not read.
const BIG: usize = 16_000_000;

#[test]
fn each_of_these_is_tested_here() {
    let sink = [
        "wait-for-connection",
        "overflow",
        "sync-method",
        "request-keyframes",
        "max-clients",
        "max-size-buffers",
        "max-size-bytes",
        "max-size-time",
    ];
    assert_eq!(changeable("videosocketsink"), sink);
    assert_eq!(changeable("videosocketsrc"), ["zero-length", "latency"]);
}

/// The element's own properties that may be changed while it plays.
fn changeable(element: &str) -> Vec<String> {
    init();
    let factory = gst::ElementFactory::find(element).expect("a registered element");
    let kind = factory.load().expect("a plugin").element_type();
    let class = glib::Class::<gst::Element>::from_type(kind).expect("an element's class");
    let own = |spec: &&glib::ParamSpec| spec.owner_type() == kind;
    let changes = |spec: &&glib::ParamSpec| spec.flags().contains(gst::PARAM_FLAG_MUTABLE_PLAYING);
    let specs = class.list_properties();
    let names = specs.iter().filter(own).filter(changes);
    names.map(|spec| spec.name().into()).collect()
}

/// A client that does not read holds the stream, until a change lets it go on.
#[track_caller]
fn lets_go(settings: &str, property: &str, value: &str) {
    let settings = format!("mode=listen port=0 wait-for-connection=false {settings}");
    let sink = Sender::playing(&settings);
    let client = Peer::connect(sink.port());
    await_number(&sink.sink, "num-clients", 1);
    let frame = buffer(&vec![0; BIG]);
    let pushing = sink.in_background(move |feed| {
        // One that has been begun, one that may wait, and those that may not.
        (0..4).try_for_each(|_| feed.try_push(frame.copy()).map(drop))
    });
    client.await_bytes();
    sink.sink.set_property_from_str(property, value);
    assert_eq!(pushing.join(), Ok(Ok(())), "{property}={value}");
}

#[test]
fn a_stream_that_is_held_goes_on_with_another_overflow() {
    for overflow in ["drop", "disconnect"] {
        lets_go("overflow=block max-size-buffers=1", "overflow", overflow);
    }
}

#[test]
fn a_stream_that_is_held_goes_on_with_wider_limits() {
    let limits = [
        ("max-size-buffers", "1"),
        ("max-size-bytes", "1"),
        ("max-size-time", "1"),
    ];
    for (limit, narrow) in limits {
        let settings = format!("overflow=block max-size-time=0 {limit}={narrow}");
        lets_go(&settings, limit, "0");
    }
}

/// A sink that has had a client, and has none any more.
#[track_caller]
fn left_alone(settings: &str) -> Sender {
    let sink = Sender::playing(&format!("mode=listen port=0 {settings}"));
    let client = Peer::connect(sink.port());
    await_number(&sink.sink, "num-clients", 1);
    sink.push(b"first");
    assert_eq!(client.receive_frame(), b"first");
    client.reset();
    await_number(&sink.sink, "num-clients", 0);
    sink
}

#[test]
fn a_stream_that_is_held_for_a_client_goes_on_without() {
    let sink = left_alone("");
    let pushing = sink.in_background(|feed| feed.push(b"unsent"));
    sink.sink.set_property("wait-for-connection", false);
    pushing.join().expect("the frame passes by");
}

#[test]
fn a_stream_that_passed_by_is_held_for_a_client() {
    let sink = left_alone("wait-for-connection=false");
    sink.push(b"unsent");
    sink.sink.set_property("wait-for-connection", true);
    let (begin, begun) = mpsc::channel();
    let pushing = sink.in_background(move |feed| {
        begin.send(()).expect("a test");
        feed.push(b"held");
    });
    begun.recv_timeout(PATIENCE).expect("a push");
    assert_eq!(Peer::connect(sink.port()).receive_frame(), b"held");
    pushing.join().expect("the frame was taken");
}

#[test]
fn the_next_client_starts_elsewhere() {
    let sink = Sender::playing("mode=listen port=0");
    let joins = |clients| {
        let peer = Peer::connect(sink.port());
        await_number(&sink.sink, "num-clients", clients);
        peer
    };
    let _first = joins(1);
    sink.push(b"key 1");
    sink.sink.set_property_from_str("sync-method", "latest");
    let at_once = joins(2);
    sink.push_buffer(delta(b"delta 1")).expect("taken");
    assert_eq!(at_once.receive_frame(), b"delta 1");
    sink.sink
        .set_property_from_str("sync-method", "next-keyframe");
    let later = joins(3);
    sink.push_buffer(delta(b"delta 2")).expect("taken");
    sink.push(b"key 2");
    assert_eq!(later.receive_frame(), b"key 2");
    sink.sink
        .set_property_from_str("sync-method", "latest-keyframe");
    sink.push(b"key 3");
    let with_the_last = joins(4);
    sink.push_buffer(delta(b"delta 3")).expect("taken");
    let frames = with_the_last.receive_frames(2);
    assert_eq!(frames, [&b"key 3"[..], b"delta 3"]);
}

#[test]
fn keyframes_are_asked_for_or_not() {
    let sink = Sender::playing("mode=listen port=0 request-keyframes=false");
    let _early = Peer::connect(sink.port());
    await_number(&sink.sink, "num-clients", 1);
    sink.push(b"key");
    let _late = Peer::connect(sink.port());
    await_number(&sink.sink, "num-clients", 2);
    sink.push_buffer(delta(b"delta")).expect("taken");
    sink.expect_no_keyframe_request();
    sink.sink.set_property("request-keyframes", true);
    sink.push_buffer(delta(b"delta")).expect("taken");
    sink.expect_keyframe_request();
}

#[test]
fn more_clients_are_let_in_or_fewer() {
    let sink = Sender::playing("mode=listen port=0 max-clients=1");
    let _first = Peer::connect(sink.port());
    await_number(&sink.sink, "num-clients", 1);
    Peer::connect(sink.port()).expect_turned_away();
    sink.sink.set_property("max-clients", 3u32);
    let _second = Peer::connect(sink.port());
    await_number(&sink.sink, "num-clients", 2);
    sink.sink.set_property("max-clients", 2u32);
    Peer::connect(sink.port()).expect_turned_away();
}

#[test]
fn empty_frames_mean_something_else() {
    let source = Receiver::playing("mode=listen port=0");
    let peer = Peer::connect(source.port());
    peer.send_frame(b"");
    assert_eq!(source.frame(), b"");
    source.source.set_property_from_str("zero-length", "skip");
    peer.send_frame(b"");
    peer.send_frame(b"frame");
    assert_eq!(source.frame(), b"frame");
    source.source.set_property_from_str("zero-length", "eos");
    peer.send_frame(b"");
    assert!(source.rest().is_empty());
    source.expect_eos();
}

#[test]
fn what_a_uri_sets_while_playing_is_in_force_at_once() {
    let sink = Sender::playing("mode=listen port=0");
    sink.sink
        .set_property("uri", "videosocket://127.0.0.1?mode=listen&max-clients=1");
    let _first = Peer::connect(sink.port());
    await_number(&sink.sink, "num-clients", 1);
    Peer::connect(sink.port()).expect_end();
}
