// SPDX-License-Identifier: MPL-2.0
//! What fuzz targets have in common with tests.

#[path = "../../tests/support/complaints.rs"]
pub mod complaints;
#[path = "../../tests/support/text_check.rs"]
pub mod text_check;
#[path = "../../tests/support/wire_check.rs"]
pub mod wire_check;

/// Bytes as they are below 128, and above a word: what a fuzzer changes is words as well as bytes.
pub fn words(bytes: &[u8], words: &[impl AsRef<str>]) -> Vec<u8> {
    let mut text = Vec::new();
    for &byte in bytes {
        match byte.checked_sub(128) {
            None => text.push(byte),
            Some(word) => text.extend(words[usize::from(word) % words.len()].as_ref().bytes()),
        }
    }
    text
}
