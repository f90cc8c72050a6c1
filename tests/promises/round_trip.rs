// SPDX-License-Identifier: MPL-2.0
//! Bytes in = bytes out, one buffer for each buffer, and the end of the stream at both ends.

use crate::support::*;
use gst::prelude::*;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Sends the frames from a sink to a source, both with these properties, and checks what comes out.
#[track_caller]
fn carries(properties: &str, frames: Vec<Vec<u8>>) {
    let source = Receiver::playing(&format!("mode=listen port=0 {properties}"));
    let sink = Sender::playing(&format!("port={} {properties}", source.port()));
    let sent = frames.clone();
    let pushing = sink.in_background(move |feed| {
        feed.push_all(&sent);
        feed.end();
    });
    assert_frames(&source.rest(), &frames);
    pushing.join().expect("every frame was taken");
    source.expect_eos();
    sink.expect_eos();
}

fn of_sizes(sizes: &[usize]) -> Vec<Vec<u8>> {
    sizes
        .iter()
        .enumerate()
        .map(|(seed, &size)| payload(seed as u64, size))
        .collect()
}

#[test]
fn frames_of_any_size() {
    carries(
        "",
        of_sizes(&[0, 1, 7, 8, 9, 65_535, 65_536, 20_000_000, 0, 1]),
    );
}

#[test]
fn frames_behind_every_kind_of_header() {
    for format in [
        "decimal", "u16be", "u16le", "u32be", "u32le", "u64be", "u64le", "varint",
    ] {
        carries(
            &format!("length-format={format}"),
            of_sizes(&[0, 1, 127, 128, 300, 16_384, 65_535]),
        );
    }
}

#[test]
fn frames_behind_decimal_headers_of_any_width() {
    carries("length-digits=1", of_sizes(&[0, 1, 9]));
    carries("length-digits=3", of_sizes(&[0, 10, 999]));
    carries("length-digits=20", of_sizes(&[0, 1, 100_000]));
}

#[test]
fn either_element_listens_and_either_starts_first() {
    for (sink_mode, source_mode) in [("listen", "connect"), ("connect", "listen")] {
        for sink_first in [true, false] {
            let port = ReservedPort::new();
            let sink = Sender::new(&format!("mode={sink_mode} port={}", port.number()));
            let source = Receiver::new(&format!("mode={source_mode} port={}", port.number()));
            let pushing;
            let push = |feed: Feed| {
                feed.push(b"one");
                feed.push(b"two");
                feed.end();
            };
            if sink_first {
                sink.start();
                pushing = sink.in_background(push);
                source.play();
            } else {
                source.play();
                sink.start();
                pushing = sink.in_background(push);
            }
            assert_eq!(source.rest(), [b"one", b"two"]);
            pushing.join().expect("both frames were taken");
            source.expect_eos();
            sink.expect_eos();
        }
    }
}

#[test]
fn a_buffer_of_many_memories_is_one_frame() {
    let source = Receiver::playing("mode=listen port=0");
    let sink = Sender::playing(&format!("port={}", source.port()));
    let parts = payloads(200, 1_000);
    let mut buffer = gst::Buffer::new();
    for part in &parts {
        buffer
            .get_mut()
            .expect("the only owner")
            .append_memory(gst::Memory::from_slice(part.clone()));
    }
    sink.push_buffer(buffer).expect("the sink takes it");
    assert_frames(&[source.frame()], &[parts.concat()]);
}

#[test]
fn each_buffer_of_a_list_is_a_frame() {
    let frames = of_sizes(&[3, 0, 100_000, 1, 5_000]);
    let source = Receiver::playing("mode=listen port=0");
    let sink = Sender::playing(&format!("port={}", source.port()));
    sink.push_list(frames.iter().map(|frame| buffer(frame)).collect());
    sink.end();
    assert_frames(&source.rest(), &frames);
}

/// Sends a film through this encoder, and compares what the sink got with what the source gave.
#[track_caller]
fn carries_film(encoder: &str) {
    const FRAMES: usize = 60;
    let source = Receiver::playing("mode=listen port=0");
    let sink = Pipeline::launch(&format!(
        "videotestsrc num-buffers={FRAMES} pattern=ball ! video/x-raw,format=I420,width=320,height=240 ! {encoder} ! \
         videosocketsink name=sink sync=false host=127.0.0.1 port={}",
        source.port()
    ));
    let sent = record(&sink.element("sink"));
    sink.play();
    let received = source.rest();
    assert_eq!(received.len(), FRAMES);
    assert_frames(&received, &sent.lock());
    source.expect_eos();
    sink.expect_eos();
}

fn record(sink: &gst::Element) -> Arc<Mutex<Vec<Vec<u8>>>> {
    let record = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&record);
    let pad = sink.static_pad("sink").expect("a sink pad");
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let map = info
            .buffer()
            .expect("a buffer")
            .map_readable()
            .expect("readable memory");
        log.lock().push(map.to_vec());
        gst::PadProbeReturn::Ok
    });
    record
}

#[test]
fn a_film_as_jpeg() {
    carries_film("jpegenc");
}

#[test]
fn a_film_as_h264() {
    carries_film(
        "x264enc tune=zerolatency speed-preset=ultrafast ! h264parse ! video/x-h264,stream-format=byte-stream,alignment=au",
    );
}

#[test]
fn a_film_as_raw_pictures() {
    carries_film("identity");
}

#[test]
fn jpeg_plays_without_caps() {
    let source = Receiver::of(Pipeline::launch(
        "videosocketsrc name=source mode=listen host=127.0.0.1 port=0 ! decodebin3 ! appsink name=output sync=false",
    ));
    source.play();
    let sink = Pipeline::launch(&format!(
        "videotestsrc num-buffers=30 ! jpegenc ! videosocketsink sync=false host=127.0.0.1 port={}",
        source.port()
    ));
    sink.play();
    assert_eq!(source.rest().len(), 30);
}

#[test]
fn a_player_opens_the_uri() {
    let sink = Pipeline::launch(
        "videotestsrc num-buffers=30 ! jpegenc ! videosocketsink name=sink sync=false mode=listen host=127.0.0.1 port=0",
    );
    sink.play();
    let uri = format!(
        "videosocket://127.0.0.1:{}",
        number(&sink.element("sink"), "current-port")
    );
    let shown = Arc::new(AtomicUsize::new(0));
    let screen = gst::ElementFactory::make("fakesink").property("signal-handoffs", true);
    let screen = screen.build().expect("fakesink");
    let count = Arc::clone(&shown);
    screen.connect("handoff", false, move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        None
    });
    let player = gst::ElementFactory::make("playbin3")
        .property("uri", uri)
        .property("video-sink", screen);
    let player = player.build().expect("playbin3");
    let player = Pipeline::of(player.downcast().expect("a pipeline"));
    player.play();
    player.expect_eos();
    assert_eq!(shown.load(Ordering::SeqCst), 30);
}

#[test]
fn frames_carry_the_caps_and_the_time_at_which_their_last_byte_arrived() {
    let source = Receiver::playing("mode=listen port=0 caps=image/jpeg,framerate=25/1");
    let peer = Peer::connect(source.port());
    let now = || source.source.current_running_time().expect("it plays");
    for _ in 0..3 {
        peer.send(b"00000005fra");
        let before = now();
        peer.send(b"me");
        let sample = source.sample();
        let after = now();
        let buffer = sample.buffer().expect("a buffer");
        let pts = buffer.pts().expect("a PTS");
        assert!((before..=after).contains(&pts), "{before} {pts} {after}");
        assert_eq!(buffer.dts(), Some(pts));
        let caps = sample.caps().expect("caps").to_string();
        assert_eq!(caps, "image/jpeg, framerate=(fraction)25/1");
        let segment = sample.segment().expect("a segment");
        assert_eq!(segment.format(), gst::Format::Time);
    }
}
