// SPDX-License-Identifier: MPL-2.0
//! What the pages quote is what the elements say.

use std::fs;
use std::path::{Path, PathBuf};

use super::document::ROOT;

/// For what differs from one message to another.
const ANYTHING: char = '…';

/// Fewer characters than these would be found anywhere.
const LEAST: usize = 4;

#[test]
fn messages_are_quoted_as_they_are_printed() {
    let page = read(Path::new("docs/TROUBLESHOOTING.md"));
    let quotes: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("> "))
        .collect();
    assert!(quotes.len() > 20, "{quotes:?}");
    let sources: Vec<_> = sources(Path::new("src")).iter().map(|s| said(s)).collect();
    for quote in quotes {
        for part in parts(quote) {
            let is_said = sources.iter().any(|source| source.contains(part));
            assert!(is_said, "{part:?} of {quote:?}");
        }
    }
}

/// What of a quote stands in the source in one piece.
fn parts(quote: &str) -> impl Iterator<Item = &str> {
    let parts = quote
        .split(ANYTHING)
        .map(|part| part.trim_matches([' ', ':']));
    parts.filter(|part| part.len() >= LEAST)
}

/// Lines that go on in the next are one, and what stands for a value is nothing.
fn said(source: &str) -> String {
    let mut text = String::new();
    for line in source.lines() {
        match line.strip_suffix('\\') {
            Some(line) => text.push_str(line.trim_start()),
            None => {
                text.push_str(line.trim_start());
                text.push('\n');
            }
        }
    }
    text.replace("\\\"", "\"")
}

fn sources(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(Path::new(ROOT).join(folder)).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let is_rust = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "rs");
    paths
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false if is_rust(&path) => vec![read(&path)],
            false => Vec::new(),
        })
        .collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).expect("a file")
}
