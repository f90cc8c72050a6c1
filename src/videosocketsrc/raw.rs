// SPDX-License-Identifier: MPL-2.0
//! Raw frames say nothing of themselves: their caps have to say it all.

use gst::prelude::*;
use gst_audio::AudioInfo;
use gst_video::VideoInfo;

/// A kind of raw frames.
struct Raw {
    media_type: &'static str,
    /// Without these nobody knows what a frame is.
    fields: &'static [&'static str],
    is_known: fn(&gst::Caps) -> bool,
    example: &'static str,
}

static VIDEO: Raw = Raw {
    media_type: "video/x-raw",
    fields: &["format", "width", "height"],
    is_known: |caps| VideoInfo::from_caps(caps).is_ok(),
    example: "video/x-raw,format=I420,width=640,height=480,framerate=30/1",
};

static AUDIO: Raw = Raw {
    media_type: "audio/x-raw",
    fields: &["format", "layout", "rate", "channels"],
    is_known: |caps| AudioInfo::from_caps(caps).is_ok(),
    example: "audio/x-raw,format=S16LE,layout=interleaved,rate=48000,channels=1",
};

/// Whether they say what a frame is. What they leave open the base class would choose: 1x1 pixel.
pub fn check(caps: &gst::Caps) -> Result<(), gst::ErrorMessage> {
    for structure in caps.iter() {
        let mut kinds = [&VIDEO, &AUDIO].into_iter();
        let raw = kinds.find(|raw| structure.name() == raw.media_type);
        if let Some(raw) = raw
            && let Err(reason) = raw.check(caps, structure)
        {
            let example = raw.example;
            return Err(gst::error_msg!(
                gst::ResourceError::Settings,
                ("The caps {caps} do not say what a frame is: {reason}. \
                     Set caps that do, for example caps={example}")
            ));
        }
    }
    Ok(())
}

/// Caps of the kind that downstream takes, to be adapted by the user.
pub fn example(downstream: &gst::Caps) -> &'static str {
    let first = downstream.structure(0).map(gst::StructureRef::name);
    if first.is_some_and(|name| name == AUDIO.media_type) {
        AUDIO.example
    } else {
        VIDEO.example
    }
}

impl Raw {
    fn check(&self, caps: &gst::Caps, structure: &gst::StructureRef) -> Result<(), String> {
        let missing = self.fields.iter().copied();
        let missing: Vec<_> = missing
            .filter(|field| !structure.has_field(*field))
            .collect();
        let values = structure.iter();
        let open: Vec<_> = values
            .filter(|(_, value)| !value.is_fixed())
            .map(|(field, _)| field.as_str())
            .collect();
        if !missing.is_empty() {
            Err(format!("they have no {}", missing.join(", ")))
        } else if !open.is_empty() {
            Err(format!("they have several values of {}", open.join(", ")))
        } else if !caps.is_fixed() {
            Err("they are several".into())
        } else if !(self.is_known)(caps) {
            Err(format!("no {} has these values", self.media_type))
        } else {
            Ok(())
        }
    }
}
