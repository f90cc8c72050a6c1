// SPDX-License-Identifier: MPL-2.0
//! What the checker of text lets through does GStreamer no harm: it is parsed without complaint, and soon.
//!
//! Property tests and a fuzz target call [`parse`].

use std::{
    str::{self, FromStr},
    sync::Once,
    time::Duration,
};

use gst::{glib, prelude::*};
use nix::time::{ClockId, clock_gettime};

use gstvideosocket::wire::StructureText;

use crate::complaints;

/// The longest text of a record.
pub const LIMIT: usize = 256 * 1024;

/// What parsing the longest takes on a slow machine.
const MAX_TIME: Duration = Duration::from_millis(3 * 10);

/// What structures are made of, and what GStreamer is known to stumble over.
pub const TOKENS: [&str; 67] = [
    "a",
    "a",
    "b",
    ",",
    ", ",
    ",",
    "=",
    "=",
    "=",
    ", a=",
    ", b=",
    ";",
    " ",
    "\"",
    "\\",
    "[",
    "]",
    "{",
    "}",
    "<",
    ">",
    "(",
    ")",
    "1",
    "0",
    "-1",
    "2147483648",
    "-2147483648",
    "/1",
    "/0",
    "1/2",
    "99999999999999999999",
    "1e999",
    "nan",
    "0x7",
    "0:ffffffff",
    "+a/b",
    "true",
    "NULL",
    "min",
    "video/x-raw",
    "(memory:A)",
    "(int)",
    "(uint64)",
    "(double)",
    "(string)",
    "(string)\"",
    "\\1",
    "(fraction)",
    "(structure)",
    "(structure)[a",
    "(GstCaps)",
    "(GstCaps)[a",
    "(buffer)",
    "(date)",
    "(datetime)",
    "(flagset)",
    "2026-13-32",
    "2026-11-24T24:61:60.5+99:99",
    "é",
    "\t",
    "(GstVideoMultiviewFlagsSet)",
    "\\377",
    "\\303\\251",
    "video/x-raw-",
    "taglist",
    ", title=(string)",
];

/// Panics where text passes that GStreamer complains of, or takes long over.
pub fn parse(bytes: &[u8]) {
    static INIT: Once = Once::new();
    INIT.call_once(init);
    if StructureText::new(bytes, LIMIT).is_err() {
        return;
    }
    let text = str::from_utf8(bytes).expect("what passes is text");
    let before = cpu_time();
    let _ = gst::Structure::from_str(text);
    if text.starts_with("taglist") {
        let _ = glib::Value::deserialize(text, gst::TagList::static_type());
    }
    let _ = gst::Caps::from_str(text).map(|caps| caps.is_fixed());
    let took = cpu_time() - before;
    assert!(took < MAX_TIME, "{took:?}: {text:.100}");
    assert_eq!(complaints::take(), 0, "{text}");
}

fn init() {
    gst::init().unwrap();
    complaints::count();
}

/// Of this thread: a busy machine does not stretch it.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .unwrap()
        .into()
}
