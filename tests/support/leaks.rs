// SPDX-License-Identifier: MPL-2.0
//! What GStreamer's `leaks` tracer finds, where it is switched on: it tells when GStreamer comes to its end, which no
//! test waits for.

use std::env;

/// Has GStreamer come to its end behind the last test.
#[allow(unsafe_code, reason = "neither has a safe interface")]
pub fn tell_at_exit() {
    extern "C" fn deinit() {
        // SAFETY: nothing of GStreamer is used after the last test.
        unsafe { gst::deinit() };
    }
    let is_traced = env::var("GST_TRACERS").is_ok_and(|tracers| tracers.contains("leaks"));
    if is_traced {
        // SAFETY: it is called once, on a thread that has no more to do.
        unsafe { libc::atexit(deinit) };
    }
}
