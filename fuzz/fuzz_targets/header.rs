// SPDX-License-Identifier: MPL-2.0
//! Any bytes as a header, any number as a length.

#![no_main]

use checks::wire_check;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: ((u8, u8, u8, i8), u64, &[u8])| {
    let (form, len, bytes) = input;
    let form = wire_check::Form::any(form);
    wire_check::length(form, len);
    wire_check::header(form, bytes);
});
