// SPDX-License-Identifier: MPL-2.0
//! What GLib and GStreamer complain of, counted on each thread.

use std::cell::Cell;

use gst::glib::{self, LogLevel};

thread_local! {
    static COMPLAINTS: Cell<usize> = const { Cell::new(0) };
}

/// From now on they are counted, and shown.
pub fn count() {
    glib::log_set_default_handler(|_, level, message| {
        if matches!(
            level,
            LogLevel::Error | LogLevel::Critical | LogLevel::Warning
        ) {
            eprintln!("{message}");
            COMPLAINTS.set(COMPLAINTS.get() + 1);
        }
    });
}

/// So many since this thread asked last.
pub fn take() -> usize {
    COMPLAINTS.take()
}
