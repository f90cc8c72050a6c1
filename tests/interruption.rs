// SPDX-License-Identifier: MPL-2.0
//! From every situation in which an element waits for the network it stops at once and leaves nothing behind.
//!
//! A single test with a process of its own: it counts this process's threads and file descriptors.

#[allow(
    dead_code,
    unused_imports,
    reason = "the helpers serve the other tests too"
)]
mod support;

use gst::{glib, prelude::*};
use std::any::Any;
use std::iter;
use std::ops::Deref;
use std::time::{Duration, Instant};
use support::*;

/// An element that waits, and what keeps it waiting.
struct Stuck {
    pipeline: Box<dyn Deref<Target = Pipeline>>,
    _others: Box<dyn Any>,
}

fn stuck(pipeline: impl Deref<Target = Pipeline> + 'static, others: impl Any) -> Stuck {
    Stuck {
        pipeline: Box::new(pipeline),
        _others: Box::new(others),
    }
}

type Situation = (&'static str, fn() -> Stuck);

const SITUATIONS: &[Situation] = &[
    ("a source resolves a name", || {
        let settings = format!("host={UNKNOWN_NAME} connect-timeout=0");
        stuck(Receiver::playing(&settings), ())
    }),
    ("a sink resolves a name", || {
        pushing(&format!("host={UNKNOWN_NAME} connect-timeout=0"), ())
    }),
    ("a source is refused and tries again", || {
        let port = ReservedPort::new();
        stuck(
            Receiver::playing(&format!("port={} connect-timeout=0", port.number())),
            port,
        )
    }),
    ("a sink is refused and tries again", || {
        let port = ReservedPort::new();
        pushing(&format!("port={} connect-timeout=0", port.number()), port)
    }),
    ("a source gets no answer", || {
        let hole = BlackHole::new();
        stuck(Receiver::playing(&format!("port={}", hole.port())), hole)
    }),
    ("a sink gets no answer", || {
        let hole = BlackHole::new();
        pushing(&format!("port={}", hole.port()), hole)
    }),
    ("a source listens", || {
        stuck(Receiver::playing("mode=listen port=0"), ())
    }),
    ("a sink listens", || {
        stuck(Sender::playing("mode=listen port=0"), ())
    }),
    ("a sink holds the stream for a client", || {
        pushing("mode=listen port=0", ())
    }),
    ("a source waits for a frame", || {
        let (source, peer) = connected_source();
        stuck(source, peer)
    }),
    ("a source has half a frame", || {
        let (source, peer) = connected_source();
        peer.send_frame(b"whole");
        assert_eq!(source.frame(), b"whole");
        peer.send(b"00000008half");
        stuck(source, peer)
    }),
    ("a source has half a header", || {
        let (source, peer) = connected_source();
        peer.send_frame(b"whole");
        assert_eq!(source.frame(), b"whole");
        peer.send(b"0000");
        stuck(source, peer)
    }),
    ("a connected sink has nothing to send", || {
        let listener = Listener::new();
        let sink = Sender::playing(&format!("port={}", listener.port()));
        sink.push(b"frame");
        let peer = listener.accept();
        assert_eq!(peer.receive_frame(), b"frame");
        stuck(sink, peer)
    }),
    ("a peer does not read", || {
        let listener = Listener::new();
        let Stuck { pipeline, .. } = pushing(&format!("port={}", listener.port()), ());
        let peer = listener.accept();
        peer.await_bytes();
        Stuck {
            pipeline,
            _others: Box::new(peer),
        }
    }),
    ("a client does not read", || {
        let sink = Sender::playing("mode=listen port=0 overflow=block max-size-buffers=1");
        let peer = Peer::connect(sink.port());
        push_without_end(&sink);
        peer.await_bytes();
        stuck(sink, peer)
    }),
    ("the last frames are not read", || {
        let sink = Sender::playing("mode=listen port=0");
        let peer = Peer::connect(sink.port());
        sink.in_background(|feed| {
            if feed.try_push(buffer(&vec![0; BIG])).is_ok() {
                feed.end();
            }
        });
        peer.await_bytes();
        stuck(sink, peer)
    }),
    ("lockstep waits for its turn", || {
        let listener = Listener::new();
        let settings = format!("connection-id=turn port={}", listener.port());
        let source = Receiver::playing(&settings);
        let sink = Sender::playing(&format!("{settings} lockstep=true"));
        sink.push(b"first");
        let peer = listener.accept();
        assert_eq!(peer.receive_frame(), b"first");
        sink.push(b"second");
        stuck(sink, (source, peer))
    }),
];

/// More than the kernel takes for a peer that does not read.
const BIG: usize = 16_000_000;

fn pushing(settings: &str, others: impl Any) -> Stuck {
    let sink = Sender::playing(settings);
    push_without_end(&sink);
    stuck(sink, others)
}

fn push_without_end(sink: &Sender) {
    sink.in_background(|feed| while feed.try_push(buffer(&vec![0; BIG])).is_ok() {});
}

fn connected_source() -> (Receiver, Peer) {
    let source = Receiver::playing("mode=listen port=0");
    let peer = Peer::connect(source.port());
    source.expect_message("videosocket-connected");
    (source, peer)
}

#[test]
fn no_wait_holds_up_a_stop_or_leaves_anything_behind() {
    const WARM_UP: usize = 3;
    const ROUNDS: usize = 20;
    // GStreamer's own threads would else wait for other work after a stop, for a while and in varying number.
    glib::ThreadPool::set_max_unused_threads(Some(0));
    for (situation, arrive) in SITUATIONS {
        // An application may keep them, as messages on a bus do that nobody reads.
        let mut kept = Vec::new();
        let mut stops = iter::repeat_with(|| {
            let stuck = arrive();
            let elements = stuck.pipeline.elements().into_iter();
            kept.extend(elements.filter(|element| element.has_property("connection-id")));
            stop(stuck)
        });
        stops.by_ref().take(WARM_UP).for_each(drop);
        eventually("threads of the warm-up end", || {
            Usage::now().threads.len() <= IDLE_THREADS
        });
        let before = Usage::now();
        assert_short(situation, stops.take(ROUNDS).collect());
        let what =
            format!("after {ROUNDS} times that {situation}, no more than {before:?} is in use");
        eventually(&what, || Usage::now().within(&before));
    }
}

/// The test runner's main thread and the test's own.
const IDLE_THREADS: usize = 2;

/// How long it takes.
fn stop(stuck: Stuck) -> Duration {
    let begin = Instant::now();
    stuck.pipeline.stop();
    begin.elapsed()
}

/// Most stops take what is promised, and on a busy machine each takes not much more.
#[track_caller]
fn assert_short(situation: &str, mut stops: Vec<Duration>) {
    const PROMISED: Duration = Duration::from_millis(100);
    const BUSY: Duration = Duration::from_millis(500);
    stops.sort();
    let (median, longest) = (stops[stops.len() / 2], stops[stops.len() - 1]);
    assert!(
        median < PROMISED && longest < BUSY,
        "when {situation}, stops take {stops:?}"
    );
}
