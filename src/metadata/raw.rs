// SPDX-License-Identifier: MPL-2.0
//! Raw frames say nothing of themselves.

use gst_audio::{AudioInfo, AudioLayout};
use gst_video::VideoInfo;

/// How frames of raw video lie, where these fixed caps are of such. Of others GStreamer complains.
pub fn video(caps: &gst::CapsRef) -> Option<VideoInfo> {
    if caps.structure(0)?.name() != "video/x-raw" || !caps.is_fixed() {
        return None;
    }
    VideoInfo::from_caps(caps).ok()
}

/// The media type of raw frames of which nobody can tell from these fixed caps what they are.
pub fn unknown(caps: &gst::CapsRef) -> Option<&'static str> {
    let name = caps.structure(0)?.name();
    if name == "video/x-raw" {
        VideoInfo::from_caps(caps).is_err().then_some("video/x-raw")
    } else if name == "audio/x-raw" {
        let is_known =
            names_places(caps.structure(0)?) && AudioInfo::from_caps(caps).is_ok_and(is_sound);
        (!is_known).then_some("audio/x-raw")
    } else {
        None
    }
}

/// More make GStreamer's mixer of channels complain.
const MAX_CHANNELS: u32 = 63;

/// GStreamer's resampler takes memory by the ratio of two.
const RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// The places that a channel mask may name.
const PLACES: u64 = (1 << 28) - 1;

/// Whether a channel mask names as many places as there are channels. Of another GStreamer complains.
fn names_places(structure: &gst::StructureRef) -> bool {
    let mask = structure
        .get::<gst::Bitmask>("channel-mask")
        .map_or(0, |mask| *mask);
    let channels = structure.get::<i32>("channels").map(i32::cast_unsigned);
    mask == 0 || mask & !PLACES == 0 && channels == Ok(mask.count_ones())
}

/// Whether elements can do with it. What is not interleaved needs a meta with each frame, which is none of a record's.
fn is_sound(info: AudioInfo) -> bool {
    info.layout() == AudioLayout::Interleaved
        && info.channels() <= MAX_CHANNELS
        && RATES.contains(&info.rate())
}
