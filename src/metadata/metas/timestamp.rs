// SPDX-License-Identifier: MPL-2.0
//! `timestamp`: a time on another clock than the pipeline's.

use std::str::FromStr;

use gst::ReferenceTimestampMeta;

use super::{
    TIMESTAMP,
    bytes::{Bytes, Put},
};
use crate::{
    metadata::{RestoreError, describe::with_text, names},
    wire::{StructureText, record::RecordKind},
};

pub fn describe(meta: &gst::MetaRef<'_, ReferenceTimestampMeta>, data: &mut Vec<u8>) -> bool {
    let reference = meta.reference();
    let Some(structure) = reference.structure(0).filter(|_| reference.is_fixed()) else {
        return false;
    };
    let text = structure.serialize(gst::SerializeFlags::NONE);
    with_text(RecordKind::Meta, &text, |text| {
        data.put_time(Some(meta.timestamp()));
        data.put_time(meta.duration());
        data.put(text.as_bytes());
        true
    })
}

pub fn restore(buffer: &mut gst::BufferRef, data: &[u8]) -> Result<(), RestoreError> {
    let mut bytes = Bytes::new(TIMESTAMP, data);
    let timestamp = bytes.time()?.ok_or(RestoreError::NoTimestamp)?;
    let duration = bytes.time()?;
    let text = checked(bytes.rest())?;
    names::admit_all(text)?;
    let reference = gst::Caps::from_str(&text).map_err(|_| RestoreError::NoCaps)?;
    if !reference.is_fixed() {
        return Err(RestoreError::OpenCaps);
    }
    ReferenceTimestampMeta::add(buffer, &reference, timestamp, duration);
    Ok(())
}

fn checked(bytes: &[u8]) -> Result<StructureText<'_>, RestoreError> {
    let limit = *RecordKind::Meta.lengths().end();
    StructureText::new(bytes, limit).map_err(|source| RestoreError::MetaText {
        name: TIMESTAMP,
        source,
    })
}
