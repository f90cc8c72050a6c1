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

/// Without caps from the user, those of the first frame, where they are beyond doubt and downstream takes them:
/// not everything downstream has a typefinder. Returns the type that downstream does not take.
pub fn find(source: &VideoSocketSrc, buffer: &gst::Buffer) -> Option<String> {
    let pad = source.src_pad();
    let found = gst_base::functions::type_find_helper_for_buffer(Some(source), buffer);
    match found {
        Ok((caps, probability)) if probability >= gst::TypeFindProbability::Likely => {
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
        found => gst::debug!(
            CAT,
            obj = source,
            "The frames have no known type: {found:?}"
        ),
    }
    None
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
