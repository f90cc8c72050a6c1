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

/// The settings of a source.
#[derive(Clone, Debug, Default)]
pub struct SrcSettings {
    pub common: Common,
    pub caps: Option<gst::Caps>,
    pub zero_length: ZeroLength,
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
