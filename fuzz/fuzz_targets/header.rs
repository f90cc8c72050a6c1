//! Any bytes as a header, any number as a length.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u64, &[u8])| {
    let (format, len, bytes) = input;
    let format = wire_check::format(format);
    wire_check::length(format, len);
    wire_check::header(format, bytes);
});
