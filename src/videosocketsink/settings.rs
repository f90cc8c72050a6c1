// SPDX-License-Identifier: MPL-2.0
//! The sink's own properties.

use gst::{glib, prelude::*};
use once_cell::sync::Lazy;

use crate::{
    fanout::{self, Flow, JoinAt, Limits},
    settings::{
        Changeable::{Always, InReady},
        Common, Property, Settings, common_properties, non_zero, wrong_type,
    },
    wire::HeaderFormat,
};

/// What happens to a client that is slower than the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstVideoSocketOverflow")]
pub enum Overflow {
    #[default]
    #[enum_value(
        name = "Drop where upstream is live (a camera), else block (a file)",
        nick = "auto"
    )]
    Auto,
    #[enum_value(name = "Hold the stream", nick = "block")]
    Block,
    #[enum_value(
        name = "Drop frames for that client alone, also where its queue stands within the limits",
        nick = "drop"
    )]
    Drop,
    #[enum_value(name = "Remove the client", nick = "disconnect")]
    Disconnect,
}

/// Where a client that joins starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstVideoSocketSyncMethod")]
pub enum SyncMethod {
    #[enum_value(name = "With the next frame, whatever it is", nick = "latest")]
    Latest,
    #[default]
    #[enum_value(name = "With the next keyframe", nick = "next-keyframe")]
    NextKeyframe,
    #[enum_value(
        name = "With the last keyframe, kept with all frames since",
        nick = "latest-keyframe"
    )]
    LatestKeyframe,
}

/// Which peers are told what the frames are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstVideoSocketSinkMetadata")]
pub enum Metadata {
    #[enum_value(name = "None: frames only", nick = "off")]
    Off,
    #[default]
    #[enum_value(
        name = "Those that ask, as videosocketsrc metadata=request does",
        nick = "on-request"
    )]
    OnRequest,
    #[enum_value(name = "All: each has to be a videosocketsrc", nick = "on")]
    On,
}

/// Which events of peers are sent upstream.
#[glib::flags(name = "GstVideoSocketAcceptEvents")]
pub enum AcceptEvents {
    #[flags_value(name = "Nothing", nick = "none")]
    NONE = 0,
    #[flags_value(name = "Requests of a keyframe", nick = "keyframe")]
    KEYFRAME = 1 << 0,
    #[flags_value(name = "Quality of service, while there is one client", nick = "qos")]
    QOS = 1 << 1,
    #[flags_value(name = "Navigation: keys and the mouse", nick = "navigation")]
    NAVIGATION = 1 << 2,
}

#[derive(Clone, Debug)]
pub struct SinkSettings {
    pub common: Common,
    pub wait_for_connection: bool,
    pub lockstep: bool,
    pub overflow: Overflow,
    pub max_size_buffers: u32,
    pub max_size_bytes: u32,
    pub max_size_time: gst::ClockTime,
    pub sync_method: SyncMethod,
    pub request_keyframes: bool,
    pub max_clients: u32,
    pub metadata: Metadata,
    pub accept_events: AcceptEvents,
    pub eos_frame: bool,
}

impl Default for SinkSettings {
    fn default() -> Self {
        Self {
            common: Common::default(),
            wait_for_connection: true,
            lockstep: false,
            overflow: Overflow::Auto,
            max_size_buffers: 0,
            max_size_bytes: 0,
            max_size_time: gst::ClockTime::from_mseconds(500),
            sync_method: SyncMethod::NextKeyframe,
            request_keyframes: true,
            max_clients: 0,
            metadata: Metadata::OnRequest,
            accept_events: AcceptEvents::KEYFRAME,
            eos_frame: false,
        }
    }
}

impl SinkSettings {
    /// Why nothing can be said of the frames, if so.
    pub fn needs_plain(&self) -> Option<&'static str> {
        if self.lockstep {
            Some("lockstep=true")
        } else {
            self.common.needs_plain()
        }
    }

    /// The header of the frame of length 0 behind the last one, or nothing; else a sentence that says why there can
    /// be none.
    pub fn eos_frame(&self, format: HeaderFormat) -> Result<Vec<u8>, String> {
        if !self.eos_frame {
            return Ok(Vec::new());
        }
        let header = format.encode(0).map_err(|_| {
            format!(
                "With length-adjustment={} no header announces a frame of length 0, as eos-frame needs it",
                self.common.length_adjustment
            )
        });
        Ok(header?.to_vec())
    }

    /// How the transport is to send.
    pub fn flow(&self, upstream_is_live: bool) -> Flow {
        let count = |max: u32| (max > 0).then_some(max as usize);
        Flow {
            overflow: match self.overflow {
                Overflow::Auto if upstream_is_live => fanout::Overflow::Drop,
                Overflow::Auto | Overflow::Block => fanout::Overflow::Block,
                Overflow::Drop => fanout::Overflow::Drop,
                Overflow::Disconnect => fanout::Overflow::Disconnect,
            },
            limits: Limits {
                frames: count(self.max_size_buffers),
                bytes: count(self.max_size_bytes),
                time: non_zero(self.max_size_time),
            },
            join: match self.sync_method {
                SyncMethod::Latest => JoinAt::Latest,
                SyncMethod::NextKeyframe => JoinAt::NextKeyframe,
                SyncMethod::LatestKeyframe => JoinAt::LatestKeyframe,
            },
            hold_without_client: self.wait_for_connection,
            keep_for_callee: !upstream_is_live,
            timeout: self.common.idle_timeout(),
            lockstep: self.lockstep,
            max_clients: count(self.max_clients),
            metadata: match self.metadata {
                _ if self.needs_plain().is_some() => fanout::Metadata::Off,
                Metadata::Off => fanout::Metadata::Off,
                Metadata::OnRequest => fanout::Metadata::OnRequest,
                Metadata::On => fanout::Metadata::On,
            },
        }
    }
}

pub static PROPERTIES: Lazy<Vec<Property<SinkSettings>>> = Lazy::new(|| {
    let mut properties = common_properties();
    properties.extend(own_properties());
    properties.extend(limits());
    properties.extend(metadata_properties());
    properties
});

impl Settings for SinkSettings {
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

fn own_properties() -> [Property<SinkSettings>; 8] {
    [
        Property::time(
            "timeout",
            "Give up a client that takes no byte for this long while bytes wait for it, in nanoseconds \
             (0 = never)",
            InReady,
            |s| s.common.timeout,
            |s, timeout| s.common.timeout = timeout,
        ),
        Property::boolean(
            "wait-for-connection",
            "mode=listen: hold the stream while no client is connected, so that a source that drops nothing has old \
             frames for the next; false = frames pass by unsent",
            Always,
            |s| s.wait_for_connection,
            |s, wait| s.wait_for_connection = wait,
        ),
        Property::boolean(
            "lockstep",
            "Take turns: send one frame for each that the source with the same connection-id received, \
             after a first one with mode=connect; between turns only the newest frame is kept",
            InReady,
            |s| s.lockstep,
            |s, lockstep| s.lockstep = lockstep,
        ),
        Property::choice(
            "overflow",
            "What happens when a client is slower than the stream, so that more than max-size-buffers, \
             max-size-bytes or max-size-time of it would wait for that client; drop also clears a queue that stands, \
             with two frames or more waiting all the time for 500 ms, to the newest frame that can be shown",
            Always,
            |s| s.overflow,
            |s, overflow| s.overflow = overflow,
        ),
        Property::choice(
            "sync-method",
            "Where a client that joins starts; one that lost frames always resumes with a keyframe, a \
             buffer without DELTA_UNIT",
            Always,
            |s| s.sync_method,
            |s, method| s.sync_method = method,
        ),
        Property::boolean(
            "request-keyframes",
            "Ask upstream for a keyframe (GstForceKeyUnit), at most once a second, when a client waits \
             for one",
            Always,
            |s| s.request_keyframes,
            |s, request| s.request_keyframes = request,
        ),
        Property::uint(
            "max-clients",
            "mode=listen: refuse more clients than this (0 = no limit)",
            Always,
            0..=u32::MAX,
            |s| s.max_clients,
            |s, max| s.max_clients = max,
        ),
        Property::boolean(
            "eos-frame",
            "At the end of the stream, send a frame of length 0 to each client before the connection ends, for \
             receivers that wait for one",
            InReady,
            |s| s.eos_frame,
            |s, eos_frame| s.eos_frame = eos_frame,
        ),
    ]
}

fn metadata_properties() -> [Property<SinkSettings>; 2] {
    [
        Property::choice(
            "metadata",
            "Which peers are told what the frames are: caps, times, flags, tags, events and the end of the stream, as \
             records between the frames. Not with lockstep, a preamble, or a header other than 8 decimal digits. \
             With on-request a peer has 20 ms and two round trips, 500 ms at most, to ask before it gets its first \
             frame",
            InReady,
            |s| s.metadata,
            |s, metadata| s.metadata = metadata,
        ),
        Property::custom(
            glib::ParamSpecFlags::builder::<AcceptEvents>("accept-events")
                .blurb(
                    "Which events of peers that are told what the frames are go upstream: at most 100 a second of each \
                     peer, and of keyframe requests one a second (none = their requests are passed over)",
                )
                .default_value(SinkSettings::default().accept_events)
                .flags(InReady.flags())
                .build(),
            |s: &SinkSettings| s.accept_events.to_value(),
            |s, value| {
                s.accept_events = value.get().map_err(wrong_type)?;
                Ok(())
            },
        ),
    ]
}

fn limits() -> [Property<SinkSettings>; 3] {
    [
        Property::uint(
            "max-size-buffers",
            "How many buffers may wait for a client before overflow applies to it (0 = no limit by number)",
            Always,
            0..=u32::MAX,
            |s| s.max_size_buffers,
            |s, max| s.max_size_buffers = max,
        ),
        Property::uint(
            "max-size-bytes",
            "How many bytes may wait for a client before overflow applies to it (0 = no limit by bytes)",
            Always,
            0..=u32::MAX,
            |s| s.max_size_bytes,
            |s, max| s.max_size_bytes = max,
        ),
        Property::time(
            "max-size-time",
            "How far a client may fall behind before overflow applies to it, in nanoseconds, \
             500000000 = 0.5 s (0 = no limit by time)",
            Always,
            |s| s.max_size_time,
            |s, max| s.max_size_time = max,
        ),
    ]
}
