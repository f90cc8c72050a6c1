// SPDX-License-Identifier: MPL-2.0
//! What a source makes of what its peer says: each frame has what was said of it, and no more.

use std::sync::{Arc, Mutex};

use gst::{EventType, prelude::*};
use gst_video::{UpstreamForceKeyUnitEvent, VideoCropMeta, VideoMeta};
use gstvideosocket::wire::{
    StructureText,
    record::{Buffer, BufferFlags, Clock, Gap, Meta, Record, Scope, Segment, Tags},
};

use super::described_peers::{HELLO, read};
use crate::support::*;

/// Appends a record.
fn say(bytes: &mut Vec<u8>, record: Record<'_>) {
    record.encode(bytes).unwrap();
}

fn said(records: &[Record<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    records.iter().for_each(|record| say(&mut bytes, *record));
    bytes
}

/// A frame of which nothing is said but its number.
fn numbered(sequence: u16) -> Record<'static> {
    Record::Buffer(Buffer {
        sequence,
        ..Buffer::default()
    })
}

fn delta_unit(sequence: u16) -> Record<'static> {
    Record::Buffer(Buffer {
        sequence,
        flags: BufferFlags::DELTA_UNIT,
        ..Buffer::default()
    })
}

fn crop() -> Record<'static> {
    const RECTANGLE: &[u8] = &[0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1];
    Record::Meta(Meta {
        name: "crop",
        data: RECTANGLE,
    })
}

fn clock(is_paced: bool) -> Record<'static> {
    Record::Clock(Clock {
        now: 1_000_000_000,
        base_time: 0,
        unix_offset: None,
        latency: 0,
        is_paced,
        is_unix_synchronised: false,
        id: "",
    })
}

fn told(caps: &str) -> Record<'_> {
    Record::Caps(StructureText::new(caps.as_bytes(), 1_000).unwrap())
}

/// The kinds of the events that a source sends, as they are sent.
fn order_of_events(source: &Receiver) -> Arc<Mutex<Vec<EventType>>> {
    let order = Arc::new(Mutex::new(Vec::new()));
    let kept = order.clone();
    let pad = source.source.static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        let mut order = kept.lock().unwrap();
        order.extend(info.event().map(|event| event.type_()));
        gst::PadProbeReturn::Ok
    });
    order
}

fn flags_and_crops(buffer: &gst::BufferRef) -> (bool, usize) {
    let is_discontinuous = buffer.flags().contains(gst::BufferFlags::DISCONT);
    (
        is_discontinuous,
        buffer.iter_meta::<VideoCropMeta>().count(),
    )
}

#[test]
fn what_was_said_of_an_empty_frame_that_is_skipped_is_skipped() {
    let source = Receiver::playing("mode=listen port=0 zero-length=skip");
    let peer = Peer::connect(source.port());
    peer.send(HELLO);
    for (sequence, frame) in [(7, &b"one"[..]), (8, b""), (9, b"two")] {
        let is_empty = frame.is_empty();
        peer.send(&said(
            &[numbered(sequence), crop()][..1 + usize::from(is_empty)],
        ));
        peer.send_frame(frame);
    }
    assert_eq!(flags_and_crops(&source.buffer()), (true, 0));
    assert_eq!(flags_and_crops(&source.buffer()), (false, 0));
}

#[test]
fn what_was_said_of_a_frame_that_cannot_be_decoded_goes_with_it() {
    let source = Receiver::playing("mode=listen port=0 metadata=request");
    let peer = Peer::connect(source.port());
    peer.send_frame(b"before a word was said");
    peer.send(HELLO);
    peer.send(&said(&[delta_unit(0), crop()]));
    peer.send_frame(b"what needs it");
    peer.send(&said(&[numbered(1)]));
    peer.send_frame(b"keyframe");
    let buffer = source.buffer();
    assert_eq!((buffer.size(), flags_and_crops(&buffer).1), (8, 0));
}

#[test]
fn frames_are_missing_whichever_times_the_others_have() {
    for timestamps in ["auto", "arrival"] {
        let source = Receiver::playing(&format!("mode=listen port=0 timestamps={timestamps}"));
        let peer = Peer::connect(source.port());
        peer.send(HELLO);
        peer.send(&said(&[clock(false)]));
        let is_discontinuous = [65_535, 0, 1, 5, 6].map(|sequence| {
            peer.send(&said(&[numbered(sequence)]));
            peer.send_frame(b"frame");
            flags_and_crops(&source.buffer()).0
        });
        let expected = [true, false, false, true, false];
        assert_eq!(is_discontinuous, expected, "{timestamps}");
    }
}

#[test]
fn a_stream_without_times_has_those_of_arrival() {
    for (timestamps, is_warned_of) in [("auto", false), ("sender", true)] {
        let source = Receiver::playing(&format!(
            "mode=listen port=0 timestamps={timestamps} num-buffers=3"
        ));
        let peer = Peer::connect(source.port());
        peer.send(HELLO);
        let header = Record::Buffer(Buffer {
            flags: BufferFlags::HEADER,
            ..Buffer::default()
        });
        for record in [header, numbered(1), numbered(2), numbered(3)] {
            peer.send(&said(&[clock(true), record]));
            peer.send_frame(b"frame");
        }
        let has_time = [0; 4].map(|_| source.buffer().pts().is_some());
        // A header has none.
        assert_eq!(has_time, [false, true, true, true], "{timestamps}");
        source.expect_eos();
        if is_warned_of {
            source.expect_warning().says(&["timestamps=sender"]);
        }
        source.expect_no_warning();
    }
}

#[test]
fn tags_wait_for_the_caps_that_a_frame_brings() {
    let source = Receiver::new("mode=listen port=0");
    let order = order_of_events(&source);
    source.play();
    let peer = Peer::connect(source.port());
    peer.send(HELLO);
    let text = StructureText::new(b"taglist, title=(string)film", 64).unwrap();
    let scope = Scope::Stream;
    peer.send(&said(&[Record::Tags(Tags { scope, text })]));
    peer.send_frame(&jpeg());
    assert!(source.sample().caps().is_some());
    let order = order.lock().unwrap();
    let first = order.iter().filter(|kind| **kind != EventType::Segment);
    assert_eq!(
        first.collect::<Vec<_>>(),
        [&EventType::StreamStart, &EventType::Caps, &EventType::Tag]
    );
    let place = |wanted| order.iter().position(|kind| *kind == wanted);
    assert!(
        place(EventType::Segment) > place(EventType::Caps),
        "{order:?}"
    );
}

fn jpeg() -> Vec<u8> {
    let encoder = Receiver::of(Pipeline::launch(
        "videotestsrc num-buffers=1 name=source ! video/x-raw,width=16,height=16 ! jpegenc ! appsink name=output",
    ));
    encoder.play();
    encoder.frame()
}

#[test]
fn a_gap_that_comes_in_a_pause_is_told_when_that_is_over() {
    let source = Receiver::new("mode=listen port=0");
    let base_times = Arc::new(Mutex::new(Vec::new()));
    let (kept, element) = (base_times.clone(), source.source.downgrade());
    let pad = source.source.static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if info
            .event()
            .is_some_and(|event| event.type_() == EventType::Gap)
        {
            kept.lock()
                .unwrap()
                .push(element.upgrade().unwrap().base_time());
        }
        gst::PadProbeReturn::Ok
    });
    source.play();
    let peer = Peer::connect(source.port());
    peer.send(HELLO);
    peer.send(&said(&[clock(true), numbered(0)]));
    peer.send_frame(b"frame");
    source.frame();
    peer.send(&said(&[told("video/x-test")]));
    // It waits for what comes next, also in a pause.
    source.await_caps();
    source.pause();
    let gap = Gap {
        time: 0,
        duration: Some(1),
    };
    peer.send(&said(&[Record::Gap(gap)]).repeat(500));
    peer.send(&said(&[numbered(1)]));
    peer.send_frame(b"frame");
    source.play();
    source.frame();
    assert_eq!(
        *base_times.lock().unwrap(),
        [source.source.base_time(); 500]
    );
}

/// A sender and then another one, of a source that goes on.
fn two_senders(settings: &str, first: &[u8], second: &[u8]) -> [Vec<gst::Sample>; 2] {
    let source = Receiver::playing(&format!("mode=listen port=0 reconnect=true {settings}"));
    [first, second].map(|bytes| {
        let peer = Peer::connect(source.port());
        peer.send(bytes);
        let samples = (0..6).map(|_| source.sample()).collect();
        peer.end_sending();
        peer.expect_end();
        samples
    })
}

#[test]
fn a_plain_sender_after_one_that_describes_itself_has_times_of_arrival() {
    let mut described = [HELLO, &said(&[clock(true)])].concat();
    for sequence in 0..6 {
        let pts = Some(0);
        say(
            &mut described,
            Record::Buffer(Buffer {
                sequence,
                pts,
                ..Buffer::default()
            }),
        );
        described.extend(frame(b"frame"));
    }
    let plain = frame(b"frame").repeat(6);
    let [_, after] = two_senders("caps=video/x-test", &described, &plain);
    assert!(
        after
            .iter()
            .all(|sample| sample.buffer().unwrap().pts().is_some())
    );
}

#[test]
fn how_fast_a_sender_plays_holds_for_its_frames_from_the_first_and_for_no_others() {
    let twice = Segment {
        rate: 2.0,
        applied_rate: 1.0,
        stream_time: None,
    };
    let mut first = HELLO.to_vec();
    for sequence in 0..6 {
        if sequence == 2 {
            say(&mut first, Record::Segment(twice));
        }
        say(&mut first, numbered(sequence));
        first.extend(frame(b"frame"));
    }
    for second in [
        frame(b"frame").repeat(6),
        [HELLO, &frame(b"frame").repeat(6)].concat(),
    ] {
        let samples = two_senders("caps=video/x-test", &first, &second);
        let speeds = samples.map(|samples| {
            let speed = |sample: &gst::Sample| sample.segment().unwrap().applied_rate();
            samples.iter().map(speed).collect::<Vec<_>>()
        });
        assert_eq!(speeds, [[1.0, 1.0, 2.0, 2.0, 2.0, 2.0], [1.0; 6]]);
    }
}

#[test]
fn when_a_frame_was_made_is_what_its_first_sender_says() {
    let unix = gst::Caps::new_empty_simple("timestamp/x-unix");
    let sink = Sender::playing("mode=listen port=0");
    let source = Receiver::playing(&format!("port={} metadata=request", sink.port()));
    await_number(&sink.sink, "num-clients", 1);
    let mut sent = buffer(b"frame");
    let made = gst::ClockTime::from_seconds(1_000);
    let writable = sent.get_mut().unwrap();
    writable.set_pts(gst::ClockTime::ZERO);
    gst::ReferenceTimestampMeta::add(writable, &unix, made, gst::ClockTime::NONE);
    sink.push_buffer(sent).unwrap();
    let buffer = source.buffer();
    let metas = buffer.iter_meta::<gst::ReferenceTimestampMeta>();
    let times = metas.map(|meta| meta.timestamp()).collect::<Vec<_>>();
    assert_eq!(times, [made]);
}

#[test]
fn a_source_that_was_stopped_knows_nothing_of_its_last_peer() {
    let source = Receiver::playing("mode=listen port=0 caps=video/x-test");
    let peer = Peer::connect(source.port());
    peer.send(HELLO);
    peer.send(&said(&[told("video/x-test, width=(int)1"), numbered(0)]));
    peer.send_frame(b"frame");
    source.frame();
    source.stop();
    let other: gst::Caps = "video/x-other".parse().unwrap();
    source.source.set_property("caps", &other);
    let pad = source.source.static_pad("src").unwrap();
    assert_eq!(pad.query_caps(None), other);
}

#[test]
fn a_keyframe_that_is_wanted_at_a_time_is_asked_for_by_the_senders_time() {
    let source = Receiver::playing("mode=listen port=0");
    let peer = Peer::connect(source.port());
    peer.send(b"H0000028videosocket 1\nback keyframe\n");
    let five_seconds = Record::Buffer(Buffer {
        pts: Some(5_000_000_000),
        ..Buffer::default()
    });
    peer.send(&said(&[clock(false), five_seconds]));
    peer.send_frame(b"frame");
    let shown = source.buffer().pts().unwrap();
    let later = UpstreamForceKeyUnitEvent::builder()
        .running_time(shown + 2 * gst::ClockTime::SECOND)
        .all_headers(true)
        .build();
    assert!(source.source.static_pad("src").unwrap().send_event(later));
    assert_eq!(read(&peer).0, 'H');
    let request = b"keyframe all-headers=1 running-time=7000000000";
    assert_eq!(read(&peer), ('U', request.to_vec()));
}

#[test]
fn a_keyframe_that_a_peer_wants_at_a_time_is_asked_for_at_that_time() {
    let sink = Sender::playing("mode=listen port=0 request-keyframes=false");
    let peer = Peer::connect(sink.port());
    peer.send(HELLO);
    for request in [
        &b"U0000032keyframe running-time=7000000000"[..],
        b"U0000008keyframe",
    ] {
        peer.send(request);
    }
    let times = [0; 2].map(|_| {
        let event = sink.expect_upstream(|event| event.type_() == EventType::CustomUpstream);
        UpstreamForceKeyUnitEvent::parse(&event)
            .unwrap()
            .running_time
    });
    assert_eq!(times, [Some(7 * gst::ClockTime::SECOND), None]);
}

const GREY: &str =
    "video/x-raw, format=(string)GRAY8, width=(int)4, height=(int)4, framerate=(fraction)30/1";

#[test]
fn a_frame_that_is_shorter_than_its_sender_says_is_left_out() {
    let source = Receiver::playing("mode=listen port=0");
    let peer = Peer::connect(source.port());
    peer.send(HELLO);
    peer.send(&said(&[told(GREY)]));
    for (sequence, len) in [(0, 15), (1, 3), (2, 16), (3, 17)] {
        peer.send(&said(&[numbered(sequence)]));
        peer.send_frame(&vec![0; len]);
    }
    assert_eq!([0; 2].map(|_| source.buffer().size()), [16, 17]);
    source.expect_warning().says(&["16 bytes", "15"]);
    source.expect_no_warning();
}

#[test]
fn who_reads_layouts_and_no_parts_is_given_a_picture_as_large_as_the_caps_say() {
    for (reads_parts, size) in [(false, 16), (true, 64)] {
        let source = Receiver::new("mode=listen port=0");
        let pad = source.output.static_pad("sink").unwrap();
        pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, move |_, info| {
            if let Some(query) = info.query_mut()
                && let gst::QueryViewMut::Allocation(answer) = query.view_mut()
            {
                answer.add_allocation_meta::<VideoMeta>(None);
                if reads_parts {
                    answer.add_allocation_meta::<VideoCropMeta>(None);
                }
                return gst::PadProbeReturn::Handled;
            }
            gst::PadProbeReturn::Ok
        });
        source.play();
        let peer = Peer::connect(source.port());
        peer.send(HELLO);
        let larger = [8_u32, 8, 1, 0, 8].map(u32::to_be_bytes).concat();
        let layout = Record::Meta(Meta {
            name: "video",
            data: &larger,
        });
        peer.send(&said(&[told(GREY), numbered(0), layout]));
        peer.send_frame(&[7; 64]);
        let buffer = source.buffer();
        assert_eq!(buffer.size(), size);
        assert_eq!(buffer.meta::<VideoMeta>().is_some(), reads_parts);
    }
}

/// A header goes past the base class, which marks its own first frame, and what comes at once goes as a list.
#[test]
fn only_the_first_frame_is_a_discontinuity() {
    let source = Receiver::playing("mode=listen port=0");
    let peer = Peer::connect(source.port());
    let mut stream = [HELLO, &said(&[clock(true), told("video/x-test")])].concat();
    for sequence in 0..20 {
        let header = Buffer {
            flags: BufferFlags::HEADER,
            ..Buffer::default()
        };
        let frame = Buffer {
            sequence,
            pts: Some(i64::from(sequence)),
            ..Buffer::default()
        };
        let record = if sequence == 0 { header } else { frame };
        say(&mut stream, Record::Buffer(record));
        stream.extend_from_slice(b"00000005frame");
    }
    peer.send(&stream);
    let marked = (0..20).filter(|_| {
        let flags = source.buffer().flags();
        flags.contains(gst::BufferFlags::DISCONT)
    });
    // The first of all, and the first of the base class, behind it.
    let marked = marked.collect::<Vec<_>>();
    assert!(marked == [0] || marked == [0, 1], "{marked:?}");
}

/// Whoever fills a gap, or waits for the end of a frame, would be at it for good.
#[test]
fn what_is_to_last_for_ages_lasts_for_nobody_knows_how_long() {
    const HOUR: u64 = 3_600_000_000_000;
    for timestamps in ["auto", "arrival"] {
        lasts_for_nobody_knows_how_long(timestamps, HOUR);
    }
}

#[track_caller]
fn lasts_for_nobody_knows_how_long(timestamps: &str, longest: u64) {
    let source = Receiver::new(&format!("mode=listen port=0 timestamps={timestamps}"));
    let (tell, gaps) = std::sync::mpsc::channel();
    let pad = source.source.static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(gst::EventView::Gap(gap)) = info.event().map(|event| event.view()) {
            let _ = tell.send(gap.get().1.map(gst::ClockTime::nseconds));
        }
        gst::PadProbeReturn::Ok
    });
    source.play();
    let peer = Peer::connect(source.port());
    peer.send(HELLO);
    peer.send(&said(&[clock(true), told("video/x-test")]));
    for (sequence, duration) in [(0, longest), (1, longest + 1), (2, 1 << 62)] {
        let lasting = Buffer {
            sequence,
            duration: Some(duration),
            ..Buffer::default()
        };
        let gap = Gap {
            time: 0,
            duration: Some(duration),
        };
        peer.send(&said(&[Record::Gap(gap), Record::Buffer(lasting)]));
        peer.send_frame(b"frame");
        let expected = Some(duration).filter(|&duration| duration <= longest);
        let lasts = source.sample().buffer().unwrap().duration();
        assert_eq!(lasts.map(gst::ClockTime::nseconds), expected);
        assert_eq!(gaps.recv_timeout(PATIENCE), Ok(expected));
    }
}

#[test]
fn more_events_than_are_kept_before_the_caps_are_left_out() {
    let source = Receiver::new("mode=listen port=0");
    let order = order_of_events(&source);
    source.play();
    let peer = Peer::connect(source.port());
    peer.send(HELLO);
    let gap = Gap {
        time: 0,
        duration: None,
    };
    peer.send(&said(&[clock(false), Record::Gap(gap)]).repeat(100));
    peer.send(&said(&[told("video/x-test"), numbered(0)]));
    peer.send_frame(b"frame");
    source.frame();
    let order = order.lock().unwrap();
    let place = |wanted| order.iter().position(|kind| *kind == wanted);
    assert!(
        place(EventType::Segment) > place(EventType::Caps),
        "{order:?}"
    );
    let gaps = order.iter().filter(|kind| **kind == EventType::Gap);
    assert_eq!(gaps.count(), 64);
}

#[test]
fn a_crop_is_within_the_picture_also_where_the_user_says_how_large_that_is() {
    let source = Receiver::playing(&format!("mode=listen port=0 caps=\"{GREY}\""));
    let peer = Peer::connect(source.port());
    peer.send(HELLO);
    let outside = [4_u32, 4, 1, 1].map(u32::to_be_bytes).concat();
    let crop = Record::Meta(Meta {
        name: "crop",
        data: &outside,
    });
    peer.send(&said(&[numbered(0), crop]));
    peer.send_frame(&[7; 16]);
    assert!(source.rest().is_empty());
    let fault = source.expect_error().is(gst::StreamError::Decode);
    fault.says(&["sent a bad record", "crop"]);
}
