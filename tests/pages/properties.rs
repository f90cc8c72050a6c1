// SPDX-License-Identifier: MPL-2.0
//! Properties that pages name are those that the elements have, with values that they take.

use std::collections::BTreeSet;

use gst::prelude::*;

use super::document::{Page, page, pages};

/// Where a name with a value may be of another element, or in another place.
const OTHERS: [&str; 2] = ["docs/PROPERTIES.md", "CHANGELOG.md"];

/// What stands for a value of the reader's.
const FOR_VALUES: [&str; 4] = ["…", "o", "s-o-l", "a-(s-o-l)"];

struct Elements([gst::Element; 2]);

impl Elements {
    fn new() -> Self {
        gst::init().expect("GStreamer starts");
        gstvideosocket::plugin_register_static().expect("the elements register");
        let make = |name| gst::ElementFactory::make(name).build().expect("an element");
        Self(["videosocketsink", "videosocketsrc"].map(make))
    }

    /// Their own.
    fn properties(&self) -> BTreeSet<&'static str> {
        let own = self.0.iter().flat_map(|element| {
            let specs = element.list_properties().to_vec().into_iter();
            specs.filter(|spec| spec.owner_type() == element.type_())
        });
        own.map(|spec| spec.name()).collect()
    }

    /// None where the property is neither's.
    fn take(&self, name: &str, value: &str) -> Option<bool> {
        let mut specs = self
            .0
            .iter()
            .filter_map(|element| element.find_property(name))
            .peekable();
        specs.peek()?;
        Some(specs.any(|spec| gst::glib::Value::deserialize_with_pspec(value, &spec).is_ok()))
    }
}

#[test]
fn the_readme_has_each_property_by_its_task() {
    let elements = Elements::new();
    let readme = page("README.md");
    let (_, table) = readme
        .text
        .split_once("\n## Properties by task\n")
        .expect("the table");
    let table = table.split("\n## ").next().expect("its end");
    let words = table.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let words: BTreeSet<_> = words.collect();
    let lacking: Vec<_> = elements
        .properties()
        .into_iter()
        .filter(|name| !words.contains(name))
        .collect();
    assert!(lacking.is_empty(), "{lacking:?}");
}

#[test]
fn values_are_such_that_properties_take() {
    let elements = Elements::new();
    let pages = pages();
    for page in pages
        .iter()
        .filter(|page| !OTHERS.contains(&page.name.as_str()))
    {
        for (name, value) in settings(page) {
            let is_taken = elements.take(name, value).unwrap_or(true);
            assert!(is_taken, "{}: {name}={value}", page.name);
        }
    }
}

fn settings(page: &Page) -> impl Iterator<Item = (&str, &str)> {
    let words = page
        .inline_code()
        .into_iter()
        .flat_map(str::split_whitespace);
    let settings = words.filter_map(|word| word.split_once('='));
    settings.filter(|(_, value)| !FOR_VALUES.contains(value))
}
