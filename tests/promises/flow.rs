// SPDX-License-Identifier: MPL-2.0
//! Pauses, flushes and restarts: no byte lost, none twice, and only whole frames on the wire.

use crate::support::*;
use gst::prelude::*;

#[test]
fn a_source_paused_in_mid_frame_goes_on_with_that_frame() {
    let source = Receiver::playing("mode=listen port=0");
    let peer = Peer::connect(source.port());
    let frames = payloads(3, 100_000);
    let stream: Vec<u8> = frames.iter().flat_map(|payload| frame(payload)).collect();
    peer.send_frame(b"first");
    assert_eq!(source.frame(), b"first");
    // Cuts inside the headers and the payloads.
    let mut sent = 0;
    for cut in [3, 8, 9, 50_000, 100_010, 100_016, 250_000, stream.len()] {
        peer.send(&stream[sent..cut]);
        sent = cut;
        source.pause();
        source.play();
    }
    drop(peer);
    assert_frames(&source.rest(), &frames);
    source.expect_eos();
}

#[test]
fn a_source_takes_nothing_while_paused_and_everything_after() {
    let source = Receiver::playing("mode=listen port=0");
    let peer = Peer::connect(source.port());
    peer.send_frame(b"before");
    assert_eq!(source.frame(), b"before");
    source.pause();
    let frames = payloads(10, 1_000);
    for frame in &frames {
        peer.send_frame(frame);
    }
    drop(peer);
    source.play();
    assert_frames(&source.rest(), &frames);
}

#[test]
fn a_sink_paused_in_mid_frame_goes_on_with_that_frame() {
    for mode in ["connect", "listen"] {
        let (sink, peer) = met(mode);
        let frames = payloads(2, 8_000_000);
        let sent = frames.clone();
        let pushing = sink.in_background(move |feed| {
            feed.push_all(&sent);
            feed.end();
        });
        let stream: Vec<u8> = frames.iter().flat_map(|payload| frame(payload)).collect();
        let mut received = Vec::new();
        while received.len() < stream.len() {
            let piece = 1_000_000.min(stream.len() - received.len());
            received.extend(peer.receive(piece));
            sink.pause();
            sink.play();
        }
        assert_frames(&[received], &[stream]);
        peer.expect_end();
        pushing.join().expect("every frame was taken");
    }
}

#[test]
fn an_end_that_comes_in_a_pause_does_not_hold_up_what_follows() {
    for mode in ["connect", "listen"] {
        let (sink, peer) = met(mode);
        let frame = payload(1, 16_000_000);
        let next = frame.clone();
        let pushing = sink.in_background(move |feed| feed.push(&next));
        peer.await_bytes();
        sink.pause();
        let ending = sink.in_background(|feed| feed.end());
        sink.await_preroll();
        sink.play();
        assert_frames(&peer.receive_until_end(), &[frame]);
        pushing.join().expect("the frame was taken");
        ending.join().expect("the end was taken");
        sink.expect_eos();
    }
}

#[test]
fn a_flush_in_mid_frame_leaves_whole_frames() {
    // More than the kernel takes from a peer that does not read.
    const BIG: usize = 16_000_000;
    for mode in ["connect", "listen"] {
        let (sink, peer) = met(mode);
        for round in 0..5 {
            let pushing = sink.in_background(move |feed| {
                // Flushing, when it was held.
                let _ = feed.try_push(buffer(&vec![round; BIG]));
            });
            assert_eq!(peer.receive(8), b"16000000");
            sink.flush();
            pushing.join().expect("let go by the flush");
            let pushing = sink.in_background(|feed| feed.push(b"next"));
            assert_frames(&[peer.receive(BIG)], &[vec![round; BIG]]);
            assert_eq!(peer.receive_frame(), b"next");
            pushing.join().expect("the next frame was taken");
        }
    }
}

#[test]
fn flushing_seeks_upstream_leave_whole_frames() {
    const PICTURE: usize = 640 * 480 * 3;
    let listener = Listener::new();
    let pipeline = Pipeline::launch(&format!(
        "videotestsrc pattern=ball ! video/x-raw,format=RGB,width=640,height=480 ! \
         videosocketsink name=sink sync=false host=127.0.0.1 port={}",
        listener.port()
    ));
    pipeline.play();
    let peer = listener.accept();
    assert_eq!(peer.receive_frame().len(), PICTURE);
    for _ in 0..10 {
        peer.await_bytes();
        pipeline.seek_to_start();
        assert_eq!(peer.receive_frame().len(), PICTURE);
    }
    pipeline.await_playing();
    pipeline.end();
    let rest = peer.receive_until_end();
    assert!(rest.iter().all(|picture| picture.len() == PICTURE));
}

#[test]
fn a_port_just_left_can_be_taken_again_at_once() {
    let source = Receiver::new("mode=listen port=0");
    for round in 0..3 {
        source.play();
        let port = source.port();
        let peer = Peer::connect(port);
        peer.send_frame(&[round]);
        assert_eq!(source.frame(), [round]);
        // The listening side closes first, which leaves a dying connection on its port.
        source.stop();
        source.source.set_property("port", u32::from(port));
    }
}

/// A sink and its peer, after a first frame.
fn met(mode: &str) -> (Sender, Peer) {
    let listener = Listener::new();
    let sink = match mode {
        "connect" => Sender::playing(&format!("port={}", listener.port())),
        _ => Sender::playing("mode=listen port=0"),
    };
    let pushing = sink.in_background(|feed| feed.push(b"first"));
    let peer = match mode {
        "connect" => listener.accept(),
        _ => Peer::connect(sink.port()),
    };
    assert_eq!(peer.receive_frame(), b"first");
    pushing.join().expect("the first frame was taken");
    (sink, peer)
}

#[test]
fn a_source_stops_under_a_flood_of_empty_frames() {
    let source = Receiver::playing("mode=listen port=0 zero-length=skip");
    let peer = Peer::connect(source.port());
    let flood = frame(b"").repeat(100_000);
    // More than the kernel holds for a source that does not read.
    (0..20).for_each(|_| peer.send(&flood));
    let flooding = Background::run(move || peer.send_until_refused(&flood));
    source.stop();
    flooding.join().expect("the peer is turned away");
}

#[test]
fn a_flush_while_clients_are_seen_off_leaves_none_behind() {
    let (sink, peer) = met("listen");
    // It goes on talking, so that the sink stays until it has gone.
    peer.send(b"talk");
    sink.push(b"last");
    assert_eq!(peer.receive_frame(), b"last");
    let ending = sink.in_background(|feed| feed.end());
    peer.expect_end();
    sink.flush();
    ending.join().expect("the end was taken");
    drop(peer);
    await_number(&sink.sink, "num-clients", 0);
    let pushing = sink.in_background(|feed| feed.push(b"next"));
    assert_eq!(Peer::connect(sink.port()).receive_frame(), b"next");
    pushing.join().expect("the frame was taken");
}

#[test]
fn a_sink_that_does_not_preroll_plays_although_its_first_frame_waits_for_a_client() {
    let pipeline = Pipeline::launch(
        "fakesrc sizetype=fixed sizemax=1000 format=time ! \
         videosocketsink async=false sync=false mode=listen host=127.0.0.1 port=0",
    );
    for _ in 0..STARTS {
        pipeline.play();
        pipeline.stop();
    }
}

/// Enough that the frame comes in the middle of the change to PLAYING once.
const STARTS: usize = 200;
