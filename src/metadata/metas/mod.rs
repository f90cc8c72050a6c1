// SPDX-License-Identifier: MPL-2.0
//! Metas of a frame: those that other machines can use, each in a form of its own. Numbers are big-endian.
//!
//! | name | bytes |
//! |---|---|
//! | `timestamp` | u64 time, u64 duration or none; then the reference: caps as GStreamer writes them |
//! | `video` | u32 width, u32 height, u32 planes; for each plane u32 offset, u32 stride |
//! | `timecode` | u32 frames a second, u32 divisor, u32 flags, u32 hours, minutes, seconds, frames, field count; i64 daily jam in microseconds since 1970 or none, i32 its seconds east of UTC |
//! | `caption` | u8 type; then the captions, one byte at least |
//! | `afd` | u8 field, u8 standard, u8 value |
//! | `bar` | u8 field, u8 1 for bars above and below, 0 for left and right; u32, u32 the two edges |
//! | `roi` | i32 id, i32 parent, u32 x, u32 y, u32 width, u32 height, u8 length of the type; the type |
//! | `crop` | u32 x, u32 y, u32 width, u32 height |
//! | `custom:NAME` | the structure as GStreamer writes it |

mod bytes;
mod captions;
mod custom;
mod rectangles;
mod timecode;
mod timestamp;
mod video;

pub use video::{copy, forget_layout};

use gst_video::{VideoInfo, VideoMeta};

use super::{CAT, RestoreError, describe::put};
use crate::wire::record::{MAX_META_BYTES, MAX_METAS, Meta, Record};

const TIMESTAMP: &str = "timestamp";
const VIDEO: &str = "video";
const TIMECODE: &str = "timecode";
const CAPTION: &str = "caption";
const AFD: &str = "afd";
const BAR: &str = "bar";
const ROI: &str = "roi";
const CROP: &str = "crop";
const CUSTOM: &str = "custom:";

/// Appends the metas of a frame, as far as they are on the list and fit, and tells whether there were any.
/// `video` is what the caps say of raw video.
pub fn describe(buffer: &gst::BufferRef, video: Option<&VideoInfo>, out: &mut Vec<u8>) -> bool {
    if buffer.iter_meta::<gst::Meta>().next().is_none() {
        return false;
    }
    let mut writer = Writer {
        out,
        data: Vec::new(),
        metas: 0,
        bytes: 0,
    };
    // First: with it the receiver knows how large the picture is that the others are about.
    let mut picture = video.map(|info| (info.width(), info.height()));
    if let (Some(info), Some(meta)) = (video, buffer.meta::<VideoMeta>())
        && video::describe(&meta, info, buffer.size(), &mut writer.data)
        && writer.put(VIDEO)
    {
        picture = Some((meta.width(), meta.height()));
    }
    for meta in buffer.iter_meta::<gst::Meta>() {
        writer.data.clear();
        if let Some(name) = describe_one(&meta, picture, &mut writer.data) {
            writer.put(name);
        } else if let Some(custom) = meta.try_as_custom_meta() {
            custom::describe(custom, &mut writer);
        }
    }
    writer.metas > 0
}

/// Fills in the bytes of a meta, and names it.
fn describe_one(
    meta: &gst::MetaRef<'_, gst::Meta>,
    picture: Option<(u32, u32)>,
    data: &mut Vec<u8>,
) -> Option<&'static str> {
    let has = |is_described: bool, name| is_described.then_some(name);
    if let Some(meta) = meta.downcast_ref() {
        has(timestamp::describe(meta, data), TIMESTAMP)
    } else if let Some(meta) = meta.downcast_ref() {
        has(timecode::describe(meta, data), TIMECODE)
    } else if let Some(meta) = meta.downcast_ref() {
        has(captions::describe(meta, data), CAPTION)
    } else if let Some(meta) = meta.downcast_ref() {
        has(captions::describe_afd(meta, data), AFD)
    } else if let Some(meta) = meta.downcast_ref() {
        has(captions::describe_bar(meta, data), BAR)
    } else if let Some(meta) = meta.downcast_ref() {
        has(rectangles::describe_roi(meta, picture, data), ROI)
    } else if let Some(meta) = meta.downcast_ref() {
        has(rectangles::describe_crop(meta, picture, data), CROP)
    } else {
        None
    }
}

/// Writes metas until a frame has as many as it may.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    data: Vec<u8>,
    metas: usize,
    bytes: usize,
}

impl Writer<'_> {
    fn put(&mut self, name: &str) -> bool {
        let len = name.len() + "\0".len() + self.data.len();
        if self.metas == MAX_METAS || self.bytes + len > MAX_META_BYTES {
            gst::debug!(
                CAT,
                "a meta {name} of {len} bytes is left out: there are too many"
            );
            return false;
        }
        let data = &self.data;
        let has_form = put(Record::Meta(Meta { name, data }), self.out);
        if has_form {
            self.metas += 1;
            self.bytes += len;
        }
        has_form
    }
}

/// Adds a meta to a frame that has all of its bytes, and tells whether it is one that this side knows.
/// `video` is what the caps say of raw video.
pub fn restore(
    buffer: &mut gst::BufferRef,
    meta: &Meta<'_>,
    video: Option<&VideoInfo>,
) -> Result<bool, RestoreError> {
    let data = meta.data;
    match meta.name {
        TIMESTAMP => timestamp::restore(buffer, data)?,
        VIDEO => video::restore(buffer, data, video)?,
        TIMECODE => timecode::restore(buffer, data)?,
        CAPTION => captions::restore(buffer, data)?,
        AFD => captions::restore_afd(buffer, data)?,
        BAR => captions::restore_bar(buffer, data)?,
        ROI => rectangles::restore_roi(buffer, data, picture(buffer, video))?,
        CROP => rectangles::restore_crop(buffer, data, picture(buffer, video))?,
        name => match name.strip_prefix(CUSTOM) {
            Some(name) => return custom::restore(buffer, name, data),
            None => return Ok(false),
        },
    }
    Ok(true)
}

fn picture(buffer: &gst::BufferRef, video: Option<&VideoInfo>) -> Option<(u32, u32)> {
    let info = video?;
    let meta = buffer.meta::<VideoMeta>();
    Some(meta.map_or((info.width(), info.height()), |meta| {
        (meta.width(), meta.height())
    }))
}
