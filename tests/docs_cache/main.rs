// SPDX-License-Identifier: MPL-2.0
//! What GStreamer shows of the elements is what docs/gst_plugin_cache.json says, from which the site of GStreamer makes
//! its pages, and docs/PROPERTIES.md. `make docs-cache` writes both anew.
//!
//! What belongs to base classes or to a build, and so differs from one GStreamer to another, is left out.

mod page;

use std::{env, fs, num::NonZeroU32, slice};

use gst::{
    glib::{self, ParamFlags, ParamSpec, SignalFlags, translate::*},
    prelude::*,
};
use serde_json::{Map, Value, json};

const CACHE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/gst_plugin_cache.json");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/PROPERTIES.md");
/// As GStreamer writes no value.
const NONE: &str = "NULL";

const WRITE: &str = "VIDEOSOCKET_WRITE_DOCS_CACHE";

/// Where the arguments of the signals have names, and their purpose words.
const SIGNALS: &str = include_str!("../../src/videosocketsink/mod.rs");

#[test]
fn the_cache_and_the_page_are_what_gstreamer_shows() {
    gst::init().expect("GStreamer starts");
    gstvideosocket::plugin_register_static().expect("the elements register");
    let plugin = plugin();
    let cache = serde_json::to_string_pretty(&plugin).expect("JSON") + "\n";
    is_kept(CACHE, &cache);
    is_kept(PAGE, &page::page(&plugin));
}

fn is_kept(file: &str, shown: &str) {
    if env::var_os(WRITE).is_some() {
        fs::write(file, shown).expect("it is written");
        return;
    }
    let kept = fs::read_to_string(file).expect("a page that is kept");
    let differing = kept
        .lines()
        .zip(shown.lines())
        .find(|(kept, shown)| kept != shown);
    assert!(
        kept == shown,
        "`make docs-cache` writes {file} anew: {differing:#?}"
    );
}

fn plugin() -> Value {
    let registry = gst::Registry::get();
    let plugin = registry.find_plugin("videosocket").expect("the plugin");
    let features = registry.features_by_plugin("videosocket");
    let factories = features
        .into_iter()
        .filter_map(|feature| feature.downcast::<gst::ElementFactory>().ok())
        .map(|factory| factory.load().expect("it is loaded"));
    let mut types = Map::new();
    let elements: Map<_, _> = factories
        .map(|factory| (factory.name().into(), element(&factory, &mut types)))
        .collect();
    json!({"videosocket": {
        "description": plugin.description().as_str(),
        "elements": elements,
        "license": plugin.license().as_str(),
        "other-types": types,
        "package": plugin.package().as_str(),
        "source": plugin.source().as_str(),
    }})
}

fn element(factory: &gst::ElementFactory, types: &mut Map<String, Value>) -> Value {
    let kind = factory.element_type();
    let object = factory.create().build().expect("an element");
    let own = object.list_properties();
    let own = own.iter().filter(|spec| spec.owner_type() == kind);
    let properties: Map<_, _> = own
        .map(|spec| {
            add_type(spec.value_type(), types);
            (spec.name().into(), property(spec))
        })
        .collect();
    let signals: Map<_, _> = signals(kind)
        .map(|query| {
            for argument in query.param_types() {
                add_type(argument.type_(), types);
            }
            (query.signal_name().into(), signal(&query))
        })
        .collect();
    let templates = factory.static_pad_templates();
    json!({
        "author": factory.metadata("author"),
        "description": factory.metadata("description"),
        "hierarchy": hierarchy(kind),
        "interfaces": kind.interfaces().iter().map(|kind| kind.name()).collect::<Vec<_>>(),
        "klass": factory.metadata("klass"),
        "long-name": factory.metadata("long-name"),
        "pad-templates": templates.iter().map(pad_template).collect::<Map<_, _>>(),
        "properties": properties,
        "rank": i32::from(factory.rank()),
        "signals": signals,
    })
}

fn hierarchy(kind: glib::Type) -> Vec<&'static str> {
    let parents = std::iter::successors(Some(kind), |kind| kind.parent());
    parents.map(|kind| kind.name()).collect()
}

fn pad_template(template: &gst::StaticPadTemplate) -> (String, Value) {
    let presence = match template.presence() {
        gst::PadPresence::Always => "always",
        gst::PadPresence::Sometimes => "sometimes",
        _ => "request",
    };
    let shown = json!({
        "caps": template.caps().to_string(),
        "direction": match template.direction() {
            gst::PadDirection::Src => "src",
            _ => "sink",
        },
        "presence": presence,
    });
    (template.name_template().into(), shown)
}

fn property(spec: &ParamSpec) -> Value {
    let flags = spec.flags();
    let mut shown = json!({
        "blurb": spec.blurb(),
        "conditionally-available": flags.contains(gst::PARAM_FLAG_CONDITIONALLY_AVAILABLE),
        "construct": flags.contains(ParamFlags::CONSTRUCT),
        "construct-only": flags.contains(ParamFlags::CONSTRUCT_ONLY),
        "controllable": flags.contains(gst::PARAM_FLAG_CONTROLLABLE),
        "default": default(spec),
        "mutable": mutable(flags),
        "readable": flags.contains(ParamFlags::READABLE),
        "type": spec.value_type().name(),
        "writable": flags.contains(ParamFlags::WRITABLE),
    });
    if let Some((min, max)) = range(spec) {
        shown["min"] = min.into();
        shown["max"] = max.into();
    }
    shown
}

/// With the nick in front, where there is one.
fn default(spec: &ParamSpec) -> String {
    let value = spec.default_value();
    if let Some((_, it)) = glib::EnumValue::from_value(value) {
        return format!("{} ({})", it.nick(), it.value());
    }
    if let Some((_, flags)) = glib::FlagsValue::from_value(value) {
        let nicks: Vec<_> = flags.iter().map(|flag| flag.nick()).collect();
        return nicks.join("+");
    }
    if value.type_() == glib::Type::STRING {
        let text = value.get::<Option<String>>().expect("a text");
        return text.unwrap_or_else(|| NONE.into());
    }
    if let Ok(None) = value.get::<Option<gst::Structure>>() {
        return NONE.into();
    }
    let text = value.serialize().ok().filter(|text| !text.is_empty());
    text.map_or(NONE.into(), |text| text.trim_matches('"').into())
}

fn mutable(flags: ParamFlags) -> &'static str {
    if flags.contains(gst::PARAM_FLAG_MUTABLE_PLAYING) {
        "playing"
    } else if flags.contains(gst::PARAM_FLAG_MUTABLE_PAUSED) {
        "paused"
    } else if flags.contains(gst::PARAM_FLAG_MUTABLE_READY) {
        "ready"
    } else {
        "null"
    }
}

fn range(spec: &ParamSpec) -> Option<(String, String)> {
    macro_rules! range_of {
        ($($kind:ty),*) => {
            $(if let Some(spec) = spec.downcast_ref::<$kind>() {
                return Some((spec.minimum().to_string(), spec.maximum().to_string()));
            })*
        };
    }
    range_of!(
        glib::ParamSpecInt,
        glib::ParamSpecInt64,
        glib::ParamSpecUInt,
        glib::ParamSpecUInt64
    );
    None
}

fn signals(kind: glib::Type) -> impl Iterator<Item = glib::subclass::SignalQuery> {
    let mut count = 0;
    // SAFETY: the list has as many numbers as `count` says, and is freed when they are copied.
    let numbers = unsafe {
        let list = glib::gobject_ffi::g_signal_list_ids(kind.into_glib(), &raw mut count);
        let numbers = match list.is_null() {
            true => Vec::new(),
            false => slice::from_raw_parts(list, count as usize).to_vec(),
        };
        glib::ffi::g_free(list.cast());
        numbers
    };
    numbers.into_iter().filter_map(|number| {
        // SAFETY: it is the number of a signal.
        NonZeroU32::new(number)
            .map(|number| unsafe { glib::subclass::SignalId::from_glib(number.get()) }.query())
    })
}

fn signal(query: &glib::subclass::SignalQuery) -> Value {
    let (names, words) = documented(query.signal_name());
    let types = query.param_types();
    assert_eq!(names.len(), types.len(), "{}", query.signal_name());
    let arguments = names.iter().zip(types);
    let arguments =
        arguments.map(|(name, kind)| json!({"name": name, "type": kind.type_().name()}));
    json!({
        "action": query.flags().contains(SignalFlags::ACTION),
        "args": arguments.collect::<Vec<_>>(),
        "doc": words,
        "return-type": query.return_type().type_().name(),
        "when": match query.flags() {
            flags if flags.contains(SignalFlags::RUN_FIRST) => "first",
            flags if flags.contains(SignalFlags::RUN_CLEANUP) => "cleanup",
            _ => "last",
        },
    })
}

/// The names of the arguments, and what the signal is for: a row "| `name` | `argument`: type, ... | words |".
fn documented(signal: &str) -> (Vec<&'static str>, &'static str) {
    let mut rows = SIGNALS
        .lines()
        .filter_map(|line| line.strip_prefix("//! | "));
    let row = rows.find(|row| row.starts_with(&format!("`{signal}` |")));
    let row: Vec<_> = row.expect(signal).split(" | ").collect();
    let names = row[1]
        .split(", ")
        .filter_map(|argument| argument.split('`').nth(1));
    (names.collect(), row[2].trim_end_matches(" |"))
}

/// Enumerations and flags of the plugin's own.
fn add_type(kind: glib::Type, types: &mut Map<String, Value>) {
    if !kind.name().starts_with("GstVideoSocket") {
        return;
    }
    let value = |nick: &str, name: &str, number: String| json!({"name": nick, "desc": name, "value": number});
    let (what, values): (_, Vec<_>) = if let Some(class) = glib::EnumClass::with_type(kind) {
        let values = class.values().iter();
        let values = values.map(|it| value(it.nick(), it.name(), it.value().to_string()));
        ("enum", values.collect())
    } else if let Some(class) = glib::FlagsClass::with_type(kind) {
        let values = class.values().iter();
        let values = values.map(|it| value(it.nick(), it.name(), format!("{:#010x}", it.value())));
        ("flags", values.collect())
    } else {
        return;
    };
    types.insert(kind.name().into(), json!({"kind": what, "values": values}));
}
