// SPDX-License-Identifier: MPL-2.0
//! What each frame has: times, flags, offsets.

use gst::ClockTime;
use gst_video::{VideoBufferFlags, prelude::*};

use super::{buffer, init, stream::segment};
use crate::{
    metadata::{Segment, describe, restore},
    wire::record::{Buffer, BufferFlags},
};

const SECOND: ClockTime = ClockTime::SECOND;

#[test]
fn flags_and_offsets_come_back() {
    let _quiet = init();
    for bit in 0..14 {
        let flags = BufferFlags::from_bits(1 << bit);
        let original = Buffer {
            sequence: bit,
            flags,
            duration: Some(5),
            offset: Some(0),
            offset_end: (bit != 0).then_some(u64::MAX - 1),
            ..Buffer::default()
        };
        let mut buffer = buffer(1);
        let buffer = buffer.get_mut().unwrap();
        // A buffer from a pool has those of another frame.
        restore::buffer(
            buffer,
            &Buffer {
                flags: BufferFlags::from_bits(u16::MAX),
                ..original
            },
        );
        restore::buffer(buffer, &original);
        assert_eq!(describe::buffer(buffer, None, bit, None), original);
        let raw = buffer.flags().bits() | buffer.video_flags().bits();
        assert_eq!(raw.count_ones(), 1, "{flags:?}");
    }
}

#[test]
fn flags_are_those_of_gstreamer() {
    let _quiet = init();
    let mut buffer = buffer(1);
    let buffer = buffer.get_mut().unwrap();
    buffer.set_flags(
        gst::BufferFlags::DELTA_UNIT | gst::BufferFlags::MARKER | gst::BufferFlags::TAG_MEMORY,
    );
    buffer.set_video_flags(VideoBufferFlags::INTERLACED | VideoBufferFlags::TFF);
    let expected =
        BufferFlags::DELTA_UNIT | BufferFlags::MARKER | BufferFlags::INTERLACED | BufferFlags::TFF;
    assert_eq!(describe::buffer(buffer, None, 0, None).flags, expected);
    restore::buffer(buffer, &Buffer::default());
    assert!(buffer.flags().contains(gst::BufferFlags::TAG_MEMORY));
}

#[test]
fn times_are_running_times() {
    let _quiet = init();
    let mut buffer = buffer(1);
    let buffer = buffer.get_mut().unwrap();
    buffer.set_pts(4 * SECOND);
    buffer.set_dts(3 * SECOND);
    buffer.set_duration(2 * SECOND);
    let times = |segment: &Segment| {
        let record = describe::buffer(buffer, Some(segment), 9, Some(SECOND));
        assert_eq!((record.sequence, record.clock), (9, Some(1_000_000_000)));
        let seconds = |time: i64| time as f64 / 1e9;
        (
            record.pts.map(seconds),
            record.dts.map(seconds),
            record.duration.unwrap() as f64 / 1e9,
        )
    };
    assert_eq!(times(&Segment::new()), (Some(4.0), Some(3.0), 2.0));
    assert_eq!(
        times(&segment(1.0, 1.0, [5, 0, 0])),
        (Some(-1.0), Some(-2.0), 2.0)
    );
    assert_eq!(
        times(&segment(4.0, 1.0, [2, 0, 7])),
        (Some(7.5), Some(7.25), 0.5)
    );
    // Backwards from 100 s: its end, at 6 s, comes first.
    assert_eq!(
        times(&segment(-1.0, 1.0, [0, 0, 1])),
        (Some(95.0), Some(96.0), 2.0)
    );
    let record = describe::buffer(buffer, None, 0, None);
    assert_eq!((record.pts, record.dts, record.clock), (None, None, None));
}
