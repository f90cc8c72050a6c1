//! The wire module against its reference, over generated input.

#[path = "support/wire_check.rs"]
mod wire_check;

use proptest::{collection::vec, prelude::*, sample::select};

use gstvideosocket::wire::HeaderFormat;

proptest! {
    #[test]
    fn any_bytes_as_a_header(format in format(), bytes in vec(any::<u8>(), 0..24)) {
        wire_check::header(format, &bytes);
    }

    #[test]
    fn nearly_decimal_bytes_as_a_header(digits in 1..=20u8, bytes in nearly_decimal()) {
        wire_check::header(HeaderFormat::Decimal(digits), &bytes);
    }

    #[test]
    fn many_varint_groups_as_a_header(bytes in vec(prop_oneof![9 => 0x80u8.., 1 => ..4u8], 0..12)) {
        wire_check::header(HeaderFormat::Varint, &bytes);
    }

    #[test]
    fn any_length_comes_back_or_is_refused(
        format in format(),
        number in any::<u64>(),
        bits in 0..64,
    ) {
        wire_check::length(format, number >> bits);
    }

    #[test]
    fn pieces_do_not_matter(
        format in format(),
        max_frame_size in prop_oneof![0..20u64, 0..40_000u64, Just(99_999_999)],
        ahead in 0..70_000usize,
        lens in vec(prop_oneof![0..20usize, 0..40_000usize], 0..6),
        tail in prop_oneof![vec(any::<u8>(), 0..40), nearly_decimal()],
        pieces in vec(prop_oneof![1..30usize, 1..70_000usize], 1..10),
    ) {
        let stream = wire_check::stream(format, &lens, &tail);
        wire_check::decoder(format, max_frame_size, ahead, &stream, pieces.into_iter().cycle());
    }
}

fn format() -> impl Strategy<Value = HeaderFormat> {
    any::<u8>().prop_map(wire_check::format)
}

/// Digits and padding, and now and then what number parsers let through.
fn nearly_decimal() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        20 => b'0'..=b'9',
        10 => Just(b' '),
        1 => select(&b"+-_.\t\0\xb2"[..]),
    ];
    vec(byte, 0..24)
}
