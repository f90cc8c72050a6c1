//! Between two pipelines the stream says what it is: caps, times, flags, events and its end come out as they went in.

use crate::support::*;
use gst::prelude::*;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem::discriminant;
use std::sync::{Arc, Mutex};

/// What passes a pad, in its order.
#[derive(Clone, Default)]
struct Record(Arc<Mutex<Vec<Item>>>);

#[derive(Clone, Debug, PartialEq)]
enum Item {
    Start(String),
    Caps(gst::Caps),
    Tags(String),
    Gap(gst::ClockTime, Option<gst::ClockTime>),
    Event(String),
    Frame(Frame),
    End,
}

#[derive(Clone, Debug, PartialEq)]
struct Frame {
    len: usize,
    checksum: u64,
    pts: Option<gst::ClockTime>,
    dts: Option<gst::ClockTime>,
    duration: Option<gst::ClockTime>,
    flags: gst::BufferFlags,
    offsets: (u64, u64),
    strides: Vec<i32>,
}

impl Frame {
    fn of(buffer: &gst::BufferRef) -> Self {
        // What memory it is in, and whether a connection began with it, is the receiver's own business.
        let own = gst::BufferFlags::TAG_MEMORY | gst::BufferFlags::DISCONT;
        let meta = buffer.meta::<gst_video::VideoMeta>();
        let mut checksum = DefaultHasher::new();
        buffer.map_readable().unwrap().hash(&mut checksum);
        Self {
            len: buffer.size(),
            checksum: checksum.finish(),
            pts: buffer.pts(),
            dts: buffer.dts(),
            duration: buffer.duration(),
            flags: buffer.flags() & !own,
            offsets: (buffer.offset(), buffer.offset_end()),
            strides: meta.map_or(Vec::new(), |meta| meta.stride().to_vec()),
        }
    }

    /// Its times from another zero.
    fn since(&self, zero: gst::ClockTime) -> Self {
        Self {
            pts: self.pts.map(|pts| pts - zero),
            dts: self.dts.map(|dts| dts - zero),
            ..self.clone()
        }
    }

    fn time(&self) -> Option<gst::ClockTime> {
        [self.pts, self.dts].into_iter().flatten().min()
    }
}

impl Record {
    fn of(pad: &gst::Pad) -> Self {
        let record = Self::default();
        let kept = record.clone();
        let mask = gst::PadProbeType::BUFFER
            | gst::PadProbeType::BUFFER_LIST
            | gst::PadProbeType::EVENT_DOWNSTREAM;
        pad.add_probe(mask, move |_, info| {
            kept.0.lock().unwrap().extend(items(info));
            gst::PadProbeReturn::Ok
        });
        record
    }

    fn frames(&self) -> Vec<Frame> {
        let items = self.0.lock().unwrap();
        let frames = items.iter().filter_map(|item| match item {
            Item::Frame(frame) => Some(frame.clone()),
            _ => None,
        });
        frames.collect()
    }

    /// All of it, with the times of frames and gaps since the first frame, and frames without what only raw video has.
    fn items(&self) -> Vec<Item> {
        let first = self.frames().iter().find_map(Frame::time);
        let zero = first.unwrap_or_default();
        let items = self.0.lock().unwrap();
        let items = items.iter().map(|item| match item {
            Item::Frame(frame) => Item::Frame(frame.since(zero)),
            Item::Gap(time, duration) => Item::Gap(*time - zero, *duration),
            item => item.clone(),
        });
        // Of caps and tags the newest hold, in whichever order they came before a frame.
        let mut kept = Vec::<Item>::new();
        for item in items {
            let is_frame = |item: &Item| matches!(item, Item::Frame(_));
            let since = kept.iter().rposition(is_frame).map_or(0, |last| last + 1);
            let is_of_kind = |other: &Item| discriminant(other) == discriminant(&item);
            match kept[since..].iter().position(is_of_kind) {
                Some(at) if matches!(item, Item::Caps(_) | Item::Tags(_)) => {
                    kept[since + at] = item;
                }
                _ => kept.push(item),
            }
        }
        kept
    }
}

fn items(info: &gst::PadProbeInfo<'_>) -> Vec<Item> {
    match &info.data {
        Some(gst::PadProbeData::Buffer(buffer)) => vec![Item::Frame(Frame::of(buffer))],
        Some(gst::PadProbeData::BufferList(list)) => list
            .iter()
            .map(|buffer| Item::Frame(Frame::of(buffer)))
            .collect(),
        Some(gst::PadProbeData::Event(event)) => item(event).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn item(event: &gst::Event) -> Option<Item> {
    Some(match event.view() {
        gst::EventView::StreamStart(start) => Item::Start(start.stream_id().into()),
        gst::EventView::Caps(caps) => Item::Caps(caps.caps_owned()),
        gst::EventView::Tag(tag) => Item::Tags(tag.tag().to_string()),
        gst::EventView::Gap(gap) => {
            let (time, duration) = gap.get();
            Item::Gap(time, duration)
        }
        gst::EventView::CustomDownstream(_) | gst::EventView::CustomDownstreamSticky(_) => {
            Item::Event(event.structure()?.to_string())
        }
        gst::EventView::Eos(_) => Item::End,
        _ => return None,
    })
}

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
        let record = Record::of(&pad);
        Self { pipeline, record }
    }
}

/// In which the metadata comes about, at either end.
const WAYS: [(&str, &str); 2] = [
    ("metadata=on", ""),
    ("metadata=on-request", "metadata=request"),
];

/// Sends a stream in each way, and checks that what comes out is what went in.
#[track_caller]
fn comes_out_as_it_went_in(stream: &str) {
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
            let sent = Record::of(&sender.element("sink").static_pad("sink").unwrap());
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
fn vp8_and_opus() {
    comes_out_as_it_went_in(
        "videotestsrc num-buffers=10 ! video/x-raw,width=160,height=120 ! vp8enc deadline=1",
    );
    comes_out_as_it_went_in("audiotestsrc num-buffers=20 ! audioconvert ! audioresample ! opusenc");
}

/// One that asks, and gives out what comes to the test.
fn asking(port: u16) -> Receiver {
    Receiver::playing(&format!("port={port} metadata=request"))
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
    await_number(&sink.sink, "num-clients", 1);
    sink.push(b"one");
    assert_eq!(early.sample().caps_owned(), Some(first));
    sink.change_caps(&second);
    let late = asking(sink.port());
    await_number(&sink.sink, "num-clients", 2);
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
    let sink = Sender::playing("mode=listen port=0");
    let viewer = Viewer::new(&format!("port={} metadata=request", sink.port()));
    viewer.pipeline.play();
    await_number(&sink.sink, "num-clients", 1);
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
    for round in 1..=2 {
        let sink = Sender::new(&format!("mode=listen port={}", port.number()));
        sink.start_with_caps(&caps);
        await_number(&sink.sink, "num-clients", 1);
        sink.push(b"frame");
        eventually("the frame", || viewer.record.frames().len() == round);
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
            "mode={mode} host=127.0.0.1 port={} connection-id=chat-{mode}-{}",
            port.number(),
            port.number()
        );
        Pipeline::launch(&format!(
            "videotestsrc name=test num-buffers=20 ! video/x-raw,format=I420,width=64,height=48 ! \
             videosocketsink sync=false {common} \
             videosocketsrc name=source metadata=request {common} ! fakesink sync=false"
        ))
    });
    let records = ends
        .each_ref()
        .map(|end| Record::of(&end.element("source").static_pad("src").unwrap()));
    for end in &ends {
        end.play();
    }
    for (end, record) in ends.iter().zip(records) {
        end.expect_eos();
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
    let viewer = asking(port);
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
