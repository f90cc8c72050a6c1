// SPDX-License-Identifier: MPL-2.0
//! Headers that are not the usual eight digits.

use crate::support::*;
use gst::prelude::*;

/// Each part of a header, and all of them together.
const FORMS: [&str; 10] = [
    "length-digits=64",
    "length-format=u24be",
    "length-format=u24le",
    "length-format=u32le length-offset=8",
    "length-format=u32be length-trailer=64",
    "length-format=u32be length-adjustment=-4",
    "length-format=u64be length-offset=2 length-trailer=3 length-adjustment=-13",
    "length-format=varint length-offset=1 length-trailer=1",
    "length-digits=10 length-adjustment=-64",
    "length-digits=64 length-offset=64 length-trailer=64",
];

#[test]
fn frames_of_any_size_come_through_behind_any_header() {
    let frames = [0, 5, 16_384, 3_110_400, 1].map(|len| payload(len as u64, len));
    for form in FORMS {
        let sink = Sender::playing(&format!("mode=listen port=0 {form}"));
        let source = Receiver::playing(&format!("port={} {form}", sink.port()));
        sink.push_all(&frames);
        sink.end();
        assert_frames(&source.rest(), &frames);
        source.expect_eos();
    }
}

#[test]
fn an_adjustment_that_makes_every_length_negative_fails_the_start() {
    let properties = "mode=listen port=0 length-digits=1 length-adjustment=-10";
    let said = ["length-adjustment=-10", "length-digits=1", " 9 "];
    let source = Receiver::new(properties);
    let sink = Sender::new(properties);
    let both: [(&Pipeline, _); 2] = [(&source, &source.source), (&sink, &sink.sink)];
    for (pipeline, element) in both {
        let refusal = pipeline.expect_refusal().from(element);
        refusal.is(gst::ResourceError::Settings).says(&said);
        pipeline.stop();
        element.set_property("length-adjustment", -9);
        pipeline.pause();
    }
}

#[test]
fn a_negative_length_is_an_error_that_shows_the_number_and_the_adjustment() {
    let source = Receiver::playing("mode=listen port=0 length-format=u16be length-adjustment=-4");
    let peer = Peer::connect(source.port());
    peer.send(b"\x00\x06ok\x00\x03");
    assert_eq!(source.rest(), [b"ok"]);
    source
        .expect_error()
        .from(&source.source)
        .is(gst::StreamError::Decode)
        .says(&[
            r#""\x00\x03" (00 03)"#,
            "3, adjusted by -4, is negative",
            &peer.address().to_string(),
        ]);
    peer.expect_turned_away();
}

#[test]
fn a_header_is_cut_at_any_byte_of_it() {
    let properties = "mode=listen port=0 length-format=u16be length-offset=2 length-trailer=1";
    for part in 1..5 {
        let source = Receiver::playing(properties);
        let peer = Peer::connect(source.port());
        peer.send(&[0xff; 5][..part]);
        drop(peer);
        assert!(source.rest().is_empty());
        let error = source.expect_error().is(gst::ResourceError::Read);
        error.counts(part, 5);
    }
}

#[test]
fn a_frame_that_no_header_can_announce_leaves_the_connection_usable() {
    let cases: [(&str, usize, &str, &[u8]); 5] = [
        ("length-format=u8", 256, "255", b"\x04good"),
        (
            "length-format=u8 length-adjustment=-1",
            255,
            "254",
            b"\x05good",
        ),
        (
            "length-format=u16be length-adjustment=4",
            3,
            "4",
            b"\0\0good",
        ),
        (
            "length-digits=1 length-offset=1 length-adjustment=2",
            1,
            "2",
            b"\x002good",
        ),
        ("length-digits=1 length-trailer=1", 10, "9", b"4\0good"),
    ];
    for (form, len, limit, good) in cases {
        let sink = Sender::playing(&format!("mode=listen port=0 {form}"));
        let peer = Peer::connect(sink.port());
        let refused = sink.push_buffer(buffer(&payload(1, len)));
        assert_eq!(refused, Err(gst::FlowError::Error));
        let error = sink.expect_error().from(&sink.sink);
        error
            .is(gst::ResourceError::Write)
            .says(&[&format!("{len} bytes"), &format!("{limit} bytes")]);
        sink.push(b"good");
        assert_eq!(peer.receive(good.len()), good);
    }
}

/// As the camera script of the picamera documentation does it.
#[test]
fn a_camera_script_ends_with_a_length_of_zero() {
    let source = Receiver::playing("mode=listen port=0 length-format=u32le zero-length=eos");
    let peer = Peer::connect(source.port());
    peer.send(b"\x07\0\0\0picture\0\0\0\0");
    assert_eq!(source.rest(), [b"picture"]);
    source.expect_eos();
}
