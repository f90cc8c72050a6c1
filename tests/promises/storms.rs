// SPDX-License-Identifier: MPL-2.0
//! A peer that accepts and closes at once, as one that has all the clients it serves, is asked ever less often.

use crate::support::*;
use std::time::{Duration, Instant};

/// So many pauses double from 100 ms on, each up to a fifth shorter: 80, 160, 320 and 640 ms.
const CONNECTIONS: u32 = 5;
const AT_LEAST: Duration = Duration::from_millis(1200);

/// For how long connections come that are closed at once.
fn time_to_close_all(listener: &Listener) -> Duration {
    drop(listener.accept());
    let first = Instant::now();
    for _ in 1..CONNECTIONS {
        drop(listener.accept());
    }
    first.elapsed()
}

#[test]
fn a_source_asks_ever_less_often() {
    let listener = Listener::new();
    let _source = Receiver::playing(&format!("port={} reconnect=true", listener.port()));
    let took = time_to_close_all(&listener);
    assert!(took >= AT_LEAST, "{took:?}");
}

#[test]
fn a_sink_that_sends_asks_ever_less_often() {
    let listener = Listener::new();
    let sink = Sender::playing(&format!(
        "port={} reconnect=true overflow=drop",
        listener.port()
    ));
    let pushing = sink.in_background(|feed| while feed.try_push(buffer(&[0; 1000])).is_ok() {});
    let took = time_to_close_all(&listener);
    assert!(took >= AT_LEAST, "{took:?}");
    sink.stop();
    pushing.join().expect("stopped");
}

#[test]
fn a_frame_ends_the_long_pauses() {
    let listener = Listener::new();
    let source = Receiver::playing(&format!("port={} reconnect=true", listener.port()));
    for _ in 0..4 {
        drop(listener.accept());
    }
    let peer = listener.accept();
    peer.send_frame(b"frame");
    assert_eq!(source.frame(), b"frame");
    drop(peer);
    let closed = Instant::now();
    listener.accept();
    let took = closed.elapsed();
    // The next of the long ones would have been of 1280 ms at least.
    assert!(took < Duration::from_millis(900), "{took:?}");
}

#[test]
fn a_source_warns_once_for_each_reason() {
    let listener = Listener::new();
    let source = Receiver::playing(&format!("port={} reconnect=true", listener.port()));
    for _ in 0..3 {
        drop(listener.accept());
    }
    listener.accept().send(b"00000005tor");
    let port = listener.port().to_string();
    let warning = source.expect_warning().from(&source.source);
    warning
        .is(gst::ResourceError::Read)
        .says(&[&port, "accepts"]);
    source.expect_warning().counts(3, 5);
    listener.accept();
    source.expect_warning().says(&["accepts"]);
    source.stop();
    source.expect_no_warning();
}

#[test]
fn a_sink_warns_once_for_each_reason() {
    let listener = Listener::new();
    let sink = Sender::playing(&format!(
        "port={} reconnect=true overflow=drop",
        listener.port()
    ));
    let pushing = sink.in_background(|feed| while feed.try_push(buffer(&[0; 1000])).is_ok() {});
    for _ in 0..4 {
        drop(listener.accept());
        sink.expect_message("videosocket-disconnected");
    }
    let warning = sink.expect_warning().from(&sink.sink);
    warning.is(gst::ResourceError::Write);
    sink.expect_no_warning();
    sink.stop();
    pushing.join().expect("stopped");
}

#[test]
fn a_fault_is_told_again_after_frames() {
    let listener = Listener::new();
    let source = Receiver::playing(&format!("port={} reconnect=true", listener.port()));
    for _ in 0..2 {
        let peer = listener.accept();
        peer.send_frame(b"frame");
        assert_eq!(source.frame(), b"frame");
        peer.reset();
        source.expect_warning().from(&source.source);
    }
}
