// SPDX-License-Identifier: MPL-2.0
//! What GLib and GStreamer call critical is a fault in a program, and ends a test.

#[allow(
    dead_code,
    unused_imports,
    reason = "the helpers serve the other tests too"
)]
mod support;

use gst::glib;
use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use support::*;

const LEVEL: &str = "VIDEOSOCKET_TEST_LEVEL";

#[test]
fn a_critical_ends_a_test() {
    if let Ok(level) = env::var(LEVEL) {
        return log(&level);
    }
    assert!(with_log("critical").status.signal().is_some());
    let warned = with_log("warning");
    assert!(warned.status.success(), "{warned:?}");
}

/// This test in a process of its own.
fn with_log(level: &str) -> Output {
    Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "a_critical_ends_a_test"])
        .env(LEVEL, level)
        .env_remove("G_DEBUG")
        .output()
        .expect("another process")
}

fn log(level: &str) {
    init();
    match level {
        "critical" => glib::g_critical!("videosocket-test", "as a test wants it"),
        _ => glib::g_warning!("videosocket-test", "as a test wants it"),
    }
}
