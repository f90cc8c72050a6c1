// SPDX-License-Identifier: MPL-2.0
//! Any payload as each record, and any stream with records in any pieces.

#![no_main]

use arbitrary::Arbitrary;
use checks::wire_check::{self, Part};
use gstvideosocket::wire::record::RecordKind;
use libfuzzer_sys::fuzz_target;

/// Parts spare the fuzzer the guessing of each head; the tail lets it guess after all.
#[derive(Arbitrary, Debug)]
struct Input<'a> {
    payload: &'a [u8],
    max_frame_size: u16,
    ahead: u16,
    parts: Vec<InputPart>,
    pieces: [u16; 8],
    tail: &'a [u8],
}

#[derive(Arbitrary, Debug)]
enum InputPart {
    Frame(u16),
    Good(u8),
    Any(u8, Vec<u8>),
    Bytes(Vec<u8>),
}

impl From<InputPart> for Part {
    fn from(part: InputPart) -> Self {
        match part {
            InputPart::Frame(len) => Self::Frame(len.into()),
            InputPart::Good(number) => Self::Good(number),
            InputPart::Any(letter, payload) => Self::Any { letter, payload },
            InputPart::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

fuzz_target!(|input: Input<'_>| {
    for kind in RecordKind::ALL {
        wire_check::record(kind, input.payload);
    }
    let parts: Vec<_> = input.parts.into_iter().map(Part::from).collect();
    let mut stream = wire_check::stream_of(&parts);
    stream.extend_from_slice(input.tail);
    wire_check::records(
        input.max_frame_size.into(),
        input.ahead.into(),
        &stream,
        input.pieces.map(usize::from).into_iter(),
    );
});
