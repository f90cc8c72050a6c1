//! The wire module against its reference, over generated input, and against docs/PROTOCOL.md.

#[path = "support/wire_check.rs"]
mod wire_check;

use proptest::{collection::vec, prelude::*, sample::select};

use gstvideosocket::wire::{Decoder, HeaderFormat};
use wire_check::Ending;

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

#[test]
fn the_vectors_of_the_protocol_page() {
    let page = include_str!("../docs/PROTOCOL.md");
    let (_, list) = page.split_once("```vectors\n").unwrap();
    let (list, _) = list.split_once("```").unwrap();
    for line in list.lines() {
        let [format, stream, payloads, ending] = line
            .split('|')
            .map(str::trim)
            .collect::<Vec<_>>()
            .try_into()
            .unwrap();
        let stream = hex(stream);
        let payloads: Vec<_> = payloads.split_whitespace().map(hex).collect();
        for piece in [1, stream.len()] {
            let decoder = Decoder::new(format_named(format), 99_999_999, 4096);
            let (frames, end) = wire_check::decode(decoder, &stream, std::iter::repeat(piece));
            assert_eq!(frames, payloads, "{line}");
            let end = match end {
                Ending::Clean => "end",
                Ending::Truncated(_) => "truncated",
                Ending::Malformed(_) | Ending::TooLong { .. } => "bad",
            };
            assert_eq!(end, ending, "{line}");
        }
    }
}

fn format_named(name: &str) -> HeaderFormat {
    match name {
        "u16be" => HeaderFormat::U16Be,
        "u16le" => HeaderFormat::U16Le,
        "u32be" => HeaderFormat::U32Be,
        "u32le" => HeaderFormat::U32Le,
        "u64be" => HeaderFormat::U64Be,
        "u64le" => HeaderFormat::U64Le,
        "varint" => HeaderFormat::Varint,
        decimal => {
            HeaderFormat::Decimal(decimal.strip_prefix("decimal:").unwrap().parse().unwrap())
        }
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] << 4 | pair[1]) as u8)
        .collect()
}
