// SPDX-License-Identifier: MPL-2.0
//! The metas of docs/PROTOCOL.md, there and back.

use gst_video::{
    VideoAFDMeta, VideoAFDSpec, VideoAFDValue, VideoBarMeta, VideoCaptionMeta, VideoCaptionType,
    VideoCropMeta, VideoFormat, VideoInfo, VideoMeta, VideoRegionOfInterestMeta, VideoTimeCodeMeta,
};

use super::{
    buffer, init,
    metas::{info, metas},
    records,
};
use crate::{
    metadata::restore,
    wire::record::{Meta, Record},
};

/// A picture with room for a longer stride.
fn picture_of_the_page() -> (gst::Buffer, VideoInfo) {
    (buffer(16 + 512 * 240), info(VideoFormat::Gray8, 320, 240))
}

#[test]
fn the_metas_of_the_protocol_page() {
    let _quiet = init();
    let page = include_str!("../../../docs/PROTOCOL.md");
    let (_, block) = page.split_once("```metas\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let mut names = Vec::new();
    for line in block.lines() {
        let columns: Vec<_> = line.split('|').map(str::trim).collect();
        let [name, hex, said] = columns[..] else {
            panic!("{line}")
        };
        let (mut buffer, info) = picture_of_the_page();
        let data = bytes_in(hex);
        let meta = Meta { name, data: &data };
        let taken = restore::meta(buffer.get_mut().unwrap(), &meta, Some(&info));
        assert_eq!(taken, Ok(true), "{line}");
        let again = metas(&buffer, Some(&info));
        assert_eq!(records(&again), [Record::Meta(meta)], "{line}");
        assert_eq!(in_words(&buffer), said);
        names.push(name);
    }
    assert_eq!(
        names,
        [
            "timestamp",
            "video",
            "timecode",
            "caption",
            "afd",
            "bar",
            "roi",
            "crop"
        ]
    );
}

fn bytes_in(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    let pairs = digits.chunks(2);
    pairs.map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

/// The one meta of a frame as the page puts it.
fn in_words(buffer: &gst::BufferRef) -> String {
    let rectangle = |(x, y, width, height)| format!("x={x} y={y} width={width} height={height}");
    if let Some(meta) = buffer.meta::<gst::ReferenceTimestampMeta>() {
        let (time, reference) = (meta.timestamp().nseconds(), meta.reference());
        assert_eq!(meta.duration(), None);
        format!("time={time} duration=none reference={reference}")
    } else if let Some(meta) = buffer.meta::<VideoMeta>() {
        format!(
            "width={} height={} planes={} offset={} stride={}",
            meta.width(),
            meta.height(),
            meta.n_planes(),
            meta.offset()[0],
            meta.stride()[0]
        )
    } else if let Some(meta) = buffer.meta::<VideoTimeCodeMeta>() {
        let code = meta.tc();
        let (hours, minutes, seconds) = (code.hours(), code.minutes(), code.seconds());
        assert!(code.latest_daily_jam().is_none());
        format!(
            "fps={}/{} flags={} time={hours}:{minutes}:{seconds}:{} fields={} midnight=none east=0",
            code.fps().numer(),
            code.fps().denom(),
            code.flags().bits(),
            code.frames(),
            code.field_count()
        )
    } else if let Some(meta) = buffer.meta::<VideoCaptionMeta>() {
        let captions = meta.data().iter().map(|byte| format!("{byte:02x}"));
        let captions: String = captions.collect();
        assert_eq!(meta.caption_type(), VideoCaptionType::Cea608Raw);
        format!("type=1 captions={captions}")
    } else if let Some(meta) = buffer.meta::<VideoAFDMeta>() {
        assert_eq!(meta.spec(), VideoAFDSpec::AtscA53);
        assert_eq!(meta.afd(), VideoAFDValue::_169Letter169Full);
        format!("field={} standard=1 value=10", meta.field())
    } else if let Some(meta) = buffer.meta::<VideoBarMeta>() {
        let (field, is_letterbox) = (meta.field(), u8::from(meta.is_letterbox()));
        let edges = format!("{},{}", meta.bar_data1(), meta.bar_data2());
        format!("field={field} letterbox={is_letterbox} edges={edges}")
    } else if let Some(meta) = buffer.meta::<VideoRegionOfInterestMeta>() {
        let (id, parent, rect) = (meta.id(), meta.parent_id(), rectangle(meta.rect()));
        format!("id={id} parent={parent} {rect} type={}", meta.roi_type())
    } else if let Some(meta) = buffer.meta::<VideoCropMeta>() {
        rectangle(meta.rect())
    } else {
        panic!("no meta")
    }
}
