// SPDX-License-Identifier: MPL-2.0
//! What each frame has: times, flags and offsets.

use gst::Signed;
use gst_video::{VideoBufferFlags, prelude::*};

use super::Segment;
use crate::wire::record::{Buffer, BufferFlags};

/// A buffer without an offset has this.
const OFFSET_NONE: u64 = u64::MAX;

const FLAGS: [(gst::BufferFlags, BufferFlags); 10] = [
    (gst::BufferFlags::DELTA_UNIT, BufferFlags::DELTA_UNIT),
    (gst::BufferFlags::DISCONT, BufferFlags::DISCONT),
    (gst::BufferFlags::HEADER, BufferFlags::HEADER),
    (gst::BufferFlags::MARKER, BufferFlags::MARKER),
    (gst::BufferFlags::GAP, BufferFlags::GAP),
    (gst::BufferFlags::CORRUPTED, BufferFlags::CORRUPTED),
    (gst::BufferFlags::DROPPABLE, BufferFlags::DROPPABLE),
    (gst::BufferFlags::NON_DROPPABLE, BufferFlags::NON_DROPPABLE),
    (gst::BufferFlags::RESYNC, BufferFlags::RESYNC),
    (gst::BufferFlags::DECODE_ONLY, BufferFlags::DECODE_ONLY),
];

const VIDEO_FLAGS: [(VideoBufferFlags, BufferFlags); 4] = [
    (VideoBufferFlags::INTERLACED, BufferFlags::INTERLACED),
    (VideoBufferFlags::TFF, BufferFlags::TFF),
    (VideoBufferFlags::RFF, BufferFlags::RFF),
    (VideoBufferFlags::ONEFIELD, BufferFlags::ONEFIELD),
];

/// What is said of a buffer. Without a segment of times it has no running times.
pub fn describe(
    buffer: &gst::BufferRef,
    segment: Option<&Segment>,
    sequence: u16,
    clock: Option<gst::ClockTime>,
) -> Buffer {
    let is_reverse = segment.is_some_and(|segment| segment.rate() < 0.0);
    let running_time = |time: Option<gst::ClockTime>| match buffer.duration() {
        // Played backwards, its end comes first.
        Some(duration) if is_reverse => running_time(time?.checked_add(duration)?, segment?),
        _ => running_time(time?, segment?),
    };
    let pts = running_time(buffer.pts());
    let dts = match buffer.dts() {
        // As of most that is not reordered.
        dts if dts == buffer.pts() => pts,
        dts => running_time(dts),
    };
    Buffer {
        sequence,
        flags: flags(buffer),
        pts,
        dts,
        duration: buffer.duration().map(|span| running_span(span, segment)),
        clock: clock.map(gst::ClockTime::nseconds),
        offset: offset(buffer.offset()),
        offset_end: offset(buffer.offset_end()),
    }
}

fn flags(buffer: &gst::BufferRef) -> BufferFlags {
    let (flags, video) = (buffer.flags(), buffer.video_flags());
    // Most have none of those that are told.
    let is_plain = (flags - gst::BufferFlags::TAG_MEMORY).is_empty();
    if is_plain && video.is_empty() {
        return BufferFlags::default();
    }
    let general = FLAGS.iter().filter(|(theirs, _)| flags.contains(*theirs));
    let of_video = VIDEO_FLAGS
        .iter()
        .filter(|(theirs, _)| video.contains(*theirs));
    let all = general.map(|(_, ours)| *ours);
    all.chain(of_video.map(|(_, ours)| *ours))
        .fold(BufferFlags::default(), |all, flag| all | flag)
}

/// A position in the segment as running time, in nanoseconds.
pub fn running_time(position: gst::ClockTime, segment: &Segment) -> Option<i64> {
    signed(segment.to_running_time_full(position))
}

/// How long something takes at the segment's rate, in nanoseconds.
pub fn running_span(span: gst::ClockTime, segment: Option<&Segment>) -> u64 {
    match segment.map(|segment| segment.rate().abs()) {
        None | Some(1.0) => span.nseconds(),
        // Above the largest number it is that.
        Some(rate) => (span.nseconds() as f64 / rate) as u64,
    }
}

pub fn signed(time: Option<Signed<gst::ClockTime>>) -> Option<i64> {
    match time? {
        Signed::Positive(time) => time.nseconds().try_into().ok(),
        Signed::Negative(time) => 0i64.checked_sub_unsigned(time.nseconds()),
    }
}

fn offset(offset: u64) -> Option<u64> {
    Some(offset).filter(|&offset| offset != OFFSET_NONE)
}

/// Sets the flags, offsets and duration of a buffer. Its times are those of the receiver's clock, and set
/// elsewhere.
pub fn restore(buffer: &mut gst::BufferRef, record: &Buffer) {
    for (theirs, ours) in FLAGS {
        if record.flags.contains(ours) {
            buffer.set_flags(theirs);
        } else {
            buffer.unset_flags(theirs);
        }
    }
    for (theirs, ours) in VIDEO_FLAGS {
        if record.flags.contains(ours) {
            buffer.set_video_flags(theirs);
        } else {
            buffer.unset_video_flags(theirs);
        }
    }
    buffer.set_duration(record.duration.map(gst::ClockTime::from_nseconds));
    buffer.set_offset(record.offset.unwrap_or(OFFSET_NONE));
    buffer.set_offset_end(record.offset_end.unwrap_or(OFFSET_NONE));
}
