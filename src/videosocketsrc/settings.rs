// SPDX-License-Identifier: MPL-2.0
//! What the user sets of a source.

use gst::{glib, prelude::*};
use once_cell::sync::Lazy;

use crate::settings::{Changeable, Common, Property, Settings, common_properties};

/// What a frame without a payload means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstVideoSocketZeroLength")]
pub enum ZeroLength {
    /// Push an empty buffer.
    #[default]
    #[enum_value(name = "Push an empty buffer", nick = "frame")]
    Frame,
    /// Pass over it.
    #[enum_value(name = "Pass over it", nick = "skip")]
    Skip,
    /// End the stream.
    #[enum_value(name = "End the stream", nick = "eos")]
    Eos,
}

/// Whether the peer is listened to about its frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstVideoSocketSrcMetadata")]
pub enum Metadata {
    /// No.
    #[enum_value(name = "Frames only: a record is a bad header", nick = "off")]
    Off,
    /// Yes.
    #[default]
    #[enum_value(name = "Where the peer says what they are", nick = "auto")]
    Auto,
    /// Yes, and it is asked.
    #[enum_value(
        name = "The peer, a videosocketsink, is asked what they are",
        nick = "request"
    )]
    Request,
}

/// Which times frames have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstVideoSocketTimestamps")]
pub enum Timestamps {
    /// The sender's where there are any.
    #[default]
    #[enum_value(
        name = "The sender's, where the stream has them, else those of arrival",
        nick = "auto"
    )]
    Auto,
    /// When they came.
    #[enum_value(name = "Those of arrival", nick = "arrival")]
    Arrival,
    /// The sender's.
    #[enum_value(
        name = "The sender's; where the stream has none, those of arrival with a warning",
        nick = "sender"
    )]
    Sender,
}

/// The settings of a source.
#[derive(Clone, Debug, Default)]
pub struct SrcSettings {
    pub common: Common,
    pub caps: Option<gst::Caps>,
    pub zero_length: ZeroLength,
    pub metadata: Metadata,
    pub timestamps: Timestamps,
    pub latency: gst::ClockTime,
}

/// All of them.
pub static PROPERTIES: Lazy<Vec<Property<SrcSettings>>> = Lazy::new(|| {
    let mut properties = common_properties();
    properties.extend([
        Property::time(
            "timeout",
            "Give up a connection on which no byte has come for this long, in nanoseconds (0 = never)",
            Changeable::InReady,
            |s: &SrcSettings| s.common.timeout,
            |s, timeout| s.common.timeout = timeout,
        ),
        Property::custom(
            glib::ParamSpecBoxed::builder::<gst::Caps>("caps")
                .blurb(
                    "Caps of the frames; raw video and audio need them, for example \
                     video/x-raw,format=I420,width=640,height=480,framerate=30/1 (none = the first frame of \
                     a connection tells, as JPEG does)",
                )
                .flags(Changeable::InReady.flags())
                .build(),
            |s: &SrcSettings| s.caps.to_value(),
            |s, value| {
                s.caps = value.get().map_err(|_| "the value is no caps".to_string())?;
                Ok(())
            },
        ),
        Property::choice(
            "zero-length",
            "What to do with a frame of length 0, a header without a payload",
            Changeable::Always,
            |s: &SrcSettings| s.zero_length,
            |s, zero_length| s.zero_length = zero_length,
        ),
        Property::choice(
            "metadata",
            "Whether the peer may say, in records between the frames, what they are: caps, times, flags, tags, events \
             and the end of the stream; request asks for it. Not with a preamble or a header other than 8 decimal \
             digits, and with lockstep the peer says nothing",
            Changeable::InReady,
            |s: &SrcSettings| s.metadata,
            |s, metadata| s.metadata = metadata,
        ),
        Property::choice(
            "timestamps",
            "Which times frames have: those of the sender, moved to this pipeline's clock, or the running times at \
             which their last bytes came",
            Changeable::InReady,
            |s: &SrcSettings| s.timestamps,
            |s, timestamps| s.timestamps = timestamps,
        ),
        Property::time(
            "latency",
            "With times of the sender: how much longer than the shortest way a frame may take without being late, in \
             nanoseconds; elements that synchronise hold frames for as long (0 = frames are shown as they come)",
            Changeable::Always,
            |s: &SrcSettings| s.latency,
            |s, latency| s.latency = latency,
        ),
    ]);
    properties
});

impl Settings for SrcSettings {
    fn common(&self) -> &Common {
        &self.common
    }

    fn common_mut(&mut self) -> &mut Common {
        &mut self.common
    }

    fn properties() -> &'static [Property<Self>] {
        &PROPERTIES
    }
}
