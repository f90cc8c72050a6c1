// SPDX-License-Identifier: MPL-2.0
//! What the sender says of its stream. Each function appends records, and tells whether it did.

use std::str::FromStr;

use gst::{event, glib};

pub use super::{
    buffer::describe as buffer, metas::describe as metas, upstream::describe as upstream,
};

use super::{
    CAT, FORCE_KEY_UNIT, OF_APPLICATIONS, STILL_FRAME, Segment,
    buffer::{running_span, running_time, signed},
    names, raw,
};
use crate::wire::{
    StructureText,
    record::{self, Record, RecordKind, Scope, StreamFlags},
};

/// Tags of more bytes than this stay behind: pictures, most of them.
const MAX_TAG_LEN: usize = 4 * 1024;

/// The segment of a stream that is played as it was made, from the start. A receiver takes every stream for
/// one until it is told otherwise.
pub const USUAL_SEGMENT: record::Segment = record::Segment {
    rate: 1.0,
    applied_rate: 1.0,
    stream_time: Some(0),
};

/// Fields of an event that hold positions of the sender's segment, or its running times.
const TIMES: [&str; 3] = ["timestamp", "stream-time", "running-time"];

/// The name of this program, for peers.
const AGENT: &str = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));

/// What peers are told first, and what is taken from them.
pub fn hello(back: record::Back) -> Vec<u8> {
    let mut out = Vec::new();
    let hello = record::Hello {
        agent: Some(AGENT),
        back,
        ..record::Hello::default()
    };
    // It has a form: its only text is a constant.
    put(Record::Hello(hello), &mut out);
    out
}

/// Fixed caps, of bytes in system memory: there they are, whatever memory they came from.
pub fn caps(caps: &gst::CapsRef, out: &mut Vec<u8>) -> bool {
    let mut caps = caps.to_owned();
    if !caps.is_fixed() {
        gst::debug!(CAT, "caps are left out: {caps} are not fixed");
        return false;
    }
    caps.make_mut().set_features_simple(None);
    if let Some(media_type) = raw::unknown(&caps) {
        gst::debug!(CAT, "caps are left out: no {media_type} are {caps}");
        return false;
    }
    let Some(structure) = caps.structure(0) else {
        return false;
    };
    // That of the caps themselves quotes what is nested, in some versions.
    let text = structure.serialize(gst::SerializeFlags::NONE);
    with_text(RecordKind::Caps, &text, |text| put(Record::Caps(text), out))
}

/// Tags, without large ones.
pub fn tags(tags: &gst::TagListRef, scope: Scope, out: &mut Vec<u8>) -> bool {
    let mut kept = gst::TagList::new();
    for (name, values) in tags.iter_generic() {
        let mut tag = gst::TagList::new();
        for value in values.filter(|value| !is_large(value)) {
            let _ = tag
                .make_mut()
                .add_value(name, value, gst::TagMergeMode::Append);
        }
        if with_text(RecordKind::Tags, &tag.to_string(), |_| true) {
            kept.make_mut().insert(&tag, gst::TagMergeMode::Append);
        }
    }
    let text = kept.to_string();
    kept.n_tags() > 0
        && with_text(RecordKind::Tags, &text, |text| {
            put(Record::Tags(record::Tags { scope, text }), out)
        })
}

fn is_large(value: &glib::Value) -> bool {
    match value.get::<&str>() {
        Ok(text) => text.len() > MAX_TAG_LEN,
        Err(_) => value.is::<gst::Sample>() || value.is::<gst::Buffer>(),
    }
}

/// A stream begins.
pub fn stream_start(start: &event::StreamStart, out: &mut Vec<u8>) -> bool {
    let flags = start.stream_flags();
    let structure = start.structure();
    let record = record::StreamStart {
        id: start.stream_id(),
        flags: StreamFlags {
            sparse: flags.contains(gst::StreamFlags::SPARSE),
            select: flags.contains(gst::StreamFlags::SELECT),
            unselect: flags.contains(gst::StreamFlags::UNSELECT),
        },
        group: structure.and_then(|structure| structure.get("group-id").ok()),
    };
    put(Record::StreamStart(record), out)
}

/// How fast the stream is played. To be sent where it is another than the last, which is
/// [`USUAL_SEGMENT`] at first.
pub fn segment(segment: &Segment) -> record::Segment {
    let (rate, applied_rate) = (segment.rate(), segment.applied_rate());
    record::Segment {
        rate,
        applied_rate,
        stream_time: stream_time_at_0(segment, rate * applied_rate),
    }
}

/// The stream time at running time 0, which may be before the segment.
fn stream_time_at_0(segment: &Segment, speed: f64) -> Option<i64> {
    let offset = segment.offset().unwrap_or_default();
    let first = if segment.rate() > 0.0 {
        segment.start()?.checked_add(offset)?
    } else {
        segment.stop()?.checked_sub(offset)?
    };
    let stream_time = signed(segment.to_stream_time_full(first))?;
    let base = segment.base()?.nseconds();
    if speed == 1.0 {
        stream_time.checked_sub_unsigned(base)
    } else {
        stream_time.checked_sub((base as f64 * speed) as i64)
    }
}

/// No frame comes for a while.
pub fn gap(gap: &event::Gap, segment: Option<&Segment>, out: &mut Vec<u8>) -> bool {
    let (start, duration) = gap.get();
    let Some(time) = segment.and_then(|segment| running_time(start, segment)) else {
        gst::debug!(CAT, "a gap at {start} is left out: it has no running time");
        return false;
    };
    let duration = duration.map(|span| running_span(span, segment));
    put(Record::Gap(record::Gap { time, duration }), out)
}

/// Events between elements that both ends have, and those of applications.
pub fn event(event: &gst::EventRef, out: &mut Vec<u8>) -> bool {
    let is_sticky = match event.type_() {
        gst::EventType::CustomDownstream => false,
        gst::EventType::CustomDownstreamSticky => true,
        _ => return false,
    };
    let Some(structure) = event.structure() else {
        return false;
    };
    let name = structure.name();
    let text = if name == FORCE_KEY_UNIT {
        let mut structure = structure.to_owned();
        structure.remove_fields(TIMES);
        structure.serialize(gst::SerializeFlags::NONE)
    } else if name == STILL_FRAME || name.starts_with(OF_APPLICATIONS) {
        structure.serialize(gst::SerializeFlags::NONE)
    } else {
        return false;
    };
    with_text(RecordKind::Event, &text, |text| {
        put(Record::Event(record::Event { is_sticky, text }), out)
    })
}

/// Goes on with the text of a structure, if GStreamer can be given it and reads it again: there are values
/// that it writes and cannot read.
pub(super) fn with_text(
    kind: RecordKind,
    text: &str,
    go_on: impl FnOnce(StructureText<'_>) -> bool,
) -> bool {
    let reason = match StructureText::new(text.as_bytes(), *kind.lengths().end()) {
        Ok(text) if !names::are_short(text) => "a name is too long".to_string(),
        Ok(text) if gst::Structure::from_str(&text).is_err() => "it cannot be read".to_string(),
        Ok(text) => return go_on(text),
        Err(error) => error.to_string(),
    };
    gst::debug!(
        CAT,
        "a text for a record {kind} is left out: {reason}: {text}"
    );
    false
}

pub(super) fn put(record: Record<'_>, out: &mut Vec<u8>) -> bool {
    match record.encode(out) {
        Ok(()) => true,
        Err(error) => {
            gst::debug!(CAT, "a record {} is left out: {error}", record.kind());
            false
        }
    }
}
