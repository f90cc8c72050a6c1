//! What the bindings of the base class lack.

#![allow(unsafe_code)]

use gst::{glib::translate::*, prelude::*};
use gst_base::ffi;

/// Waits, if the sink has to preroll, until it plays. For the event handler, in which the base class holds
/// its preroll lock.
pub fn preroll(
    sink: &impl IsA<gst_base::BaseSink>,
    event: &gst::Event,
) -> Result<gst::FlowSuccess, gst::FlowError> {
    // SAFETY: both pointers are those of live objects, which the call does not keep, and an event is a
    // mini object. The lock that the call asks for is held around the only handler it is made in.
    unsafe {
        try_from_glib(ffi::gst_base_sink_do_preroll(
            sink.upcast_ref().as_ptr(),
            event.as_mut_ptr().cast::<gst::ffi::GstMiniObject>(),
        ))
    }
}
