// SPDX-License-Identifier: MPL-2.0
//! Any stream in any pieces.

#![no_main]

use arbitrary::Arbitrary;
use checks::wire_check;
use libfuzzer_sys::fuzz_target;

/// The stream begins with a few whole frames, so that the fuzzer need not guess each header. The
/// numbers are small enough for many runs a second, and large enough for every path.
#[derive(Arbitrary, Debug)]
struct Input<'a> {
    form: (u8, u8, u8, i8),
    preamble: u8,
    /// What was announced, and does not come.
    more_preamble: u8,
    max_frame_size: u16,
    ahead: u16,
    frames: [u16; 3],
    pieces: [u16; 8],
    tail: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let form = wire_check::Form::any(input.form);
    let preamble = vec![b'0'; input.preamble.into()];
    let frames = input.frames.map(usize::from);
    let stream = wire_check::stream(form, &preamble, &frames, input.tail);
    wire_check::decoder(
        form,
        preamble.len() + usize::from(input.more_preamble),
        input.max_frame_size.into(),
        input.ahead.into(),
        &stream,
        input.pieces.map(usize::from).into_iter(),
    );
});
