// SPDX-License-Identifier: MPL-2.0
//! Each kind of stream comes out as it went in, buffer for buffer.

use super::{Item, Record, Viewer, layouts::lines_apart};
use crate::support::*;
use gst::prelude::*;
use std::time::{Duration, Instant};

/// In which the metadata comes about, at either end.
const WAYS: [(&str, &str); 2] = [
    ("metadata=on", ""),
    ("metadata=on-request", "metadata=request"),
];

/// Sends a stream in each way, and checks that what comes out is what went in.
#[track_caller]
pub fn comes_out_as_it_went_in(stream: &str) {
    comes_out_as_it_went_in_prepared(stream, |_| ());
}

/// The same of a pipeline to which something is done before it plays.
#[track_caller]
fn comes_out_as_it_went_in_prepared(stream: &str, prepare: impl Fn(&Pipeline)) {
    for (of_sink, of_source) in WAYS {
        for listens in ["sink", "source"] {
            let port = ReservedPort::new();
            let (sink_mode, source_mode) = match listens {
                "sink" => ("listen", "connect"),
                _ => ("connect", "listen"),
            };
            // First, so that nothing is from before its running time 0.
            let viewer = Viewer::new(&format!(
                "mode={source_mode} port={} {of_source}",
                port.number()
            ));
            viewer.pipeline.play();
            let sender = Pipeline::launch(&format!(
                "{stream} ! videosocketsink name=sink host=127.0.0.1 mode={sink_mode} port={} sync=false {of_sink}",
                port.number()
            ));
            prepare(&sender);
            let sent = Record::of(&sender.element("sink").static_pad("sink").unwrap());
            sender.pause();
            viewer.record.await_caps();
            sender.play();
            sender.expect_eos();
            viewer.pipeline.expect_eos();
            let received = viewer.record;
            assert_same(&sent.items(), &received.items());
        }
    }
}

/// But for the source's own beginning.
#[track_caller]
fn assert_same(sent: &[Item], received: &[Item]) {
    let received = &received[1..];
    for (n, (sent, received)) in sent.iter().zip(received).enumerate() {
        assert_eq!(received, sent, "item {n}");
    }
    assert_eq!(received.len(), sent.len());
}

#[test]
fn raw_video() {
    for format in ["I420", "RGBA", "NV12"] {
        comes_out_as_it_went_in(&format!(
            "videotestsrc num-buffers=10 ! video/x-raw,format={format},width=322,height=242,framerate=25/1"
        ));
    }
}

#[test]
fn raw_video_with_lines_elsewhere() {
    for (format, lines) in [("RGBA", 1), ("NV12", 2), ("I420", 3)] {
        let stream = format!(
            "videotestsrc num-buffers=5 ! video/x-raw,format={format},width=321,height=241,framerate=25/1 ! identity name=here"
        );
        comes_out_as_it_went_in_prepared(&stream, |pipeline| {
            lines_apart(
                &pipeline.element("here").static_pad("src").unwrap(),
                13 * lines,
            );
        });
    }
}

#[test]
fn raw_audio() {
    comes_out_as_it_went_in("audiotestsrc num-buffers=50 ! audio/x-raw,rate=48000,channels=2");
}

#[test]
fn h264_in_either_form() {
    for form in ["avc", "byte-stream"] {
        comes_out_as_it_went_in(&format!(
            "videotestsrc num-buffers=20 timestamp-offset=1000000000 ! video/x-raw,width=160,height=120 ! x264enc key-int-max=10 bframes=2 ! \
             h264parse ! video/x-h264,stream-format={form},alignment=au"
        ));
    }
}

#[test]
fn what_is_decoded_before_the_start_of_the_stream() {
    // Of a viewer that has played for as long as pictures are decoded ahead of the first.
    let stream =
        "videotestsrc num-buffers=10 ! video/x-raw,width=160,height=120 ! x264enc bframes=2";
    comes_out_as_it_went_in_prepared(stream, |_| {
        let ready = Instant::now();
        eventually("some time", || ready.elapsed() > Duration::from_millis(200));
    });
}

#[test]
fn h265_in_either_form() {
    for form in ["hvc1", "byte-stream"] {
        comes_out_as_it_went_in(&format!(
            "videotestsrc num-buffers=10 timestamp-offset=1000000000 ! video/x-raw,width=160,height=120 ! \
             x265enc key-int-max=5 log-level=none ! h265parse ! video/x-h265,stream-format={form},alignment=au"
        ));
    }
}

#[test]
fn text_and_klv() {
    for caps in [
        "text/x-raw,format=utf8",
        "text/x-raw,format=pango-markup",
        "meta/x-klv,parsed=true",
    ] {
        comes_out_as_it_went_in(&format!(
            "fakesrc num-buffers=20 format=time datarate=1000 sizetype=random sizemin=0 sizemax=300 filltype=random ! {caps}"
        ));
    }
}

#[test]
fn vp8_and_opus() {
    comes_out_as_it_went_in(
        "videotestsrc num-buffers=10 ! video/x-raw,width=160,height=120 ! vp8enc deadline=1",
    );
    comes_out_as_it_went_in("audiotestsrc num-buffers=20 ! audioconvert ! audioresample ! opusenc");
}

/// Its muxer says only behind its headers that they are, and in other parts.
#[test]
fn matroska_for_who_joins_before_the_headers_and_later() {
    let sink = Pipeline::launch(
        "videotestsrc num-buffers=20 ! video/x-raw,width=64,height=48 ! jpegenc ! matroskamux streamable=true ! \
         videosocketsink name=sink mode=listen host=127.0.0.1 port=0 sync=false overflow=block",
    );
    sink.pause();
    let port = number(&sink.element("sink"), "current-port");
    let viewers = [0; 2].map(|_| {
        let viewer = Pipeline::launch(&format!(
            "videosocketsrc host=127.0.0.1 port={port} metadata=request ! matroskademux ! jpegdec ! \
             fakesink name=screen sync=false"
        ));
        let shown = Record::of(&viewer.element("screen").static_pad("sink").unwrap());
        viewer.play();
        (viewer, shown)
    });
    await_number(&sink.element("sink"), "num-clients", 2);
    sink.play();
    sink.expect_eos();
    for (viewer, shown) in viewers {
        viewer.expect_eos();
        assert_eq!(shown.frames().len(), 20);
    }
}

#[test]
fn caps_of_the_user_leave_what_the_sender_says_as_it_is() {
    let sender = Pipeline::launch(
        "videotestsrc num-buffers=10 ! video/x-raw,width=160,height=120 ! vp8enc deadline=1 ! \
         videosocketsink name=sink host=127.0.0.1 mode=listen port=0 sync=false",
    );
    let sent = Record::of(&sender.element("sink").static_pad("sink").unwrap());
    sender.pause();
    let port = number(&sender.element("sink"), "current-port");
    let viewer = Viewer::new(&format!("port={port} metadata=request caps=video/x-vp8"));
    viewer.pipeline.play();
    sender.play();
    viewer.pipeline.expect_eos();
    sender.expect_eos();
    let caps = |record: &Record| {
        let items = record.items().into_iter();
        let caps = items.filter(|item| matches!(item, Item::Caps(_)));
        caps.collect::<Vec<_>>()
    };
    assert_eq!(caps(&viewer.record).last(), caps(&sent).last());
}
