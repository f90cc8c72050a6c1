// SPDX-License-Identifier: MPL-2.0
//! Any text as the URI of each element: it is refused and changes nothing, or what the element makes of it says the
//! same to another.

#![no_main]

use std::{str, sync::Once};

use checks::complaints;
use gst::{glib, prelude::*};
use libfuzzer_sys::fuzz_target;

/// What URIs are made of, and what parsers of them are known to stumble over.
const WORDS: [&str; 58] = [
    "videosocket://",
    "videosockets://",
    "videosocket",
    "localhost",
    "127.0.0.1",
    "[::1]",
    "[fe80::1%eth0]",
    "[fe80::1%25eth0]",
    "*",
    ":4953",
    ":0",
    ":65536",
    ":-1",
    "/",
    "?",
    "&",
    "=",
    "%",
    "%00",
    "%25",
    "%c3%a9",
    "%ff",
    "#",
    "@",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "64",
    "4294967296",
    "18446744073709551615",
    "none",
    "auto",
    "listen",
    "connect",
    "block",
    "drop",
    "u32be",
    "varint",
    "decimal",
    "on-request",
    "keyframe+qos",
    "next-keyframe",
    "0a0B",
    "/tmp/a b.pem",
    "?mode=",
    "&length-format=",
    "&length-digits=",
    "&length-offset=",
    "&length-adjustment=",
    "&preamble=",
    "&caps=",
    "video%2Fx-raw%2Cwidth%3D1",
    "&connection-id=",
    "&overflow=",
    "&max-size-time=",
    "&accept-events=",
];

fuzz_target!(|input: &[u8]| {
    static INIT: Once = Once::new();
    INIT.call_once(init);
    let bytes = checks::words(input, &WORDS);
    let Ok(uri) = str::from_utf8(&bytes) else {
        return;
    };
    if uri.contains('\0') {
        return;
    }
    for name in ["videosocketsink", "videosocketsrc"] {
        check(name, uri);
    }
    // Whatever else GLib or GStreamer complains of is a fault.
    assert!(complaints::take() == 0 || has_caps(uri), "{uri}");
});

fn init() {
    gst::init().unwrap();
    gstvideosocket::plugin_register_static().unwrap();
    complaints::count();
}

/// Whether GStreamer may complain of it: caps are the user's own, and its parser says what it thinks of them.
fn has_caps(uri: &str) -> bool {
    let decoded = glib::Uri::unescape_bytes(uri, None);
    // What stands before an escape that is none may be caps as well.
    decoded.map_or(true, |bytes| bytes.windows(4).any(|word| word == b"caps"))
}

fn check(name: &str, uri: &str) {
    let element = Element::new(name);
    let before = element.said();
    if element.set(uri).is_err() {
        assert_eq!(element.said(), before);
        return;
    }
    let said = element.said();
    let other = Element::new(name);
    other.set(&said).unwrap();
    assert_eq!(other.said(), said);
    for property in element.0.list_properties() {
        let name = property.name();
        let is_setting = property.flags().contains(glib::ParamFlags::WRITABLE);
        // Who an element is, is its own; and of hosts, an empty one and * are the same.
        if !is_setting || ["name", "parent", "host"].contains(&name) {
            continue;
        }
        let values = [&element, &other].map(|element| {
            let value = element.0.property_value(name);
            value.serialize().map(String::from).ok()
        });
        assert_eq!(values[0], values[1], "{name}");
    }
}

struct Element(gst::Element);

impl Element {
    fn new(name: &str) -> Self {
        Self(gst::ElementFactory::make(name).build().unwrap())
    }

    fn set(&self, uri: &str) -> Result<(), glib::Error> {
        let handler = self.0.dynamic_cast_ref::<gst::URIHandler>().unwrap();
        handler.set_uri(uri)
    }

    fn said(&self) -> String {
        self.0.property("uri")
    }
}
