// SPDX-License-Identifier: MPL-2.0
//! `caption`, `afd`, `bar`: what broadcasts carry along with the picture. Numbers of types and standards
//! are those of GStreamer.

use gst_video::{
    VideoAFDMeta, VideoAFDSpec, VideoAFDValue, VideoBarMeta, VideoCaptionMeta, VideoCaptionType,
};

use super::{
    AFD, BAR, CAPTION,
    bytes::{Bytes, Put},
};
use crate::metadata::RestoreError;

const CAPTION_TYPES: [(u8, VideoCaptionType); 4] = [
    (1, VideoCaptionType::Cea608Raw),
    (2, VideoCaptionType::Cea608S3341a),
    (3, VideoCaptionType::Cea708Raw),
    (4, VideoCaptionType::Cea708Cdp),
];

const AFD_SPECS: [(u8, VideoAFDSpec); 3] = [
    (0, VideoAFDSpec::DvbEtsi),
    (1, VideoAFDSpec::AtscA53),
    (2, VideoAFDSpec::SmpteSt20161),
];

const AFD_VALUES: [(u8, VideoAFDValue); 11] = [
    (0, VideoAFDValue::Unavailable),
    (2, VideoAFDValue::_169TopAligned),
    (3, VideoAFDValue::_149TopAligned),
    (4, VideoAFDValue::GreaterThan169),
    (8, VideoAFDValue::_43Full169Full),
    (9, VideoAFDValue::_43Full43Pillar),
    (10, VideoAFDValue::_169Letter169Full),
    (11, VideoAFDValue::_149Letter149Pillar),
    (13, VideoAFDValue::_43Full149Center),
    (14, VideoAFDValue::_169Letter149Center),
    (15, VideoAFDValue::_169Letter43Center),
];

pub fn describe(meta: &VideoCaptionMeta, data: &mut Vec<u8>) -> bool {
    let Some(number) = number(&CAPTION_TYPES, meta.caption_type()) else {
        return false;
    };
    data.put(&[number]);
    data.put(meta.data());
    !meta.data().is_empty()
}

pub fn restore(buffer: &mut gst::BufferRef, data: &[u8]) -> Result<(), RestoreError> {
    let mut bytes = Bytes::new(CAPTION, data);
    let number = bytes.u8()?;
    let caption_type = value(&CAPTION_TYPES, number).ok_or(RestoreError::CaptionType { number })?;
    match bytes.rest() {
        [] => Err(RestoreError::NoCaption),
        captions => {
            VideoCaptionMeta::add(buffer, caption_type, captions);
            Ok(())
        }
    }
}

pub fn describe_afd(meta: &VideoAFDMeta, data: &mut Vec<u8>) -> bool {
    let (spec, afd) = (
        number(&AFD_SPECS, meta.spec()),
        number(&AFD_VALUES, meta.afd()),
    );
    if let (Some(spec), Some(afd)) = (spec, afd) {
        data.put(&[meta.field(), spec, afd]);
        return true;
    }
    false
}

pub fn restore_afd(buffer: &mut gst::BufferRef, data: &[u8]) -> Result<(), RestoreError> {
    let mut bytes = Bytes::new(AFD, data);
    let field = field(AFD, bytes.u8()?)?;
    let (spec, afd) = (bytes.u8()?, bytes.u8()?);
    let known = value(&AFD_SPECS, spec).zip(value(&AFD_VALUES, afd));
    let is_known =
        |(spec, afd): &(_, _)| (*spec, *afd) != (VideoAFDSpec::DvbEtsi, VideoAFDValue::Unavailable);
    let (spec, afd) = known
        .filter(is_known)
        .ok_or(RestoreError::Afd { spec, afd })?;
    VideoAFDMeta::add(buffer, field, spec, afd);
    Ok(())
}

pub fn describe_bar(meta: &VideoBarMeta, data: &mut Vec<u8>) -> bool {
    data.put(&[meta.field(), meta.is_letterbox().into()]);
    data.put_u32(meta.bar_data1());
    data.put_u32(meta.bar_data2());
    true
}

pub fn restore_bar(buffer: &mut gst::BufferRef, data: &[u8]) -> Result<(), RestoreError> {
    let mut bytes = Bytes::new(BAR, data);
    let field = field(BAR, bytes.u8()?)?;
    let is_letterbox = bytes.u8()? != 0;
    let edges = (bytes.u32()?, bytes.u32()?);
    VideoBarMeta::add(buffer, field, is_letterbox, edges.0, edges.1);
    Ok(())
}

/// GStreamer knows two, from 0.
fn field(name: &'static str, field: u8) -> Result<u8, RestoreError> {
    match field {
        0 | 1 => Ok(field),
        _ => Err(RestoreError::Field { name, field }),
    }
}

fn number<T: PartialEq>(table: &[(u8, T)], value: T) -> Option<u8> {
    let row = table.iter().find(|(_, its)| *its == value);
    row.map(|(number, _)| *number)
}

fn value<T: Copy>(table: &[(u8, T)], number: u8) -> Option<T> {
    let row = table.iter().find(|(its, _)| *its == number);
    row.map(|(_, value)| *value)
}
