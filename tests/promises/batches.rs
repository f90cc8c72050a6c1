//! Many small frames move together: in one system call, and downstream in one list.

use crate::support::*;
use gst::prelude::*;
use std::sync::{Arc, Mutex};

/// What one write of the peer's brings, in the lists and single buffers that come of it.
fn received_lists(properties: &str, stream: &[Vec<u8>], count: usize) -> Vec<Vec<gst::Buffer>> {
    let source = Receiver::new(&format!("mode=listen port=0 {properties}"));
    source.output.set_property("buffer-list", true);
    source.play();
    let peer = Peer::connect(source.port());
    peer.send(&stream.concat());
    let mut lists = Vec::<Vec<gst::Buffer>>::new();
    while lists.iter().map(Vec::len).sum::<usize>() < count {
        let sample = source.sample();
        lists.push(match sample.buffer_list() {
            Some(list) => list.iter_owned().collect(),
            None => vec![sample.buffer_owned().expect("a buffer or a list")],
        });
    }
    lists
}

fn framed(payloads: &[Vec<u8>]) -> Vec<Vec<u8>> {
    payloads.iter().map(|payload| frame(payload)).collect()
}

fn content(lists: &[Vec<gst::Buffer>]) -> Vec<Vec<u8>> {
    let buffers = lists.iter().flatten();
    let content = buffers.map(|buffer| buffer.map_readable().expect("memory").to_vec());
    content.collect()
}

#[test]
fn frames_that_come_together_are_pushed_together() {
    let payloads = payloads(40, 700);
    let lists = received_lists("", &framed(&payloads), 40);
    assert_frames(&content(&lists), &payloads);
    assert!(lists.len() < 40, "each was pushed by itself");
}

#[test]
fn every_buffer_of_a_list_has_its_time() {
    let lists = received_lists("", &framed(&payloads(40, 700)), 40);
    let times: Vec<_> = lists.iter().flatten().map(|buffer| buffer.pts()).collect();
    assert!(times.iter().all(Option::is_some), "{times:?}");
    assert!(times.is_sorted());
    assert!(lists.iter().flatten().all(|b| b.dts() == b.pts()));
    let lists = received_lists("do-timestamp=false", &framed(&payloads(40, 700)), 40);
    let buffers = lists.iter().flatten();
    assert!(buffers.skip(1).all(|buffer| buffer.pts().is_none()));
}

#[test]
fn only_the_first_buffer_of_a_list_is_a_discontinuity() {
    let source = Receiver::playing("mode=listen port=0 reconnect=true");
    for _ in 0..2 {
        let peer = Peer::connect(source.port());
        peer.send(&framed(&payloads(20, 100)).concat());
        let discont = gst::BufferFlags::DISCONT;
        let flags = (0..20).map(|_| source.buffer().flags().contains(discont));
        let flags: Vec<_> = flags.collect();
        assert!(flags[0]);
        assert!(!flags[1..].contains(&true), "{flags:?}");
    }
}

#[test]
fn a_probe_for_buffers_sees_every_frame() {
    for (element, pad) in [("source", "src"), ("output", "sink")] {
        let source = Receiver::new("mode=listen port=0");
        let seen = Arc::new(Mutex::new(0));
        let pad = source.element(element).static_pad(pad).expect("a pad");
        let count = seen.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            *count.lock().unwrap() += 1;
            gst::PadProbeReturn::Ok
        });
        source.play();
        let peer = Peer::connect(source.port());
        peer.send(&framed(&payloads(40, 700)).concat());
        source.frames(40);
        assert_eq!(*seen.lock().unwrap(), 40, "at the {element}");
    }
}

#[test]
fn num_buffers_counts_frames_not_lists() {
    let source = Receiver::playing("mode=listen port=0 num-buffers=3");
    let peer = Peer::connect(source.port());
    peer.send(&framed(&payloads(40, 700)).concat());
    assert_eq!(source.rest().len(), 3);
}

#[test]
fn an_empty_frame_among_others_means_what_it_means_alone() {
    let mut stream = payloads(10, 100);
    stream[4].clear();
    for (meaning, expected) in [
        ("frame", stream.clone()),
        ("skip", [&stream[..4], &stream[5..]].concat()),
        ("eos", stream[..4].to_vec()),
    ] {
        let source = Receiver::playing(&format!("mode=listen port=0 zero-length={meaning}"));
        let peer = Peer::connect(source.port());
        peer.send(&framed(&stream).concat());
        peer.end_sending();
        assert_frames(&source.rest(), &expected);
    }
}

#[test]
fn frames_before_a_bad_header_are_delivered() {
    let source = Receiver::playing("mode=listen port=0");
    let peer = Peer::connect(source.port());
    let mut stream = framed(&payloads(10, 100));
    stream.push(b"GET / HT".to_vec());
    peer.send(&stream.concat());
    assert_frames(&source.rest(), &payloads(10, 100));
    source.expect_error().is(gst::StreamError::Decode);
}

/// Long enough for later frames to wait for more.
const BURST: u64 = 300;

fn push_burst(sink: &Sender) {
    let frames = payloads(BURST, 50);
    let pushing = sink.in_background(move |feed| feed.push_all(&frames));
    pushing.join().expect("every frame was taken");
}

#[test]
fn the_end_of_a_burst_does_not_wait_for_more() {
    let peer = Listener::new();
    let sink = Sender::playing(&format!("port={}", peer.port()));
    let peer = peer.accept();
    push_burst(&sink);
    assert_frames(&peer.receive_frames(BURST as usize), &payloads(BURST, 50));
}

#[test]
fn a_burst_is_whole_after_a_stop_in_its_wake() {
    let peer = Listener::new();
    let sink = Sender::playing(&format!("port={}", peer.port()));
    let peer = peer.accept();
    push_burst(&sink);
    sink.stop();
    assert_frames(&peer.receive_until_end(), &payloads(BURST, 50));
}

#[test]
fn a_list_is_not_thinned_for_a_client_that_keeps_up() {
    let sink = Sender::live("mode=listen port=0 overflow=drop max-size-buffers=2");
    let peer = Peer::connect(sink.port());
    sink.expect_message("videosocket-connected");
    let mut list = gst::BufferList::new();
    for payload in payloads(100, 500) {
        list.make_mut().add(buffer(&payload));
    }
    sink.push_list(list);
    assert_frames(&peer.receive_frames(100), &payloads(100, 500));
    assert_eq!(stat(&sink.sink, "frames-dropped"), 0);
}

#[test]
fn nothing_waits_for_more_while_a_handler_keeps_the_io_thread() {
    let sink = Sender::new("mode=listen port=0");
    let held = Held::at_each_client(&sink);
    sink.start();
    let peer = Peer::connect(sink.port());
    held.await_client();
    held.let_go();
    let _second = Peer::connect(sink.port());
    held.await_client();
    // More than go out one by one, and fewer than are sent for being enough.
    let frames = payloads(300, 100);
    let sent = frames.clone();
    let pushing = sink.in_background(move |feed| {
        let buffers: Vec<_> = sent.iter().map(|frame| buffer(frame)).collect();
        buffers
            .into_iter()
            .try_for_each(|buffer| feed.try_push(buffer).map(drop))
    });
    assert_frames(&peer.receive_frames(frames.len()), &frames);
    pushing.join().expect("it returns").expect("all taken");
    held.let_go();
}
