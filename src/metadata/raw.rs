// SPDX-License-Identifier: MPL-2.0
//! Raw frames say nothing of themselves.

use gst_audio::AudioInfo;
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
        AudioInfo::from_caps(caps).is_err().then_some("audio/x-raw")
    } else {
        None
    }
}
