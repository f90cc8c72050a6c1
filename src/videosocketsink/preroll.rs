// SPDX-License-Identifier: MPL-2.0
//! The base class's preroll lock. It is held while the base class renders a buffer or handles an event,
//! and whoever changes the state needs it.

#![allow(unsafe_code)]

use std::thread;

use gst::{
    glib::{self, translate::*},
    prelude::*,
};
use gst_base::{ffi, prelude::*};

/// After an interruption: lets a state change through, and waits until the sink plays again. For rendering.
pub fn wait_until_playing(
    sink: &impl IsA<gst_base::BaseSink>,
) -> Result<gst::FlowSuccess, gst::FlowError> {
    loop {
        let result = sink.wait_preroll()?;
        // It may have been made to play and to pause again before this thread got to run.
        if !needs_preroll(sink) {
            return Ok(result);
        }
    }
}

/// Lets others have the lock, and waits until the sink plays if they have made it pause. For rendering.
pub fn yield_lock(sink: &impl IsA<gst_base::BaseSink>) -> Result<gst::FlowSuccess, gst::FlowError> {
    // As in every wait of the base class: what is being rendered is prerolled.
    set_have_preroll(sink, true);
    without_lock(sink, thread::yield_now);
    set_have_preroll(sink, false);
    if is_flushing(sink) {
        Err(gst::FlowError::Flushing)
    } else if needs_preroll(sink) {
        wait_until_playing(sink)
    } else {
        Ok(gst::FlowSuccess::Ok)
    }
}

fn is_flushing(sink: &impl IsA<gst_base::BaseSink>) -> bool {
    // SAFETY: the field of a live object, read under the lock that it is protected by.
    unsafe { (*as_ptr(sink)).flushing != glib::ffi::GFALSE }
}

fn needs_preroll(sink: &impl IsA<gst_base::BaseSink>) -> bool {
    // SAFETY: as above.
    unsafe { (*as_ptr(sink)).need_preroll != glib::ffi::GFALSE }
}

fn set_have_preroll(sink: &impl IsA<gst_base::BaseSink>, have: bool) {
    // SAFETY: as above, and written.
    unsafe { (*as_ptr(sink)).have_preroll = have.into_glib() };
}

/// Waits, if the sink has to preroll, until it plays. For the event handler.
pub fn preroll(
    sink: &impl IsA<gst_base::BaseSink>,
    event: &gst::Event,
) -> Result<gst::FlowSuccess, gst::FlowError> {
    // The base class looks for a flush only after its wait.
    if is_flushing(sink) {
        return Err(gst::FlowError::Flushing);
    }
    // SAFETY: both pointers are those of live objects, which the call does not keep, an event is a mini
    // object, and the lock that the call asks for is held.
    unsafe {
        try_from_glib(ffi::gst_base_sink_do_preroll(
            as_ptr(sink),
            event.as_mut_ptr().cast::<gst::ffi::GstMiniObject>(),
        ))
    }
}

/// Waits for something that state changes are not to wait for.
pub fn without_lock<R>(sink: &impl IsA<gst_base::BaseSink>, wait: impl FnOnce() -> R) -> R {
    // SAFETY: the lock of a live object, held by this thread, which renders a buffer or handles an event.
    unsafe { glib::ffi::g_mutex_unlock(&raw mut (*as_ptr(sink)).preroll_lock) };
    let result = wait();
    // SAFETY: as above; the base class releases it when that is done.
    unsafe { glib::ffi::g_mutex_lock(&raw mut (*as_ptr(sink)).preroll_lock) };
    result
}

fn as_ptr(sink: &impl IsA<gst_base::BaseSink>) -> *mut ffi::GstBaseSink {
    sink.upcast_ref().as_ptr()
}
