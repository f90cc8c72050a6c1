//! What the checker of text lets through does GStreamer no harm.

use std::{cell::Cell, str::FromStr, time::Duration};

use gst::{
    glib::{self, LogLevel},
    prelude::*,
};
use nix::time::{ClockId, clock_gettime};
use proptest::{collection::vec, prelude::*, sample::select};

use gstvideosocket::wire::StructureText;

/// The longest text of a record.
const LIMIT: usize = 256 * 1024;

thread_local! {
    static COMPLAINTS: Cell<usize> = const { Cell::new(0) };
}

/// What structures are made of, and what GStreamer is known to stumble over.
const TOKENS: [&str; 67] = [
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
    gst::init().unwrap();
    if StructureText::new(text.as_bytes(), LIMIT).is_err() {
        return;
    }
    glib::log_set_default_handler(|_, level, message| {
        if matches!(
            level,
            LogLevel::Error | LogLevel::Critical | LogLevel::Warning
        ) {
            eprintln!("{message}");
            COMPLAINTS.set(COMPLAINTS.get() + 1);
        }
    });
    let before = cpu_time();
    let _ = gst::Structure::from_str(text);
    if text.starts_with("taglist") {
        let _ = glib::Value::deserialize(text, gst::TagList::static_type());
    }
    let _ = gst::Caps::from_str(text).map(|caps| caps.is_fixed());
    let took = cpu_time() - before;
    assert!(
        took < Duration::from_millis(3 * 10),
        "{took:?}: {text:.100}"
    );
    assert_eq!(COMPLAINTS.take(), 0, "{text}");
}

/// Of this thread: a busy machine does not stretch it.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .unwrap()
        .into()
}
