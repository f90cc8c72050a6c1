// SPDX-License-Identifier: MPL-2.0
//! # videosocketsink
//!
//! Sends every buffer as one length-prefixed frame over TCP.
//!
//! ```text
//! upstream: two buffers, of 5 and of 3 bytes
//!         /---\        /-\
//! 00000005hello00000003abc        on the wire: 8 ASCII digits, then the payload
//! ```
//!
//! Send JPEG pictures to a program that listens on another machine:
//!
//! ```sh
//! gst-launch-1.0 v4l2src ! jpegenc ! videosocketsink host=OTHER-MACHINE
//! ```
//!
//! Serve H.264 to any number of clients, each of which starts with a keyframe:
//!
//! ```sh
//! gst-launch-1.0 v4l2src ! videoconvert ! x264enc tune=zerolatency ! h264parse config-interval=-1 ! \
//!     video/x-h264,stream-format=byte-stream,alignment=au ! videosocketsink mode=listen host='*'
//! ```
//!
//! Tell `videosocketsrc` what the frames are, so that raw video needs no `caps` there: caps, times, flags, tags, events
//! and metas go along, and requests for keyframes come back.
//!
//! ```sh
//! gst-launch-1.0 videotestsrc is-live=true ! videosocketsink metadata=on
//! ```
//!
//! With `metadata=on-request`, as it is if nothing else is said, those are told that ask, as `videosocketsrc
//! metadata=request` does, and all others get frames alone. `accept-events` says which requests go upstream.
//!
//! Signals, emitted from a thread of the element's own. A handler may call back into the element and take its time:
//! what is told next waits for it, and who is to be let in by `client-connecting`, but no frame and no other client. A
//! stop waits for handlers too, 50 ms at most: one that takes longer goes on, and the others follow, while the
//! application goes on as well, so that what they use is to be theirs (`GClosure` data with a destroy notify, `Arc`).
//!
//! | signal | arguments | |
//! |---|---|---|
//! | `client-added` | `id`: `u64`, `address`: `GSocketAddress` | a client has joined, or the peer is connected to |
//! | `client-removed` | `id`: `u64`, `reason`: `GstVideoSocketRemoveReason`, `stats`: `GstStructure` | it is none any more; `reason` is `closed`, `failed`, `too-slow`, `timeout`, `eos`, `removed` or `stopped`, `stats` its entry in the `clients` of the property `stats`, with the sentence `cause` where a fault is told |
//! | `client-connecting` | `address`: `GSocketAddress` | a client wants to join: return false to refuse it. With TLS the property `connecting-certificate` has the certificate that it has shown meanwhile, `subject` and `sha256` |
//! | `disconnect-client` | `id`: `u64` | an action: removes the client, returns whether there was one of this number |
//!
//! The number `id` counts the element's connections from 1, also over a stop. The address is none where it is not
//! known. Where more than a thousand events wait for a handler, clients that have come and gone meanwhile are passed
//! over, of which the debug log tells: each `client-added` is followed by its `client-removed`, or both are missing.
//! Messages on the bus keep to the same.
//!
//! With `tls=true` a client that connects has 10 s for the handshake, which holds up no other and comes before
//! `client-connecting`; one that fails is a warning that says why. What TLS has taken of a frame is at most 64 kB that
//! the kernel has not, and counts as begun.
//!
//! A frame goes out as it comes. Only where more than 32 frames of less than 64 kB follow one another within 20 µs
//! each, as from a file or a list, what comes then is sent together, and waits 1.5 ms at most. Between processes
//! of one host BBR, which paces, gives way to Reno.
//!
//! Frames that are dropped for a client are counted in `stats`, and each time a QoS message on the bus says how many
//! there are. Where frames may be dropped they wait in the element, not in the kernel. The end of the stream waits
//! until every client has what was queued for it; with `overflow` `drop` or `disconnect` a client that takes nothing
//! for 2 s holds it up no longer. A flush, such as a seek makes, takes the end back: what follows is sent to clients
//! that come, or by a sink that connects over another connection, also without `reconnect`.
//!
//! A client falls behind from when it joins: what it is given then, as with `sync-method=latest-keyframe` the frames
//! since the last keyframe, is not late however old it is. It has `max-size-time` to take that, and it counts among
//! `max-size-buffers` and `max-size-bytes` when as much has followed.
//!
//! In code:
//!
//! ```
//! use gst::prelude::*;
//!
//! gst::init()?;
//! gstvideosocket::plugin_register_static()?;
//! let sink = gst::ElementFactory::make("videosocketsink")
//!     .property_from_str("mode", "listen")
//!     .property("port", 0u32)
//!     .build()?;
//! sink.connect("client-added", false, |values| {
//!     println!("client {} has joined", values[1].get::<u64>().unwrap());
//!     None
//! });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use gst::{glib, prelude::*};
use once_cell::sync::Lazy;

mod decoder_settings;
mod describing;
mod imp;
mod liveness;
mod pieces;
mod preroll;
mod reporter;
mod requests;
mod sending;
mod settings;
mod stream;

static CAT: Lazy<gst::DebugCategory> = Lazy::new(|| {
    gst::DebugCategory::new(
        "videosocketsink",
        gst::DebugColorFlags::empty(),
        Some("Sends length-prefixed frames over TCP"),
    )
});

glib::wrapper! {
    /// The element.
    pub struct VideoSocketSink(ObjectSubclass<imp::VideoSocketSink>)
        @extends gst_base::BaseSink, gst::Element, gst::Object,
        @implements gst::URIHandler;
}

/// Makes the element known under its name.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    imp::register_types();
    gst::Element::register(
        Some(plugin),
        "videosocketsink",
        gst::Rank::NONE,
        VideoSocketSink::static_type(),
    )
}
