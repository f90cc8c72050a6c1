// SPDX-License-Identifier: MPL-2.0
//! Why a connection has ended: said by the message on the bus, and by the sink's signal.

use crate::support::*;
use gst::glib;
use gst::prelude::*;

const MODES: [&str; 2] = ["connect", "listen"];

/// More than the kernel takes for a peer that does not read.
const BIG: usize = 16_000_000;

/// Ends a connection of a sink to a peer, by its id. What `end` returns stays until the reason is told.
#[track_caller]
fn sink_tells<T>(wanted: &str, settings: &str, end: impl Fn(&Sender, Peer, u64) -> T) {
    for mode in MODES {
        let listener = Listener::new();
        let port = if mode == "connect" {
            listener.port()
        } else {
            0
        };
        let sink = Sender::new(&format!(
            "mode={mode} port={port} wait-for-connection=false {settings}"
        ));
        let id = |arguments: &[glib::Value]| arguments[1].get::<u64>().expect("an id");
        let added = listen_to(&sink.sink, "client-added", id);
        let removed = listen_to(&sink.sink, "client-removed", move |arguments| {
            (id(arguments), nick(&arguments[2]))
        });
        sink.start();
        let peer = match mode {
            "connect" => listener.accept(),
            _ => Peer::connect(sink.port()),
        };
        let id = added.recv_timeout(PATIENCE).expect("a client");
        let _stays = end(&sink, peer, id);
        assert_eq!(reason_of(&sink), wanted, "on the bus, mode={mode}");
        let removed = removed.recv_timeout(PATIENCE).expect("a signal");
        assert_eq!(removed, (id, wanted.into()), "by the signal, mode={mode}");
    }
}

/// Ends a connection of a source to a peer, after a first frame.
#[track_caller]
fn source_tells<T>(wanted: &str, settings: &str, end: impl Fn(&Receiver, Peer) -> T) {
    for mode in MODES {
        let listener = Listener::new();
        let port = if mode == "connect" {
            listener.port()
        } else {
            0
        };
        let source = Receiver::playing(&format!("mode={mode} port={port} {settings}"));
        let peer = match mode {
            "connect" => listener.accept(),
            _ => Peer::connect(source.port()),
        };
        peer.send_frame(b"first");
        assert_eq!(source.frame(), b"first");
        let _stays = end(&source, peer);
        assert_eq!(reason_of(&source), wanted, "mode={mode}");
    }
}

fn nick(value: &glib::Value) -> String {
    let (_class, value) = glib::EnumValue::from_value(value).expect("an enum");
    value.nick().into()
}

#[track_caller]
fn reason_of(pipeline: &Pipeline) -> String {
    let told = pipeline.expect_message("videosocket-disconnected");
    told.get("reason").expect("a string")
}

#[test]
fn a_client_that_closes() {
    sink_tells("closed", "", |sink, peer, _| {
        drop(peer);
        eventually("what is sent finds nobody", || {
            // Refused where it is known already.
            let _ = sink.push_buffer(buffer(b"frame"));
            number(&sink.sink, "num-clients") == 0
        });
    });
}

#[test]
fn a_client_that_breaks() {
    sink_tells("failed", "", |_, peer, _| peer.reset());
}

#[test]
fn a_client_that_is_too_slow() {
    sink_tells(
        "too-slow",
        "overflow=disconnect max-size-buffers=1",
        |sink, peer, _| {
            // One that has been begun, one that may wait, and one too many.
            for frame in vec![buffer(&vec![0; BIG]); 3] {
                sink.push_buffer(frame).expect("the stream goes on");
            }
            peer
        },
    );
}

#[test]
fn a_client_that_takes_nothing() {
    sink_tells("timeout", "timeout=100000000", |sink, peer, _| {
        sink.push(&vec![0; BIG]);
        peer
    });
}

#[test]
fn a_client_that_does_not_let_the_stream_end() {
    let settings = "overflow=drop max-size-buffers=1";
    sink_tells("too-slow", settings, |sink, peer, _| {
        sink.push(&vec![0; BIG]);
        sink.end();
        peer
    });
}

#[test]
fn a_client_that_got_the_end_of_the_stream() {
    sink_tells("eos", "", |sink, peer, _| {
        sink.push(b"last");
        sink.end();
        assert_eq!(peer.receive_until_end(), [b"last"]);
    });
}

#[test]
fn a_client_that_the_application_removes() {
    sink_tells("removed", "", |sink, peer, id| {
        let found: bool = sink.sink.emit_by_name("disconnect-client", &[&id]);
        assert!(found);
        peer.expect_turned_away();
    });
}

#[test]
fn a_sink_that_stops() {
    sink_tells("stopped", "", |sink, peer, _| {
        sink.stop();
        peer
    });
}

#[test]
fn a_sender_that_closes_between_frames() {
    source_tells("closed", "", |_, peer| drop(peer));
}

#[test]
fn a_sender_that_breaks_or_closes_inside_a_frame_or_speaks_no_framing() {
    source_tells("failed", "", |_, peer| peer.send(b"00000005torn"));
    source_tells("failed", "", |_, peer| peer.reset());
    source_tells("failed", "", |_, peer| {
        peer.send(b"nonsense");
        peer
    });
}

#[test]
fn a_sender_that_is_silent() {
    source_tells("timeout", "timeout=100000000", |_, peer| peer);
}

#[test]
fn a_source_that_stops() {
    source_tells("stopped", "", |source, peer| {
        source.stop();
        peer
    });
}

#[test]
fn an_empty_frame_that_ends_the_stream() {
    source_tells("stopped", "zero-length=eos", |source, peer| {
        peer.send_frame(b"");
        assert!(source.rest().is_empty());
        source.stop();
        peer
    });
}
