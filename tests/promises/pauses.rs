// SPDX-License-Identifier: MPL-2.0
//! A source in a pause: nothing is lost and nothing comes twice, whatever happens before it plays again.

use crate::support::*;
use gst::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// Frames that count from 0, as fast as they are taken, until told to end.
struct Flood {
    is_over: Arc<AtomicBool>,
    sending: Background<u32>,
}

impl Flood {
    fn into(source: &Receiver, len: usize) -> Self {
        let peer = Peer::connect(source.port());
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = is_over.clone();
        let sending = Background::run(move || {
            let mut count = 0;
            while !ends.load(SeqCst) {
                let burst: Vec<_> = (count..count + 10).flat_map(|n| numbered(n, len)).collect();
                peer.send(&burst);
                count += 10;
            }
            count
        });
        Self { is_over, sending }
    }

    /// How many frames there were.
    #[track_caller]
    fn end(self) -> u32 {
        self.is_over.store(true, SeqCst);
        self.sending.join().expect("all of it is taken")
    }
}

fn numbered(number: u32, len: usize) -> Vec<u8> {
    let mut payload = vec![0; len];
    payload[..4].copy_from_slice(&number.to_le_bytes());
    frame(&payload)
}

fn number_of(frame: &[u8]) -> u32 {
    u32::from_le_bytes(frame[..4].try_into().expect("4 bytes"))
}

#[track_caller]
fn assert_all_arrive_once(source: &Receiver, pause: impl Fn(u32), len: usize) {
    let flood = Flood::into(source, len);
    let mut numbers = Vec::new();
    for round in 0..50 {
        numbers.push(number_of(&source.frame()));
        pause(round);
    }
    let count = flood.end();
    let rest = source.rest();
    numbers.extend(rest.iter().map(|frame| number_of(frame)));
    let sent: Vec<_> = (0..count).collect();
    let odd = numbers.iter().zip(&sent).find(|(got, want)| got != want);
    assert_eq!((odd, numbers.len()), (None, sent.len()));
}

#[test]
fn every_frame_of_a_paused_flood_arrives_once() {
    for len in [16, 1_000, 100_000] {
        let source = Receiver::playing("mode=listen port=0");
        let pause = |_| {
            source.pause();
            source.play();
        };
        assert_all_arrive_once(&source, pause, len);
    }
}

#[test]
fn every_frame_arrives_once_where_lists_are_not_pushed() {
    let source = Receiver::new("mode=listen port=0");
    let pad = source.source.static_pad("src").expect("a pad");
    pad.add_probe(gst::PadProbeType::BUFFER, |_, _| gst::PadProbeReturn::Ok);
    source.play();
    let pause = |_| {
        source.pause();
        source.play();
    };
    assert_all_arrive_once(&source, pause, 1_000);
}

/// Whether the source has begun to wait for the next frame by then is open: enough to see both.
const ROUNDS: usize = 10;

/// A source that has received a frame and is paused, and its peer.
fn paused(properties: &str) -> (Receiver, Peer) {
    let source = Receiver::playing(&format!("mode=listen port=0 {properties}"));
    let peer = Peer::connect(source.port());
    peer.send_frame(b"first");
    assert_eq!(source.frame(), b"first");
    source.pause();
    (source, peer)
}

#[test]
fn a_stop_in_a_pause_is_immediate() {
    for begun in [&b""[..], b"0000", b"00000005ab", b"00000005whole"] {
        let stop = |_| {
            let (source, peer) = paused("");
            peer.send(begun);
            let stopping = Instant::now();
            source.stop();
            stopping.elapsed()
        };
        // A busy machine may hold up one of them.
        let took = (0..3).map(stop).min().expect("three times");
        assert!(took < Duration::from_millis(100), "it took {took:?}");
    }
}

#[test]
fn a_flush_in_a_pause_loses_no_frame_that_waits() {
    let source = Receiver::playing("mode=listen port=0");
    let peer = Peer::connect(source.port());
    for _ in 0..ROUNDS {
        peer.send_frame(b"first");
        assert_eq!(source.frame(), b"first");
        source.await_playing();
        source.pause();
        peer.send_frame(b"second");
        peer.send(b"00000005th");
        flush(&source);
        source.play();
        peer.send(b"ird");
        assert_eq!(source.frame(), b"second");
        assert_eq!(source.frame(), b"third");
    }
}

#[test]
fn a_flush_in_mid_frame_goes_on_with_that_frame() {
    let source = Receiver::playing("mode=listen port=0");
    let peer = Peer::connect(source.port());
    peer.send_frame(b"first");
    assert_eq!(source.frame(), b"first");
    for _ in 0..ROUNDS {
        // The sink waits for a frame after a flush, and the pipeline for the sink.
        source.await_playing();
        peer.send(b"00000010hel");
        flush(&source);
        peer.send(b"lo, all");
        assert_eq!(source.frame(), b"hello, all");
    }
}

#[track_caller]
fn flush(source: &Receiver) {
    let element = source.source.clone();
    let flushing = Background::run(move || {
        element.send_event(gst::event::FlushStart::new());
        element.send_event(gst::event::FlushStop::new(false));
    });
    flushing.join().expect("a flush does not wait");
}

#[test]
fn an_end_asked_for_in_a_pause_comes_with_the_next_play() {
    for _ in 0..ROUNDS {
        let (source, peer) = paused("");
        peer.send_frame(b"second");
        source.end();
        source.play();
        source.expect_eos();
    }
}

#[test]
fn an_end_asked_for_at_once_comes_without_a_frame() {
    for _ in 0..ROUNDS {
        let source = Receiver::playing("mode=listen port=0");
        source.end();
        source.expect_eos();
    }
}

#[test]
fn an_end_that_comes_in_a_pause_stays_one() {
    for _ in 0..ROUNDS {
        let (source, peer) = paused("zero-length=eos");
        peer.send_frame(b"");
        peer.send_frame(b"after");
        source.play();
        assert_frames(&source.rest(), &[]);
        source.expect_eos();
    }
}

#[test]
fn a_fault_that_comes_in_a_pause_is_told_once() {
    for _ in 0..ROUNDS {
        let (source, peer) = paused("");
        peer.send(b"GET / HTTP/1.1\r\n");
        source.play();
        assert_frames(&source.rest(), &[]);
        source.expect_error().is(gst::StreamError::Decode);
        assert!(source.unread_errors(&source.source).is_empty());
    }
}

#[test]
fn a_seek_is_refused_and_changes_nothing() {
    let (source, peer) = paused("");
    let seek = |flags| source.output.seek_simple(flags, gst::ClockTime::ZERO);
    let flags = [gst::SeekFlags::FLUSH, gst::SeekFlags::empty()];
    assert!(flags.iter().all(|&flags| seek(flags).is_err()));
    source.play();
    peer.send_frame(b"second");
    assert_eq!(source.frame(), b"second");
    assert!(flags.iter().all(|&flags| seek(flags).is_err()));
    peer.send_frame(b"third");
    assert_eq!(source.frame(), b"third");
}
