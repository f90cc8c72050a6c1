// SPDX-License-Identifier: MPL-2.0
//! Metas, each there and back, and each from a hostile peer.

use gst::{ClockTime, glib, meta::CustomMeta};
use gst_video::{
    ValidVideoTimeCode, VideoAFDMeta, VideoAFDSpec, VideoAFDValue, VideoBarMeta, VideoBufferFlags,
    VideoCaptionMeta, VideoCaptionType, VideoCropMeta, VideoFormat, VideoFrameFlags, VideoInfo,
    VideoInterlaceMode, VideoMeta, VideoRegionOfInterestMeta, VideoTimeCodeFlags,
    VideoTimeCodeMeta, prelude::*,
};

use super::{buffer, init, records, stream::caps};
use crate::{
    metadata::{RestoreError, describe, restore},
    wire::record::{MAX_META_BYTES, MAX_METAS, Meta, Record},
};

const SECOND: ClockTime = ClockTime::SECOND;

pub fn info(format: VideoFormat, width: u32, height: u32) -> VideoInfo {
    gst::init().unwrap();
    VideoInfo::builder(format, width, height).build().unwrap()
}

/// What the metas of a buffer are in records.
pub fn metas(buffer: &gst::BufferRef, info: Option<&VideoInfo>) -> Vec<u8> {
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
    let _quiet = init();
    let buffer = buffer(1);
    assert_eq!(metas(&buffer, None), b"");
}

#[test]
fn reference_timestamps_come_back() {
    let _quiet = init();
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
    let _quiet = init();
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
    let _quiet = init();
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
    let _quiet = init();
    let info = info(VideoFormat::I420, 641, 3);
    let mut buffer = buffer(info.size());
    VideoMeta::add_from_info(buffer.make_mut(), VideoFrameFlags::empty(), &info).unwrap();
    assert_eq!(metas(&buffer, Some(&info)), b"");
    // Nor does any where the caps tell of no picture.
    assert_eq!(metas(&padded(&info, 4), None), b"");
}

#[test]
fn a_layout_takes_the_flags_of_the_frame_and_the_place_of_another() {
    let _quiet = init();
    for (mode, expected) in [
        (VideoInterlaceMode::Progressive, VideoFrameFlags::empty()),
        (
            VideoInterlaceMode::Mixed,
            VideoFrameFlags::INTERLACED | VideoFrameFlags::TFF,
        ),
    ] {
        let info = VideoInfo::builder(VideoFormat::Gray8, 4, 4).interlace_mode(mode);
        takes_the_flags(&info.build().unwrap(), expected);
    }
}

#[track_caller]
fn takes_the_flags(info: &VideoInfo, expected: VideoFrameFlags) {
    let bytes = metas(&padded(info, 4), Some(info));
    let [Record::Meta(meta)] = records(&bytes)[..] else {
        panic!("{bytes:?}")
    };
    let mut buffer = buffer(100);
    let buffer = buffer.get_mut().unwrap();
    buffer.set_video_flags(VideoBufferFlags::INTERLACED | VideoBufferFlags::TFF);
    for _ in 0..2 {
        restore::meta(buffer, &meta, Some(info)).unwrap();
        let flags = buffer.meta::<VideoMeta>().unwrap().video_frame_flags();
        assert_eq!(flags, expected);
        assert_eq!(buffer.iter_meta::<VideoMeta>().count(), 1);
    }
}

/// Each of two fields has as many lines of colours, and of what shares a plane all is in it.
#[test]
fn planes_have_all_that_elements_read() {
    let _quiet = init();
    let planes = |info: &VideoInfo, size: usize| {
        let mut data = [info.width(), info.height(), info.n_planes()]
            .map(u32::to_be_bytes)
            .concat();
        for (offset, stride) in info.offset().iter().zip(info.stride()) {
            data.extend((*offset as u32).to_be_bytes());
            data.extend(stride.to_be_bytes());
        }
        let mut buffer = buffer(size);
        let meta = Meta {
            name: "video",
            data: &data,
        };
        restore::meta(buffer.get_mut().unwrap(), &meta, Some(info))
    };
    let interlaced = VideoInfo::builder(VideoFormat::I420, 8, 2)
        .interlace_mode(VideoInterlaceMode::Interleaved)
        .build()
        .unwrap();
    let size = interlaced.size();
    assert_eq!(planes(&interlaced, size), Ok(true));
    let refused = planes(&interlaced, size - 1);
    assert!(matches!(
        refused,
        Err(RestoreError::PlaneOutside { plane: 2, .. })
    ));
    let odd = info(VideoFormat::Yuy2, 3, 2);
    assert_eq!(planes(&odd, 16), Ok(true));
    let narrow = VideoInfo::builder(VideoFormat::Yuy2, 3, 2)
        .stride(&[6])
        .build();
    let refused = planes(&narrow.unwrap(), 16);
    assert!(matches!(
        refused,
        Err(RestoreError::Stride {
            plane: 0,
            stride: 6
        })
    ));
}

#[test]
fn hostile_layouts_are_refused() {
    let _quiet = init();
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
    let _quiet = init();
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
    gst::init().unwrap();
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
    let _quiet = init();
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
    let _quiet = init();
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
    let _quiet = init();
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
    let _quiet = init();
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
    let _quiet = init();
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
    let _quiet = init();
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
    let _quiet = init();
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
    let _quiet = init();
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
    let _quiet = init();
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
fn regions_without_a_type_or_with_a_long_one_are_left_out() {
    let _quiet = init();
    let mut long = buffer(1);
    VideoRegionOfInterestMeta::add(long.make_mut(), &"r".repeat(65), (0, 0, 1, 1));
    assert_eq!(metas(&long, None), b"");
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
    let _quiet = init();
    if !CustomMeta::is_registered("own_meta") {
        CustomMeta::register("own_meta", &[]);
    }
    let mut original = buffer(1);
    let mut meta = CustomMeta::add(original.make_mut(), "own_meta").unwrap();
    meta.mut_structure().set("a", "b c");
    meta.mut_structure().set("d", gst::List::new([1i32, 2]));
    let (again, count) = metas_again(&original, None);
    assert_eq!(count, 1);
    let again = CustomMeta::from_buffer(&again, "own_meta").unwrap();
    let original = CustomMeta::from_buffer(&original, "own_meta").unwrap();
    assert_eq!(again.structure(), original.structure());
    assert_eq!(
        restored(("custom:own_meta", b"a, b"), None),
        Err(RestoreError::NoStructure)
    );
    assert!(matches!(
        restored(("custom:own_meta", b"a["), None),
        Err(RestoreError::MetaText { name: "custom", .. })
    ));
}

#[test]
fn metas_that_are_not_known_are_passed_over() {
    let _quiet = init();
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
fn metas_that_are_passed_over_bring_no_names() {
    let _quiet = init();
    let data = b"a, name-of-no-meta=(int)1";
    assert_eq!(restored(("custom:no-such-meta", data), None), Ok(false));
    assert!(glib::Quark::try_from_str("name-of-no-meta").is_none());
}

#[test]
fn a_frame_has_so_many_metas() {
    let _quiet = init();
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
