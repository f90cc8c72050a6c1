//! What is described comes back, and what is hostile is refused.

use gst::{ClockTime, event, glib, meta::CustomMeta};
use gst_video::{
    DownstreamForceKeyUnitEvent, StillFrameEvent, UpstreamForceKeyUnitEvent, ValidVideoTimeCode,
    VideoAFDMeta, VideoAFDSpec, VideoAFDValue, VideoBarMeta, VideoBufferFlags, VideoCaptionMeta,
    VideoCaptionType, VideoCropMeta, VideoFormat, VideoFrameFlags, VideoInfo, VideoMeta,
    VideoRegionOfInterestMeta, VideoTimeCodeFlags, VideoTimeCodeMeta, prelude::*,
};

use super::{RestoreError, Segment, describe, restore};
use crate::wire::{
    StructureText,
    record::{
        self, Buffer, BufferFlags, MAX_META_BYTES, MAX_METAS, Meta, Record, RecordHead, RecordKind,
        Scope, Tags, Upstream,
    },
};

const SECOND: ClockTime = ClockTime::SECOND;

fn init() {
    gst::init().unwrap();
}

/// The records in these bytes.
fn records(mut bytes: &[u8]) -> Vec<Record<'_>> {
    let mut records = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk() {
        let head = RecordHead::decode(head).unwrap();
        let (payload, rest) = rest.split_at(head.len);
        let kind = RecordKind::from_letter(head.letter).unwrap();
        records.push(Record::parse(kind, payload).unwrap());
        bytes = rest;
    }
    records
}

/// The one record that is written behind what is there.
fn record(describe: impl FnOnce(&mut Vec<u8>) -> bool) -> Option<Vec<u8>> {
    let mut bytes = b"before".to_vec();
    let is_written = describe(&mut bytes);
    let bytes = bytes.strip_prefix(b"before").unwrap();
    assert_eq!(records(bytes).len(), usize::from(is_written));
    is_written.then(|| bytes.to_vec())
}

fn text(text: &str) -> StructureText<'_> {
    StructureText::new(text.as_bytes(), 1 << 20).unwrap()
}

fn caps(text: &str) -> gst::Caps {
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
    init();
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
    init();
    let raw = "video/x-raw(memory:GLMemory, meta:GstVideoOverlayComposition), format=(string)RGBA, \
               width=(int)4, height=(int)4";
    let expected = "video/x-raw, format=(string)RGBA, width=(int)4, height=(int)4";
    assert_eq!(caps_again(&caps(raw)), Some(Ok(caps(expected))));
}

#[test]
fn caps_without_a_form_are_left_out() {
    init();
    for text in [
        "ANY",
        "EMPTY",
        "video/x-raw, width=[1,2]",
        "image/jpeg; image/png",
        "video/x-raw, format=I420",
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
    init();
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
    init();
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
    use gst::tags::{Comment, Image, Title};
    init();
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
    init();
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
    init();
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

fn segment(rate: f64, applied_rate: f64, [start, time, base]: [u64; 3]) -> Segment {
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
    assert_eq!(describe::segment(&Segment::new()), describe::USUAL_SEGMENT);
    let shifted = segment(1.0, 1.0, [5, 0, 0]);
    assert_eq!(describe::segment(&shifted), describe::USUAL_SEGMENT);
    let restored = restore::segment(&describe::USUAL_SEGMENT).unwrap();
    assert_eq!(restored, Segment::new());
}

/// With the restored segment a running time has the stream time that it has with the sender's.
#[test]
fn stream_times_come_back() {
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
    let segment = describe::segment(&segment(1.0, 1.0, [0, 0, 9]));
    assert_eq!(segment.stream_time, Some(-9_000_000_000));
    let restored = restore::segment(&segment).unwrap();
    assert_eq!(restored.time(), Some(ClockTime::ZERO));
}

#[test]
fn rates_without_a_product_are_refused() {
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
    init();
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
    init();
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

#[test]
fn other_events_are_left_out() {
    init();
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
    init();
    let event = DownstreamForceKeyUnitEvent::builder()
        .timestamp(SECOND)
        .stream_time(2 * SECOND)
        .running_time(3 * SECOND)
        .all_headers(true)
        .count(7)
        .build();
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

fn buffer(size: usize) -> gst::Buffer {
    init();
    gst::Buffer::with_size(size).unwrap()
}

#[test]
fn flags_and_offsets_come_back() {
    for bit in 0..14 {
        let flags = BufferFlags::from_bits(1 << bit);
        let original = Buffer {
            sequence: bit,
            flags,
            duration: Some(5),
            offset: Some(0),
            offset_end: (bit != 0).then_some(u64::MAX - 1),
            ..Buffer::default()
        };
        let mut buffer = buffer(1);
        let buffer = buffer.get_mut().unwrap();
        // A buffer from a pool has those of another frame.
        restore::buffer(
            buffer,
            &Buffer {
                flags: BufferFlags::from_bits(u16::MAX),
                ..original
            },
        );
        restore::buffer(buffer, &original);
        assert_eq!(describe::buffer(buffer, None, bit, None), original);
        let raw = buffer.flags().bits() | buffer.video_flags().bits();
        assert_eq!(raw.count_ones(), 1, "{flags:?}");
    }
}

#[test]
fn flags_are_those_of_gstreamer() {
    let mut buffer = buffer(1);
    let buffer = buffer.get_mut().unwrap();
    buffer.set_flags(
        gst::BufferFlags::DELTA_UNIT | gst::BufferFlags::MARKER | gst::BufferFlags::TAG_MEMORY,
    );
    buffer.set_video_flags(VideoBufferFlags::INTERLACED | VideoBufferFlags::TFF);
    let expected =
        BufferFlags::DELTA_UNIT | BufferFlags::MARKER | BufferFlags::INTERLACED | BufferFlags::TFF;
    assert_eq!(describe::buffer(buffer, None, 0, None).flags, expected);
    restore::buffer(buffer, &Buffer::default());
    assert!(buffer.flags().contains(gst::BufferFlags::TAG_MEMORY));
}

#[test]
fn times_are_running_times() {
    let mut buffer = buffer(1);
    let buffer = buffer.get_mut().unwrap();
    buffer.set_pts(4 * SECOND);
    buffer.set_dts(3 * SECOND);
    buffer.set_duration(2 * SECOND);
    let times = |segment: &Segment| {
        let record = describe::buffer(buffer, Some(segment), 9, Some(SECOND));
        assert_eq!((record.sequence, record.clock), (9, Some(1_000_000_000)));
        let seconds = |time: i64| time as f64 / 1e9;
        (
            record.pts.map(seconds),
            record.dts.map(seconds),
            record.duration.unwrap() as f64 / 1e9,
        )
    };
    assert_eq!(times(&Segment::new()), (Some(4.0), Some(3.0), 2.0));
    assert_eq!(
        times(&segment(1.0, 1.0, [5, 0, 0])),
        (Some(-1.0), Some(-2.0), 2.0)
    );
    assert_eq!(
        times(&segment(4.0, 1.0, [2, 0, 7])),
        (Some(7.5), Some(7.25), 0.5)
    );
    // Backwards from 100 s: its end, at 6 s, comes first.
    assert_eq!(
        times(&segment(-1.0, 1.0, [0, 0, 1])),
        (Some(95.0), Some(96.0), 2.0)
    );
    let record = describe::buffer(buffer, None, 0, None);
    assert_eq!((record.pts, record.dts, record.clock), (None, None, None));
}

fn info(format: VideoFormat, width: u32, height: u32) -> VideoInfo {
    init();
    VideoInfo::builder(format, width, height).build().unwrap()
}

/// What the metas of a buffer are in records.
fn metas(buffer: &gst::BufferRef, info: Option<&VideoInfo>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let is_written = describe::metas(buffer, info, &mut bytes);
    assert_eq!(is_written, !bytes.is_empty());
    bytes
}

/// The buffer that has the metas of another, and the number of metas that it was sent.
fn metas_again(original: &gst::BufferRef, info: Option<&VideoInfo>) -> (gst::Buffer, usize) {
    let mut again = buffer(original.size());
    let bytes = metas(original, info);
    let records = records(&bytes);
    for record in &records {
        let Record::Meta(meta) = record else {
            panic!("{record:?}")
        };
        assert_eq!(
            restore::meta(again.get_mut().unwrap(), meta, info),
            Ok(true),
            "{meta:?}"
        );
    }
    (again, records.len())
}

fn restored(meta: (&str, &[u8]), info: Option<&VideoInfo>) -> Result<bool, RestoreError> {
    let mut buffer = buffer(info.map_or(0, VideoInfo::size));
    let (name, data) = meta;
    restore::meta(buffer.get_mut().unwrap(), &Meta { name, data }, info)
}

#[test]
fn frames_without_metas_say_nothing() {
    let buffer = buffer(1);
    assert_eq!(metas(&buffer, None), b"");
}

#[test]
fn reference_timestamps_come_back() {
    for duration in [None, Some(SECOND)] {
        let mut original = buffer(1);
        let reference = caps("timestamp/x-unix, a=(string)\"b c\"");
        gst::ReferenceTimestampMeta::add(original.make_mut(), &reference, 5 * SECOND, duration);
        let (again, count) = metas_again(&original, None);
        let meta = again.meta::<gst::ReferenceTimestampMeta>().unwrap();
        assert_eq!(count, 1);
        assert_eq!(meta.reference(), &*reference);
        assert_eq!((meta.timestamp(), meta.duration()), (5 * SECOND, duration));
    }
}

#[test]
fn hostile_timestamps_are_refused() {
    init();
    let timestamp = |time: u64, reference: &str| {
        let data = [&time.to_be_bytes()[..], &[0; 8], reference.as_bytes()].concat();
        restored(("timestamp", &data), None)
    };
    assert_eq!(timestamp(0, "a/b"), Ok(true));
    assert_eq!(timestamp(u64::MAX, "a/b"), Err(RestoreError::NoTimestamp));
    assert_eq!(timestamp(0, "a/b, c={ 1, 2 }"), Err(RestoreError::OpenCaps));
    assert_eq!(timestamp(0, "a=b"), Err(RestoreError::NoCaps));
    assert!(matches!(
        timestamp(0, "a[b"),
        Err(RestoreError::MetaText {
            name: "timestamp",
            ..
        })
    ));
    assert_eq!(
        restored(("timestamp", &[0; 15]), None),
        Err(RestoreError::ShortMeta {
            name: "timestamp",
            len: 15
        })
    );
}

/// A buffer with a meta of other strides and offsets than usual.
fn padded(info: &VideoInfo, padding: i32) -> gst::Buffer {
    let strides: Vec<i32> = info
        .stride()
        .iter()
        .map(|stride| stride + padding)
        .collect();
    let mut offsets = Vec::new();
    let mut size = 3;
    for (plane, stride) in strides.iter().enumerate() {
        offsets.push(size);
        let rows = if plane == 0 {
            info.height()
        } else {
            info.comp_height(plane as u8)
        };
        size += *stride as usize * rows as usize;
    }
    let mut buffer = buffer(size);
    let flags = VideoFrameFlags::empty();
    let (width, height) = (info.width(), info.height());
    VideoMeta::add_full(
        buffer.make_mut(),
        flags,
        info.format(),
        width,
        height,
        &offsets,
        &strides,
    )
    .unwrap();
    buffer
}

#[test]
fn layouts_come_back() {
    for (format, width, height) in [
        (VideoFormat::I420, 641, 3),
        (VideoFormat::Nv12, 6, 5),
        (VideoFormat::Rgba, 1, 1),
        (VideoFormat::Gray8, 7, 7),
        (VideoFormat::V210, 50, 2),
        (VideoFormat::Uyvy, 5, 2),
        (VideoFormat::Y42b, 5, 3),
        (VideoFormat::A420, 4, 4),
    ] {
        let info = info(format, width, height);
        for padding in [1, 13] {
            let original = padded(&info, padding);
            let (again, count) = metas_again(&original, Some(&info));
            let (original, again) = (
                original.meta::<VideoMeta>().unwrap(),
                again.meta::<VideoMeta>().unwrap(),
            );
            assert_eq!(count, 1, "{format}");
            assert_eq!(again.format(), format);
            assert_eq!((again.width(), again.height()), (width, height));
            assert_eq!(again.offset(), original.offset());
            assert_eq!(again.stride(), original.stride());
        }
    }
}

#[test]
fn a_usual_layout_needs_no_words() {
    let info = info(VideoFormat::I420, 641, 3);
    let mut buffer = buffer(info.size());
    VideoMeta::add_from_info(buffer.make_mut(), VideoFrameFlags::empty(), &info).unwrap();
    assert_eq!(metas(&buffer, Some(&info)), b"");
    // Nor does any where the caps tell of no picture.
    assert_eq!(metas(&padded(&info, 4), None), b"");
}

#[test]
fn a_layout_takes_the_flags_of_the_frame_and_the_place_of_another() {
    let info = info(VideoFormat::Gray8, 4, 4);
    let bytes = metas(&padded(&info, 4), Some(&info));
    let [Record::Meta(meta)] = records(&bytes)[..] else {
        panic!("{bytes:?}")
    };
    let mut buffer = buffer(100);
    let buffer = buffer.get_mut().unwrap();
    buffer.set_video_flags(VideoBufferFlags::INTERLACED | VideoBufferFlags::TFF);
    for _ in 0..2 {
        restore::meta(buffer, &meta, Some(&info)).unwrap();
        let flags = buffer.meta::<VideoMeta>().unwrap().video_frame_flags();
        assert_eq!(flags, VideoFrameFlags::INTERLACED | VideoFrameFlags::TFF);
        assert_eq!(buffer.iter_meta::<VideoMeta>().count(), 1);
    }
}

#[test]
fn hostile_layouts_are_refused() {
    let info = info(VideoFormat::Gray8, 8, 4);
    let layout = |numbers: &[u32]| {
        let data: Vec<u8> = numbers
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .collect();
        restored(("video", &data), Some(&info))
    };
    assert_eq!(layout(&[8, 4, 1, 0, 8]), Ok(true));
    assert_eq!(
        layout(&[8, 4, 2, 0, 8, 0, 8]),
        Err(RestoreError::Planes {
            planes: 2,
            expected: 1
        })
    );
    assert_eq!(
        layout(&[8, 4, 0]),
        Err(RestoreError::Planes {
            planes: 0,
            expected: 1
        })
    );
    assert_eq!(
        layout(&[8, 4, 1, 0]),
        Err(RestoreError::ShortMeta {
            name: "video",
            len: 16
        })
    );
    assert_eq!(
        layout(&[7, 4, 1, 0, 8]),
        Err(RestoreError::SmallPicture {
            width: 7,
            height: 4
        })
    );
    assert_eq!(
        layout(&[8, 3, 1, 0, 8]),
        Err(RestoreError::SmallPicture {
            width: 8,
            height: 3
        })
    );
    for stride in [7, 0, u32::MAX, 1 << 31] {
        let expected = RestoreError::Stride {
            plane: 0,
            stride: stride as i32,
        };
        assert_eq!(layout(&[8, 4, 1, 0, stride]), Err(expected));
    }
    let outside = Err(RestoreError::PlaneOutside { plane: 0, size: 32 });
    for (offset, stride) in [
        (1, 8),
        (0, 9),
        (u32::MAX, 8),
        (0, i32::MAX as u32),
        (u32::MAX, i32::MAX as u32),
    ] {
        assert_eq!(layout(&[8, 4, 1, offset, stride]), outside);
    }
    assert_eq!(layout(&[8, 5, 1, 0, 8]), outside);
    assert_eq!(
        layout(&[u32::MAX, u32::MAX, 1, 0, 8]),
        Err(RestoreError::NoLayout)
    );
    assert_eq!(
        restored(("video", &[0; 20]), None),
        Err(RestoreError::NoLayout)
    );
}

#[test]
fn tiles_and_palettes_have_no_layout_of_their_own() {
    for format in [VideoFormat::Nv1264z32, VideoFormat::Rgb8p] {
        let info = info(format, 64, 64);
        let mut data: Vec<u8> = [64, 64, info.n_planes()]
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .collect();
        data.resize(12 + 8 * info.n_planes() as usize, 0);
        assert_eq!(
            restored(("video", &data), Some(&info)),
            Err(RestoreError::NoLayout)
        );
        assert_eq!(metas(&padded(&info, 4), Some(&info)), b"");
    }
}

fn time_code(
    fps: (i32, i32),
    flags: VideoTimeCodeFlags,
    jam: Option<&glib::DateTime>,
) -> ValidVideoTimeCode {
    init();
    ValidVideoTimeCode::new(
        gst::Fraction::new(fps.0, fps.1),
        jam,
        flags,
        23,
        59,
        58,
        2,
        1,
    )
    .unwrap()
}

#[test]
fn time_codes_come_back() {
    let zone = glib::TimeZone::from_offset(-12_600);
    let jam = glib::DateTime::new(&zone, 1969, 11, 24, 1, 2, 3.25).unwrap();
    let drop_frame = VideoTimeCodeFlags::DROP_FRAME | VideoTimeCodeFlags::INTERLACED;
    for code in [
        time_code((25, 1), VideoTimeCodeFlags::empty(), None),
        time_code((30_000, 1001), drop_frame, Some(&jam)),
    ] {
        let mut original = buffer(1);
        VideoTimeCodeMeta::add(original.make_mut(), &code);
        let (again, _) = metas_again(&original, None);
        let again = again.meta::<VideoTimeCodeMeta>().unwrap().tc();
        let numbers = |code: &ValidVideoTimeCode| {
            let time = [code.hours(), code.minutes(), code.seconds(), code.frames()];
            (code.fps(), code.flags(), time, code.field_count())
        };
        assert_eq!(numbers(&again), numbers(&code));
        let offset = |code: &ValidVideoTimeCode| {
            let jam = code.latest_daily_jam()?;
            Some((jam.utc_offset(), jam.microsecond(), jam.to_unix()))
        };
        assert_eq!(offset(&again), offset(&code));
    }
}

#[test]
fn hostile_time_codes_are_refused() {
    init();
    let code = |numbers: [u32; 8], jam: i64, zone: i32| {
        let mut data: Vec<u8> = numbers
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .collect();
        data.extend_from_slice(&jam.to_be_bytes());
        data.extend_from_slice(&zone.to_be_bytes());
        restored(("timecode", &data), None)
    };
    let good = [25, 1, 0, 23, 59, 59, 24, 2];
    assert_eq!(code(good, i64::MIN, 0), Ok(true));
    assert_eq!(code(good, 0, 86_399), Ok(true));
    for (at, number) in [
        (0, 0),
        (0, u32::MAX),
        (1, 0),
        (1, u32::MAX),
        (2, 1),
        (3, 24),
        (4, 60),
        (5, 60),
        (6, 25),
        (7, 3),
    ] {
        let mut bad = good;
        bad[at] = number;
        assert_eq!(code(bad, 0, 0), Err(RestoreError::TimeCode), "{bad:?}");
    }
    for (jam, zone) in [
        (i64::MAX, 0),
        (i64::MIN + 1, 0),
        (0, 86_400),
        (0, -86_400),
        (0, i32::MIN),
    ] {
        assert_eq!(
            code(good, jam, zone),
            Err(RestoreError::TimeCode),
            "{jam} {zone}"
        );
    }
    assert_eq!(
        restored(("timecode", &[0, 0, 0, 1, 0, 0, 0, 1]), None),
        Err(RestoreError::ShortMeta {
            name: "timecode",
            len: 8
        })
    );
}

#[test]
fn captions_come_back() {
    for caption_type in [
        VideoCaptionType::Cea608Raw,
        VideoCaptionType::Cea608S3341a,
        VideoCaptionType::Cea708Raw,
        VideoCaptionType::Cea708Cdp,
    ] {
        let mut original = buffer(1);
        VideoCaptionMeta::add(original.make_mut(), caption_type, b"\0a\xff");
        let (again, _) = metas_again(&original, None);
        let meta = again.meta::<VideoCaptionMeta>().unwrap();
        assert_eq!(
            (meta.caption_type(), meta.data()),
            (caption_type, &b"\0a\xff"[..])
        );
    }
}

#[test]
fn afds_and_bars_come_back() {
    for spec in [
        VideoAFDSpec::DvbEtsi,
        VideoAFDSpec::AtscA53,
        VideoAFDSpec::SmpteSt20161,
    ] {
        for afd in [
            VideoAFDValue::_169TopAligned,
            VideoAFDValue::_169Letter43Center,
        ] {
            let mut original = buffer(1);
            VideoAFDMeta::add(original.make_mut(), 1, spec, afd);
            let (again, _) = metas_again(&original, None);
            let meta = again.meta::<VideoAFDMeta>().unwrap();
            assert_eq!((meta.field(), meta.spec(), meta.afd()), (1, spec, afd));
        }
    }
    for is_letterbox in [true, false] {
        let mut original = buffer(1);
        VideoBarMeta::add(original.make_mut(), 1, is_letterbox, 7, u32::MAX);
        let (again, _) = metas_again(&original, None);
        let meta = again.meta::<VideoBarMeta>().unwrap();
        assert_eq!((meta.field(), meta.is_letterbox()), (1, is_letterbox));
        assert_eq!((meta.bar_data1(), meta.bar_data2()), (7, u32::MAX));
    }
}

#[test]
fn hostile_captions_afds_and_bars_are_refused() {
    for number in [0, 5, 255] {
        let expected = RestoreError::CaptionType { number };
        assert_eq!(restored(("caption", &[number, 1]), None), Err(expected));
    }
    assert_eq!(
        restored(("caption", &[1]), None),
        Err(RestoreError::NoCaption)
    );
    assert_eq!(
        restored(("caption", &[]), None),
        Err(RestoreError::ShortMeta {
            name: "caption",
            len: 0
        })
    );
    // Every pair: GStreamer complains of all but the known ones.
    for spec in 0..=255 {
        for afd in 0..=255 {
            let is_known = spec <= 2
                && [0, 2, 3, 4, 8, 9, 10, 11, 13, 14, 15].contains(&afd)
                && (spec, afd) != (0, 0);
            let expected = if is_known {
                Ok(true)
            } else {
                Err(RestoreError::Afd { spec, afd })
            };
            assert_eq!(restored(("afd", &[0, spec, afd]), None), expected);
        }
    }
    for (name, data) in [
        ("afd", &[2, 1, 2][..]),
        ("bar", &[2, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ] {
        assert_eq!(
            restored((name, data), None),
            Err(RestoreError::Field { name, field: 2 })
        );
        assert_eq!(
            restored((name, &[0]), None),
            Err(RestoreError::ShortMeta { name, len: 1 })
        );
    }
}

#[test]
fn rectangles_come_back() {
    let info = info(VideoFormat::Gray8, 8, 4);
    for (info, rect) in [
        (None, (1, 2, 3, i32::MAX as u32 - 2)),
        (Some(&info), (7, 4, 1, 0)),
    ] {
        let mut original = buffer(32);
        VideoCropMeta::add(original.make_mut(), rect);
        let mut meta = VideoRegionOfInterestMeta::add(original.make_mut(), "a face", rect);
        meta.set_id(-5);
        meta.set_parent_id(i32::MAX);
        let (again, count) = metas_again(&original, info);
        assert_eq!(count, 2);
        assert_eq!(again.meta::<VideoCropMeta>().unwrap().rect(), rect);
        let meta = again.meta::<VideoRegionOfInterestMeta>().unwrap();
        assert_eq!((meta.rect(), meta.roi_type()), (rect, "a face"));
        assert_eq!((meta.id(), meta.parent_id()), (-5, i32::MAX));
    }
}

/// A decoder with padding has the picture of the caps within a larger one.
#[test]
fn a_crop_is_within_the_layout() {
    let larger = info(VideoFormat::Gray8, 8, 4);
    let info = info(VideoFormat::Gray8, 5, 3);
    let mut original = padded(&larger, 0);
    VideoCropMeta::add(original.make_mut(), (3, 1, 5, 3));
    let (again, count) = metas_again(&original, Some(&info));
    assert_eq!(count, 2);
    assert_eq!(again.meta::<VideoCropMeta>().unwrap().rect(), (3, 1, 5, 3));
}

#[test]
fn hostile_rectangles_are_refused() {
    let info = info(VideoFormat::Gray8, 8, 4);
    let bytes = |numbers: [u32; 4]| numbers.map(u32::to_be_bytes).concat();
    for (numbers, info) in [
        ([0, 0, 9, 1], Some(&info)),
        ([8, 0, 1, 1], Some(&info)),
        ([0, 4, 1, 1], Some(&info)),
        ([u32::MAX, 0, u32::MAX, 1], Some(&info)),
        ([0, 1, 1, i32::MAX as u32], None),
        ([0, u32::MAX, 1, 1], None),
    ] {
        let data = bytes(numbers);
        assert_eq!(
            restored(("crop", &data), info),
            Err(RestoreError::Rectangle { name: "crop" })
        );
        let data = [&[0; 8], &data[..], b"\x01a"].concat();
        assert_eq!(
            restored(("roi", &data), info),
            Err(RestoreError::Rectangle { name: "roi" })
        );
        // Nor are they sent.
        let mut buffer = buffer(32);
        let [x, y, width, height] = numbers;
        VideoCropMeta::add(buffer.make_mut(), (x, y, width, height));
        VideoRegionOfInterestMeta::add(buffer.make_mut(), "a", (x, y, width, height));
        assert_eq!(metas(&buffer, info), b"");
    }
    assert_eq!(
        restored(("crop", &[0; 15]), None),
        Err(RestoreError::ShortMeta {
            name: "crop",
            len: 15
        })
    );
}

#[test]
fn names_of_regions_are_guarded() {
    init();
    let region = |name: &[u8]| {
        let data = [&[0; 24], &[name.len() as u8][..], name].concat();
        restored(("roi", &data), None)
    };
    assert_eq!(region(b"a region of a name"), Ok(true));
    assert_eq!(region(b""), Err(RestoreError::NoName));
    assert_eq!(region(b"a\0"), Err(RestoreError::NoName));
    assert_eq!(region(b"\xff"), Err(RestoreError::NoName));
    assert_eq!(region(&[b'r'; 65]), Err(RestoreError::LongName { len: 65 }));
    let data = [&[0; 24], &[9][..], b"short"].concat();
    assert_eq!(
        restored(("roi", &data), None),
        Err(RestoreError::ShortMeta {
            name: "roi",
            len: 30
        })
    );
}

#[test]
fn regions_without_a_type_are_left_out() {
    let mut original = buffer(1);
    add_region_without_type(original.make_mut());
    assert_eq!(metas(&original, None), b"");
}

#[allow(unsafe_code)]
fn add_region_without_type(buffer: &mut gst::BufferRef) {
    let meta = VideoRegionOfInterestMeta::add(buffer, "a", (0, 0, 1, 1));
    // SAFETY: the meta is live, and 0 is what C leaves there without a type.
    unsafe { (*meta.as_ptr().cast_mut()).roi_type = 0 };
}

#[test]
fn custom_metas_come_back() {
    init();
    if !CustomMeta::is_registered("own-meta") {
        CustomMeta::register("own-meta", &[]);
    }
    let mut original = buffer(1);
    let mut meta = CustomMeta::add(original.make_mut(), "own-meta").unwrap();
    meta.mut_structure().set("a", "b c");
    meta.mut_structure().set("d", gst::List::new([1i32, 2]));
    let (again, count) = metas_again(&original, None);
    assert_eq!(count, 1);
    let again = CustomMeta::from_buffer(&again, "own-meta").unwrap();
    let original = CustomMeta::from_buffer(&original, "own-meta").unwrap();
    assert_eq!(again.structure(), original.structure());
    assert_eq!(
        restored(("custom:own-meta", b"a, b"), None),
        Err(RestoreError::NoStructure)
    );
    assert!(matches!(
        restored(("custom:own-meta", b"a["), None),
        Err(RestoreError::MetaText { name: "custom", .. })
    ));
}

#[test]
fn metas_that_are_not_known_are_passed_over() {
    for name in [
        "GstVideoMeta",
        "custom:",
        "custom:no-such-meta",
        "custom:GstVideoMeta",
        "x",
        "",
    ] {
        assert_eq!(restored((name, b"a, b=(int)1"), None), Ok(false), "{name}");
    }
}

#[test]
fn a_frame_has_so_many_metas() {
    let mut original = buffer(1);
    for _ in 0..MAX_METAS + 9 {
        VideoBarMeta::add(original.make_mut(), 0, true, 0, 0);
    }
    assert_eq!(metas_again(&original, None).1, MAX_METAS);
    let mut original = buffer(1);
    let long = vec![1; 60_000];
    for _ in 0..MAX_METAS {
        VideoCaptionMeta::add(original.make_mut(), VideoCaptionType::Cea708Raw, &long);
    }
    VideoBarMeta::add(original.make_mut(), 0, true, 0, 0);
    let bytes = metas(&original, None);
    let count = MAX_META_BYTES / long.len();
    // The bar is short, and finds room.
    assert_eq!(records(&bytes).len(), count + 1);
    let mut original = buffer(1);
    VideoCaptionMeta::add(
        original.make_mut(),
        VideoCaptionType::Cea708Raw,
        &[1; 65_536],
    );
    assert_eq!(metas(&original, None), b"");
}

fn request_again(event: &gst::Event) -> Option<gst::Event> {
    let earlier = |time: ClockTime| time.checked_sub(SECOND);
    let bytes = record(|out| describe::upstream(event, earlier, out))?;
    match &records(&bytes)[..] {
        [Record::Upstream(request)] => restore::request(request).unwrap(),
        _ => panic!("{bytes:?}"),
    }
}

#[test]
fn requests_come_back() {
    init();
    for all_headers in [true, false] {
        let event = UpstreamForceKeyUnitEvent::builder()
            .running_time(SECOND)
            .all_headers(all_headers)
            .count(5)
            .build();
        let again = request_again(&event).unwrap();
        let again = UpstreamForceKeyUnitEvent::parse(&again).unwrap();
        assert_eq!(
            (again.running_time, again.all_headers, again.count),
            (None, all_headers, 0)
        );
    }
    for kind in [
        gst::QOSType::Overflow,
        gst::QOSType::Underflow,
        gst::QOSType::Throttle,
    ] {
        let again = request_again(&event::Qos::new(kind, 0.5, -5, 3 * SECOND)).unwrap();
        let gst::EventView::Qos(again) = again.view() else {
            panic!("{again:?}")
        };
        assert_eq!(again.get(), (kind, 0.5, -5, Some(2 * SECOND)));
    }
    let structure = gst::Structure::builder("application/x-gst-navigation")
        .field("event", "mouse-move")
        .field("pointer_x", 0.5)
        .build();
    let again = request_again(&event::Navigation::new(structure.clone())).unwrap();
    assert_eq!(again.type_(), gst::EventType::Navigation);
    assert_eq!(again.structure(), Some(&*structure));
}

#[test]
fn other_requests_are_left_out() {
    init();
    for event in [
        event::Reconfigure::new(),
        event::CustomUpstream::new(gst::Structure::new_empty("application/x")),
        event::Navigation::new(gst::Structure::new_empty("x-other")),
        event::Qos::new(gst::QOSType::Overflow, 0.5, 0, None),
        event::Qos::new(gst::QOSType::Overflow, 0.5, 0, SECOND / 2),
        event::Qos::new(gst::QOSType::Overflow, -0.5, 0, SECOND),
    ] {
        assert!(request_again(&event).is_none(), "{event:?}");
    }
    let text = text("x-other, a=(int)1");
    assert!(
        restore::request(&Upstream::Navigation(text))
            .unwrap()
            .is_none()
    );
    assert!(restore::request(&Upstream::Other).unwrap().is_none());
}
