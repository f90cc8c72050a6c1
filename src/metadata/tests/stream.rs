// SPDX-License-Identifier: MPL-2.0
//! What is said once: caps, tags, segments, events.

use gst::{
    ClockTime, event, glib,
    tags::{Comment, Image, Title},
};
use gst_video::{DownstreamForceKeyUnitEvent, StillFrameEvent};

use super::{init, record, records, text};
use crate::{
    metadata::{RestoreError, Segment, describe, restore},
    wire::{
        StructureText,
        record::{self, Record, Scope, Tags},
    },
};

const SECOND: ClockTime = ClockTime::SECOND;

pub fn caps(text: &str) -> gst::Caps {
    text.parse().unwrap()
}

fn caps_again(caps: &gst::Caps) -> Option<Result<gst::Caps, RestoreError>> {
    let bytes = record(|out| describe::caps(caps, out))?;
    match records(&bytes)[..] {
        [Record::Caps(text)] => Some(restore::caps(text)),
        _ => panic!("{bytes:?}"),
    }
}

#[test]
fn caps_come_back() {
    let _quiet = init();
    for text in [
        "video/x-raw, format=(string)I420, width=(int)641, height=(int)3, framerate=(fraction)30000/1001, \
         interlace-mode=(string)mixed, multiview-mode=(string)mono, multiview-flags=(GstVideoMultiviewFlagsSet)0:ffffffff, \
         colorimetry=(string)bt709, pixel-aspect-ratio=(fraction)8/9",
        "audio/x-raw, format=(string)S16LE, rate=(int)48000, channels=(int)2, layout=(string)interleaved, \
         channel-mask=(bitmask)0x3",
        "image/jpeg",
        "video/x-h264, codec_data=(buffer)01640028ffe1, stream-format=(string)avc, alignment=(string)au",
        "audio/x-vorbis, streamheader=(buffer)< 01, 0203 >",
        "application/x-own, title=(string)\"a\\ \\\"b\\\"\\ \\303\\251\", list=(string)< a, b >, deep=(structure)[c, d=(int)1;]",
    ] {
        let caps = caps(text);
        assert_eq!(caps_again(&caps), Some(Ok(caps)), "{text}");
    }
}

#[test]
fn caps_come_back_in_system_memory() {
    let _quiet = init();
    let raw = "video/x-raw(memory:GLMemory, meta:GstVideoOverlayComposition), format=(string)RGBA, \
               width=(int)4, height=(int)4";
    let expected = "video/x-raw, format=(string)RGBA, width=(int)4, height=(int)4";
    assert_eq!(caps_again(&caps(raw)), Some(Ok(caps(expected))));
}

#[test]
fn caps_without_a_form_are_left_out() {
    let _quiet = init();
    for text in [
        "ANY",
        "EMPTY",
        "video/x-raw, width=[1,2]",
        "image/jpeg; image/png",
        "video/x-raw, format=I420",
        // Without the feature they make no sense.
        "video/x-raw(format:Interlaced), format=I420, width=4, height=4, interlace-mode=alternate",
        "a/b, c=(GstCaps)\"a/b\\,\\ c\\=\\(GstCaps\\)\\\"a/b\\\"\"",
    ] {
        assert_eq!(caps_again(&caps(text)), None, "{text}");
    }
    let long = gst::Caps::builder("a/b")
        .field("c", "x".repeat(256 * 1024))
        .build();
    assert_eq!(caps_again(&long), None);
    let sample = gst::Sample::builder().build();
    let sample = gst::Caps::builder("a/b").field("c", sample).build();
    assert_eq!(caps_again(&sample), None);
}

#[test]
fn hostile_caps_are_refused() {
    let _quiet = init();
    let restored = |bytes| restore::caps(text(bytes));
    assert_eq!(restored("a=b"), Err(RestoreError::NoCaps));
    assert_eq!(restored("ANY"), Err(RestoreError::NoCaps));
    assert_eq!(restored("EMPTY"), Err(RestoreError::NoCaps));
    assert_eq!(
        restored("image/jpeg, a={ 1, 2 }"),
        Err(RestoreError::OpenCaps)
    );
    for media_type in ["video/x-raw", "audio/x-raw"] {
        let bare = StructureText::new(media_type.as_bytes(), 100).unwrap();
        assert_eq!(
            restore::caps(bare),
            Err(RestoreError::RawCaps { media_type })
        );
    }
    for (field, value) in [
        ("codec_data", "(int)5"),
        ("codec_data", "(string)x"),
        ("palette_data", "(date)2020-01-01"),
        ("streamheader", "(int)5"),
        ("streamheader", "< (int)5 >"),
    ] {
        let refused = restore::caps(text(&format!("video/x-test, {field}={value}")));
        assert_eq!(refused, Err(RestoreError::NoBuffer { field }), "{value}");
    }
    let good = restored("video/x-test, codec_data=(buffer)00, streamheader=(buffer)< 00, 11 >");
    assert!(good.is_ok(), "{good:?}");
    for (fields, is_sound) in [
        ("layout=interleaved, rate=8000, channels=1", true),
        (
            "layout=interleaved, rate=48000, channels=2, channel-mask=(bitmask)0x3",
            true,
        ),
        (
            "layout=interleaved, rate=48000, channels=24, channel-mask=(bitmask)0x0",
            true,
        ),
        ("layout=non-interleaved, rate=48000, channels=1", false),
        ("layout=interleaved, rate=1, channels=1", false),
        ("layout=interleaved, rate=2147483647, channels=1", false),
        (
            "layout=interleaved, rate=48000, channels=64, channel-mask=(bitmask)0x0",
            false,
        ),
        (
            "layout=interleaved, rate=48000, channels=2, channel-mask=(bitmask)0xc000000000000000",
            false,
        ),
    ] {
        let caps = restore::caps(text(&format!("audio/x-raw, format=S16LE, {fields}")));
        assert_eq!(caps.is_ok(), is_sound, "{fields}");
    }
    let name = "n".repeat(65);
    assert_eq!(
        restore::caps(text(&format!("image/jpeg, {name}=(int)1"))),
        Err(RestoreError::LongName { len: 65 })
    );
    assert!(glib::Quark::try_from_str(&name).is_none());
}

fn tags_again(tags: &gst::TagList, scope: Scope) -> Option<gst::TagList> {
    let bytes = record(|out| describe::tags(tags, scope, out))?;
    match records(&bytes)[..] {
        [Record::Tags(tags)] => Some(restore::tags(&tags).unwrap()),
        _ => panic!("{bytes:?}"),
    }
}

fn some_tags() -> gst::TagList {
    use gst::tags::{Artist, Bitrate, DateTime, Duration, Title, TrackGain};
    let mut tags = gst::TagList::new();
    let list = tags.make_mut();
    let date = gst::DateTime::from_ymd(2026, 11, 24).unwrap();
    list.add::<Title>(&"a \"b\", c=5; é \\ [", gst::TagMergeMode::Append);
    list.add::<Artist>(&"one", gst::TagMergeMode::Append);
    list.add::<Artist>(&"two", gst::TagMergeMode::Append);
    list.add::<Bitrate>(&u32::MAX, gst::TagMergeMode::Append);
    list.add::<Duration>(
        &ClockTime::from_nseconds(u64::MAX - 1),
        gst::TagMergeMode::Append,
    );
    list.add::<TrackGain>(&-0.5, gst::TagMergeMode::Append);
    list.add::<DateTime>(&date, gst::TagMergeMode::Append);
    tags
}

#[test]
fn tags_come_back() {
    let _quiet = init();
    for (scope, theirs) in [
        (Scope::Stream, gst::TagScope::Stream),
        (Scope::Global, gst::TagScope::Global),
    ] {
        let tags = tags_again(&some_tags(), scope).unwrap();
        assert_eq!(tags.scope(), theirs);
        assert_eq!(tags.to_string(), some_tags().to_string());
    }
}

#[test]
fn large_tags_are_left_out() {
    let _quiet = init();
    let _quiet = init();
    let mut tags = gst::TagList::new();
    let list = tags.make_mut();
    list.add::<Comment>(&&*"x".repeat(4097), gst::TagMergeMode::Append);
    let sample = gst::Sample::builder()
        .buffer(&gst::Buffer::from_slice([1; 9]))
        .build();
    list.add::<Image>(&sample, gst::TagMergeMode::Append);
    assert_eq!(tags_again(&tags, Scope::Stream), None);
    tags.make_mut()
        .add::<Title>(&&*"y".repeat(4096), gst::TagMergeMode::Append);
    tags.make_mut()
        .add::<Comment>(&"z", gst::TagMergeMode::Append);
    let tags = tags_again(&tags, Scope::Stream).unwrap();
    assert_eq!(tags.n_tags(), 2);
    assert_eq!(tags.index::<Comment>(0).unwrap().get(), "z");
}

/// Elements that merge such tags would complain.
#[test]
fn tags_of_wrong_types_and_names_do_not_come_back() {
    let _quiet = init();
    let tags = restore::tags(&Tags {
        scope: Scope::Stream,
        text: text(
            "taglist, title=(int)5, artist={ (string)a, (int)1 }, no-such-tag=(string)a, album=(string)b, genre=(string){ }, \
                    image=(buffer)00, comment=(string)NULL, composer=(string)\"\"",
        ),
    });
    let tags = tags.unwrap();
    let names: Vec<_> = tags.iter().map(|(name, _)| name.to_string()).collect();
    assert!(
        names.iter().all(|name| name == "album" || name == "artist"),
        "{names:?}"
    );
    assert_eq!(tags.index::<gst::tags::Album>(0).unwrap().get(), "b");
    let text = text("taglist, a");
    let scope = Scope::Stream;
    assert_eq!(
        restore::tags(&Tags { scope, text }),
        Err(RestoreError::NoTags)
    );
}

fn stream_start_again(start: &gst::EventRef) -> gst::Event {
    let gst::EventView::StreamStart(start) = start.view() else {
        panic!("{start:?}")
    };
    let bytes = record(|out| describe::stream_start(start, out)).unwrap();
    match records(&bytes)[..] {
        [Record::StreamStart(start)] => restore::stream_start(&start),
        _ => panic!("{bytes:?}"),
    }
}

#[test]
fn the_start_of_a_stream_comes_back() {
    let _quiet = init();
    let all = gst::StreamFlags::SPARSE | gst::StreamFlags::SELECT | gst::StreamFlags::UNSELECT;
    for flags in [gst::StreamFlags::empty(), gst::StreamFlags::SELECT, all] {
        for group in [None, Some(gst::GroupId::next())] {
            let start = event::StreamStart::builder("an id, é")
                .flags(flags)
                .group_id_if_some(group)
                .build();
            let again = stream_start_again(&start);
            let gst::EventView::StreamStart(again) = again.view() else {
                panic!("{again:?}")
            };
            assert_eq!(again.stream_id(), "an id, é");
            assert_eq!(again.stream_flags(), flags);
            assert_eq!(again.group_id(), group);
        }
    }
}

/// 0 is none in GStreamer.
#[test]
fn no_stream_is_of_group_0() {
    let _quiet = init();
    let start = restore::stream_start(&record::StreamStart {
        id: "a",
        group: Some(0),
        ..record::StreamStart::default()
    });
    assert!(!start.structure().unwrap().has_field("group-id"));
}

pub fn segment(rate: f64, applied_rate: f64, [start, time, base]: [u64; 3]) -> Segment {
    let mut segment = Segment::new();
    segment.set_rate(rate);
    segment.set_applied_rate(applied_rate);
    segment.set_start(start * SECOND);
    segment.set_stop(100 * SECOND);
    segment.set_time(time * SECOND);
    segment.set_base(base * SECOND);
    segment
}

#[test]
fn a_usual_segment_needs_no_words() {
    let _quiet = init();
    assert_eq!(describe::segment(&Segment::new()), describe::USUAL_SEGMENT);
    let shifted = segment(1.0, 1.0, [5, 0, 0]);
    assert_eq!(describe::segment(&shifted), describe::USUAL_SEGMENT);
    let restored = restore::segment(&describe::USUAL_SEGMENT).unwrap();
    assert_eq!(restored, Segment::new());
}

/// With the restored segment a running time has the stream time that it has with the sender's.
#[test]
fn stream_times_come_back() {
    let _quiet = init();
    for original in [
        segment(1.0, 1.0, [5, 7, 3]),
        segment(2.0, 1.0, [0, 50, 1]),
        segment(1.0, 4.0, [10, 40, 10]),
        segment(2.0, 0.5, [10, 40, 10]),
    ] {
        let restored = restore::segment(&describe::segment(&original)).unwrap();
        assert_eq!(restored.rate(), 1.0);
        for running_time in [10 * SECOND, 15 * SECOND] {
            let position = original.position_from_running_time(running_time).unwrap();
            assert_eq!(
                restored.to_stream_time_full(running_time),
                original.to_stream_time_full(position),
                "{original:?}"
            );
            assert_eq!(restored.to_running_time(running_time), Some(running_time));
        }
    }
}

/// Without an end GStreamer has no stream time that falls, and an end would cut frames off.
#[test]
fn backwards_only_the_speed_comes_back() {
    let _quiet = init();
    let original = segment(-2.0, 1.0, [10, 0, 2]);
    let described = describe::segment(&original);
    // 90 s at the end, which is running time 2 s.
    assert_eq!(described.stream_time, Some(94_000_000_000));
    let restored = restore::segment(&described).unwrap();
    assert_eq!((restored.rate(), restored.applied_rate()), (1.0, -2.0));
    assert_eq!(restored.stop(), None);
}

#[test]
fn stream_times_before_0_are_0() {
    let _quiet = init();
    let segment = describe::segment(&segment(1.0, 1.0, [0, 0, 9]));
    assert_eq!(segment.stream_time, Some(-9_000_000_000));
    let restored = restore::segment(&segment).unwrap();
    assert_eq!(restored.time(), Some(ClockTime::ZERO));
}

#[test]
fn rates_without_a_product_are_refused() {
    let _quiet = init();
    for (rate, applied_rate) in [(1e200, 1e200), (1e-200, -1e-200)] {
        let segment = record::Segment {
            rate,
            applied_rate,
            stream_time: None,
        };
        assert_eq!(
            restore::segment(&segment),
            Err(RestoreError::Rate { rate, applied_rate })
        );
    }
}

#[test]
fn gaps_have_running_times() {
    let _quiet = init();
    let gap = |segment, start: ClockTime, duration| {
        let gap = event::Gap::new(start, duration);
        let gst::EventView::Gap(gap) = gap.view() else {
            panic!("{gap:?}")
        };
        let bytes = record(|out| describe::gap(gap, segment, out))?;
        match records(&bytes)[..] {
            [Record::Gap(record::Gap { time, duration })] => Some((time, duration)),
            _ => panic!("{bytes:?}"),
        }
    };
    let twice = segment(2.0, 1.0, [10, 0, 1]);
    assert_eq!(
        gap(Some(&twice), 14 * SECOND, Some(SECOND)),
        Some((3_000_000_000, Some(500_000_000)))
    );
    assert_eq!(
        gap(Some(&twice), 4 * SECOND, None),
        Some((-2_000_000_000, None))
    );
    assert_eq!(gap(None, SECOND, None), None);
}

fn event_again(event: &gst::Event) -> Option<gst::Event> {
    let bytes = record(|out| describe::event(event, out))?;
    match records(&bytes)[..] {
        [Record::Event(event)] => restore::event(&event).unwrap(),
        _ => panic!("{bytes:?}"),
    }
}

#[test]
fn events_of_applications_come_back() {
    let _quiet = init();
    let structure = gst::Structure::builder("application/x-test")
        .field("a", "b \"c\"")
        .field("d", gst::Structure::builder("e").field("f", 1u64).build())
        .build();
    for event in [
        event::CustomDownstream::new(structure.clone()),
        event::CustomDownstreamSticky::new(structure),
    ] {
        let again = event_again(&event).unwrap();
        assert_eq!(again.type_(), event.type_());
        assert_eq!(again.structure(), event.structure());
    }
}

/// The receiver would take them for hostile.
#[test]
fn events_that_cannot_be_read_again_are_left_out() {
    let _quiet = init();
    let application = || gst::Structure::builder("application/x-test");
    let empty = gst::Buffer::new();
    let long = "m".repeat(65);
    for structure in [
        application().field("a", empty).build(),
        application().field(&long, 1).build(),
        application()
            .field("a", gst::Sample::builder().build())
            .build(),
        application().field("a", gst::IntRange::new(1, 2)).build(),
        application().field("a", "x".repeat(64 * 1024)).build(),
    ] {
        assert!(event_again(&event::CustomDownstream::new(structure)).is_none());
    }
}

#[test]
fn other_events_are_left_out() {
    let _quiet = init();
    for event in [
        event::Eos::new(),
        event::CustomDownstream::new(gst::Structure::new_empty("GstNavigation")),
        event::CustomDownstream::new(gst::Structure::new_empty("x-application/y")),
        event::CustomUpstream::new(gst::Structure::new_empty("application/y")),
        event::CustomDownstreamOob::new(gst::Structure::new_empty("application/y")),
    ] {
        assert!(event_again(&event).is_none(), "{event:?}");
    }
    let event = record::Event {
        is_sticky: false,
        text: text("GstQOS, a=(int)1"),
    };
    assert!(restore::event(&event).unwrap().is_none());
    let text = text("application/x, a");
    let event = record::Event {
        is_sticky: false,
        text,
    };
    assert_eq!(
        restore::event(&event).unwrap_err(),
        RestoreError::NoStructure
    );
}

#[test]
fn events_between_elements_come_back_without_times() {
    let _quiet = init();
    let event = DownstreamForceKeyUnitEvent::builder()
        .timestamp(SECOND)
        .stream_time(2 * SECOND)
        .running_time(3 * SECOND)
        .all_headers(true)
        .count(7)
        .build();
    let bytes = record(|out| describe::event(&event, out)).unwrap();
    assert!(
        !bytes.escape_ascii().to_string().contains("time"),
        "{}",
        bytes.escape_ascii()
    );
    let again = event_again(&event).unwrap();
    assert_eq!(again.type_(), gst::EventType::CustomDownstream);
    let expected = DownstreamForceKeyUnitEvent {
        timestamp: None,
        stream_time: None,
        running_time: None,
        all_headers: true,
        count: 7,
    };
    assert_eq!(
        DownstreamForceKeyUnitEvent::parse(&again).unwrap(),
        expected
    );
    for in_still in [true, false] {
        let again = event_again(&StillFrameEvent::builder(in_still).build()).unwrap();
        assert_eq!(StillFrameEvent::parse(&again).unwrap().in_still, in_still);
    }
}
