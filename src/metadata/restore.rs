// SPDX-License-Identifier: MPL-2.0
//! What the receiver makes of what the sender says.

use std::str::FromStr;

use gst::{event, glib, prelude::*};
use gst_video::{DownstreamForceKeyUnitEvent, StillFrameEvent};

pub use super::{
    buffer::restore as buffer,
    metas::{copy as picture, forget_layout, restore as meta},
    upstream::restore as request,
};

use super::{FORCE_KEY_UNIT, OF_APPLICATIONS, RestoreError, STILL_FRAME, Segment, names, raw};
use crate::wire::{
    StructureText,
    record::{self, Scope},
};

/// Fixed caps of one stream.
pub fn caps(text: StructureText<'_>) -> Result<gst::Caps, RestoreError> {
    names::admit_all(text)?;
    let caps = gst::Caps::from_str(&text).map_err(|_| RestoreError::NoCaps)?;
    if caps.is_any() || caps.is_empty() {
        return Err(RestoreError::NoCaps);
    }
    // That are those of one structure, without ranges.
    if !caps.is_fixed() {
        return Err(RestoreError::OpenCaps);
    }
    if let Some(field) = caps.structure(0).and_then(no_buffer) {
        return Err(RestoreError::NoBuffer { field });
    }
    match raw::unknown(&caps) {
        None => Ok(caps),
        Some(media_type) => Err(RestoreError::RawCaps { media_type }),
    }
}

/// A field that elements take for a buffer, or for several, without looking.
fn no_buffer(structure: &gst::StructureRef) -> Option<&'static str> {
    let is_buffer = |value: &glib::Value| {
        value
            .get::<Option<gst::Buffer>>()
            .is_ok_and(|it| it.is_some())
    };
    let are_buffers = |value: &glib::Value| {
        let array = value.get::<gst::ArrayRef<'_>>();
        array.is_ok_and(|array| array.iter().all(|value| is_buffer(value)))
    };
    let is_bad = |field: &&str| match (*field, structure.value(*field)) {
        (_, Err(_)) => false,
        ("streamheader", Ok(value)) => !are_buffers(value),
        (_, Ok(value)) => !is_buffer(value),
    };
    ["codec_data", "palette_data", "streamheader"]
        .into_iter()
        .find(is_bad)
}

/// Tags, as far as this process knows them: of others, and of values of another type than theirs, whoever
/// looks at them complains.
pub fn tags(tags: &record::Tags<'_>) -> Result<gst::TagList, RestoreError> {
    names::admit_all(tags.text)?;
    let parsed = glib::Value::deserialize(&tags.text, gst::TagList::static_type());
    let parsed: gst::TagList = parsed
        .ok()
        .and_then(|value| value.get().ok())
        .ok_or(RestoreError::NoTags)?;
    let mut known = gst::TagList::new();
    let list = known.make_mut();
    list.set_scope(match tags.scope {
        Scope::Stream => gst::TagScope::Stream,
        Scope::Global => gst::TagScope::Global,
    });
    for (name, values) in parsed.iter_generic() {
        if gst::tags::tag_exists(name) {
            for value in values {
                let _ = list.add_value(name, value, gst::TagMergeMode::Append);
            }
        }
    }
    Ok(known)
}

/// A stream begins.
pub fn stream_start(start: &record::StreamStart<'_>) -> gst::Event {
    let mut flags = gst::StreamFlags::empty();
    flags.set(gst::StreamFlags::SPARSE, start.flags.sparse);
    flags.set(gst::StreamFlags::SELECT, start.flags.select);
    flags.set(gst::StreamFlags::UNSELECT, start.flags.unselect);
    let group = start.group.filter(|&group| group != 0);
    event::StreamStart::builder(start.id)
        .flags(flags)
        .other_field_if_some("group-id", group)
        .build()
}

/// A segment for frames that have running times: only the stream time goes another way. Before 0, and
/// backwards, it has no form that would not cut frames off.
pub fn segment(segment: &record::Segment) -> Result<Segment, RestoreError> {
    let record::Segment {
        rate, applied_rate, ..
    } = *segment;
    let speed = rate * applied_rate;
    if !speed.is_normal() {
        return Err(RestoreError::Rate { rate, applied_rate });
    }
    let mut restored = Segment::new();
    restored.set_applied_rate(speed);
    let stream_time = segment.stream_time.unwrap_or(0);
    let time = gst::ClockTime::from_nseconds(stream_time.try_into().unwrap_or(0));
    restored.set_time(time);
    Ok(restored)
}

/// An event that may come from a peer; none otherwise.
pub fn event(event: &record::Event<'_>) -> Result<Option<gst::Event>, RestoreError> {
    names::admit_all(event.text)?;
    let structure = gst::Structure::from_str(&event.text).map_err(|_| RestoreError::NoStructure)?;
    let name = structure.name();
    Ok(if name == FORCE_KEY_UNIT {
        Some(force_key_unit(&structure))
    } else if name == STILL_FRAME {
        let in_still = structure.get("still-state").unwrap_or(false);
        Some(StillFrameEvent::builder(in_still).build())
    } else if name.starts_with(OF_APPLICATIONS) {
        Some(if event.is_sticky {
            event::CustomDownstreamSticky::new(structure)
        } else {
            event::CustomDownstream::new(structure)
        })
    } else {
        None
    })
}

/// Its place in the stream says when: its times are those of another clock.
fn force_key_unit(structure: &gst::StructureRef) -> gst::Event {
    DownstreamForceKeyUnitEvent::builder()
        .all_headers(structure.get("all-headers").unwrap_or(false))
        .count(structure.get("count").unwrap_or(0))
        .build()
}
