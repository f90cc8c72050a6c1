// SPDX-License-Identifier: MPL-2.0
//! Texts of peers, for a person.

use std::fmt::Write;

/// As many characters of them are shown.
const MOST: usize = 200;

/// Without what would move a cursor or turn the text around, and no longer than a line or two.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(MOST) {
        let is_plain = c == ' ' || c.is_ascii_graphic();
        // Writing to a String cannot fail.
        let _ = match is_plain {
            true => write!(shown, "{c}"),
            false => write!(shown, "{}", c.escape_debug()),
        };
    }
    if text.chars().nth(MOST).is_some() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shown_as_it_is() {
        for name in ["CN=camera, O=\"Example\"", "CN=Kamera Süd", "*.example.org"] {
            assert_eq!(shown(name), name);
        }
    }

    #[test]
    fn nothing_moves_the_cursor_or_turns_the_text_around() {
        assert_eq!(
            shown("a\u{1b}[2J\nb\u{202e}\u{7f}"),
            "a\\u{1b}[2J\\nb\\u{202e}\\u{7f}"
        );
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(shown(&"a".repeat(MOST)), "a".repeat(MOST));
        assert_eq!(shown(&"é".repeat(70_000)), "é".repeat(MOST) + "...");
    }
}
