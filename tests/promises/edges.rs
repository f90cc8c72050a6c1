// SPDX-License-Identifier: MPL-2.0
//! What a connection begins and ends with besides frames: `preamble` and `eos-frame`.

use crate::support::*;
use gst::prelude::*;

const FORMS: [(&str, &[u8], &[u8]); 4] = [
    ("", b"00000002", b"00000000"),
    ("length-format=u32le", b"\x02\0\0\0", b"\0\0\0\0"),
    (
        "length-format=u16be length-offset=1 length-trailer=1",
        b"\0\0\x02\0",
        b"\0\0\0\0",
    ),
    ("length-format=varint", b"\x02", b"\0"),
];

/// A sink with these properties, and the peer it has come together with.
fn sink_and_peer(mode: &str, properties: &str) -> (Sender, Peer) {
    let listener = Listener::new();
    if mode == "connect" {
        let sink = Sender::playing(&format!("port={} {properties}", listener.port()));
        return (sink, listener.accept());
    }
    let sink = Sender::playing(&format!("mode=listen port=0 {properties}"));
    let peer = Peer::connect(sink.port());
    (sink, peer)
}

#[test]
fn a_sink_sends_the_preamble_at_once_and_a_frame_of_length_0_last() {
    for mode in ["connect", "listen"] {
        for (form, header, last) in FORMS {
            let properties = format!("preamble=00ff4b eos-frame=true {form}");
            let (sink, peer) = sink_and_peer(mode, &properties);
            assert_eq!(peer.receive(3), b"\x00\xff\x4b", "{form}");
            assert_eq!(stat(&sink.sink, "frames-sent"), 0);
            sink.push(b"ok");
            sink.end();
            assert_eq!(peer.receive(header.len() + 2), [header, b"ok"].concat());
            assert_eq!(peer.receive(last.len()), last, "{form}");
            peer.expect_end();
            assert_eq!(stat(&sink.sink, "frames-sent"), 2);
            assert_eq!(stat(&sink.sink, "bytes-sent"), 2);
        }
    }
}

#[test]
fn without_them_there_is_nothing_but_frames() {
    let (sink, peer) = sink_and_peer("listen", "");
    sink.push(b"ok");
    sink.end();
    assert_eq!(peer.receive(10), b"00000002ok");
    peer.expect_end();
}

#[test]
fn the_preamble_comes_before_the_stream_headers_and_late_joiners_get_it_too() {
    let sink = Sender::new("mode=listen port=0 preamble=6869 eos-frame=true");
    let header = gst::Array::new([buffer(b"head")]);
    let caps = gst::Caps::builder("video/x-test")
        .field("streamheader", header)
        .build();
    sink.start_with_caps(&caps);
    let first = Peer::connect(sink.port());
    assert_eq!(first.receive(2), b"hi");
    sink.push(b"1");
    assert_eq!(first.receive(21), b"00000004head000000011");
    let second = Peer::connect(sink.port());
    assert_eq!(second.receive(2), b"hi");
    sink.push(b"2");
    assert_eq!(first.receive(9), b"000000012");
    assert_eq!(second.receive(21), b"00000004head000000012");
    // It gets no frame of the stream, and is told of the end all the same.
    let third = Peer::connect(sink.port());
    assert_eq!(third.receive(2), b"hi");
    sink.end();
    for peer in [first, second, third] {
        assert_eq!(peer.receive_until_end(), [b""]);
    }
}

#[test]
fn a_client_that_is_behind_gets_all_frames_before_the_last() {
    let (sink, peer) = sink_and_peer("listen", "eos-frame=true overflow=block");
    let frames = payloads(3, 5_000_000);
    let pushed = frames.clone();
    let pushing = sink.in_background(move |feed| {
        feed.push_all(&pushed);
        feed.end();
    });
    assert_frames(&peer.receive_frames(3), &frames);
    assert_eq!(peer.receive_until_end(), [b""]);
    pushing.join().expect("the stream ends");
}

#[test]
fn a_stream_that_goes_on_after_its_end_has_another_last_frame() {
    let (sink, peer) = sink_and_peer("listen", "preamble=6869 eos-frame=true");
    for turn in 0..20 {
        let peer = if turn == 0 {
            &peer
        } else {
            &Peer::connect(sink.port())
        };
        assert_eq!(peer.receive(2), b"hi");
        sink.push(b"ok");
        sink.end();
        // The peer is to take its leave whether or not the flush comes first.
        sink.flush();
        assert_eq!(peer.receive_until_end(), [b"ok".to_vec(), vec![]]);
    }
}

#[test]
fn each_connection_has_its_own() {
    let listener = Listener::new();
    let properties = format!(
        "port={} preamble=6869 eos-frame=true reconnect=true",
        listener.port()
    );
    let sink = Sender::playing(&properties);
    let lost = listener.accept();
    assert_eq!(lost.receive(2), b"hi");
    sink.push(b"first");
    assert_eq!(lost.receive_frame(), b"first");
    lost.reset();
    let peer = listener.accept();
    assert_eq!(peer.receive(2), b"hi");
    sink.push(b"second");
    assert_eq!(peer.receive_frame(), b"second");
    sink.end();
    assert_eq!(peer.receive_until_end(), [b""]);
    assert_eq!(stat(&sink.sink, "connections"), 2);
}

#[test]
fn a_source_skips_the_preamble_before_frames_of_any_form() {
    for (form, header, last) in FORMS {
        let source = Receiver::playing(&format!(
            "mode=listen port=0 preamble=000000 zero-length=eos {form}"
        ));
        let peer = Peer::connect(source.port());
        // Its values are not compared.
        peer.send(&[b"00\xff", header, b"ok", last].concat());
        assert_eq!(source.rest(), [b"ok"], "{form}");
        source.expect_eos();
        assert_eq!(stat(&source.source, "frames-received"), 2);
        assert_eq!(stat(&source.source, "bytes-received"), 2);
    }
}

#[test]
fn a_source_skips_it_on_each_connection_and_in_pieces() {
    let properties = "mode=listen port=0 preamble=000000 reconnect=true";
    let source = Receiver::playing(properties);
    for part in 0..=3 {
        let peer = Peer::connect(source.port());
        let (first, second) = b"0A\0".split_at(part);
        peer.send(first);
        source.pause();
        source.play();
        peer.send(second);
        peer.send_frame(&[part as u8]);
        assert_eq!(source.frame(), [part as u8]);
    }
}

#[test]
fn a_connection_that_ends_inside_the_preamble_is_told_of_as_such() {
    let source = Receiver::playing("mode=listen port=0 reconnect=true preamble=000000000000000000");
    let peer = Peer::connect(source.port());
    let address = peer.address().to_string();
    peer.send(b"000000");
    drop(peer);
    let warning = source.expect_warning().from(&source.source);
    warning
        .is(gst::ResourceError::Read)
        .counts(6, 9)
        .says(&["inside its preamble", &address]);
    let peer = Peer::connect(source.port());
    peer.send(b"000000000");
    peer.send_frame(b"next");
    assert_eq!(source.frame(), b"next");
    assert_eq!(stat(&source.source, "frames-truncated"), 0);
    assert!(source.unread_errors(&source.source).is_empty());
}

#[test]
fn a_connection_that_ends_before_or_behind_the_preamble_ends_in_good_order() {
    for sent in [&b""[..], b"any"] {
        let source = Receiver::playing("mode=listen port=0 preamble=000000");
        let peer = Peer::connect(source.port());
        peer.send(sent);
        drop(peer);
        assert!(source.rest().is_empty());
        source.expect_eos();
    }
}

/// A pair of elements on one connection, each direction of which has edges of its own.
fn pair(id: &str, mode: &str, of_sink: &str) -> (Sender, Receiver, Peer) {
    let listener = Listener::new();
    let port = match mode {
        "connect" => listener.port(),
        _ => 0,
    };
    let settings = format!("connection-id=edges-{id}-{mode} mode={mode} port={port}");
    let source = Receiver::playing(&format!("{settings} preamble=0000"));
    let sink = Sender::playing(&format!("{settings} {of_sink}"));
    let peer = match mode {
        "connect" => listener.accept(),
        _ => Peer::connect(source.port()),
    };
    (sink, source, peer)
}

#[test]
fn each_direction_of_a_shared_connection_has_its_own() {
    for mode in ["connect", "listen"] {
        let (sink, source, peer) = pair("both", mode, "preamble=616263 eos-frame=true");
        assert_eq!(peer.receive(3), b"abc");
        peer.send(b"hi");
        for frame in payloads(5, 1_000) {
            sink.push(&frame);
            assert_eq!(peer.receive_frame(), frame);
            peer.send_frame(&frame);
            assert_eq!(source.frame(), frame);
        }
        sink.end();
        assert_eq!(peer.receive_until_end(), [b""]);
        peer.send_frame(b"goes on");
        assert_eq!(source.frame(), b"goes on");
    }
}

#[test]
fn a_sink_that_joins_a_connection_sends_the_preamble_as_it_comes() {
    let listener = Listener::new();
    let settings = format!("connection-id=edges-late port={}", listener.port());
    let source = Receiver::playing(&settings);
    let peer = listener.accept();
    peer.send_frame(b"before");
    assert_eq!(source.frame(), b"before");
    let _sink = Sender::playing(&format!("{settings} preamble=616263"));
    assert_eq!(peer.receive(3), b"abc");
}

#[test]
fn neither_takes_a_turn_of_lockstep() {
    for mode in ["connect", "listen"] {
        let of_sink = "lockstep=true preamble=616263 eos-frame=true";
        let (sink, source, peer) = pair("turns", mode, of_sink);
        assert_eq!(peer.receive(3), b"abc");
        peer.send(b"hi");
        for turn in 0..5 {
            let (there, back) = (payload(turn, 100), payload(turn, 200));
            sink.push(&there);
            if mode == "connect" {
                assert_eq!(peer.receive_frame(), there);
            }
            peer.send_frame(&back);
            assert_eq!(source.frame(), back);
            if mode == "listen" {
                assert_eq!(peer.receive_frame(), there);
            }
        }
        sink.end();
        assert_eq!(peer.receive_until_end(), [b""]);
    }
}

#[test]
fn the_last_frame_comes_although_a_turn_does_not() {
    let (sink, _source, peer) = pair("no-turn", "listen", "lockstep=true eos-frame=true");
    sink.push(b"waits");
    sink.end();
    assert_eq!(peer.receive_until_end(), [b""]);
    assert_eq!(stat(&sink.sink, "frames-dropped"), 1);
}

#[test]
fn between_two_elements_both_come_and_go_unseen() {
    let properties = "preamble=0102030405 length-format=u32be";
    let sink = Sender::playing(&format!("mode=listen port=0 eos-frame=true {properties}"));
    let source = format!("port={} zero-length=eos {properties}", sink.port());
    let source = Receiver::playing(&source);
    let frames = payloads(10, 1_000);
    sink.push_all(&frames);
    sink.end();
    assert_frames(&source.rest(), &frames);
    source.expect_eos();
}

#[test]
fn a_preamble_that_is_no_hex_is_refused() {
    for (preamble, reason) in [("123", "odd number"), ("0x00", "'x'"), ("00 00", "' '")] {
        let (sink, source) = (
            Sender::new("mode=listen port=0"),
            Receiver::new("mode=listen port=0"),
        );
        let both: [(&Pipeline, _); 2] = [(&source, &source.source), (&sink, &sink.sink)];
        for (pipeline, element) in both {
            element.set_property("preamble", preamble);
            let refusal = pipeline.expect_refusal().from(element);
            refusal
                .is(gst::ResourceError::Settings)
                .says(&["preamble", reason]);
            pipeline.stop();
            element.set_property("preamble", "0A");
            assert_eq!(element.property::<String>("preamble"), "0a");
            pipeline.pause();
        }
    }
}

#[test]
fn the_longest_preamble() {
    let hex = "4f".repeat(1024);
    let (sink, peer) = sink_and_peer("listen", &format!("preamble={hex}"));
    assert_eq!(peer.receive(1024), [0x4f; 1024]);
    sink.stop();
    sink.sink.set_property("preamble", hex + "4f");
    sink.expect_refusal().says(&["1024", "1025"]);
}

#[test]
fn a_frame_of_length_0_that_no_header_announces_is_refused() {
    let form = "length-format=u32be length-adjustment=4";
    let sink = Sender::new(&format!("mode=listen port=0 eos-frame=true {form}"));
    let refusal = sink.expect_refusal().from(&sink.sink);
    refusal
        .is(gst::ResourceError::Settings)
        .says(&["eos-frame", "length-adjustment=4"]);
}

/// Programs in C that keep an element out of bins do not sink the first reference to it.
#[test]
#[allow(unsafe_code)]
fn an_element_that_nobody_has_sunk_starts_and_stops() {
    use gst::{ffi, glib::gobject_ffi};
    init();
    for name in [c"videosocketsink", c"videosocketsrc"] {
        // SAFETY: the only reference is owned here until it is let go.
        unsafe {
            let element = ffi::gst_element_factory_make(name.as_ptr(), std::ptr::null());
            for state in [ffi::GST_STATE_PAUSED, ffi::GST_STATE_NULL] {
                ffi::gst_element_set_state(element, state);
            }
            let object = element.cast::<gobject_ffi::GObject>();
            assert_ne!(gobject_ffi::g_object_is_floating(object), 0);
            gobject_ffi::g_object_unref(object);
        }
    }
}
