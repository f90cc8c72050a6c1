//! The wire module against its reference, over generated input, and against docs/PROTOCOL.md.

#[path = "support/wire_check.rs"]
mod wire_check;

use proptest::{collection::vec, prelude::*, sample::select};

use gstvideosocket::wire::{Decoder, LengthField, MAX_DIGITS};
use wire_check::{Ending, Form};

proptest! {
    #[test]
    fn any_bytes_as_a_header(form in form(), bytes in vec(any::<u8>(), 0..210)) {
        wire_check::header(form, &bytes);
    }

    #[test]
    fn nearly_decimal_bytes_as_a_header(digits in 1..=24u8, bytes in nearly_decimal()) {
        wire_check::header(Form::plain(LengthField::Decimal(digits)), &bytes);
    }

    #[test]
    fn any_digits_padded_to_any_width(
        digits in 0..=MAX_DIGITS,
        number in "[0-9]{1,22}",
        pad in select(vec!['0', ' ']),
        in_front in any::<bool>(),
    ) {
        let width = usize::from(digits).max(number.len());
        let padding = String::from(pad).repeat(width - number.len());
        let header = if in_front { padding + &number } else { number + &padding };
        let form = Form::plain(LengthField::Decimal(width as u8));
        wire_check::header(form, header.as_bytes());
    }

    #[test]
    fn many_varint_groups_as_a_header(bytes in vec(prop_oneof![9 => 0x80u8.., 1 => ..4u8], 0..12)) {
        wire_check::header(Form::plain(LengthField::Varint), &bytes);
    }

    #[test]
    fn any_length_comes_back_or_is_refused(
        form in form(),
        number in any::<u64>(),
        bits in 0..64,
    ) {
        wire_check::length(form, number >> bits);
    }

    #[test]
    fn pieces_do_not_matter(
        form in form(),
        max_frame_size in prop_oneof![0..20u64, 0..40_000u64, Just(99_999_999)],
        ahead in 0..70_000usize,
        lens in vec(prop_oneof![0..20usize, 0..40_000usize], 0..6),
        tail in prop_oneof![vec(any::<u8>(), 0..40), nearly_decimal()],
        pieces in vec(prop_oneof![1..30usize, 1..70_000usize], 1..10),
    ) {
        let stream = wire_check::stream(form, &lens, &tail);
        wire_check::decoder(form, max_frame_size, ahead, &stream, pieces.into_iter().cycle());
    }
}

/// Half of them plain, as most programs have them.
fn form() -> impl Strategy<Value = Form> {
    any::<(u8, u8, u8, i8, bool)>().prop_map(|(length, offset, trailer, adjustment, is_plain)| {
        let form = Form::any((length, offset, trailer, adjustment));
        if is_plain {
            Form::plain(form.length)
        } else {
            form
        }
    })
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
            let decoder = Decoder::new(form_named(format).format(), 99_999_999, 4096);
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

/// As in `u32be offset=1 trailer=2 adjustment=-4`.
fn form_named(name: &str) -> Form {
    let mut words = name.split(' ');
    let mut form = Form::plain(field_named(words.next().unwrap()));
    for (key, value) in words.map(|word| word.split_once('=').unwrap()) {
        match key {
            "offset" => form.offset = value.parse().unwrap(),
            "trailer" => form.trailer = value.parse().unwrap(),
            "adjustment" => form.adjustment = value.parse().unwrap(),
            key => panic!("{key} is no part of a header"),
        }
    }
    form
}

fn field_named(name: &str) -> LengthField {
    match name {
        "u8" => LengthField::U8,
        "u16be" => LengthField::U16Be,
        "u16le" => LengthField::U16Le,
        "u24be" => LengthField::U24Be,
        "u24le" => LengthField::U24Le,
        "u32be" => LengthField::U32Be,
        "u32le" => LengthField::U32Le,
        "u64be" => LengthField::U64Be,
        "u64le" => LengthField::U64Le,
        "varint" => LengthField::Varint,
        decimal => LengthField::Decimal(decimal.strip_prefix("decimal:").unwrap().parse().unwrap()),
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
