// SPDX-License-Identifier: MPL-2.0
//! `custom:NAME`: a structure that both ends have registered.

use std::str::FromStr;

use gst::meta::CustomMeta;

use super::{CUSTOM, Writer};
use crate::{
    metadata::{RestoreError, describe::with_text, names},
    wire::{StructureText, record::RecordKind},
};

/// What errors call it: names are the peer's.
const NAME: &str = "custom";

pub(super) fn describe(meta: &CustomMeta, writer: &mut Writer<'_>) {
    let structure = meta.structure();
    let text = structure.serialize(gst::SerializeFlags::NONE);
    with_text(RecordKind::Meta, &text, |text| {
        writer.data.extend_from_slice(text.as_bytes());
        writer.put(&format!("{CUSTOM}{}", structure.name()))
    });
}

pub fn restore(buffer: &mut gst::BufferRef, name: &str, data: &[u8]) -> Result<bool, RestoreError> {
    let limit = *RecordKind::Meta.lengths().end();
    let text = StructureText::new(data, limit)
        .map_err(|source| RestoreError::MetaText { name: NAME, source })?;
    if !CustomMeta::is_registered(name) {
        return Ok(false);
    }
    names::admit_all(text)?;
    let structure = gst::Structure::from_str(&text).map_err(|_| RestoreError::NoStructure)?;
    // Registered, but by C and with a form that is not a structure: then there is nothing to add.
    let Ok(mut meta) = CustomMeta::add(buffer, name) else {
        return Ok(false);
    };
    for (field, value) in structure.iter() {
        meta.mut_structure().set_value(field, value.clone());
    }
    Ok(true)
}
