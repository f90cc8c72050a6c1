// SPDX-License-Identifier: MPL-2.0
//! # videosocketsrc
//!
//! Receives length-prefixed frames over TCP and pushes each as one buffer.
//!
//! ```text
//! 00000005hello00000003abc        on the wire: 8 ASCII digits, then the payload
//!         \___/        \_/        downstream: two buffers, of 5 and of 3 bytes
//! ```
//!
//! Show the pictures that some program sends, and typefinding finds out what they are:
//!
//! ```sh
//! gst-launch-1.0 videosocketsrc mode=listen ! decodebin3 ! autovideosink
//! ```
//!
//! Ask a `videosocketsink mode=listen` what its frames are. They come with its caps, times, flags, tags, events and
//! metas, and it is asked for keyframes:
//!
//! ```sh
//! gst-launch-1.0 videosocketsrc host=OTHER-MACHINE metadata=request ! videoconvert ! autovideosink
//! ```
//!
//! A sink with `metadata=on` tells without being asked. `timestamps=arrival` stamps frames when they come, whatever the
//! sender says; `latency` is how much later than the fastest one a frame may come without being late.
//!
//! Receive raw video from a program, which needs to be told what it is:
//!
//! ```sh
//! gst-launch-1.0 videosocketsrc host=OTHER-MACHINE reconnect=true \
//!     caps=video/x-raw,format=I420,width=640,height=480,framerate=30/1 ! videoconvert ! autovideosink
//! ```
//!
//! Frames of raw video are received into buffers of the pool that downstream proposes, if it proposes one
//! whose buffers lie in memory as frames come: rows and planes one after the other, without padding.
//! Other frames come in memory of the element's own, aligned as downstream asks.
//!
//! In code:
//!
//! ```
//! use gst::prelude::*;
//!
//! gst::init()?;
//! gstvideosocket::plugin_register_static()?;
//! let src = gst::ElementFactory::make("videosocketsrc")
//!     .property_from_str("mode", "listen")
//!     .property("port", 0u32)
//!     .build()?;
//! src.set_state(gst::State::Paused)?;
//! println!("listening on port {}", src.property::<u32>("current-port"));
//! # src.set_state(gst::State::Null)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use gst::{glib, prelude::*};
use once_cell::sync::Lazy;

mod allocation;
mod batch;
mod caps;
mod described;
mod imp;
mod layout;
mod premature;
mod raw;
mod receiving;
mod records;
mod reporter;
mod settings;
mod timing;
mod unlocking;

static CAT: Lazy<gst::DebugCategory> = Lazy::new(|| {
    gst::DebugCategory::new(
        "videosocketsrc",
        gst::DebugColorFlags::empty(),
        Some("Receives length-prefixed frames over TCP"),
    )
});

glib::wrapper! {
    /// The element.
    pub struct VideoSocketSrc(ObjectSubclass<imp::VideoSocketSrc>)
        @extends gst_base::PushSrc, gst_base::BaseSrc, gst::Element, gst::Object,
        @implements gst::URIHandler;
}

/// Makes the element known under its name.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    imp::register_types();
    gst::Element::register(
        Some(plugin),
        "videosocketsrc",
        gst::Rank::NONE,
        VideoSocketSrc::static_type(),
    )
}
