// SPDX-License-Identifier: MPL-2.0
//! GStreamer elements that move length-prefixed frames over TCP: [`videosocketsink`] and
//! [`videosocketsrc`].
//!
//! One buffer is one frame, and one frame is 8 ASCII digits, the payload's length in bytes, followed by
//! the payload. [`wire`] has the details, and is of use without GStreamer as well.
//!
//! A program that links this crate has the elements without a plugin to install:
//!
//! ```toml
//! [dependencies]
//! gst = { package = "gstreamer", version = "0.25" }
//! gst-plugin-videosocket = "0.2"
//! ```
//!
//! ```rust,no_run
//! use gst::prelude::*;
//!
//! /// Sends five pictures to whom the command line names: videosocket://localhost:4953
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let uri = std::env::args().nth(1).ok_or("whom to send to?")?;
//!     gst::init()?;
//!     gstvideosocket::plugin_register_static()?;
//!     let pipeline = gst::parse::launch(&format!(
//!         "videotestsrc num-buffers=5 ! jpegenc ! videosocketsink uri={uri}"
//!     ))?;
//!     pipeline.set_state(gst::State::Playing)?;
//!     let bus = pipeline.bus().ok_or("a pipeline has a bus")?;
//!     let end = [gst::MessageType::Eos, gst::MessageType::Error];
//!     let last = bus.timed_pop_filtered(gst::ClockTime::NONE, &end);
//!     pipeline.set_state(gst::State::Null)?;
//!     match last.as_ref().map(|message| message.view()) {
//!         Some(gst::MessageView::Error(error)) => Err(error.error().message().into()),
//!         _ => Ok(()),
//!     }
//! }
//! ```

#![deny(unsafe_code)]

#[cfg(not(unix))]
compile_error!(
    "videosocket sends and receives by the socket calls of Unix: it builds on Linux, macOS and the BSDs, not here"
);

use gst::glib;

mod asked;
#[cfg(not(fuzzing))]
mod fanout;
#[cfg(fuzzing)]
pub mod fanout;
mod fault;
mod frames;
mod lock;
mod messages;
#[cfg(not(fuzzing))]
mod metadata;
#[cfg(fuzzing)]
pub mod metadata;
mod net;
mod progress;
mod recurring;
mod settings;
mod shared;
#[cfg(test)]
mod test_clocks;
mod told;
mod transport;
pub mod videosocketsink;
pub mod videosocketsrc;
pub mod wire;

fn plugin_init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    settings::register_types();
    videosocketsink::register(plugin)?;
    videosocketsrc::register(plugin)
}

gst::plugin_define!(
    videosocket,
    env!("CARGO_PKG_DESCRIPTION"),
    plugin_init,
    concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
    "MPL-2.0",
    env!("CARGO_PKG_NAME"),
    env!("CARGO_PKG_NAME"),
    // As GStreamer says it where there is none.
    "Unknown package origin",
    env!("BUILD_REL_DATE")
);
