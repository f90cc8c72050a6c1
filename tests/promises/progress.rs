// SPDX-License-Identifier: MPL-2.0
//! Who waits long for a connection is told for whom, and why.

use crate::support::*;
use gst::ProgressType::{Canceled, Complete, Error, Start};

/// The pipeline with either element, which connects to a port on which nobody answers.
fn both(port: &ReservedPort, properties: &str) -> (Receiver, Sender) {
    let properties = format!("port={} {properties}", port.number());
    (Receiver::playing(&properties), Sender::playing(&properties))
}

#[track_caller]
fn expect_start(pipeline: &Pipeline, element: &gst::Element, port: &ReservedPort) {
    let (kind, text) = pipeline.expect_progress(element);
    assert_eq!(kind, Start);
    let says = format!("127.0.0.1 port {}: connection refused", port.number());
    assert!(text.contains(&says), "{text}");
}

#[test]
fn a_wait_of_more_than_a_second_is_told_of_until_the_connection_is_there() {
    let port = ReservedPort::new();
    let (source, sink) = both(&port, "connect-timeout=0");
    let both: [(&Pipeline, _); 2] = [(&source, &source.source), (&sink, &sink.sink)];
    for (pipeline, element) in both {
        expect_start(pipeline, element, &port);
    }
    let _listener = Listener::at(&port);
    for (pipeline, element) in both {
        let (kind, text) = pipeline.expect_progress(element);
        assert_eq!(kind, Complete);
        assert!(text.contains(&port.number().to_string()), "{text}");
    }
}

#[test]
fn a_wait_ends_with_the_error() {
    let port = ReservedPort::new();
    let (source, sink) = both(&port, "connect-timeout=1300000000");
    let both: [(&Pipeline, _); 2] = [(&source, &source.source), (&sink, &sink.sink)];
    for (pipeline, element) in both {
        expect_start(pipeline, element, &port);
        assert_eq!(pipeline.expect_progress(element).0, Error);
        pipeline.expect_error().from(element);
    }
}

#[test]
fn a_stop_ends_the_wait() {
    let port = ReservedPort::new();
    let (source, sink) = both(&port, "connect-timeout=0");
    let both: [(&Pipeline, _); 2] = [(&source, &source.source), (&sink, &sink.sink)];
    for (pipeline, element) in both {
        expect_start(pipeline, element, &port);
        pipeline.stop();
        assert_eq!(pipeline.expect_progress(element).0, Canceled);
        pipeline.expect_no_progress();
    }
}

#[test]
fn who_is_silent_is_named_as_well() {
    let hole = BlackHole::new();
    let source = Receiver::playing(&format!("port={} connect-timeout=0", hole.port()));
    let (kind, text) = source.expect_progress(&source.source);
    assert_eq!(kind, Start);
    assert!(text.contains("no answer yet"), "{text}");
}

#[test]
fn a_quick_connection_makes_no_words() {
    let listener = Listener::new();
    let source = Receiver::playing(&format!("port={}", listener.port()));
    drop(listener.accept());
    source.expect_eos();
    source.stop();
    source.expect_no_progress();
}
