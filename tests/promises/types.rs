// SPDX-License-Identifier: MPL-2.0
//! What the frames are, without caps from the user.

use crate::support::*;

const WITHOUT_CAPS: &str = "videosocketsrc name=source mode=listen host=127.0.0.1 port=0";

/// What looks like no kind of file.
const RAW: [u8; 1000] = [16; 1000];

fn source_before(downstream: &str) -> (Pipeline, Peer) {
    let pipeline = Pipeline::launch(&format!("{WITHOUT_CAPS} ! {downstream}"));
    pipeline.play();
    let port = number(&pipeline.element("source"), "current-port");
    let peer = Peer::connect(port.try_into().expect("a port"));
    (pipeline, peer)
}

#[test]
fn raw_frames_without_caps_are_one_error_that_gives_an_example() {
    for (downstream, example) in [
        ("videoconvert ! fakesink", "caps=video/x-raw,format="),
        ("audioconvert ! fakesink", "caps=audio/x-raw,format="),
        (
            "identity ! videoscale ! fakesink",
            "caps=video/x-raw,format=",
        ),
    ] {
        let (pipeline, peer) = source_before(downstream);
        let source = pipeline.element("source");
        peer.send_frame(&RAW);
        let error = pipeline.expect_error().from(&source);
        error
            .is(gst::StreamError::TypeNotFound)
            .says(&["set caps", example])
            .shows(&["not-negotiated"]);
        pipeline.stop();
        assert!(pipeline.unread_errors(&source).is_empty());
    }
}

#[test]
fn frames_that_downstream_does_not_take_are_called_by_name() {
    let pipeline = Pipeline::launch(&format!("{WITHOUT_CAPS} ! videoconvert ! fakesink"));
    pipeline.play();
    let source = pipeline.element("source");
    let port = number(&source, "current-port");
    let sink = Pipeline::launch(&format!(
        "videotestsrc num-buffers=1 ! jpegenc ! videosocketsink host=127.0.0.1 port={port}"
    ));
    sink.play();
    let error = pipeline.expect_error().from(&source);
    error
        .is(gst::StreamError::WrongType)
        .says(&["image/jpeg", "decode"]);
}

#[test]
fn frames_of_unknown_type_reach_who_does_without_caps() {
    for downstream in [
        "appsink name=output",
        "appsink name=output caps=video/x-raw",
        "queue ! appsink name=output",
        "identity ! video/x-raw,width=640 ! appsink name=output",
        "video/x-raw,format=GRAY8,width=100,height=10,framerate=30/1 ! videoconvert ! appsink name=output",
        "rawvideoparse format=gray8 width=100 height=10 ! videoconvert ! appsink name=output",
    ] {
        let source = Receiver::of(Pipeline::launch(&format!("{WITHOUT_CAPS} ! {downstream}")));
        source.play();
        let peer = Peer::connect(source.port());
        peer.send_frame(&RAW);
        peer.send_frame(&RAW);
        drop(peer);
        assert_eq!(source.rest(), [RAW, RAW], "{downstream}");
        source.expect_eos();
    }
}

#[test]
fn a_frame_of_another_size_than_the_caps_say_is_warned_of_once_a_connection() {
    let caps = "caps=video/x-raw,format=I420,width=640,height=480,framerate=30/1";
    let source = Receiver::playing(&format!("mode=listen port=0 reconnect=true {caps}"));
    for wrong in [500_000, 600_000] {
        let peer = Peer::connect(source.port());
        for size in [460_800, wrong, wrong - 1, 460_800] {
            peer.send_frame(&vec![16; size]);
            assert_eq!(source.frame().len(), size);
        }
        let warning = source.expect_warning().from(&source.source);
        warning
            .is(gst::StreamError::Format)
            .says(&["460800", &wrong.to_string()]);
        source.expect_no_warning();
    }
}

/// Encoders read behind them.
#[test]
fn frames_that_are_shorter_than_the_caps_say_are_left_out() {
    let caps = "caps=video/x-raw,format=I420,width=640,height=480,framerate=30/1";
    let source = Receiver::playing(&format!("mode=listen port=0 {caps}"));
    let peer = Peer::connect(source.port());
    for size in [460_800, 0, 5, 460_799, 460_800, 460_800] {
        peer.send_frame(&vec![16; size]);
    }
    let follow_gaps = [0; 3].map(|_| {
        let buffer = source.buffer();
        assert_eq!(buffer.size(), 460_800);
        buffer.flags().contains(gst::BufferFlags::DISCONT)
    });
    assert_eq!(follow_gaps, [true, true, false]);
    source.expect_warning().says(&["460800", "one of 0 "]);
    source.expect_no_warning();
}

/// Sends a test picture or sound. Some encoders call each of their pictures a delta unit.
fn sent(to: &Receiver, stream: &str) -> Pipeline {
    let sender = Pipeline::launch(&format!(
        "{stream} ! videosocketsink host=127.0.0.1 port={} sync-method=latest",
        to.port()
    ));
    sender.play();
    sender
}

#[test]
fn raw_frames_that_look_like_something_are_not_taken_for_it() {
    let video = |format: &str, pattern: &str| {
        format!(
            "videotestsrc num-buffers=1 pattern={pattern} ! video/x-raw,format={format},width=640,height=480"
        )
    };
    let audio = |format: &str, wave: &str| {
        format!(
            "audiotestsrc num-buffers=1 samplesperbuffer=48000 wave={wave} \
             ! audio/x-raw,format={format},rate=48000,channels=2"
        )
    };
    for stream in [
        video("I420", "smpte"),
        video("I420", "snow"),
        video("I420", "black"),
        // Like MPEG audio.
        video("RGB", "smpte"),
        video("RGBx", "smpte"),
        video("RGBx", "red"),
        audio("S8", "saw"),
        audio("S16LE", "sine"),
        audio("S16LE", "silence"),
        audio("S16LE", "white-noise"),
    ] {
        let source = Receiver::playing("mode=listen port=0");
        let _sender = sent(&source, &stream);
        assert_eq!(source.sample().caps_owned(), None, "{stream}");
        let warning = source.expect_warning().from(&source.source);
        warning
            .is(gst::StreamError::TypeNotFound)
            .says(&["set caps", "caps=video/x-raw,format="]);
        source.expect_no_warning();
    }
}

#[test]
fn a_frame_without_a_type_is_warned_of_once_a_connection() {
    let source = Receiver::playing("mode=listen port=0 reconnect=true");
    for _ in 0..2 {
        let peer = Peer::connect(source.port());
        peer.send_frame(b"");
        // A typefinder is certain that this is the text of a song.
        peer.send_frame(&[b'['; 1000]);
        peer.send_frame(&RAW);
        assert_eq!(source.frames(3)[2], RAW);
        source.expect_warning().is(gst::StreamError::TypeNotFound);
        source.expect_no_warning();
    }
}

#[test]
fn messages_are_no_frames_that_need_a_type() {
    let source = Receiver::playing("mode=listen port=0");
    Peer::connect(source.port()).send_frame(b"{\"door\": \"open\"}");
    source.sample();
    source.expect_no_warning();
}

#[test]
fn a_decoder_that_waits_for_a_type_does_not_wait_without_a_word() {
    let pipeline = Pipeline::launch(&format!("{WITHOUT_CAPS} ! decodebin3 ! fakesink"));
    pipeline.play();
    let source = pipeline.element("source");
    let peer = Peer::connect(number(&source, "current-port") as u16);
    peer.send_frame(&RAW);
    let warning = pipeline.expect_warning().from(&source);
    warning.is(gst::StreamError::TypeNotFound).says(&["caps="]);
}

#[test]
fn frames_with_a_type_of_their_own_are_known_by_it() {
    for (encoder, media_type) in [
        ("jpegenc", "image/jpeg"),
        ("pngenc", "image/png"),
        ("pnmenc", "image/x-portable-pixmap"),
        // Its packets come one by one.
        ("x264enc ! mpegtsmux", "video/mpegts"),
        (
            "x264enc ! video/x-h264,stream-format=byte-stream",
            "video/x-h264",
        ),
    ] {
        let source = Receiver::playing("mode=listen port=0");
        let picture = "videotestsrc num-buffers=1 ! video/x-raw,format=RGB ! videoconvert";
        let _sender = sent(&source, &format!("{picture} ! {encoder}"));
        let caps = source.sample().caps_owned().expect("caps");
        let found = caps.structure(0).expect("one type").name();
        assert_eq!(found, media_type);
        source.expect_no_warning();
    }
}
