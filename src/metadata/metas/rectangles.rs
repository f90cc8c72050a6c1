// SPDX-License-Identifier: MPL-2.0
//! `roi`, `crop`: parts of the picture.

use gst_video::{VideoCropMeta, VideoRegionOfInterestMeta};

use super::{
    CROP, ROI,
    bytes::{Bytes, Put},
};
use crate::metadata::{CAT, RestoreError, names};

/// Where the picture is not known, a rectangle ends before this. Elements count in signed numbers.
const MAX_EDGE: u32 = i32::MAX as u32;

type Rectangle = (u32, u32, u32, u32);

#[allow(unsafe_code)]
pub fn describe_roi(
    meta: &gst::MetaRef<'_, VideoRegionOfInterestMeta>,
    picture: Option<(u32, u32)>,
    data: &mut Vec<u8>,
) -> bool {
    // SAFETY: the pointer is that of a live meta. In C a region may have no type, and then the safe
    // binding reads from the null pointer.
    if unsafe { (*meta.as_ptr()).roi_type } == 0 {
        return false;
    }
    let roi_type = meta.roi_type();
    let len = roi_type.len();
    if len > names::MAX_NAME_LEN || roi_type.is_empty() {
        return false;
    }
    data.put_i32(meta.id());
    data.put_i32(meta.parent_id());
    let is_within = put(ROI, meta.rect(), picture, data);
    data.put(&[len as u8]);
    data.put(roi_type.as_bytes());
    is_within
}

pub fn restore_roi(
    buffer: &mut gst::BufferRef,
    data: &[u8],
    picture: Option<(u32, u32)>,
) -> Result<(), RestoreError> {
    let mut bytes = Bytes::new(ROI, data);
    let (id, parent) = (bytes.i32()?, bytes.i32()?);
    let rectangle = parse(ROI, &mut bytes, picture)?;
    let len = bytes.u8()?.into();
    let name = str::from_utf8(bytes.take(len)?).map_err(|_| RestoreError::NoName)?;
    names::admit(name)?;
    let mut meta = VideoRegionOfInterestMeta::add(buffer, name, rectangle);
    meta.set_id(id);
    meta.set_parent_id(parent);
    Ok(())
}

pub fn describe_crop(
    meta: &VideoCropMeta,
    picture: Option<(u32, u32)>,
    data: &mut Vec<u8>,
) -> bool {
    put(CROP, meta.rect(), picture, data)
}

pub fn restore_crop(
    buffer: &mut gst::BufferRef,
    data: &[u8],
    picture: Option<(u32, u32)>,
) -> Result<(), RestoreError> {
    let rectangle = parse(CROP, &mut Bytes::new(CROP, data), picture)?;
    VideoCropMeta::add(buffer, rectangle);
    Ok(())
}

fn put(
    name: &'static str,
    rectangle: Rectangle,
    picture: Option<(u32, u32)>,
    data: &mut Vec<u8>,
) -> bool {
    let (x, y, width, height) = rectangle;
    for number in [x, y, width, height] {
        data.put_u32(number);
    }
    match check(name, rectangle, picture) {
        Ok(()) => true,
        Err(error) => {
            gst::debug!(CAT, "a meta {name} is left out: {error}");
            false
        }
    }
}

fn parse(
    name: &'static str,
    bytes: &mut Bytes<'_>,
    picture: Option<(u32, u32)>,
) -> Result<Rectangle, RestoreError> {
    let rectangle = (bytes.u32()?, bytes.u32()?, bytes.u32()?, bytes.u32()?);
    check(name, rectangle, picture)?;
    Ok(rectangle)
}

fn check(
    name: &'static str,
    (x, y, width, height): Rectangle,
    picture: Option<(u32, u32)>,
) -> Result<(), RestoreError> {
    let (right, bottom) = picture.unwrap_or((MAX_EDGE, MAX_EDGE));
    let is_within = |start: u32, len, end| start.checked_add(len).is_some_and(|edge| edge <= end);
    match is_within(x, width, right) && is_within(y, height, bottom) {
        true => Ok(()),
        false => Err(RestoreError::Rectangle { name }),
    }
}
