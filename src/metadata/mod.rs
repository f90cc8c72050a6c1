// SPDX-License-Identifier: MPL-2.0
//! Between GStreamer and the [records](crate::wire::record): what a stream is, described for the peer and
//! restored from what the peer says.
//!
//! Only values and functions without state, but for the [number of names](names) that peers have brought.
//! What has no form in a record is left out. What a peer sends is not believed: it is restored
//! only where GStreamer takes it without complaint, and is a [`RestoreError`] otherwise.

use gst::glib;
use once_cell::sync::Lazy;

mod buffer;
pub mod clock;
pub mod describe;
mod error;
mod metas;
mod names;
mod pieces;
mod raw;
pub mod restore;
mod upstream;

pub use error::RestoreError;
pub use pieces::comes_in_pieces;
pub use raw::video as raw_video;

static CAT: Lazy<gst::DebugCategory> = Lazy::new(|| {
    gst::DebugCategory::new(
        "videosocketmetadata",
        gst::DebugColorFlags::empty(),
        Some("What streams say of themselves"),
    )
});

#[cfg(test)]
mod tests;

type Segment = gst::FormattedSegment<gst::ClockTime>;

/// What is written between the names and the values of GStreamer, and read by it.
const FORCE_KEY_UNIT: &glib::GStr = glib::gstr!("GstForceKeyUnit");
const STILL_FRAME: &glib::GStr = glib::gstr!("GstEventStillFrame");
const NAVIGATION: &glib::GStr = glib::gstr!("application/x-gst-navigation");

/// Events of applications: with these names no element does anything on its own.
const OF_APPLICATIONS: &str = "application/";
