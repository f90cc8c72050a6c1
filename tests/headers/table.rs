// SPDX-License-Identifier: MPL-2.0
//! The table itself.

use super::LENGTHS;

/// Words in its first column that are no header.
const NO_PROGRAMS: [&str; 4] = ["send_bytes", "recv_bytes", "authkey", "int"];

pub struct Row {
    /// What stands in the first column as code.
    pub programs: Vec<String>,
    pub properties: String,
}

pub fn rows() -> Vec<Row> {
    let page = include_str!("../../docs/PROTOCOL.md");
    let (_, section) = page
        .split_once("\n### What your program says\n")
        .expect("the section");
    let lines = section.lines().skip_while(|line| !line.starts_with("|---"));
    let lines = lines.skip(1).take_while(|line| line.starts_with('|'));
    lines.map(row).collect()
}

fn row(line: &str) -> Row {
    let (programs, properties) = line
        .trim_matches(['|', ' '])
        .rsplit_once(" | ")
        .expect("two columns");
    let programs: Vec<_> = code(programs)
        .filter(|word| !NO_PROGRAMS.contains(word))
        .map(str::to_owned)
        .collect();
    assert!(!programs.is_empty(), "{line}");
    let properties = code(properties).collect::<Vec<_>>().join(" ");
    Row {
        programs,
        properties,
    }
}

/// What stands between backticks.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

impl Row {
    /// Those lengths that its header can say.
    pub fn lengths(&self) -> Vec<usize> {
        let longest = match self.property("length-format") {
            Some("u8") => 255,
            Some("u16be" | "u16le") => 65_535,
            Some(_) => usize::MAX,
            None => match self.property("length-digits") {
                Some(digits) => 10usize.saturating_pow(digits.parse().expect("a number")) - 1,
                None => usize::MAX,
            },
        };
        // What the number counts besides is less than the lengths are apart.
        let lengths = LENGTHS.into_iter().filter(|&len| len <= longest);
        lengths.collect()
    }

    fn property(&self, name: &str) -> Option<&str> {
        let mut pairs = self
            .properties
            .split(' ')
            .filter_map(|pair| pair.split_once('='));
        Some(pairs.find(|(key, _)| *key == name)?.1)
    }
}
