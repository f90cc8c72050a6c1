// SPDX-License-Identifier: MPL-2.0
//! Any payload as each record that GStreamer's values are made of, and what is made of it described again.

#![no_main]

use std::sync::Once;

use arbitrary::Arbitrary;
use checks::complaints;
use gst::meta::CustomMeta;
use gst_video::{VideoFormat, VideoFrameRef, VideoInfo, VideoMeta};
use gstvideosocket::{
    metadata::{describe, restore},
    wire::record::{Meta, Record, RecordHead, RecordKind},
};
use libfuzzer_sys::fuzz_target;

const KINDS: [RecordKind; 7] = [
    RecordKind::Caps,
    RecordKind::Tags,
    RecordKind::StreamStart,
    RecordKind::Segment,
    RecordKind::Buffer,
    RecordKind::Event,
    RecordKind::Upstream,
];

const NAMES: [&str; 9] = [
    "timestamp",
    "video",
    "timecode",
    "caption",
    "afd",
    "bar",
    "roi",
    "crop",
    "custom:fuzz-meta",
];

const FORMATS: [VideoFormat; 6] = [
    VideoFormat::I420,
    VideoFormat::Nv12,
    VideoFormat::Gray8,
    VideoFormat::V210,
    VideoFormat::Rgb8p,
    VideoFormat::Nv1264z32,
];

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    payload: &'a [u8],
    metas: Vec<(u8, &'a [u8])>,
    format: u8,
    width: u8,
    height: u8,
    more: u8,
}

fuzz_target!(|input: Input<'_>| {
    static INIT: Once = Once::new();
    INIT.call_once(init);
    for kind in KINDS {
        if let Ok(record) = Record::parse(kind, input.payload) {
            restored(&record);
        }
    }
    frame(&input);
    // Whatever GLib or GStreamer complains of is a fault.
    assert_eq!(complaints::take(), 0);
});

fn init() {
    gst::init().unwrap();
    CustomMeta::register("fuzz-meta", &[]);
    complaints::count();
}

fn restored(record: &Record<'_>) {
    let mut out = Vec::new();
    match record {
        Record::Caps(text) => {
            if let Ok(caps) = restore::caps(*text)
                && describe::caps(&caps, &mut out)
            {
                again(&out, |record| match record {
                    Record::Caps(text) => assert_eq!(restore::caps(text), Ok(caps)),
                    _ => unreachable!("{record:?}"),
                });
            }
        }
        Record::Tags(tags) => {
            if let Ok(list) = restore::tags(tags) {
                let merged = list.merge(&list, gst::TagMergeMode::Append);
                let names: Vec<_> = merged.iter().map(|(name, _)| name.to_owned()).collect();
                names.iter().for_each(|name| drop(merged.generic(name)));
                if describe::tags(&list, tags.scope, &mut out) {
                    again(&out, |record| match record {
                        Record::Tags(tags) => drop(restore::tags(&tags).unwrap()),
                        _ => unreachable!("{record:?}"),
                    });
                }
            }
        }
        Record::StreamStart(start) => {
            let event = restore::stream_start(start);
            let gst::EventView::StreamStart(start) = event.view() else {
                unreachable!("{event:?}")
            };
            describe::stream_start(start, &mut out);
        }
        Record::Segment(segment) => {
            if let Ok(segment) = restore::segment(segment) {
                let second = gst::ClockTime::SECOND;
                assert_eq!(segment.to_running_time(second), Some(second));
                segment.to_stream_time_full(second);
                describe::segment(&segment);
            }
        }
        Record::Buffer(record) => {
            let mut buffer = gst::Buffer::new();
            restore::buffer(buffer.make_mut(), record);
            let again = describe::buffer(&buffer, None, record.sequence, None);
            assert_eq!(again.flags, record.flags);
            assert_eq!(
                (again.duration, again.offset),
                (record.duration, record.offset)
            );
        }
        Record::Event(event) => {
            if let Ok(Some(event)) = restore::event(event)
                && describe::event(&event, &mut out)
            {
                again(&out, |record| match record {
                    Record::Event(event) => drop(restore::event(&event).unwrap().unwrap()),
                    _ => unreachable!("{record:?}"),
                });
            }
        }
        Record::Upstream(request) => {
            if let Ok(Some(event)) = restore::request(request) {
                describe::upstream(&event, Some, &mut out);
            }
        }
        _ => (),
    }
}

/// What is described is one record, which is a good one.
fn again(bytes: &[u8], look: impl FnOnce(Record<'_>)) {
    let (head, payload) = bytes.split_first_chunk().unwrap();
    let head = RecordHead::decode(head).unwrap();
    let kind = RecordKind::from_letter(head.letter).unwrap();
    look(Record::parse(kind, payload).unwrap());
}

fn frame(input: &Input<'_>) {
    let format = FORMATS[usize::from(input.format) % FORMATS.len()];
    let (width, height) = (input.width.max(1).into(), input.height.max(1).into());
    let info = VideoInfo::builder(format, width, height).build().unwrap();
    let size = info.size() + usize::from(input.more);
    let mut buffer = gst::Buffer::from_mut_slice(vec![0; size]);
    for (name, data) in &input.metas {
        let name = NAMES[usize::from(*name) % NAMES.len()];
        let _ = restore::meta(buffer.make_mut(), &Meta { name, data }, Some(&info));
    }
    if let Some(meta) = buffer.meta::<VideoMeta>() {
        let frame = VideoFrameRef::from_buffer_ref_readable(&buffer, &info).unwrap();
        for plane in 0..meta.n_planes() {
            assert!(
                frame
                    .plane_data(plane)
                    .unwrap()
                    .iter()
                    .all(|&byte| byte == 0)
            );
        }
    }
    describe::metas(&buffer, Some(&info), &mut Vec::new());
    // The address sanitizer sees what is read behind the frame.
    restore::picture(&buffer, &info, &mut vec![0; info.size()]);
}
