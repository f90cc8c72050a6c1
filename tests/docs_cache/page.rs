// SPDX-License-Identifier: MPL-2.0
//! docs/PROPERTIES.md, from what GStreamer shows.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value};

use super::NONE;

const HEAD: &str = "\
# Properties and signals

What `gst-inspect-1.0` shows of the elements. `make docs-cache` writes this page, and a test compares the two. Times are
nanoseconds. README has the properties [by task](../README.md#properties-by-task).
";

/// What a type has at most, also where one value stands for none, is no limit of the property's.
const UNLIMITED: [&str; 3] = ["4294967295", "18446744073709551614", "18446744073709551615"];

type Rows<'a> = BTreeMap<&'a str, &'a Value>;

pub fn page(plugin: &Value) -> String {
    let plugin = &plugin["videosocket"];
    let types = object(&plugin["other-types"]);
    let elements = object(&plugin["elements"]);
    let properties: Vec<_> = elements
        .values()
        .map(|element| rows(&element["properties"]))
        .collect();
    let [sink, source] = &properties[..] else {
        panic!("two elements, not {}", properties.len());
    };
    let is_of_both = |name: &&str| sink.get(*name) == source.get(*name);
    let mut page = HEAD.to_owned();
    let both = sink.iter().filter(|(name, _)| is_of_both(name));
    add_table(
        &mut page,
        "Both elements",
        both.map(|(name, it)| (*name, *it)),
        types,
    );
    for (name, own) in elements.keys().zip(&properties) {
        let own = own.iter().filter(|(name, _)| !is_of_both(name));
        add_table(
            &mut page,
            &format!("`{name}`"),
            own.map(|(name, it)| (*name, *it)),
            types,
        );
    }
    add_signals(&mut page, elements);
    add_values(&mut page, types);
    page
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("an object")
}

fn rows(properties: &Value) -> Rows<'_> {
    object(properties)
        .iter()
        .map(|(name, it)| (name.as_str(), it))
        .collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().expect("a text")
}

fn add_table<'a>(
    page: &mut String,
    title: &str,
    properties: impl Iterator<Item = (&'a str, &'a Value)>,
    types: &Map<String, Value>,
) {
    write!(
        page,
        "\n## {title}\n\n| property | is | default | |\n|---|---|---|---|\n"
    )
    .unwrap();
    for (name, property) in properties {
        let default = match text(property, "default") {
            NONE => String::new(),
            // Without its number.
            default => format!("`{}`", default.split(" (").next().unwrap_or(default)),
        };
        let is_writable = property["writable"] == true;
        let default = if is_writable { &default } else { "read-only" };
        let kind = kind(property, types);
        let blurb = cell(text(property, "blurb"));
        writeln!(page, "| `{name}` | {kind} | {default} | {blurb} |").unwrap();
    }
}

/// A type for a person, with its range where it has one of its own.
fn kind(property: &Value, types: &Map<String, Value>) -> String {
    let kind = text(property, "type");
    if let Some(values) = types.get(kind) {
        let names = values["values"].as_array().expect("values").iter();
        let names: Vec<_> = names
            .map(|value| format!("`{}`", text(value, "name")))
            .collect();
        return names.join(", ");
    }
    let range = || Some((property["min"].as_str()?, property["max"].as_str()?));
    match (kind, range()) {
        (_, Some((min, max))) if UNLIMITED.contains(&max) => format!("from {min} on"),
        (_, Some((min, max))) => format!("{min} to {max}"),
        ("gchararray", _) => "text".into(),
        ("gboolean", _) => "true or false".into(),
        _ => kind.into(),
    }
}

fn add_signals(page: &mut String, elements: &Map<String, Value>) {
    page.push_str("\n## Signals of the sink\n\n| signal | arguments | |\n|---|---|---|\n");
    for (name, signal) in elements
        .values()
        .flat_map(|element| object(&element["signals"]))
    {
        let arguments = signal["args"].as_array().expect("arguments").iter();
        let arguments: Vec<_> = arguments
            .map(|it| format!("`{}`: {}", text(it, "name"), text(it, "type")))
            .collect();
        let words = text(signal, "doc");
        writeln!(page, "| `{name}` | {} | {words} |", arguments.join(", ")).unwrap();
    }
}

fn add_values(page: &mut String, types: &Map<String, Value>) {
    page.push_str("\n## Values\n");
    for (name, kind) in types {
        write!(page, "\n`{name}`:\n\n| | |\n|---|---|\n").unwrap();
        for value in kind["values"].as_array().expect("values") {
            let words = cell(text(value, "desc"));
            writeln!(page, "| `{}` | {words} |", text(value, "name")).unwrap();
        }
    }
}

/// As it is to be read, whatever Markdown makes of it.
fn cell(words: &str) -> String {
    words
        .replace('|', "\\|")
        .replace('*', "\\*")
        .replace('<', "&lt;")
}
