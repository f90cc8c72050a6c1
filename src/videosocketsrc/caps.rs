// SPDX-License-Identifier: MPL-2.0
//! What the frames are, where the user has not said.

use gst::{glib::translate::IntoGlib, prelude::*};
use gst_base::prelude::*;
use once_cell::sync::Lazy;

use super::{CAT, VideoSocketSrc, raw};

/// Loads what finds types. To do so with the first frame would make a live stream fall behind.
pub fn load_typefinders() {
    Lazy::force(&TYPEFINDERS);
}

static TYPEFINDERS: Lazy<()> = Lazy::new(|| {
    for factory in &gst::TypeFindFactory::factories() {
        if let Err(error) = factory.load() {
            gst::debug!(CAT, obj = factory, "Not loaded: {error}");
        }
    }
});

/// Typefinders take many a raw frame for what it is not, most often MPEG audio. These types are beyond doubt
/// although their typefinders are not always certain.
const BELIEVED_IF_LIKELY: [&str; 4] = ["image/jpeg", "image/png", "video/x-h264", "video/x-h265"];

/// A single byte is enough for its typefinder to be certain.
const NEVER_BELIEVED: &str = "application/x-subtitle-lrc";

/// What is shorter is no picture and no sound, but a message in some program's own form.
const SHORTEST_RAW_FRAME: usize = 64;

/// Without caps from the user, those of the first frame, where they are beyond doubt and downstream takes them:
/// not everything downstream has a typefinder. Returns the type that downstream does not take.
pub fn find(source: &VideoSocketSrc, buffer: &gst::Buffer) -> Option<String> {
    let pad = source.src_pad();
    let found = gst_base::functions::type_find_helper_for_buffer(Some(source), buffer);
    match found.or_else(|unknown| transport_stream(buffer).ok_or(unknown)) {
        Ok((caps, probability)) if is_certain(&caps, probability) => {
            gst::info!(CAT, obj = source, "The frames are {caps}");
            if !pad.peer_query_accept_caps(&caps) {
                return caps.structure(0).map(|caps| caps.name().to_string());
            }
            if let Err(error) = source.set_caps(&caps) {
                gst::warning!(CAT, obj = source, "Downstream refuses {caps}: {error}");
            } else {
                // Downstream has been asked what memory it wants, but not for these caps.
                pad.mark_reconfigure();
            }
        }
        found => {
            gst::debug!(
                CAT,
                obj = source,
                "The frames have no known type: {found:?}"
            );
            if buffer.size() >= SHORTEST_RAW_FRAME {
                warn_of_silence(source);
            }
        }
    }
    None
}

/// Its typefinder wants several packets, and muxers push them one by one. The first is the table of programs.
fn transport_stream(buffer: &gst::Buffer) -> Option<(gst::Caps, gst::TypeFindProbability)> {
    const PACKET: usize = 188;
    const TABLE_OF_PROGRAMS: [u8; 3] = [0x47, 0x40, 0x00];
    let bytes = buffer.map_readable().ok()?;
    let is_one = bytes.len() % PACKET == 0 && bytes.starts_with(&TABLE_OF_PROGRAMS);
    let caps = gst::Caps::builder("video/mpegts")
        .field("systemstream", true)
        .field("packetsize", PACKET as i32);
    is_one.then(|| (caps.build(), gst::TypeFindProbability::Maximum))
}

fn is_certain(caps: &gst::Caps, probability: gst::TypeFindProbability) -> bool {
    use gst::TypeFindProbability::{Likely, NearlyCertain};
    let Some(name) = caps.structure(0).map(gst::StructureRef::name) else {
        return false;
    };
    match name.as_str() {
        NEVER_BELIEVED => false,
        name if BELIEVED_IF_LIKELY.contains(&name) => probability >= Likely,
        _ => probability >= NearlyCertain,
    }
}

/// What takes frames of any kind may go on looking for their type, and never say that it finds none. Everything
/// else has caps of its own for them, or ends the stream.
fn warn_of_silence(source: &VideoSocketSrc) {
    let downstream = source.src_pad().peer_query_caps(None);
    if downstream.is_any() {
        gst::element_warning!(
            source,
            gst::StreamError::TypeNotFound,
            (
                "The first frame has no type that can be found out. If nothing comes out downstream, set caps, \
                 for example caps={}",
                raw::example(&downstream)
            )
        );
    }
}

/// Whether it is for want of caps that the stream has ended.
pub fn are_missing(source: &VideoSocketSrc, error: &gst::message::Error) -> bool {
    is_not_negotiated(error) && !source.src_pad().has_current_caps()
}

/// In place of the base class's error, which says "not-negotiated".
pub fn missing(
    source: &VideoSocketSrc,
    error: &gst::message::Error,
    untaken_type: Option<String>,
) -> gst::Message {
    let (code, text) = match untaken_type {
        Some(name) => (
            gst::StreamError::WrongType,
            format!(
                "The frames are {name}, which downstream does not take: put a decoder in between, \
                 for example decodebin3, or set caps if they are something else"
            ),
        ),
        None => (
            gst::StreamError::TypeNotFound,
            format!(
                "The frames have no type that can be found out, and downstream needs caps: set caps, \
                 for example caps={}",
                raw::example(&source.src_pad().peer_query_caps(None))
            ),
        ),
    };
    gst::message::Error::builder(code, &text)
        .debug_if_some(error.debug().as_deref())
        .details_if_some(error.details().map(ToOwned::to_owned))
        .src(source)
        .build()
}

fn is_not_negotiated(error: &gst::message::Error) -> bool {
    let details = error.details();
    let flow = details.and_then(|details| details.get::<i32>("flow-return").ok());
    flow == Some(gst::FlowError::NotNegotiated.into_glib())
}
