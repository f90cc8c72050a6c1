// SPDX-License-Identifier: MPL-2.0
//! Many small frames move together: in one system call, and downstream in one list.

use crate::support::*;
use gst::prelude::*;
use parking_lot::Mutex;
use std::iter;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

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
    let lengths: Vec<_> = lists.iter().map(Vec::len).collect();
    // The first comes behind the events that begin the stream, and of each batch the base class pushes the last.
    assert_eq!(lengths, [1, 38, 1]);
}

#[test]
fn every_buffer_of_a_list_has_its_time() {
    let lists = received_lists("", &framed(&payloads(40, 700)), 40);
    let times: Vec<_> = lists.iter().flatten().map(|buffer| buffer.pts()).collect();
    assert!(times.iter().all(Option::is_some), "{times:?}");
    // A parser takes a time that it had before for none, and makes up a later one.
    assert!(times.is_sorted_by(|one, next| one < next), "{times:?}");
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
            *count.lock() += 1;
            gst::PadProbeReturn::Ok
        });
        source.play();
        let peer = Peer::connect(source.port());
        peer.send(&framed(&payloads(40, 700)).concat());
        source.frames(40);
        assert_eq!(*seen.lock(), 40, "at the {element}");
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

#[test]
fn a_frame_of_another_size_than_the_caps_say_is_warned_of_wherever_it_comes() {
    for at in [0, 1, 20, 39] {
        let source = Receiver::playing(
            "mode=listen port=0 caps=\"video/x-raw,format=GRAY8,width=100,height=1\"",
        );
        let mut stream = payloads(40, 100);
        stream[at].push(0);
        Peer::connect(source.port()).send(&framed(&stream).concat());
        assert_frames(&source.frames(40), &stream);
        let warning = source.expect_warning().from(&source.source);
        warning
            .is(gst::StreamError::Format)
            .says(&["has 100 bytes", "one of 101"]);
        source.expect_no_warning();
    }
}

/// A complaint of GStreamer's ends the test.
#[test]
fn a_source_of_small_frames_stops_in_full_flow_without_a_complaint() {
    let source = Receiver::new("mode=listen port=0");
    // It is to be met while it pushes, not while it waits for the test.
    source.output.set_property("max-buffers", 1u32);
    source.output.set_property("drop", true);
    let flood = framed(&payloads(1_000, 100)).concat();
    for _ in 0..STOPS {
        source.play();
        let (peer, flood) = (Peer::connect(source.port()), flood.clone());
        let flooding = Background::run(move || peer.send_until_refused(&flood));
        source.frames(3);
        source.stop();
        flooding.join().expect("the peer is turned away");
    }
}

/// Enough that one of them comes between the receipt of frames and their push.
const STOPS: usize = 30;

const BURST: usize = 300;
const SMALL: [u8; 50] = [7; 50];

/// Pushes bursts until the end of one waits for more to come: a busy machine may tear some apart. Returns the
/// number of frames.
#[track_caller]
fn push_until_held(feed: &Feed, sink: &gst::Element) -> usize {
    for bursts in 1..=100 {
        (0..BURST).for_each(|_| feed.push(&SMALL));
        if stat(sink, "bytes-queued") > 0 {
            return bursts * BURST;
        }
    }
    panic!("nothing waits for more");
}

#[test]
fn the_end_of_a_burst_does_not_wait_for_more() {
    let peer = Listener::new();
    let sink = Sender::playing(&format!("port={}", peer.port()));
    let peer = peer.accept();
    let waited = || {
        let element = sink.sink.clone();
        let pushing =
            sink.in_background(move |feed| (push_until_held(&feed, &element), Instant::now()));
        let (frames, pushed) = pushing.join().expect("every frame was taken");
        assert_frames(&peer.receive_frames(frames), &vec![SMALL.to_vec(); frames]);
        pushed.elapsed()
    };
    let mut waits: Vec<_> = iter::repeat_with(waited).take(9).collect();
    waits.sort();
    // All but the shortest may be those of a busy machine, within limits.
    let (shortest, median) = (Duration::from_millis(20), Duration::from_millis(100));
    assert!(waits[0] < shortest && waits[4] < median, "{waits:?}");
}

#[test]
fn a_burst_is_whole_after_a_stop_in_its_wake() {
    for _ in 0..5 {
        let peer = Listener::new();
        let sink = Sender::playing(&format!("port={}", peer.port()));
        let peer = peer.accept();
        let element = sink.sink.clone();
        let pushing = sink.in_background(move |feed| push_until_held(&feed, &element));
        let frames = pushing.join().expect("every frame was taken");
        sink.stop();
        assert_frames(&peer.receive_until_end(), &vec![SMALL.to_vec(); frames]);
    }
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
    let (burst, bursts) = mpsc::channel();
    let is_kept = Arc::new(AtomicBool::new(false));
    let (element, kept) = (sink.sink.clone(), is_kept.clone());
    let pushing = sink.in_background(move |feed| {
        let mut frames = push_until_held(&feed, &element);
        burst.send(()).expect("a test");
        while !kept.load(Ordering::Relaxed) {
            feed.push(&SMALL);
            frames += 1;
        }
        (0..BURST).for_each(|_| feed.push(&SMALL));
        feed.push(b"last");
        frames + BURST
    });
    let reading = Background::run(move || {
        let frames = iter::repeat_with(|| peer.receive_frame());
        frames.take_while(|frame| frame != b"last").count()
    });
    bursts.recv_timeout(PATIENCE).expect("a burst");
    let _second = Peer::connect(sink.port());
    held.await_client();
    is_kept.store(true, Ordering::Relaxed);
    let pushed = pushing.join().expect("every frame was taken");
    assert_eq!(reading.join(), Ok(pushed));
    held.let_go();
}

#[test]
fn a_memory_may_be_that_of_any_number_of_frames() {
    // GStreamer counts 255 maps of a memory at a time, and complains of more. One is the test's.
    let sink = Sender::playing("mode=listen port=0");
    let peer = Peer::connect(sink.port());
    await_number(&sink.sink, "num-clients", 1);
    let one = buffer(&SMALL);
    let _map = one.map_readable().expect("readable memory");
    let mut list = gst::BufferList::new();
    let frames = list.get_mut().expect("the only owner");
    for _ in 0..1_000 {
        frames.add(one.copy());
    }
    sink.push_list(list);
    assert_frames(&peer.receive_frames(1_000), &vec![SMALL.to_vec(); 1_000]);
}
