// SPDX-License-Identifier: MPL-2.0
//! Between two pipelines the stream says what it is: caps, times, flags, events and its end come out as they went in.

#[cfg(target_os = "linux")]
mod clocks;
mod formats;
mod layouts;
mod pieces;

mod record;
mod time_lines;
mod way_back;

use crate::support::*;
use gst::prelude::*;
use record::{Frame, Item, Record};

/// A source that sees what comes in its pipeline as it is.
struct Viewer {
    pipeline: Pipeline,
    record: Record,
}

impl Viewer {
    fn new(properties: &str) -> Self {
        // So much that on a busy machine no frame is late, and so moved.
        let source =
            format!("videosocketsrc name=source host=127.0.0.1 latency=20000000000 {properties}");
        let pipeline = Pipeline::launch(&format!("{source} ! fakesink name=fakesink sync=false"));
        let pad = pipeline.element("source").static_pad("src").unwrap();
        layouts::accept(&pad);
        let record = Record::of(&pad);
        Self { pipeline, record }
    }
}

/// One that asks and has been told, and gives out what comes to the test.
#[track_caller]
fn asking(port: u16) -> Receiver {
    let receiver = Receiver::playing(&format!("port={port} metadata=request"));
    receiver.await_caps();
    receiver
}

/// A sink that listens, of a stream whose caps viewers are told before its first frame.
fn described(properties: &str) -> Sender {
    let sink = Sender::new(&format!("mode=listen port=0 {properties}"));
    sink.start_with_caps(&caps("video/x-test"));
    sink
}

fn caps(text: &str) -> gst::Caps {
    init();
    text.parse().expect("caps")
}

#[test]
fn caps_that_change_and_who_joins_after_that() {
    let [first, second] = ["video/x-test,width=1", "video/x-test,width=2"].map(caps);
    let sink = Sender::new("mode=listen port=0");
    sink.start_with_caps(&first);
    let early = asking(sink.port());
    sink.push(b"one");
    assert_eq!(early.sample().caps_owned(), Some(first));
    sink.change_caps(&second);
    let late = asking(sink.port());
    sink.push(b"two");
    for viewer in [&early, &late] {
        let sample = viewer.sample();
        assert_eq!(sample.caps_owned(), Some(second.clone()));
        assert_eq!(sample.buffer().unwrap().size(), 3);
    }
    sink.end();
    early.expect_eos();
    late.expect_eos();
}

#[test]
fn events_stand_where_they_came() {
    let sink = described("");
    let viewer = Viewer::new(&format!("port={} metadata=request", sink.port()));
    viewer.pipeline.play();
    viewer.record.await_caps();
    let custom = |name| gst::Structure::builder(name).field("n", 7).build();
    let pushed = |pts| {
        let mut buffer = buffer(b"frame");
        buffer
            .get_mut()
            .unwrap()
            .set_pts(gst::ClockTime::from_mseconds(pts));
        sink.push_buffer(buffer).expect("the sink takes it");
    };
    pushed(1_000);
    let gap = gst::event::Gap::builder(gst::ClockTime::from_mseconds(1_040));
    sink.push_event(gap.duration(gst::ClockTime::from_mseconds(40)).build());
    sink.push_event(gst::event::CustomDownstream::new(custom(
        "application/x-passes",
    )));
    sink.push_event(gst::event::CustomDownstream::new(custom("x-of-nobody")));
    sink.push_event(gst::event::CustomDownstreamSticky::new(custom(
        "application/x-stays",
    )));
    pushed(1_080);
    sink.end();
    viewer.pipeline.expect_eos();
    let items = viewer.record.items();
    let first = items.iter().position(|item| matches!(item, Item::Frame(_)));
    let after = items[first.unwrap() + 1..].iter().map(|item| match item {
        Item::Gap(time, duration) => {
            format!("gap {} {}", time.mseconds(), duration.unwrap().mseconds())
        }
        Item::Event(text) => text.split(',').next().unwrap().into(),
        Item::Frame(frame) => format!("frame {}", frame.pts.unwrap().mseconds()),
        item => format!("{item:?}"),
    });
    let after = after.collect::<Vec<_>>();
    assert_eq!(
        after,
        [
            "gap 40 40",
            "application/x-passes",
            "application/x-stays",
            "frame 80",
            "End"
        ]
    );
}

#[test]
fn a_sender_that_begins_again_is_followed_and_what_it_repeats_is_not() {
    let port = ReservedPort::new();
    let viewer = Viewer::new(&format!(
        "mode=connect reconnect=true connect-timeout=0 metadata=request port={}",
        port.number()
    ));
    viewer.pipeline.play();
    let caps = caps("video/x-test,width=1");
    for _ in 0..2 {
        let sink = Sender::new(&format!("mode=listen port={}", port.number()));
        sink.start_with_caps(&caps);
        await_number(&sink.sink, "num-clients", 1);
        let before = viewer.record.frames().len();
        // What comes before the viewer has asked is not handed on.
        eventually("a frame", || {
            sink.push(b"frame");
            viewer.record.frames().len() > before
        });
        sink.stop();
    }
    let items = viewer.record.items();
    let all_caps = items.iter().filter(|item| matches!(item, Item::Caps(_)));
    assert_eq!(all_caps.count(), 1);
}

#[test]
fn both_directions_of_a_chat_say_what_they_are() {
    let port = ReservedPort::new();
    let ends = ["listen", "connect"].map(|mode| {
        let common = format!(
            "mode={mode} port={} connection-id=chat-{mode}-{}",
            port.number(),
            port.number()
        );
        let viewer = Viewer::new(&format!("metadata=request host=127.0.0.1 {common}"));
        (Sender::new(&common), viewer)
    });
    for (sender, viewer) in &ends {
        sender.start_with_caps(&caps("video/x-test,width=64"));
        viewer.pipeline.play();
    }
    // Whoever asks is to be heard first, however busy the machine is.
    for (_, viewer) in &ends {
        viewer.record.await_caps();
    }
    for (sender, _) in &ends {
        sender.push_all(&payloads(20, 1_000));
        sender.end();
    }
    for (sender, Viewer { pipeline, record }) in ends {
        sender.expect_eos();
        pipeline.expect_eos();
        assert_eq!(record.frames().len(), 20);
        let described = record.items().into_iter().filter_map(|item| match item {
            Item::Caps(caps) => Some(caps.structure(0).unwrap().get::<i32>("width").unwrap()),
            _ => None,
        });
        assert_eq!(described.collect::<Vec<_>>(), [64]);
    }
}

#[test]
fn a_request_for_a_keyframe_passes_relays() {
    let sender = Sender::playing("mode=listen port=0 request-keyframes=false");
    let mut port = sender.port();
    let relays: Vec<_> = (0..2)
        .map(|_| {
            let relay = Pipeline::launch(&format!(
                "videosocketsrc host=127.0.0.1 port={port} metadata=request ! \
                 videosocketsink name=sink host=127.0.0.1 mode=listen port=0 sync=false wait-for-connection=false"
            ));
            relay.play();
            port = number(&relay.element("sink"), "current-port").try_into().unwrap();
            relay
        })
        .collect();
    let viewer = Receiver::playing(&format!("port={port} metadata=request"));
    // Each knows of the next one from the first frame on at the latest.
    sender.push(b"key");
    for relay in &relays {
        await_number(&relay.element("sink"), "num-clients", 1);
    }
    sender.push(b"key");
    eventually("a frame at the end", || {
        sender.push(b"key");
        viewer
            .output
            .try_pull_sample(gst::ClockTime::from_mseconds(10))
            .is_some()
    });
    let request = gst_video::UpstreamForceKeyUnitEvent::builder().build();
    assert!(viewer.source.static_pad("src").unwrap().send_event(request));
    sender.expect_keyframe_request();
}
