// SPDX-License-Identifier: MPL-2.0
//! `timecode`: the time of day that was counted along with the frames.

use gst::glib;
use gst_video::{ValidVideoTimeCode, VideoTimeCode, VideoTimeCodeFlags, VideoTimeCodeMeta};

use super::{
    TIMECODE,
    bytes::{Bytes, Put},
};
use crate::metadata::RestoreError;

const MICROS: i64 = 1_000_000;

/// Time zones are closer to UTC, and the library takes no other.
const MAX_ZONE: i32 = 24 * 60 * 60;

pub fn describe(meta: &VideoTimeCodeMeta, data: &mut Vec<u8>) -> bool {
    let code = VideoTimeCode::from(meta.tc());
    // Without a rate the library would panic over it.
    if !code.is_valid() {
        return false;
    }
    let jam = code.latest_daily_jam();
    for number in [
        code.fps().numer() as u32,
        code.fps().denom() as u32,
        code.flags().bits(),
        code.hours(),
        code.minutes(),
        code.seconds(),
        code.frames(),
        code.field_count(),
    ] {
        data.put_u32(number);
    }
    data.put_signed(jam.as_ref().map(micros));
    let zone = jam.map_or(0, |jam| jam.utc_offset().as_seconds());
    data.put_i32(zone as i32);
    true
}

fn micros(time: &glib::DateTime) -> i64 {
    time.to_unix() * MICROS + i64::from(time.microsecond())
}

pub fn restore(buffer: &mut gst::BufferRef, data: &[u8]) -> Result<(), RestoreError> {
    let code = parse(Bytes::new(TIMECODE, data))?;
    VideoTimeCodeMeta::add(buffer, &code);
    Ok(())
}

fn parse(mut bytes: Bytes<'_>) -> Result<ValidVideoTimeCode, RestoreError> {
    let bad = RestoreError::TimeCode;
    let (rate, divisor) = (positive(bytes.u32()?)?, positive(bytes.u32()?)?);
    let flags = VideoTimeCodeFlags::from_bits_truncate(bytes.u32()?);
    let mut time = [0; 5];
    for part in &mut time {
        *part = bytes.u32()?;
    }
    let [hours, minutes, seconds, frames, field_count] = time;
    let (jam, zone) = (bytes.signed()?, bytes.i32()?);
    let jam = jam.map(|micros| date(micros, zone)).transpose()?;
    // Two fields make a frame.
    if field_count > 2 {
        return Err(bad);
    }
    ValidVideoTimeCode::new(
        gst::Fraction::new(rate, divisor),
        jam.as_ref(),
        flags,
        hours,
        minutes,
        seconds,
        frames,
        field_count,
    )
    .map_err(|_| bad)
}

fn positive(number: u32) -> Result<i32, RestoreError> {
    let number = i32::try_from(number).ok().filter(|&number| number > 0);
    number.ok_or(RestoreError::TimeCode)
}

fn date(micros: i64, zone: i32) -> Result<glib::DateTime, RestoreError> {
    let bad = |_| RestoreError::TimeCode;
    if zone.unsigned_abs() >= MAX_ZONE.unsigned_abs() {
        return Err(RestoreError::TimeCode);
    }
    glib::DateTime::from_unix_utc(micros.div_euclid(MICROS))
        .and_then(|time| time.add(glib::TimeSpan::from_microseconds(micros.rem_euclid(MICROS))))
        .and_then(|time| time.to_timezone(&glib::TimeZone::from_offset(zone)))
        .map_err(bad)
}
