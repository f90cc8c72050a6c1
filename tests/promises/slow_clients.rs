// SPDX-License-Identifier: MPL-2.0
//! A client that does not keep up costs what `overflow` says, and nobody else.

use crate::support::*;
use gst::prelude::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

const FRAME: usize = 1_000_000;
/// More than the kernel holds for a client that does not read.
const FRAMES: u64 = 40;

/// A sink, a client that reads, and one that does not yet.
fn served(sink: Sender) -> (Sender, Peer, Peer) {
    let reads = Peer::connect(sink.port());
    await_number(&sink.sink, "num-clients", 1);
    let stalls = Peer::connect(sink.port());
    await_number(&sink.sink, "num-clients", 2);
    (sink, reads, stalls)
}

/// The stream goes on for the one who reads.
#[track_caller]
fn stream_to(sink: &Sender, reads: &Peer) -> Vec<Vec<u8>> {
    let frames = payloads(FRAMES, FRAME);
    for frame in &frames {
        let next = frame.clone();
        let pushing = sink.in_background(move |feed| feed.push(&next));
        assert_frames(&[reads.receive_frame()], std::slice::from_ref(frame));
        pushing.join().expect("the frame was taken");
    }
    frames
}

/// Some of the frames, whole and in order, up to the last.
#[track_caller]
fn assert_thinned(received: &[Vec<u8>], frames: &[Vec<u8>]) {
    let mut rest = frames.iter();
    assert!(
        received.iter().all(|frame| rest.any(|sent| sent == frame)),
        "whole frames in order"
    );
    assert!(received.len() < frames.len(), "some are dropped");
    assert!(received.last() == frames.last(), "the newest is kept");
}

#[test]
fn drop_thins_the_stream_of_that_client_alone() {
    let (sink, reads, stalls) = served(Sender::playing(
        "mode=listen port=0 overflow=drop max-size-buffers=2",
    ));
    let frames = stream_to(&sink, &reads);
    let ending = sink.in_background(|feed| feed.end());
    let received = stalls.receive_until_end();
    assert_thinned(&received, &frames);
    reads.expect_end();
    ending.join().expect("the end was taken");
    sink.expect_eos();
    let lost = (frames.len() - received.len()) as u64;
    assert_eq!(stat(&sink.sink, "frames-dropped"), lost);
    let mut told = 0;
    while told < lost {
        let more = sink.expect_drops();
        assert!(more > told, "{more} after {told}");
        told = more;
    }
    assert_eq!(told, lost);
}

#[test]
fn a_client_that_stalls_does_not_hold_up_the_end() {
    let (sink, reads, _stalls) = served(Sender::playing(
        "mode=listen port=0 overflow=drop max-size-buffers=2",
    ));
    stream_to(&sink, &reads);
    let begin = Instant::now();
    sink.end();
    let took = begin.elapsed();
    // It has 2 s to take more, which is looked at every second.
    assert!(took < Duration::from_millis(3_500), "{took:?}");
    reads.expect_end();
    sink.expect_eos();
}

#[test]
fn a_live_stream_is_never_held_up() {
    let (sink, reads, stalls) = served(Sender::live("mode=listen port=0 max-size-buffers=2"));
    let frames = stream_to(&sink, &reads);
    let ending = sink.in_background(|feed| feed.end());
    assert_thinned(&stalls.receive_until_end(), &frames);
    ending.join().expect("the end was taken");
}

#[test]
fn disconnect_removes_that_client_alone() {
    let (sink, reads, _stalls) = served(Sender::playing(
        "mode=listen port=0 overflow=disconnect max-size-buffers=2",
    ));
    stream_to(&sink, &reads);
    await_number(&sink.sink, "num-clients", 1);
    sink.end();
    reads.expect_end();
    sink.expect_eos();
}

#[test]
fn block_holds_the_stream_and_loses_nothing() {
    for overflow in ["block", "auto"] {
        let sink = Sender::playing(&format!(
            "mode=listen port=0 overflow={overflow} max-size-buffers=2"
        ));
        let (sink, reads, stalls) = served(sink);
        let frames = payloads(FRAMES, FRAME);
        let sent = frames.clone();
        let pushing = sink.in_background(move |feed| {
            feed.push_all(&sent);
            feed.end();
        });
        let reading = std::thread::spawn(move || reads.receive_until_end());
        // The one who reads has to wait for the one who begins to only now.
        stalls.await_bytes();
        assert_frames(&stalls.receive_until_end(), &frames);
        assert_frames(&reading.join().expect("a client"), &frames);
        pushing.join().expect("every frame was taken");
    }
}

/// The memory of a frame, which tells whether it is in use.
struct Watched(
    Arc<Vec<u8>>,
    #[allow(dead_code, reason = "it is counted")] Arc<()>,
);

impl AsRef<[u8]> for Watched {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[test]
fn a_stalled_client_costs_references_not_copies() {
    // More than the kernel takes for a client that does not read.
    const BIG: usize = 16_000_000;
    let (sink, first, second) = served(Sender::playing(
        "mode=listen port=0 overflow=drop max-size-buffers=2",
    ));
    let content = Arc::new(vec![0; BIG]);
    let uses = [(); 10].map(|()| Arc::new(()));
    for used in &uses {
        let memory = gst::Memory::from_slice(Watched(content.clone(), used.clone()));
        let mut frame = gst::Buffer::new();
        frame.get_mut().expect("its owner").append_memory(memory);
        sink.push_buffer(frame).expect("the stream goes on");
    }
    let in_use = |uses: &[Arc<()>]| -> Vec<_> {
        let counts = uses.iter().map(Arc::strong_count);
        counts.map(|count| count > 1).collect()
    };
    // One of which a part is already with the kernel, and two that wait, the same for both clients.
    let mut expected = [false; 10];
    for at in [0, 8, 9] {
        expected[at] = true;
    }
    // The base class keeps the last one as well.
    sink.sink.set_property("enable-last-sample", false);
    assert_eq!(in_use(&uses), expected);
    let queued = stat(&sink.sink, "bytes-queued");
    assert!(
        (4 * BIG as u64..6 * BIG as u64).contains(&queued),
        "{queued}"
    );
    drop((first, second));
    sink.stop();
    assert_eq!(in_use(&uses), [false; 10]);
}

#[test]
fn a_thinned_stream_goes_on_with_a_keyframe() {
    const GROUP: u64 = 5;
    let sink = Sender::playing("mode=listen port=0 overflow=drop max-size-buffers=2");
    let (sink, reads, stalls) = served(sink);
    for n in 0..FRAMES {
        let mut frame = payload(n, FRAME);
        frame[0] = n as u8;
        let next = if n % GROUP == 0 {
            buffer(&frame)
        } else {
            delta(&frame)
        };
        let pushing = sink.in_background(move |feed| feed.try_push(next));
        assert_frames(&[reads.receive_frame()], &[frame]);
        assert_eq!(pushing.join().unwrap(), Ok(gst::FlowSuccess::Ok));
    }
    let ending = sink.in_background(|feed| feed.end());
    let received: Vec<u64> = stalls
        .receive_until_end()
        .iter()
        .map(|frame| frame[0].into())
        .collect();
    ending.join().expect("the end was taken");
    assert!(
        received.len() < FRAMES as usize,
        "some are dropped: {received:?}"
    );
    for pair in received.windows(2) {
        let decodes = pair[1] == pair[0] + 1 || pair[1] % GROUP == 0;
        assert!(decodes, "{pair:?} in {received:?}");
    }
}

#[test]
fn a_stream_header_that_waits_leaves_the_limits_in_force() {
    let port = ReservedPort::new();
    let sink = Sender::new(&format!(
        "port={} connect-timeout=0 overflow=drop max-size-time=100000000",
        port.number()
    ));
    sink.start_with_caps(&caps_with_header(b"head"));
    for n in 0..FRAMES {
        let mut frame = match n {
            0 => buffer(&payload(n, FRAME)),
            _ => delta(&payload(n, FRAME)),
        };
        let pts = gst::ClockTime::from_mseconds(33 * n);
        frame.get_mut().expect("the only owner").set_pts(pts);
        assert_eq!(sink.push_buffer(frame), Ok(gst::FlowSuccess::Ok));
    }
    let queued = stat(&sink.sink, "bytes-queued");
    // What comes in 100 ms, and one frame at either end of them.
    assert!(queued <= 6 * (FRAME as u64 + 8), "{queued} bytes wait");
}

#[test]
fn frames_lost_before_a_connection_are_counted_and_told() {
    for overflow in ["drop", "auto"] {
        let port = ReservedPort::new();
        let sink = Sender::live(&format!(
            "port={} connect-timeout=0 overflow={overflow}",
            port.number()
        ));
        sink.push_all(&payloads(10, 100));
        assert_eq!(stat(&sink.sink, "frames-dropped"), 10);
        assert_eq!((1..=10).map(|_| sink.expect_drops()).last(), Some(10));
        let peer = Listener::at(&port).accept();
        await_number(&sink.sink, "num-clients", 1);
        sink.push(b"first");
        assert_eq!(peer.receive_frame(), b"first");
        assert_eq!(stat(&sink.sink, "frames-dropped"), 10);
    }
}

#[test]
fn a_file_that_may_be_thinned_out_waits_for_the_connection_within_the_limits() {
    let port = ReservedPort::new();
    let sink = Sender::playing(&format!(
        "port={} connect-timeout=0 overflow=drop max-size-buffers=3",
        port.number()
    ));
    let frames = payloads(5, 100);
    sink.push_all(&frames);
    assert_eq!(stat(&sink.sink, "frames-dropped"), 2);
    let peer = Listener::at(&port).accept();
    sink.end();
    assert_frames(&peer.receive_until_end(), &frames[2..]);
}
