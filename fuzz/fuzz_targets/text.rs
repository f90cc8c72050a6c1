// SPDX-License-Identifier: MPL-2.0
//! Any text of a structure, caps or tags: what passes the checker, GStreamer parses without complaint, and soon.

#![no_main]

use checks::text_check::{self, TOKENS};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    text_check::parse(input);
    text_check::parse(&checks::words(input, &TOKENS));
});
