// SPDX-License-Identifier: MPL-2.0
//! Anything at all, there and back.

use std::time::Duration;

use gst::{event, glib, meta::CustomMeta};
use gst_video::{VideoFormat, VideoFrameRef, VideoInfo, VideoMeta, VideoTimeCodeMeta, prelude::*};
use nix::time::{ClockId, clock_gettime};
use proptest::{collection::vec, prelude::*, sample::select};

use super::{buffer, init, metas::info, record, records};
use crate::{
    metadata::{describe, restore},
    wire::{
        StructureText,
        record::{Event, Meta, Record, Scope, Tags, Upstream},
    },
};

/// What caps, tags, events and metas are made of.
const TOKENS: [&str; 62] = [
    ", format=(string)",
    "I420",
    "NV12",
    "S16LE",
    "DMA_DRM",
    ", width=(int)",
    ", height=(int)",
    ", framerate=(fraction)",
    ", pixel-aspect-ratio=(fraction)",
    ", interlace-mode=(string)",
    "alternate",
    "mixed",
    ", multiview-mode=(string)",
    "mono",
    ", multiview-flags=(GstVideoMultiviewFlagsSet)",
    "0:ffffffff",
    ", colorimetry=(string)",
    "bt709",
    "1:2:3:4",
    "256:0:-1:9",
    ", chroma-site=(string)",
    "mpeg2",
    ", views=(int)",
    ", rate=(int)",
    ", channels=(int)",
    ", layout=(string)",
    "interleaved",
    ", channel-mask=(bitmask)",
    "0xffffffffffffffff",
    "0x3",
    ", title=(string)",
    ", artist=(string)",
    ", bitrate=(uint)",
    ", duration=(guint64)",
    ", date=(date)",
    "2026-11-24",
    ", datetime=(datetime)",
    "2026-11-24T17:38:46Z",
    ", image=(buffer)",
    ", event=(string)",
    "mouse-move",
    ", pointer_x=(double)",
    ", all-headers=(boolean)",
    ", count=(uint)",
    ", still-state=(boolean)",
    ", hostile=(structure)[hostile",
    ", hostile=(GstCaps)[hostile/x",
    "]",
    "{ ",
    "< ",
    " }",
    " >",
    ", ",
    "0",
    "-1",
    "1",
    "16",
    "2147483647",
    "30/1",
    "0/1",
    "NULL",
    "true",
];

const BEGINNINGS: [&str; 8] = [
    "video/x-raw",
    "audio/x-raw",
    "image/jpeg",
    "taglist",
    "GstForceKeyUnit",
    "GstEventStillFrame",
    "application/x-gst-navigation",
    "application/x-hostile",
];

const META_NAMES: [&str; 9] = [
    "timestamp",
    "video",
    "timecode",
    "caption",
    "afd",
    "bar",
    "roi",
    "crop",
    "custom:hostile-meta",
];

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_text_makes_gstreamer_complain(
        beginning in select(&BEGINNINGS[..]),
        tokens in vec(select(&TOKENS[..]), 0..12),
    ) {
        let _quiet = init();
        texts(&format!("{beginning}{}", tokens.concat()));
    }

    #[test]
    fn no_meta_makes_gstreamer_complain(
        kind in select(&META_NAMES[..]),
        numbers in vec(prop_oneof![0u32..9, Just(24), Just(u32::MAX), any::<u32>()], 0..14),
        tail in vec(any::<u8>(), 0..9),
    ) {
        let _quiet = init();
        let mut data = numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<_>>();
        data.extend(tail);
        meta(kind, &data);
    }

    #[test]
    fn structures_come_back(fields in vec((select(&["a", "b", "c-d", "e.f"][..]), value()), 0..6)) {
        let _quiet = init();
        let mut structure = gst::Structure::new_empty("application/x-hostile");
        for (name, value) in fields {
            structure.set_value(name, value);
        }
        let event = event::CustomDownstream::new(structure.clone());
        let bytes = record(|out| describe::event(&event, out)).unwrap();
        let [Record::Event(event)] = records(&bytes)[..] else {
            panic!("{bytes:?}")
        };
        let event = restore::event(&event).unwrap().unwrap();
        prop_assert_eq!(event.structure(), Some(&*structure));
    }

    #[test]
    fn raw_caps_come_back(
        format in format(),
        width in 1u32..5000,
        height in 1u32..5000,
        rate in (1i32..100_000, 1i32..1002),
    ) {
        let _quiet = init();
        let Ok(info) = VideoInfo::builder(format, width, height).fps(rate).build() else {
            return Ok(());
        };
        let caps = info.to_caps().unwrap();
        let bytes = record(|out| describe::caps(&caps, out)).unwrap();
        let [Record::Caps(text)] = records(&bytes)[..] else {
            panic!("{bytes:?}")
        };
        prop_assert_eq!(restore::caps(text), Ok(caps));
    }

    /// With a frame's size as each plane needs it, and no byte more.
    #[test]
    fn layouts_of_all_formats_come_back(
        format in format(),
        width in 1u32..70,
        height in 1u32..70,
        padding in 0i32..40,
        gap in 0usize..9,
    ) {
        let _quiet = init();
        layout(format, width, height, padding, gap)?;
    }
}

/// As caps, tags, an event and a request; with what is made of it, elements do this and that.
fn texts(text: &str) {
    let Ok(text) = StructureText::new(text.as_bytes(), 1 << 20) else {
        return;
    };
    // What came once can be passed on, but for caps in it: each version has another name for them.
    let has_caps = text.contains("(GstCaps)");
    if let Ok(caps) = restore::caps(text) {
        match record(|out| describe::caps(&caps, out)) {
            Some(bytes) => match records(&bytes)[..] {
                [Record::Caps(text)] => assert_eq!(restore::caps(text), Ok(caps)),
                _ => panic!("{bytes:?}"),
            },
            None => assert!(has_caps, "{caps}"),
        }
    }
    let scope = Scope::Stream;
    if text.starts_with("taglist")
        && let Ok(tags) = restore::tags(&Tags { scope, text })
    {
        let merged = tags.merge(&tags, gst::TagMergeMode::Append);
        for name in merged.iter().map(|(name, _)| name.to_owned()) {
            merged.generic(&name).unwrap();
        }
        record(|out| describe::tags(&tags, scope, out));
    }
    for is_sticky in [true, false] {
        if let Ok(Some(event)) = restore::event(&Event { is_sticky, text }) {
            let _ = gst_video::DownstreamForceKeyUnitEvent::parse(&event);
            let is_passed_on = record(|out| describe::event(&event, out)).is_some();
            assert!(is_passed_on || has_caps, "{event:?}");
        }
    }
    if let Ok(Some(event)) = restore::request(&Upstream::Navigation(text)) {
        let _ = gst_video::NavigationEvent::parse(&event);
    }
}

/// On a small frame of two planes, which is then mapped.
fn meta(name: &str, data: &[u8]) {
    if !CustomMeta::is_registered("hostile-meta") {
        CustomMeta::register("hostile-meta", &[]);
    }
    let info = info(VideoFormat::Nv12, 4, 4);
    for info in [None, Some(&info)] {
        let mut buffer = buffer(100);
        let restored = restore::meta(buffer.make_mut(), &Meta { name, data }, info);
        if restored.is_ok_and(|is_known| is_known) {
            let copy = buffer.copy_deep().unwrap();
            assert_eq!(copy.iter_meta::<gst::Meta>().count(), 1, "{name} {data:?}");
            look_at(&copy, info);
            describe::metas(&copy, info, &mut Vec::new());
        } else {
            assert_eq!(buffer.iter_meta::<gst::Meta>().count(), 0);
        }
    }
}

fn look_at(buffer: &gst::BufferRef, info: Option<&VideoInfo>) {
    if let (Some(meta), Some(info)) = (buffer.meta::<VideoMeta>(), info) {
        let frame = VideoFrameRef::from_buffer_ref_readable(buffer, info).unwrap();
        let planes = (0..meta.n_planes()).map(|plane| frame.plane_data(plane).unwrap());
        assert!(planes.flatten().all(|&byte| byte == 0));
    }
    if let Some(meta) = buffer.meta::<VideoTimeCodeMeta>() {
        let mut code = meta.tc();
        code.add_frames(1);
        let _ = (
            code.to_string(),
            code.to_date_time(),
            code.time_since_daily_jam(),
        );
    }
}

fn layout(
    format: VideoFormat,
    width: u32,
    height: u32,
    padding: i32,
    gap: usize,
) -> Result<(), TestCaseError> {
    let Ok(info) = VideoInfo::builder(format, width, height).build() else {
        return Ok(());
    };
    let (finfo, mut size) = (info.format_info(), gap);
    if finfo.is_tiled() || finfo.has_palette() {
        return Ok(());
    }
    let strides: Vec<i32> = info
        .stride()
        .iter()
        .map(|stride| stride + padding)
        .collect();
    let mut offsets = Vec::new();
    for (plane, stride) in strides.iter().enumerate() {
        let component = finfo.plane().iter().position(|&its| its as usize == plane);
        offsets.push(size);
        size += *stride as usize * info.comp_height(component.unwrap() as u8) as usize;
    }
    let mut original = buffer(size);
    let flags = gst_video::VideoFrameFlags::empty();
    let meta = VideoMeta::add_full(
        original.make_mut(),
        flags,
        format,
        width,
        height,
        &offsets,
        &strides,
    );
    prop_assert!(meta.is_ok());
    let mut bytes = Vec::new();
    let is_usual = offsets == info.offset() && strides == info.stride();
    prop_assert_eq!(
        describe::metas(&original, Some(&info), &mut bytes),
        !is_usual
    );
    let mut again = buffer(size);
    for record in records(&bytes) {
        let Record::Meta(meta) = record else {
            panic!("{record:?}")
        };
        prop_assert_eq!(
            restore::meta(again.make_mut(), &meta, Some(&info)),
            Ok(true)
        );
        let meta = again.meta::<VideoMeta>().unwrap();
        prop_assert_eq!(meta.offset(), &offsets);
        prop_assert_eq!(meta.stride(), &strides);
        look_at(&again, Some(&info));
    }
    Ok(())
}

fn format() -> impl Strategy<Value = VideoFormat> {
    gst::init().unwrap();
    select(gst_video::VIDEO_FORMATS_ALL.to_vec())
}

/// A value of any type that has a form, or a list of them.
fn value() -> impl Strategy<Value = glib::SendValue> {
    let text = prop_oneof![
        "[ -~]{0,9}",
        "\\PC{0,5}",
        Just("NULL".to_string()),
        Just("5".to_string())
    ];
    prop_oneof![
        any::<i32>().prop_map(|value| value.to_send_value()),
        any::<u32>().prop_map(|value| value.to_send_value()),
        any::<i64>().prop_map(|value| value.to_send_value()),
        any::<u64>().prop_map(|value| value.to_send_value()),
        any::<bool>().prop_map(|value| value.to_send_value()),
        (-1e9..1e9f64).prop_map(|value| value.to_send_value()),
        text.prop_map(|value| value.to_send_value()),
        (-999_999i32..999_999, 1i32..999_999)
            .prop_map(|(numer, denom)| gst::Fraction::new(numer, denom).to_send_value()),
        any::<u64>().prop_map(|value| gst::Bitmask::new(value).to_send_value()),
        vec(any::<u8>(), 1..9).prop_map(|bytes| gst::Buffer::from_slice(bytes).to_send_value()),
        vec(any::<i32>(), 1..4).prop_map(|values| gst::List::new(values).to_send_value()),
        vec("[a-z ]{1,4}", 1..4).prop_map(|values| gst::Array::new(values).to_send_value()),
        "[a-z ]{0,4}".prop_map(|text| {
            let inner = gst::Structure::builder("a").field("b", text).build();
            let outer = gst::Structure::builder("a").field("b", inner);
            outer.field("c", 5).build().to_send_value()
        }),
    ]
}

/// As many values as a text may have: GStreamer copies a list for each that is added.
#[test]
fn tags_of_many_values_are_quick() {
    let _quiet = init();
    let values = vec!["x".repeat(50); 1000].join(", ");
    let text = format!("taglist, title=(string){{ {values} }}");
    let text = StructureText::new(text.as_bytes(), 64 * 1024).unwrap();
    let start = cpu_time();
    let scope = Scope::Stream;
    let tags = restore::tags(&Tags { scope, text }).unwrap();
    let took = cpu_time() - start;
    assert!(took < Duration::from_millis(3 * 10), "{took:?}");
    assert!(tags.size::<gst::tags::Title>() > 0);
}

/// Of this thread: a busy machine does not stretch it.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    time.unwrap().into()
}
