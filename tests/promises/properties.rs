// SPDX-License-Identifier: MPL-2.0
//! The properties are those of the specification: names, types, defaults, ranges.

use crate::support::*;
use gst::glib;
use gst::prelude::*;

struct Row {
    name: &'static str,
    kind: &'static str,
    default: &'static str,
    /// Another value, to be read back.
    other: &'static str,
}

const fn row(
    name: &'static str,
    kind: &'static str,
    default: &'static str,
    other: &'static str,
) -> Row {
    Row {
        name,
        kind,
        default,
        other,
    }
}

const BOTH: &[Row] = &[
    row("mode", "enum", "connect", "listen"),
    row("host", "gchararray", "localhost", "camera.local"),
    row("port", "guint", "4953", "65535"),
    row(
        "uri",
        "gchararray",
        "videosocket://localhost:4953",
        "videosocket://camera.local:5000",
    ),
    row("connection-id", "gchararray", "NULL", "chat"),
    row("length-format", "enum", "decimal", "varint"),
    row("length-digits", "guint", "8", "64"),
    row("length-offset", "guint", "0", "64"),
    row("length-trailer", "guint", "0", "64"),
    row("length-adjustment", "gint", "0", "-64"),
    row("preamble", "gchararray", "NULL", "00ff"),
    row("max-frame-size", "guint64", "99999999", "1000"),
    row("connect-timeout", "guint64", "10000000000", "0"),
    row("timeout", "guint64", "0", "5000000000"),
    row("reconnect", "gboolean", "false", "true"),
    row("qos-dscp", "gint", "-1", "46"),
    row("tls", "gboolean", "false", "true"),
    row("tls-certificate-file", "gchararray", "NULL", "/a/b.pem"),
    row("tls-private-key-file", "gchararray", "NULL", "key.pem"),
    row("tls-ca-file", "gchararray", "NULL", "/ca.pem"),
    row("tls-client-ca-file", "gchararray", "NULL", "/ca.pem"),
    row("tls-verify", "gboolean", "true", "false"),
];

const SINK: &[Row] = &[
    row("wait-for-connection", "gboolean", "true", "false"),
    row("lockstep", "gboolean", "false", "true"),
    row("overflow", "enum", "auto", "disconnect"),
    row("max-size-buffers", "guint", "0", "3"),
    row("max-size-bytes", "guint", "0", "1000000"),
    row("max-size-time", "guint64", "500000000", "0"),
    row("sync-method", "enum", "next-keyframe", "latest"),
    row("request-keyframes", "gboolean", "true", "false"),
    row("max-clients", "guint", "0", "2"),
    row("eos-frame", "gboolean", "false", "true"),
    row("metadata", "enum", "on-request", "off"),
    row("accept-events", "flags", "keyframe", "none"),
];

const SOURCE: &[Row] = &[
    row("zero-length", "enum", "frame", "eos"),
    row("metadata", "enum", "auto", "request"),
    row("timestamps", "enum", "auto", "arrival"),
    row("latency", "guint64", "0", "100000000"),
];

/// Of both elements, without a text of their own or only to be read.
const OTHERS: [&str; 3] = ["socket", "stats", "current-port"];

const SINK_OTHERS: [&str; 2] = ["num-clients", "connecting-certificate"];

const SOURCE_OTHERS: [&str; 1] = ["caps"];

fn elements() -> [(gst::Element, Vec<&'static Row>); 2] {
    init();
    [("videosocketsink", SINK), ("videosocketsrc", SOURCE)].map(|(name, own)| {
        let element = gst::ElementFactory::make(name)
            .build()
            .expect("a registered element");
        (element, BOTH.iter().chain(own).collect())
    })
}

fn spec(element: &gst::Element, name: &str) -> glib::ParamSpec {
    element
        .find_property(name)
        .unwrap_or_else(|| panic!("{} has {name}", element.name()))
}

/// As gst-launch would write it.
fn written(value: &glib::Value) -> String {
    // GStreamer would write the names, which are sentences.
    if let Some((_, flags)) = glib::FlagsValue::from_value(value) {
        let nicks: Vec<_> = flags.iter().map(|flag| flag.nick()).collect();
        return match nicks[..] {
            [] => "none".into(),
            _ => nicks.join("+"),
        };
    }
    match value.get::<Option<String>>() {
        Ok(text) => text.unwrap_or_else(|| "NULL".into()),
        Err(_) => value.serialize().expect("a value that prints").into(),
    }
}

#[test]
fn there_are_no_others() {
    for (element, rows) in elements() {
        let specs = element.list_properties();
        let mut there: Vec<_> = specs
            .iter()
            .filter(|spec| is_own(spec))
            .map(|spec| spec.name())
            .collect();
        let others: &[&str] = match element.name().starts_with("videosocketsink") {
            true => &SINK_OTHERS,
            false => &SOURCE_OTHERS,
        };
        let mut expected: Vec<_> = rows.iter().map(|row| row.name).collect();
        expected.extend(OTHERS.iter().chain(others));
        there.sort_unstable();
        expected.sort_unstable();
        assert_eq!(there, expected);
    }
}

#[test]
fn types() {
    for (element, rows) in elements() {
        for row in rows {
            let kind = spec(&element, row.name).value_type();
            match row.kind {
                "enum" => assert!(kind.is_a(glib::Type::ENUM), "{} is an enum", row.name),
                "flags" => assert!(kind.is_a(glib::Type::FLAGS), "{} is flags", row.name),
                _ => assert_eq!(kind.name(), row.kind, "{}", row.name),
            }
        }
        assert_eq!(
            spec(&element, "socket").value_type(),
            gio::Socket::static_type()
        );
        assert_eq!(
            spec(&element, "stats").value_type(),
            gst::Structure::static_type()
        );
        assert_eq!(
            spec(&element, "current-port").value_type(),
            u32::static_type()
        );
    }
}

#[test]
fn defaults() {
    for (element, rows) in elements() {
        for row in rows {
            let value = element.property_value(row.name);
            assert_eq!(written(&value), row.default, "{}", row.name);
            let declared = spec(&element, row.name).default_value().clone();
            assert_eq!(written(&declared), row.default, "{}", row.name);
        }
        assert_eq!(number(&element, "current-port"), 0);
        assert!(element.property::<Option<gio::Socket>>("socket").is_none());
    }
}

#[test]
fn defaults_of_the_base_classes() {
    let [(sink, _), (source, _)] = elements();
    assert!(sink.property::<bool>("sync"));
    assert_eq!(number(&sink, "processing-deadline"), 0);
    assert_eq!(number(&sink, "num-clients"), 0);
    assert!(source.property::<bool>("do-timestamp"));
    assert!(source.property::<Option<gst::Caps>>("caps").is_none());
}

#[test]
fn what_is_set_is_read_back() {
    for (element, rows) in elements() {
        let factory = element.factory().expect("a factory");
        for row in rows {
            // The uri tells of all the others.
            let element = factory.create().build().expect("an element");
            element.set_property_from_str(row.name, row.other);
            assert_eq!(
                written(&element.property_value(row.name)),
                row.other,
                "{}",
                row.name
            );
        }
        let (socket, _, _peer) = wrapped_socket();
        element.set_property("socket", &socket);
        assert_eq!(
            element.property::<Option<gio::Socket>>("socket"),
            Some(socket)
        );
    }
    let [_, (source, _)] = elements();
    let caps = gst::Caps::builder("image/jpeg").build();
    source.set_property("caps", &caps);
    assert_eq!(source.property::<Option<gst::Caps>>("caps"), Some(caps));
}

#[test]
fn ranges() {
    let common = [
        ("port", "0..=65535"),
        ("length-digits", "1..=64"),
        ("length-offset", "0..=64"),
        ("length-trailer", "0..=64"),
        ("length-adjustment", "-64..=64"),
        ("max-frame-size", "0..=18446744073709551615"),
        ("connect-timeout", "0..=18446744073709551614"),
        ("timeout", "0..=18446744073709551614"),
        ("qos-dscp", "-1..=63"),
        ("current-port", "0..=65535"),
    ];
    let of_sink = [
        ("max-size-buffers", "0..=4294967295"),
        ("max-size-bytes", "0..=4294967295"),
        ("max-size-time", "0..=18446744073709551614"),
        ("max-clients", "0..=4294967295"),
        ("num-clients", "0..=4294967295"),
    ];
    let [(sink, _), (source, _)] = elements();
    for (element, ranges) in [
        (&source, &common[..]),
        (&sink, &common[..]),
        (&sink, &of_sink[..]),
    ] {
        for (name, expected) in ranges {
            assert_eq!(range(&spec(element, name)), *expected, "{name}");
        }
    }
}

fn range(spec: &glib::ParamSpec) -> String {
    if let Some(spec) = spec.downcast_ref::<glib::ParamSpecUInt>() {
        format!("{:?}", spec.minimum()..=spec.maximum())
    } else if let Some(spec) = spec.downcast_ref::<glib::ParamSpecUInt64>() {
        format!("{:?}", spec.minimum()..=spec.maximum())
    } else if let Some(spec) = spec.downcast_ref::<glib::ParamSpecInt>() {
        format!("{:?}", spec.minimum()..=spec.maximum())
    } else {
        panic!("{} has a range", spec.name())
    }
}

#[test]
fn enum_values() {
    let [(sink, _), (source, _)] = elements();
    for element in [&sink, &source] {
        assert_eq!(nicks(element, "mode"), ["connect", "listen"]);
        assert_eq!(
            nicks(element, "length-format"),
            [
                "decimal", "u8", "u16be", "u16le", "u24be", "u24le", "u32be", "u32le", "u64be",
                "u64le", "varint"
            ]
        );
    }
    assert_eq!(
        nicks(&sink, "overflow"),
        ["auto", "block", "drop", "disconnect"]
    );
    assert_eq!(
        nicks(&sink, "sync-method"),
        ["latest", "next-keyframe", "latest-keyframe"]
    );
    assert_eq!(nicks(&source, "zero-length"), ["frame", "skip", "eos"]);
}

fn nicks(element: &gst::Element, name: &str) -> Vec<String> {
    let class = glib::EnumClass::with_type(spec(element, name).value_type()).expect("an enum");
    class
        .values()
        .iter()
        .map(|value| value.nick().to_owned())
        .collect()
}

#[test]
fn what_an_element_finds_out_is_read_only() {
    let [(sink, _), (source, _)] = elements();
    for (element, name) in [
        (&sink, "current-port"),
        (&sink, "stats"),
        (&sink, "num-clients"),
        (&source, "current-port"),
        (&source, "stats"),
    ] {
        assert!(
            !spec(element, name)
                .flags()
                .contains(glib::ParamFlags::WRITABLE),
            "{name}"
        );
    }
}

#[test]
fn what_opens_the_connection_is_set_before_it() {
    for (element, _) in elements() {
        for name in [
            "mode",
            "host",
            "port",
            "uri",
            "connection-id",
            "socket",
            "length-format",
            "length-digits",
            "length-offset",
            "length-trailer",
            "length-adjustment",
            "preamble",
        ] {
            assert!(
                spec(&element, name)
                    .flags()
                    .contains(gst::PARAM_FLAG_MUTABLE_READY),
                "{name}"
            );
        }
    }
}

/// The unit, and what a number means that is none of these: `gst-inspect-1.0` shows the range and the default.
const EXPLAINED: &[(&str, &[&str])] = &[
    ("port", &["TCP port", "(0 = any free one"]),
    ("length-digits", &["How many digits"]),
    ("length-offset", &["How many bytes", "(0 = none)"]),
    ("length-trailer", &["How many bytes", "(0 = none)"]),
    (
        "length-adjustment",
        &["How many bytes", "(0 = the number is the length)"],
    ),
    ("max-frame-size", &["in bytes", "(0 = only empty frames)"]),
    ("connect-timeout", &["in nanoseconds", "(0 = for ever)"]),
    ("timeout", &["in nanoseconds", "(0 = never)"]),
    ("qos-dscp", &["DSCP mark", "(-1 = the system's default)"]),
    ("current-port", &["TCP port", "(0 = it does not listen)"]),
    (
        "max-size-buffers",
        &["How many buffers", "(0 = no limit by number)"],
    ),
    (
        "max-size-bytes",
        &["How many bytes", "(0 = no limit by bytes)"],
    ),
    (
        "max-size-time",
        &["in nanoseconds", "(0 = no limit by time)"],
    ),
    (
        "latency",
        &["in nanoseconds", "(0 = frames are shown as they come)"],
    ),
    ("max-clients", &["more clients", "(0 = no limit)"]),
    ("num-clients", &["How many clients"]),
];

#[test]
fn every_number_explains_itself() {
    for (element, _) in elements() {
        for spec in element.list_properties().iter().filter(|spec| is_own(spec)) {
            let name = spec.name();
            let explained = EXPLAINED.iter().find(|(number, _)| *number == name);
            assert_eq!(explained.is_some(), is_number(spec), "{name}");
            for words in explained.map_or(&[][..], |(_, words)| words) {
                let blurb = spec.blurb().expect("a blurb");
                assert!(
                    blurb.contains(words),
                    "{words:?} is said of {name}: {blurb}"
                );
            }
        }
    }
}

#[test]
fn every_property_explains_itself() {
    for (element, _) in elements() {
        for spec in element.list_properties().iter().filter(|spec| is_own(spec)) {
            let words = spec.blurb().map_or(0, |blurb| blurb.split(' ').count());
            assert!(words > 3, "{} explains itself", spec.name());
        }
    }
}

fn is_own(spec: &glib::ParamSpec) -> bool {
    spec.owner_type().name().starts_with("GstVideoSocket")
}

fn is_number(spec: &glib::ParamSpec) -> bool {
    let numbers = [i32::static_type(), u32::static_type(), u64::static_type()];
    numbers.contains(&spec.value_type())
}

#[test]
fn the_blurb_of_stats_names_its_fields() {
    for (element, _) in elements() {
        let blurb = spec(&element, "stats")
            .blurb()
            .expect("a blurb")
            .to_string();
        for field in element.property::<gst::Structure>("stats").fields() {
            assert!(blurb.contains(field.as_str()), "{field}: {blurb}");
        }
    }
}

#[test]
fn elements_introduce_themselves() {
    for (name, class) in [
        ("videosocketsink", "Sink/Network"),
        ("videosocketsrc", "Source/Network"),
    ] {
        init();
        let factory = gst::ElementFactory::find(name).expect("a registered element");
        for key in ["long-name", "description", "author"] {
            assert!(
                factory.metadata(key).is_some_and(|text| text.len() > 5),
                "the {key} of {name}"
            );
        }
        assert!(
            factory
                .metadata("klass")
                .is_some_and(|klass| klass.contains(class)),
            "{name}"
        );
    }
}

#[test]
fn any_caps_pass() {
    for (name, pad) in [("videosocketsink", "sink"), ("videosocketsrc", "src")] {
        init();
        let element = gst::ElementFactory::make(name)
            .build()
            .expect("a registered element");
        let template = element.pad_template(pad).expect("a pad template");
        assert_eq!(template.presence(), gst::PadPresence::Always);
        assert!(template.caps().is_any());
    }
}

#[test]
fn a_source_is_live() {
    let [_, (source, _)] = elements();
    source.set_property_from_str("mode", "listen");
    source.set_property("host", "127.0.0.1");
    source.set_property("port", 0u32);
    assert_eq!(
        source.set_state(gst::State::Paused),
        Ok(gst::StateChangeSuccess::NoPreroll)
    );
    source.set_state(gst::State::Null).expect("stopped");
}

#[test]
fn whoever_owns_a_value_may_ask_for_another_when_it_is_replaced() {
    for element in crate::support::elements() {
        let socket = gio::Socket::new(
            gio::SocketFamily::Ipv4,
            gio::SocketType::Stream,
            gio::SocketProtocol::Tcp,
        );
        let socket = socket.expect("a socket");
        element.set_property("socket", &socket);
        let (weak, (tell, told)) = (element.downgrade(), std::sync::mpsc::channel());
        socket.add_weak_ref_notify(move || {
            let _ = tell.send(number(&weak.upgrade().expect("the element"), "port"));
        });
        drop(socket);
        let replacing =
            Background::run(move || element.set_property("socket", None::<gio::Socket>));
        replacing.join().expect("it returns");
        assert_eq!(told.try_recv(), Ok(4953));
    }
}
