// SPDX-License-Identifier: MPL-2.0
//! What the checker of text lets through does GStreamer no harm.

#[path = "support/complaints.rs"]
mod complaints;
#[path = "support/text_check.rs"]
mod text_check;

use proptest::{collection::vec, prelude::*, sample::select};

use text_check::{LIMIT, TOKENS};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn whatever_passes_is_parsed_without_complaint(tokens in vec(select(&TOKENS[..]), 0..24)) {
        parse(&tokens.concat());
        parse(&format!("taglist{}", tokens.concat()));
    }

    #[test]
    fn values_that_pass_are_parsed_without_complaint(
        values in vec(vec(select(&TOKENS[..]), 1..4), 0..6),
    ) {
        let fields: String = values
            .iter()
            .map(|tokens| format!(", a={}", tokens.concat()))
            .collect();
        parse(&format!("taglist{fields}"));
    }
}

#[test]
fn the_longest_that_passes_takes_less_than_10_ms() {
    for part in [
        ", b=",
        ",b=1/2",
        "[",
        "{",
        "<",
        ", b=(structure)[b",
        ", b=[b, y",
        "a",
        "+a/b",
        "1",
        "0",
        "00:",
        ", b=<1",
        ", b=(string)\"",
    ] {
        for count in (0..18)
            .map(|bits| 1 << bits)
            .take_while(|count| count * part.len() < LIMIT)
        {
            parse(&format!("a{}", part.repeat(count)));
            parse(&format!("a, b={}", part.repeat(count)));
            parse(&format!("a, b=(flagset){}", part.repeat(count)));
            parse(&format!("a, b=(string)\"{}\"", part.repeat(count)));
        }
    }
}

fn parse(text: &str) {
    text_check::parse(text.as_bytes());
}
