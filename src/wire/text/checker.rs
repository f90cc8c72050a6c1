// SPDX-License-Identifier: MPL-2.0
//! One walk over a text, with a bound for everything that GStreamer has none for.

use super::TextError;

/// Brackets inside each other: `x=<{<1>}>` has three.
const MAX_DEPTH: usize = 4;

/// Structures inside the outer one: each is parsed once more for every one around it.
const MAX_STRUCTURES: usize = 2;

/// Fields and values: setting a field takes as long as there are fields.
pub(super) const MAX_ITEMS: usize = 1024;

/// Digits that always fit 32 bits. A fraction beyond them makes GStreamer complain.
const MAX_FRACTION_DIGITS: usize = 9;

/// Of these GStreamer complains.
const OLD_NAMES: [&[u8]; 2] = [b"video/x-raw-", b"audio/x-raw-"];

/// What is before the first byte.
const START: u8 = 0;

const TYPES: [(&str, Type); 24] = [
    ("int", Type::Other),
    ("gint", Type::Other),
    ("uint", Type::Other),
    ("guint", Type::Other),
    ("int64", Type::Other),
    ("gint64", Type::Other),
    ("uint64", Type::Other),
    ("guint64", Type::Other),
    ("float", Type::Other),
    ("gfloat", Type::Other),
    ("double", Type::Other),
    ("gdouble", Type::Other),
    ("boolean", Type::Other),
    ("gboolean", Type::Other),
    ("bitmask", Type::Other),
    ("flagset", Type::Other),
    ("GstVideoMultiviewFlagsSet", Type::Other),
    ("buffer", Type::Buffer),
    ("date", Type::Other),
    ("datetime", Type::Other),
    ("string", Type::String),
    ("fraction", Type::Fraction),
    ("structure", Type::Structure),
    ("GstCaps", Type::Structure),
];

/// What matters of the type that a value is announced as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    /// None is announced.
    Unknown,
    String,
    Fraction,
    Buffer,
    /// Or caps.
    Structure,
    Other,
}

/// Walks over a text once.
pub(super) struct Checker<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The byte before, but for spaces.
    before: u8,
    /// The type of the value that begins here.
    value: Type,
    /// What closes each bracket that is open, and the type of the values in it.
    open: [(u8, Type); MAX_DEPTH],
    depth: usize,
    items: usize,
}

impl<'a> Checker<'a> {
    pub fn new(text: &'a str) -> Self {
        Self {
            bytes: text.as_bytes(),
            at: 0,
            before: START,
            value: Type::Unknown,
            open: [(0, Type::Unknown); MAX_DEPTH],
            depth: 0,
            items: 0,
        }
    }

    pub fn check(mut self) -> Result<(), TextError> {
        while let Some(&byte) = self.bytes.get(self.at) {
            self.step(byte)?;
        }
        match self.depth {
            0 if self.before == START => Err(TextError::Name { at: self.at }),
            0 => Ok(()),
            _ => Err(TextError::Unclosed),
        }
    }

    fn step(&mut self, byte: u8) -> Result<(), TextError> {
        let at = self.at;
        let is_name = self.begins_name();
        match byte {
            _ if is_name && byte != b' ' && !byte.is_ascii_alphabetic() => {
                return Err(TextError::Name { at });
            }
            b'"' => return self.quotes(),
            b'(' => return self.cast(),
            b'[' | b'{' | b'<' => self.open(byte)?,
            b']' | b'}' | b'>' => self.close(byte)?,
            b',' | b'=' => self.next_item()?,
            b';' if !matches!(self.bytes.get(at + 1), None | Some(b']')) => {
                return Err(TextError::Semicolon { at });
            }
            b'\\' => return Err(TextError::Backslash { at }),
            _ if byte.is_ascii_control() => return Err(TextError::Control { at }),
            _ if is_word(byte) => return self.word(is_name),
            _ => (),
        }
        self.move_on(1, if byte == b' ' { self.before } else { byte });
        Ok(())
    }

    /// Of a structure or of a field. GStreamer may try a field that is none as a structure.
    fn begins_name(&self) -> bool {
        match self.before {
            START | b'[' => true,
            b',' => !self.is_in_list(),
            _ => false,
        }
    }

    fn is_in_list(&self) -> bool {
        matches!(self.innermost(), Some((b'}' | b'>', _)))
    }

    fn move_on(&mut self, len: usize, last: u8) {
        self.at += len;
        self.before = last;
    }

    /// Only strings are quoted: the quotes of any other type are parsed again, or guessed at.
    fn quotes(&mut self) -> Result<(), TextError> {
        let at = self.at;
        if self.value != Type::String || !matches!(self.before, b')' | b'{' | b'<' | b',') {
            return Err(TextError::Quotes { at });
        }
        let mut rest = self.bytes[at + 1..].iter();
        while let Some(byte) = rest.next() {
            match byte {
                b'"' => {
                    let len = self.bytes.len() - rest.len() - at;
                    let inside = &self.bytes[at + 1..at + len - 1];
                    if String::from_utf8(unescaped(inside)).is_err() {
                        return Err(TextError::Escapes { at });
                    }
                    // GStreamer looks for the end of an inner structure without regard to quotes.
                    let is_inner = self.structures() > 0;
                    if is_inner && inside.iter().any(|byte| b"[]".contains(byte)) {
                        return Err(TextError::QuotedBracket { at });
                    }
                    self.move_on(len, b'"');
                    return Ok(());
                }
                b'\\' => _ = rest.next(),
                _ => (),
            }
        }
        Err(TextError::OpenQuotes { at })
    }

    fn cast(&mut self) -> Result<(), TextError> {
        let at = self.at;
        if !matches!(self.before, b'=' | b'{' | b'<' | b',') {
            return Err(TextError::MisplacedType { at });
        }
        let rest = &self.bytes[at + 1..];
        let name = rest.split(|&byte| byte == b')').next().unwrap_or(rest);
        let known = TYPES
            .iter()
            .find(|(known, _)| known.as_bytes() == name.trim_ascii());
        let Some(&(_, value)) = known.filter(|_| name.len() < rest.len()) else {
            return Err(TextError::Type { at });
        };
        self.value = value;
        self.move_on("(".len() + name.len() + ")".len(), b')');
        Ok(())
    }

    fn open(&mut self, byte: u8) -> Result<(), TextError> {
        let at = self.at;
        let close = match byte {
            b'[' if self.value != Type::Structure => return Err(TextError::Range { at }),
            b'[' if self.structures() == MAX_STRUCTURES => {
                return Err(TextError::TooManyStructures { at });
            }
            b'[' => b']',
            b'{' => b'}',
            _ => b'>',
        };
        let place = self.open.get_mut(self.depth);
        *place.ok_or(TextError::TooDeep { at })? = (close, self.value);
        self.depth += 1;
        if close == b']' {
            self.value = Type::Unknown;
        }
        Ok(())
    }

    fn structures(&self) -> usize {
        let open = &self.open[..self.depth];
        open.iter().filter(|(close, _)| *close == b']').count()
    }

    fn close(&mut self, byte: u8) -> Result<(), TextError> {
        if self.innermost().is_none_or(|(close, _)| close != byte) {
            return Err(TextError::Unopened { at: self.at });
        }
        self.depth -= 1;
        self.value = Type::Unknown;
        Ok(())
    }

    fn innermost(&self) -> Option<(u8, Type)> {
        self.open[..self.depth].last().copied()
    }

    fn next_item(&mut self) -> Result<(), TextError> {
        self.items += 1;
        if self.items > MAX_ITEMS {
            return Err(TextError::TooManyItems);
        }
        self.value = match self.innermost() {
            Some((b'}' | b'>', values)) => values,
            _ => Type::Unknown,
        };
        Ok(())
    }

    /// A name, or a value without quotes.
    fn word(&mut self, is_name: bool) -> Result<(), TextError> {
        let at = self.at;
        let rest = &self.bytes[at..];
        let len = rest.iter().take_while(|&&byte| is_word(byte)).count();
        let word = &rest[..len];
        let is_bad = match self.value {
            Type::Structure => return Err(TextError::Bare { at }),
            Type::Buffer => !word.iter().all(u8::is_ascii_hexdigit),
            Type::Fraction => has_large_number(word),
            // It may be taken for a fraction.
            Type::Unknown => word.contains(&b'/') && has_large_number(word),
            Type::String | Type::Other => false,
        };
        if is_bad {
            return Err(TextError::Value { at });
        }
        if is_name && OLD_NAMES.iter().any(|old| word.starts_with(old)) {
            return Err(TextError::OldName { at });
        }
        self.move_on(len, word[len - 1]);
        Ok(())
    }
}

/// One that may not fit 32 bits.
fn has_large_number(word: &[u8]) -> bool {
    let mut numbers = word.split(|byte| !byte.is_ascii_digit());
    numbers.any(|digits| digits.len() > MAX_FRACTION_DIGITS)
}

/// What GStreamer makes of the inside of quotes.
fn unescaped(mut inside: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(inside.len());
    while let [first, behind @ ..] = inside {
        let (byte, rest) = match (first, behind) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', rest @ ..]) => {
                ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), rest)
            }
            (b'\\', [escaped, rest @ ..]) => (*escaped, rest),
            _ => (*first, behind),
        };
        bytes.push(byte);
        inside = rest;
    }
    bytes
}

/// What GStreamer takes for a string without quotes.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-+/:.".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::{super::StructureText, *};

    fn check(text: &str) -> Result<(), TextError> {
        StructureText::new(text.as_bytes(), 256 * 1024).map(|_| ())
    }

    #[test]
    fn what_gstreamer_writes_passes() {
        for text in [
            "video/x-raw, format=(string)I420, width=(int)640, framerate=(fraction)30000/1001",
            "video/x-raw, multiview-flags=(GstVideoMultiviewFlagsSet)0:ffffffff:/left-flipped/half-aspect",
            "video/x-h264, codec_data=(buffer)01640028ffe1, streamheader=(buffer)< 01, 02 >;",
            "audio/x-raw, channel-mask=(bitmask)0x0000000000000003",
            r#"taglist, title=(string)"a\ \"b\"\ \303\251\012\[[[[[[", genre=(string){ x, "y\,\ z" };"#,
            "taglist, date=(date)2020-01-01, datetime=(datetime)2026-11-24T17:38:46.539772Z;",
            "taglist, duration=(guint64)3000000000, bitrate=(uint)4294967295;",
            r#"a, x=(structure)[b, y=(structure)[c, z=(string)"q";];], c=(GstCaps)[video/x-raw];"#,
            "a, x=(structure)< [b, y=(int)1;], [c, y=(int)2;] >;",
            "a, x=(int)< < 1, 2 >, < 3 > >, y=< (int)1, (string)\"a\" >;",
            "a, location=(string)2026112417384653/7, big=12345678901;",
            "text/x-raw, format=utf8",
            " a",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn brackets_in_quotes_are_for_outer_structures() {
        for (text, at) in [
            (r#"a, b=(structure)[b, c=(string)"[";];"#, 30),
            (r#"a, b=(structure)[b, c=(string)"x\]y";];"#, 30),
            (r#"a, b=(GstCaps)[b/c, c=(string)"]"]"#, 30),
        ] {
            assert_eq!(check(text), Err(TextError::QuotedBracket { at }), "{text}");
        }
        assert_eq!(check(r#"a, b=(structure)[b], c=(string)"[";"#), Ok(()));
    }

    #[test]
    fn the_limit_is_the_longest() {
        assert!(StructureText::new(b"a, b=1", 6).is_ok());
        assert_eq!(
            StructureText::new(b"a, b=1", 5),
            Err(TextError::TooLong { len: 6, limit: 5 })
        );
    }

    #[test]
    fn bytes_that_are_no_text() {
        let new = |bytes| StructureText::new(bytes, 100);
        assert_eq!(new(b"ab\xff"), Err(TextError::NotUtf8 { at: 2 }));
        assert_eq!(new(b"ab\xc3"), Err(TextError::NotUtf8 { at: 2 }));
        assert_eq!(new(b"a\0b"), Err(TextError::Nul { at: 1 }));
        assert_eq!(new(b"a, b=(string)\"\0\""), Err(TextError::Nul { at: 14 }));
    }

    #[test]
    fn control_characters_and_backslashes_stand_in_quotes_only() {
        assert_eq!(check("a, b=(string)\"\n\\\n\""), Ok(()));
        assert_eq!(check("a, b\t=1"), Err(TextError::Control { at: 4 }));
        assert_eq!(check("a, b\x7f=1"), Err(TextError::Control { at: 4 }));
        assert_eq!(check("a\\ , b=1"), Err(TextError::Backslash { at: 1 }));
    }

    #[test]
    fn only_what_is_said_to_be_a_string_is_quoted() {
        for text in [
            "a, b=\"2\"",
            "a, b={ \"2\" }",
            "a, b=(int)\"2\"",
            "a, b=(fraction)\"2147483648/1\"",
            "a, b=(structure)\"b\\,\\ c\\=1\"",
            "a, b=(GstCaps)\"video/x-raw\"",
            "a, b=(structure){ \"b\" }",
            "a, b=(string)c\"d\"",
            "a, b=(string)\"c\"\"d\"",
            "a, b=(string){ c }\"d\"",
        ] {
            assert!(
                matches!(check(text), Err(TextError::Quotes { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn quotes_end() {
        assert_eq!(check(r#"a, b=(string)"\"""#), Ok(()));
        for text in [
            r#"a, b=(string)""#,
            r#"a, b=(string)"\""#,
            r#"a, b=(string)"\"#,
            r#"a, b=(string)"\\\""#,
        ] {
            assert_eq!(check(text), Err(TextError::OpenQuotes { at: 13 }), "{text}");
        }
    }

    #[test]
    fn types_stand_before_values() {
        assert_eq!(check("a, b= ( int ) 1"), Ok(()));
        for (text, at) in [
            ("video/x-raw(memory:DMABuf), a=1", 11),
            ("a, b(int)=1", 4),
            ("a, b=(int)(int)1", 10),
        ] {
            assert_eq!(check(text), Err(TextError::MisplacedType { at }), "{text}");
        }
    }

    #[test]
    fn types_are_from_the_list() {
        for text in [
            "a, b=(GstSample)x",
            "a, b=(GstTagList)x",
            "a, b=(gchararray)x",
            "a, b=(GstStructure)x",
            "a, b=(int/GstValueArray)<1>",
            "a, b=(/GstValueList){1}",
            "a, b=()1",
            "a, b=(int",
            "a, b=(",
            "a, b=(INT)1",
        ] {
            assert_eq!(check(text), Err(TextError::Type { at: 5 }), "{text}");
        }
    }

    #[test]
    fn a_square_bracket_is_said_to_be_a_structure() {
        for text in ["a, b=[5,1]", "a, b=(int)[5,1]", "a, b={ [5,1] }", "a[b]"] {
            assert!(
                matches!(check(text), Err(TextError::Range { .. })),
                "{text}"
            );
        }
        // The type is that of one value.
        assert_eq!(
            check("a, b=(structure)[c], d=[5,1]"),
            Err(TextError::Range { at: 23 })
        );
        assert_eq!(
            check("a, b=(structure)[c, d=[5,1]]"),
            Err(TextError::Range { at: 22 })
        );
    }

    #[test]
    fn names_begin_with_a_letter() {
        for (text, at) in [
            ("", 0),
            ("  ", 2),
            ("0a", 0),
            (" 0a", 1),
            ("\"a\"", 0),
            ("(int)a", 0),
            (", a=1", 0),
            ("\u{e9}", 0),
            ("a, b=(structure)[0]", 17),
            ("a, b=(structure)[\"b\"]", 17),
            ("a, b=(GstCaps)[ ]", 16),
            ("a, \"b\"=1", 3),
            ("a, 1=1", 3),
            ("a, b=(structure)[c,1]", 19),
            ("a, b=(structure)[c, (int)1]", 20),
        ] {
            assert_eq!(check(text), Err(TextError::Name { at }), "{text}");
        }
    }

    #[test]
    fn a_structure_has_its_brackets() {
        assert_eq!(check("a, b=(structure)c"), Err(TextError::Bare { at: 16 }));
        assert_eq!(
            check("a, b=(GstCaps){ [c], d }"),
            Err(TextError::Bare { at: 21 })
        );
    }

    #[test]
    fn a_semicolon_ends_a_structure() {
        assert_eq!(check("a, b=(structure)[c;];"), Ok(()));
        for (text, at) in [
            ("a;b", 1),
            ("a; ", 1),
            ("a;;", 1),
            ("a, b=(structure)[c; ]", 18),
            ("a, b={ 1; 2 }", 8),
        ] {
            assert_eq!(check(text), Err(TextError::Semicolon { at }), "{text}");
        }
    }

    #[test]
    fn structures_stand_in_two_others_at_most() {
        let nested = |depth: usize| {
            let (open, close) = ("a, b=(structure)[".repeat(depth), "]".repeat(depth));
            check(&format!("{open}a{close}"))
        };
        assert_eq!(nested(2), Ok(()));
        assert_eq!(nested(3), Err(TextError::TooManyStructures { at: 50 }));
    }

    #[test]
    fn brackets_stand_in_three_others_at_most() {
        assert_eq!(check("a, b=<{<{1}>}>"), Ok(()));
        assert_eq!(check("a, b=<{<{<1>}>}>"), Err(TextError::TooDeep { at: 9 }));
        assert_eq!(
            check("a, b=(structure)<{[a, b=(int)<{1}>]}>"),
            Err(TextError::TooDeep { at: 30 })
        );
    }

    #[test]
    fn brackets_are_balanced() {
        for (text, at) in [
            ("a, b=1]", 6),
            ("a, b=<1}", 7),
            ("a, b={1>", 7),
            ("a, b=(structure)[a}", 18),
        ] {
            assert_eq!(check(text), Err(TextError::Unopened { at }), "{text}");
        }
        assert_eq!(check("a, b=<1"), Err(TextError::Unclosed));
        assert_eq!(check("a, b=<1, {2}"), Err(TextError::Unclosed));
    }

    #[test]
    fn fractions_fit_32_bits() {
        assert_eq!(check("a, b=(fraction)999999999/999999999"), Ok(()));
        for text in [
            "a, b=(fraction)2147483648",
            "a, b=(fraction)-2147483648/1",
            "a, b=(fraction)1/2147483648",
            "a, b=(fraction){ 1/2, 2147483648 }",
            "a, b=2147483648/1",
            "a, b={ 1, 2147483648/1 }",
        ] {
            assert!(
                matches!(check(text), Err(TextError::Value { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn buffers_are_hexadecimal() {
        assert_eq!(check("a, b=(buffer)00fF"), Ok(()));
        assert_eq!(check("a, b=(buffer)< 00, ff >"), Ok(()));
        assert_eq!(check("a, b=(buffer)-1"), Err(TextError::Value { at: 13 }));
        assert_eq!(
            check("a, b=(buffer)< 00, fg >"),
            Err(TextError::Value { at: 19 })
        );
    }

    #[test]
    fn escapes_are_utf8() {
        assert_eq!(check(r#"a, b=(string)"\303\251\\303""#), Ok(()));
        for text in [
            r#"a, b=(string)"\377""#,
            r#"a, b=(string)"\303""#,
            r#"a, b=(string)"\303a""#,
        ] {
            assert_eq!(check(text), Err(TextError::Escapes { at: 13 }), "{text}");
        }
    }

    #[test]
    fn names_are_not_those_of_0_10() {
        assert_eq!(check("video/x-raw"), Ok(()));
        assert_eq!(check("a, b=video/x-raw-rgb"), Ok(()));
        assert_eq!(check("video/x-raw-rgb"), Err(TextError::OldName { at: 0 }));
        assert_eq!(
            check("a, b=(GstCaps)[audio/x-raw-int]"),
            Err(TextError::OldName { at: 15 })
        );
        assert_eq!(
            check("a, b=(structure)[c, video/x-raw-rgb]"),
            Err(TextError::OldName { at: 20 })
        );
    }

    #[test]
    fn fields_and_values_are_counted() {
        let fields = |count| check(&format!("a{}", ",b=".repeat(count)));
        assert_eq!(fields(MAX_ITEMS / 2), Ok(()));
        assert_eq!(fields(MAX_ITEMS / 2 + 1), Err(TextError::TooManyItems));
        let values = |count| check(&format!("a, b=<{}>", "1,".repeat(count)));
        assert_eq!(values(MAX_ITEMS - 2), Ok(()));
        assert_eq!(values(MAX_ITEMS - 1), Err(TextError::TooManyItems));
        let quoted = format!("a, b=(string)\"{}\"", ",".repeat(MAX_ITEMS + 1));
        assert_eq!(check(&quoted), Ok(()));
    }

    /// Each step of the walk moves on, whatever stands there.
    #[test]
    fn no_text_takes_more_steps_than_bytes() {
        let limit = 256 * 1024;
        for part in [
            "a",
            "\"",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            "<",
            ">",
            ",",
            "=",
            ";",
            "\\",
            " ",
            "é",
            "(int",
            "=(string)\"",
            "=(structure)[",
            "<{",
            "{<",
            "=()",
            "a/1 ",
            "\"\\",
            "=(structure)[a,b",
        ] {
            let text = part.repeat(limit / part.len());
            let mut checker = Checker::new(&text);
            let mut steps = 0;
            while let Some(&byte) = checker.bytes.get(checker.at) {
                let at = checker.at;
                if checker.step(byte).is_err() {
                    break;
                }
                assert!(checker.at > at, "{part}");
                steps += 1;
            }
            assert!(steps <= limit);
        }
    }

    #[test]
    fn errors_name_the_place() {
        assert_eq!(
            check("a, b=[5,1]").unwrap_err().to_string(),
            "the [ at byte 6 of the text has neither (structure) nor (GstCaps) before it"
        );
    }
}
