// SPDX-License-Identifier: MPL-2.0
//! Names from peers. GStreamer keeps each name that it meets until the process ends.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use gst::glib;

use super::RestoreError;
use crate::wire::StructureText;

/// The most names that peers may bring to a process, together.
pub const MAX_NEW_NAMES: usize = 1024;

/// The longest that one may be, in bytes.
pub const MAX_NAME_LEN: usize = 64;

/// Random texts would soon have spent it.
static BUDGET: Budget = Budget::new(if cfg!(any(fuzzing, test)) {
    usize::MAX
} else {
    MAX_NEW_NAMES
});

/// Takes the names of structures and fields in a text, so that it can be parsed.
pub fn admit_all(text: StructureText<'_>) -> Result<(), RestoreError> {
    Names::new(text.as_str()).try_for_each(admit)
}

/// Whether a peer that knows none of the names may take them.
pub fn are_short(text: StructureText<'_>) -> bool {
    Names::new(text.as_str()).all(|name| name.len() <= MAX_NAME_LEN)
}

/// Takes a name. One that the process knows already costs nothing.
pub fn admit(name: &str) -> Result<(), RestoreError> {
    BUDGET.admit(name)
}

struct Budget(AtomicUsize);

impl Budget {
    const fn new(names: usize) -> Self {
        Self(AtomicUsize::new(names))
    }

    fn admit(&self, name: &str) -> Result<(), RestoreError> {
        if name.is_empty() || name.contains('\0') {
            return Err(RestoreError::NoName);
        }
        if glib::Quark::try_from_str(name).is_some() {
            return Ok(());
        }
        let len = name.len();
        if len > MAX_NAME_LEN {
            return Err(RestoreError::LongName { len });
        }
        let one_less = |left: usize| left.checked_sub(1);
        if self.0.fetch_update(Relaxed, Relaxed, one_less).is_err() {
            let name = name.into();
            return Err(RestoreError::TooManyNames { name });
        }
        // From now on it is known, also where GStreamer keeps its names elsewhere.
        glib::Quark::from_str(name);
        Ok(())
    }
}

/// The words of a text that may become names: the first one, those behind a `[`, and those before a `=`.
struct Names<'a> {
    rest: &'a [u8],
    begins: bool,
}

impl<'a> Names<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text.as_bytes(),
            begins: true,
        }
    }

    /// Passes over something, up to the next word, and takes that.
    fn word(&mut self) -> Option<&'a [u8]> {
        loop {
            let (&byte, behind) = self.rest.split_first()?;
            if is_word(byte) {
                let len = self.rest.iter().take_while(|&&byte| is_word(byte)).count();
                let (word, rest) = self.rest.split_at(len);
                self.rest = rest;
                return Some(word);
            }
            self.rest = match byte {
                b'"' => behind_quotes(behind),
                _ => behind,
            };
            if byte != b' ' {
                self.begins = byte == b'[';
            }
        }
    }
}

impl<'a> Iterator for Names<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let word = self.word()?;
            let begins = std::mem::take(&mut self.begins);
            if begins || self.rest.trim_ascii_start().starts_with(b"=") {
                return str::from_utf8(word).ok();
            }
        }
    }
}

fn behind_quotes(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = match rest {
            [] | [b'\\'] => return &[],
            [b'"', behind @ ..] => return behind,
            [b'\\', _, behind @ ..] | [_, behind @ ..] => behind,
        };
    }
}

/// What GStreamer takes into a name.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-+/:.".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&str> {
        let text = StructureText::new(text.as_bytes(), 1000).unwrap();
        Names::new(text.as_str()).collect()
    }

    #[test]
    fn the_names_of_a_text() {
        assert_eq!(names(" a"), ["a"]);
        assert_eq!(
            names("video/x-raw, format=(string)I420, b = d,c=5"),
            ["video/x-raw", "format", "b", "c"]
        );
        assert_eq!(
            names(r#"a, b=(structure)[ c, d=(GstCaps)< [e/f, g=1;] > ];"#),
            ["a", "b", "c", "d", "e/f", "g"]
        );
        assert_eq!(
            names(r#"a, b=(string)"c, d=\"e\\", f=(string){ x, "g=é=" }, h=<i>"#),
            ["a", "b", "f", "h"]
        );
    }

    /// What GStreamer makes a name of is among them.
    #[test]
    fn no_name_of_gstreamer_is_missing() {
        gst::init().unwrap();
        for text in [
            "new-one-a, new-one-b=(int)5, new-one-c=(string){ x, y }",
            "new-one-d, new-one-e=(structure)[new-one-f, new-one-g=(string)\"a, new-one-h=5\"]",
            "new-one-i, new-one-j=(GstCaps)[new-one/k, new-one-l=1]",
            "  new-one-m  ,  new-one-n  =  (structure) [ new-one-o , new-one-p = 5 ] ;",
        ] {
            let found = names(text);
            let known = |name: &str| glib::Quark::try_from_str(name).is_some();
            assert!(!found.iter().any(|name| known(name)), "{text}");
            text.parse::<gst::Structure>().unwrap();
            let words =
                text.split(|char: char| !char.is_ascii_alphanumeric() && !"-/".contains(char));
            for word in words.filter(|word| known(word) && word.starts_with("new-one")) {
                assert!(found.contains(&word), "{word} in {text}");
            }
        }
    }

    #[test]
    fn names_are_counted_once() {
        let budget = Budget::new(2);
        for _ in 0..3 {
            assert_eq!(budget.admit("counted-once-1"), Ok(()));
            assert_eq!(budget.admit("counted-once-2"), Ok(()));
        }
        let name = "counted-once-3".to_string();
        assert_eq!(
            budget.admit(&name),
            Err(RestoreError::TooManyNames { name: name.clone() })
        );
        // What is known is never refused.
        assert_eq!(budget.admit("counted-once-1"), Ok(()));
        assert!(glib::Quark::try_from_str(&name).is_none());
    }

    #[test]
    fn names_have_a_length() {
        let budget = Budget::new(9);
        assert_eq!(budget.admit(""), Err(RestoreError::NoName));
        assert_eq!(budget.admit("a\0b"), Err(RestoreError::NoName));
        assert_eq!(budget.admit(&"x".repeat(64)), Ok(()));
        let name = "x".repeat(65);
        assert_eq!(budget.admit(&name), Err(RestoreError::LongName { len: 65 }));
        glib::Quark::from_str(&name);
        assert_eq!(budget.admit(&name), Ok(()));
    }
}
