// SPDX-License-Identifier: MPL-2.0
//! The bytes at the start of a connection, in hex.

use std::fmt;

/// Longer ones are no greeting any more.
pub const MAX_PREAMBLE: usize = 1024;

/// Bytes at the start of each connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preamble(Vec<u8>);

impl Preamble {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// From two hex digits a byte; else why not.
    pub fn from_hex(text: &str) -> Result<Self, String> {
        if let Some(other) = text.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(format!(
                "a preamble is hex digits, and {other:?} is none: {text:?}"
            ));
        }
        if text.len() % 2 == 1 {
            return Err(format!(
                "a preamble has two hex digits for each byte, and this one an odd number of them, {}: {text:?}",
                text.len()
            ));
        }
        let len = text.len() / 2;
        if len > MAX_PREAMBLE {
            return Err(format!(
                "a preamble has {MAX_PREAMBLE} bytes at most, and this one has {len}"
            ));
        }
        let digits: Vec<_> = text.chars().filter_map(|c| c.to_digit(16)).collect();
        let byte = |pair: &[u32]| (pair[0] << 4 | pair[1]) as u8;
        Ok(Self(digits.chunks_exact(2).map(byte).collect()))
    }
}

impl fmt::Display for Preamble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_digits_are_a_byte() {
        let preamble = Preamble::from_hex("00fF4b0a").unwrap();
        assert_eq!(preamble.bytes(), b"\x00\xff\x4b\x0a");
        assert_eq!(preamble.to_string(), "00ff4b0a");
        assert_eq!(Preamble::from_hex(""), Ok(Preamble::default()));
    }

    #[test]
    fn what_is_no_hex_is_refused_with_the_reason() {
        for (text, reason) in [
            ("abc", "odd number"),
            ("0", "odd number"),
            ("0x4f", "'x' is none"),
            ("4f 4b", "' ' is none"),
            ("+f", "'+' is none"),
            ("4f\u{ff14}b", "'\u{ff14}' is none"),
        ] {
            let refused = Preamble::from_hex(text).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
            assert!(refused.contains(&format!("{text:?}")), "{refused}");
        }
    }

    #[test]
    fn the_longest_one() {
        let text = "4f".repeat(MAX_PREAMBLE);
        assert_eq!(Preamble::from_hex(&text).unwrap().to_string(), text);
        let refused = Preamble::from_hex(&(text + "4f")).unwrap_err();
        assert!(refused.contains("1025") && refused.contains("1024"));
    }
}
