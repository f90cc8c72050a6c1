// SPDX-License-Identifier: MPL-2.0
//! The wire module against its reference, over generated input, and against docs/PROTOCOL.md.

#[path = "support/wire_check.rs"]
mod wire_check;

use std::iter::repeat;

use proptest::{collection::vec, prelude::*, sample::select};

use gstvideosocket::wire::{
    Decoder, HeaderFormat, LengthField, MAX_DIGITS, Step, StructureText,
    record::{Probe, Record, RecordHead, RecordKind, Scope, Upstream},
};
use wire_check::{Ending, Form, Part};

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
        preamble in prop_oneof![Just(vec![]), vec(any::<u8>(), 0..300)],
        more_preamble in prop_oneof![Just(0), 0..40usize],
        max_frame_size in prop_oneof![0..20u64, 0..40_000u64, Just(99_999_999)],
        ahead in 0..70_000usize,
        lens in vec(prop_oneof![0..20usize, 0..40_000usize], 0..6),
        tail in prop_oneof![vec(any::<u8>(), 0..40), nearly_decimal()],
        pieces in vec(prop_oneof![1..30usize, 1..70_000usize], 1..10),
    ) {
        let stream = wire_check::stream(form, &preamble, &lens, &tail);
        let preamble = preamble.len() + more_preamble;
        let pieces = pieces.into_iter().cycle();
        wire_check::decoder(form, preamble, max_frame_size, ahead, &stream, pieces);
    }

    #[test]
    fn pieces_do_not_matter_to_records(
        max_frame_size in prop_oneof![0..20u64, Just(99_999_999)],
        ahead in 0..70_000usize,
        parts in vec(part(), 0..12),
        pieces in vec(prop_oneof![1..30usize, 1..70_000usize], 1..10),
    ) {
        let stream = wire_check::stream_of(&parts);
        wire_check::records(max_frame_size, ahead, &stream, pieces.into_iter().cycle());
    }

    #[test]
    fn any_bytes_as_a_record(kind in select(&RecordKind::ALL[..]), payload in payload()) {
        wire_check::record(kind, &payload);
    }
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        4 => prop_oneof![0..20usize, 0..40_000usize].prop_map(Part::Frame),
        12 => any::<u8>().prop_map(Part::Good),
        1 => (any::<u8>(), payload()).prop_map(|(letter, payload)| Part::Any { letter, payload }),
        1 => vec(any::<u8>(), 0..12).prop_map(Part::Bytes),
    ]
}

/// Bytes, and words that records are made of.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "videosocket ",
        "1",
        "\n",
        " ",
        "agent ",
        "needs ",
        "BC",
        "back ",
        "keyframe",
        "qos ",
        "overflow ",
        "id",
        "group ",
        "flags ",
        "s ",
        "g ",
        "taglist",
        "a, b=(int)5;",
        "sticky ",
        "downstream ",
        "0 ",
        "-",
        "navigation ",
        "all-headers=1",
        "\0",
        "crop",
    ];
    prop_oneof![
        vec(any::<u8>(), 0..80),
        vec(select(words.to_vec()), 0..10).prop_map(|words| words.concat().into_bytes()),
    ]
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
    for line in block("vectors").lines() {
        let [format, stream, payloads, ending] = columns(line);
        let stream = hex(stream);
        let payloads: Vec<_> = payloads.split_whitespace().map(hex).collect();
        for piece in [1, stream.len()] {
            let (format, preamble) = without_preamble(format);
            let decoder = Decoder::new(form_named(format).format(), 99_999_999, 4096);
            let decoder = decoder.with_preamble(preamble);
            let (frames, end) = wire_check::decode(decoder, &stream, repeat(piece));
            assert_eq!(frames, payloads, "{line}");
            assert_eq!(in_a_word(end), ending, "{line}");
        }
    }
}

#[test]
fn the_records_of_the_protocol_page() {
    for line in block("records").lines() {
        let [bytes, said] = columns(line);
        let bytes = hex(bytes);
        let (head, payload) = bytes.split_first_chunk().expect(line);
        let head = RecordHead::decode(head).expect(line);
        assert_eq!(head.len, payload.len(), "{line}");
        let kind = RecordKind::from_letter(head.letter).expect(line);
        let record = Record::parse(kind, payload);
        assert_eq!(
            record.map_or("bad".into(), |record| in_words(&record)),
            said
        );
    }
}

#[test]
fn the_texts_of_the_protocol_page() {
    for line in block("texts").lines() {
        let [verdict, text] = columns(line);
        let is_taken = StructureText::new(text.as_bytes(), 1000).is_ok();
        assert_eq!(is_taken, verdict == "ok", "{line}");
        assert!(["ok", "refused"].contains(&verdict), "{line}");
    }
}

#[test]
fn the_streams_of_the_protocol_page() {
    for line in block("streams").lines() {
        let [stream, items, ending] = columns(line);
        let stream = [&b"H0000014videosocket 1\n"[..], &hex(stream)].concat();
        for piece in [1, stream.len()] {
            let (said, end) = read_all(&stream, piece);
            let found: Vec<_> = said.iter().map(|words| in_short(words)).collect();
            assert_eq!(found.join(" "), format!("H {items}").trim(), "{line}");
            assert_eq!(end, ending, "{line}");
        }
    }
}

/// The letter of a record, or the payload of a frame.
fn in_short(words: &str) -> &str {
    match words.strip_prefix("frame ") {
        Some("") => "-",
        Some(payload) => payload,
        None => &words[..1],
    }
}

#[test]
fn the_whole_stream_of_the_protocol_page() {
    for side in ["sender", "receiver"] {
        let (mut stream, mut expected) = (Vec::new(), Vec::new());
        for line in block("capture").lines() {
            let [from, bytes, said] = columns(line);
            if from == side {
                stream.extend(hex(bytes));
                expected.extend(Some(said).filter(|said| !said.is_empty()));
            }
        }
        for piece in [1, stream.len()] {
            let (said, end) = read_all(&stream, piece);
            assert_eq!(said, expected);
            assert_eq!(end, "end");
        }
    }
}

/// Records and frames in the words of the page, and the ending.
fn read_all(stream: &[u8], piece: usize) -> (Vec<String>, &'static str) {
    let mut decoder = Decoder::new(HeaderFormat::default(), 99_999_999, 4096).with_records();
    let mut pieces = stream.chunks(piece.max(1));
    let (mut said, mut payload, mut piece) = (Vec::new(), Vec::new(), &[][..]);
    loop {
        match decoder.next(&mut payload) {
            Ok(Step::Head(len)) => payload = vec![0; len],
            Ok(Step::Frame) => said.push(format!("frame {}", in_hex(&payload))),
            Ok(Step::Record(_)) => match decoder.record() {
                Some(Ok(record)) => said.push(in_words(&record)),
                _ => return (said, "bad"),
            },
            Ok(Step::More) if piece.is_empty() => match pieces.next() {
                Some(next) => piece = next,
                None if decoder.finish().is_err() => return (said, "truncated"),
                None if decoder.lacks_end() => return (said, "lost"),
                None => return (said, "end"),
            },
            Ok(Step::More) => {
                let before = piece.len();
                for slice in &mut decoder.read_slices(&mut payload) {
                    let len = piece.len().min(slice.len());
                    let (taken, rest) = piece.split_at(len);
                    slice[..len].copy_from_slice(taken);
                    piece = rest;
                }
                decoder.advance(before - piece.len());
            }
            Err(_) => return (said, "bad"),
        }
    }
}

fn in_a_word(ending: Ending) -> &'static str {
    match ending {
        Ending::Clean => "end",
        Ending::Truncated(_) => "truncated",
        Ending::Malformed(_) | Ending::Refused | Ending::TooLong { .. } => "bad",
    }
}

/// A record as the page puts it.
fn in_words(record: &Record<'_>) -> String {
    let said = match record {
        Record::Hello(hello) => format!(
            "agent={} needs={} back={}",
            hello.agent.unwrap_or("none"),
            hello.needs,
            set(&[
                ("keyframe", hello.back.keyframe),
                ("qos", hello.back.qos),
                ("navigation", hello.back.navigation)
            ])
        ),
        Record::Clock(clock) => format!(
            "now={} base={} unix={} latency={} paced={} synchronised={} id={}",
            clock.now,
            clock.base_time,
            or_none(clock.unix_offset),
            clock.latency,
            u8::from(clock.is_paced),
            u8::from(clock.is_unix_synchronised),
            clock.id
        ),
        Record::StreamStart(start) => format!(
            "id={} flags={} group={}",
            start.id,
            set(&[
                ("sparse", start.flags.sparse),
                ("select", start.flags.select),
                ("unselect", start.flags.unselect)
            ]),
            or_none(start.group)
        ),
        Record::Caps(text) => format!("caps={}", text.as_str()),
        Record::Tags(tags) => {
            let scope = match tags.scope {
                Scope::Stream => "s",
                Scope::Global => "g",
            };
            format!("scope={scope} tags={}", tags.text.as_str())
        }
        Record::Segment(segment) => format!(
            "rate={} applied-rate={} stream-time={}",
            segment.rate,
            segment.applied_rate,
            or_none(segment.stream_time)
        ),
        Record::Buffer(buffer) => {
            let flags = format!("{:?}", buffer.flags).replace(" | ", ",");
            let mut said = format!(
                "sequence={} flags={} pts={} dts={} duration={} clock={}",
                buffer.sequence,
                flags
                    .trim_start_matches("BufferFlags(")
                    .trim_end_matches(')'),
                or_none(buffer.pts),
                or_none(buffer.dts),
                or_none(buffer.duration),
                or_none(buffer.clock)
            );
            if buffer.offset.is_some() || buffer.offset_end.is_some() {
                let (offset, end) = (or_none(buffer.offset), or_none(buffer.offset_end));
                said += &format!(" offset={offset} offset-end={end}");
            }
            said
        }
        Record::Meta(meta) => format!("name={} data={}", meta.name, in_hex(meta.data)),
        Record::Gap(gap) => format!("time={} duration={}", gap.time, or_none(gap.duration)),
        Record::Event(event) => format!(
            "sticky={} event={}",
            u8::from(event.is_sticky),
            event.text.as_str()
        ),
        Record::End => String::new(),
        Record::Upstream(Upstream::Keyframe {
            all_headers,
            running_time,
        }) => {
            let time = running_time.map(|time| format!(" running-time={time}"));
            let time = time.unwrap_or_default();
            format!("keyframe all-headers={}{time}", u8::from(*all_headers))
        }
        Record::Upstream(Upstream::Qos(qos)) => format!(
            "qos kind={} proportion={} difference={} time={}",
            format!("{:?}", qos.kind).to_lowercase(),
            qos.proportion,
            qos.difference,
            qos.time
        ),
        Record::Upstream(Upstream::Navigation(text)) => {
            format!("navigation event={}", text.as_str())
        }
        Record::Upstream(Upstream::Other) => "other".into(),
        Record::Probe(Probe::Request { asked }) => format!("asked={asked}"),
        Record::Probe(Probe::Answer {
            asked,
            received,
            answered,
        }) => format!("asked={asked} received={received} answered={answered}"),
    };
    let letter = record.kind().letter();
    format!("{letter} {said}").trim_end().to_string()
}

fn set(words: &[(&str, bool)]) -> String {
    let set = words.iter().filter(|(_, is_set)| *is_set);
    let set: Vec<_> = set.map(|(word, _)| *word).collect();
    set.join(",")
}

fn or_none(number: Option<impl ToString>) -> String {
    number.map_or("none".into(), |number| number.to_string())
}

fn block(name: &str) -> &'static str {
    let page = include_str!("../docs/PROTOCOL.md");
    let (_, block) = page.split_once(&format!("```{name}\n")).unwrap();
    block.split_once("```").unwrap().0
}

fn columns<const N: usize>(line: &str) -> [&str; N] {
    let columns: Vec<_> = line.split('|').map(str::trim).collect();
    columns.try_into().expect(line)
}

/// As in `u32be offset=1 trailer=2 adjustment=-4`.
/// What is said of headers alone, and the length of the preamble.
fn without_preamble(name: &str) -> (&str, usize) {
    let parts = name.split_once(" preamble=");
    parts.map_or((name, 0), |(name, len)| (name, len.parse().unwrap()))
}

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

fn in_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
