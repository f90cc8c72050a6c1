// SPDX-License-Identifier: MPL-2.0
//! A flush takes back the end of a stream: what follows it is a stream as the first one was.

use crate::support::*;
use std::sync::mpsc;

/// A sink whose peer, after a first frame, has read to the end of the stream.
fn ended(properties: &str) -> (Sender, Listener, Peer) {
    let listener = Listener::new();
    let sink = Sender::playing(&format!("port={} {properties}", listener.port()));
    sink.push(b"first");
    let peer = listener.accept();
    let ending = sink.in_background(|feed| feed.end());
    assert_eq!(peer.receive_until_end(), [b"first"]);
    ending.join().expect("the end was taken");
    (sink, listener, peer)
}

#[test]
fn frames_after_a_flush_go_over_the_next_connection() {
    for properties in [
        "",
        "reconnect=true",
        "reconnect=true overflow=block max-size-time=0",
    ] {
        let (sink, listener, _peer) = ended(properties);
        sink.flush();
        sink.push_all(&payloads(3, 1000));
        let next = listener.accept();
        assert_frames(&next.receive_frames(3), &payloads(3, 1000));
        sink.end();
        next.expect_end();
    }
}

#[test]
fn frames_after_a_flush_do_not_wait_for_the_first_peer_to_go() {
    for properties in ["", "reconnect=true"] {
        let listener = Listener::new();
        let sink = Sender::playing(&format!("port={} {properties}", listener.port()));
        let peer = listener.accept();
        await_number(&sink.sink, "num-clients", 1);
        // It goes on talking, so that the sink stays until it has gone.
        peer.send(b"talk");
        sink.push(b"first");
        assert_eq!(peer.receive_frame(), b"first");
        let ending = sink.in_background(|feed| feed.end());
        peer.expect_end();
        sink.flush();
        ending.join().expect("the end was taken");
        sink.push_all(&payloads(3, 1000));
        drop(peer);
        assert_frames(&listener.accept().receive_frames(3), &payloads(3, 1000));
        assert_eq!(stat(&sink.sink, "frames-dropped"), 0);
    }
}

#[test]
fn a_second_end_waits_for_the_frames_before_it() {
    let listener = Listener::new();
    let sink = Sender::playing(&format!("port={}", listener.port()));
    let peer = listener.accept();
    await_number(&sink.sink, "num-clients", 1);
    // It goes on talking, so that the sink stays until it has gone.
    peer.send(b"talk");
    sink.push(b"first");
    assert_eq!(peer.receive_frame(), b"first");
    let ending = sink.in_background(|feed| feed.end());
    peer.expect_end();
    sink.flush();
    ending.join().expect("the end was taken");
    sink.push_all(&payloads(3, 1000));
    let (begun, begin) = mpsc::channel();
    let ending = sink.in_background(move |feed| {
        begun.send(()).expect("a test");
        feed.end();
    });
    begin.recv_timeout(PATIENCE).expect("an end");
    drop(peer);
    let next = listener.accept();
    assert_frames(&next.receive_until_end(), &payloads(3, 1000));
    ending.join().expect("the second end was taken");
}

#[test]
fn a_sink_that_its_peer_has_left_connects_again_after_a_flush() {
    let listener = Listener::new();
    let sink = Sender::playing(&format!("port={}", listener.port()));
    let lost = listener.accept();
    await_number(&sink.sink, "num-clients", 1);
    sink.disconnect_client(1);
    lost.expect_end();
    await_number(&sink.sink, "num-clients", 0);
    assert_eq!(
        sink.push_buffer(buffer(b"refused")),
        Err(gst::FlowError::Eos)
    );
    sink.flush();
    sink.push(b"taken");
    assert_eq!(listener.accept().receive_frame(), b"taken");
}

#[test]
fn the_stream_is_held_while_only_clients_of_the_former_one_are_there() {
    let sink = Sender::playing("mode=listen port=0");
    let peer = Peer::connect(sink.port());
    sink.push(b"first");
    assert_eq!(peer.receive_frame(), b"first");
    peer.send(b"talk");
    let ending = sink.in_background(|feed| feed.end());
    peer.expect_end();
    sink.flush();
    ending.join().expect("the end was taken");
    let frames = payloads(1_000, 100);
    let next = frames.clone();
    let pushing = sink.in_background(move |feed| feed.push_all(&next));
    assert_frames(&Peer::connect(sink.port()).receive_frames(1_000), &frames);
    pushing.join().expect("the frames were taken");
}

#[test]
fn a_film_is_played_again_after_a_seek() {
    let listener = Listener::new();
    let pipeline = Pipeline::launch(&format!(
        "videotestsrc ! video/x-raw,width=64,height=48,framerate=30/1 ! jpegenc \
         ! videosocketsink name=sink sync=false host=127.0.0.1 port={}",
        listener.port()
    ));
    pipeline.play();
    let peer = listener.accept();
    peer.receive_frame();
    let three_frames = gst::ClockTime::from_mseconds(90);
    pipeline.seek_to_start_until(three_frames);
    peer.receive_until_end();
    for _ in 0..3 {
        pipeline.expect_eos();
        pipeline.seek_to_start_until(three_frames);
        assert_eq!(listener.accept().receive_until_end().len(), 3);
    }
}

/// A sink whose end waits for a peer that is full, after pauses that have come to it meanwhile.
fn waiting() -> (Sender, Peer, Vec<u8>, Background<()>) {
    let listener = Listener::new();
    let sink = Sender::playing(&format!(
        "port={} overflow=block max-size-time=0",
        listener.port()
    ));
    let frame = payload(1, 16_000_000);
    sink.push(&frame);
    let peer = listener.accept();
    peer.await_bytes();
    let ending = sink.in_background(|feed| feed.end());
    for _ in 0..3 {
        sink.pause();
        sink.await_preroll();
        sink.play();
        sink.await_playing();
    }
    (sink, peer, frame, ending)
}

#[test]
fn a_pause_is_reached_while_the_end_waits_for_a_full_peer() {
    let (sink, peer, frame, ending) = waiting();
    assert_frames(&peer.receive_until_end(), &[frame]);
    ending.join().expect("the end was taken");
    sink.expect_eos();
}

#[test]
fn a_pause_in_the_end_is_flushed() {
    let (sink, peer, frame, ending) = waiting();
    sink.pause();
    sink.await_preroll();
    sink.flush();
    ending.join().expect("let go by the flush");
    sink.play();
    let pushing = sink.in_background(|feed| feed.push(b"next"));
    assert_frames(&peer.receive_frames(2), &[frame, b"next".to_vec()]);
    pushing.join().expect("the frame was taken");
}
