// SPDX-License-Identifier: MPL-2.0
//! videosocket://host:port?key=value

use crate::support::*;
use gst::prelude::*;

fn handler(element: &gst::Element) -> &gst::URIHandler {
    element.dynamic_cast_ref().expect("a URI handler")
}

#[test]
fn the_scheme_finds_the_elements() {
    for (direction, name) in [
        (gst::URIType::Sink, "videosocketsink"),
        (gst::URIType::Src, "videosocketsrc"),
    ] {
        init();
        let element = gst::Element::make_from_uri(direction, "videosocket://[::1]:5000", None);
        let element = element.expect("an element for the URI");
        assert_eq!(element.factory().expect("a factory").name(), name);
        assert_eq!(handler(&element).uri_type(), direction);
        assert_eq!(
            handler(&element).protocols(),
            ["videosocket", "videosockets"]
        );
    }
}

#[test]
fn host_and_port() {
    for (uri, host, port) in [
        ("videosocket://camera.local:5000", "camera.local", 5000),
        ("videosocket://192.0.2.7:1", "192.0.2.7", 1),
        ("videosocket://[::1]:65535", "::1", 65535),
        ("videosocket://[fe80::1:2]:80", "fe80::1:2", 80),
        ("videosocket://[fe80::1%25eth0]:80", "fe80::1%eth0", 80),
        ("videosocket://[fe80::1%eth0]:80", "fe80::1%eth0", 80),
        ("videosocket://[fe80::1%252]:80", "fe80::1%2", 80),
        ("videosocket://[fe80::1%2]:80", "fe80::1%2", 80),
        ("videosocket://[fe80::1%25br%2Dlan]", "fe80::1%br-lan", 4953),
        ("videosocket://[::]:0", "::", 0),
        ("videosocket://camera.local", "camera.local", 4953),
    ] {
        for element in elements() {
            handler(&element).set_uri(uri).expect(uri);
            assert_eq!(element.property::<String>("host"), host, "{uri}");
            assert_eq!(element.property::<u32>("port"), port, "{uri}");
        }
    }
}

#[test]
fn query_keys_set_properties() {
    for element in elements() {
        let uri = "videosocket://[::]:4953?mode=listen&reconnect=true&timeout=5000000000&length-format=u32le";
        handler(&element).set_uri(uri).expect("a URI");
        assert_eq!(
            element.property_value("mode").serialize().unwrap(),
            "listen"
        );
        assert!(element.property::<bool>("reconnect"));
        assert_eq!(element.property::<u64>("timeout"), 5_000_000_000);
        assert_eq!(
            element.property_value("length-format").serialize().unwrap(),
            "u32le"
        );
    }
    for element in elements() {
        let uri = "videosocket://localhost?length-format=u24be&length-digits=64&length-offset=1&length-trailer=2\
            &length-adjustment=-3&preamble=00ff";
        handler(&element).set_uri(uri).expect("a URI");
        let value = |name: &str| element.property_value(name).serialize().unwrap();
        assert_eq!(value("length-format"), "u24be");
        assert_eq!(element.property::<u32>("length-digits"), 64);
        assert_eq!(element.property::<u32>("length-offset"), 1);
        assert_eq!(element.property::<u32>("length-trailer"), 2);
        assert_eq!(element.property::<i32>("length-adjustment"), -3);
        assert_eq!(element.property::<String>("preamble"), "00ff");
        let read = handler(&element).uri().expect("a URI");
        assert_eq!(read, uri.replace("localhost", "localhost:4953"));
    }
    let [sink, source] = elements();
    handler(&sink)
        .set_uri("videosocket://localhost:1?overflow=drop&max-clients=3")
        .expect("a URI");
    assert_eq!(sink.property::<u32>("max-clients"), 3);
    handler(&source)
        .set_uri("videosocket://localhost:1?zero-length=skip")
        .expect("a URI");
    assert_eq!(
        source.property_value("zero-length").serialize().unwrap(),
        "skip"
    );
}

#[test]
fn the_property_is_the_same_door() {
    for element in elements() {
        element.set_property("uri", "videosocket://[::1]:5000?mode=listen");
        assert_eq!(element.property::<String>("host"), "::1");
        assert_eq!(handler(&element).uri(), Some(element.property("uri")));
    }
}

#[test]
fn the_uri_follows_the_properties() {
    for element in elements() {
        element.set_property("host", "::1");
        element.set_property("port", 5000u32);
        let uri: String = element.property("uri");
        assert!(uri.starts_with("videosocket://[::1]:5000"), "{uri}");
    }
}

#[test]
fn the_interface_of_an_address_is_in_the_uri() {
    for element in elements() {
        element.set_property("host", "fe80::1%eth0");
        let uri: String = element.property("uri");
        assert_eq!(uri, "videosocket://[fe80::1%25eth0]:4953");
        element.set_property("host", "::1");
        element.set_property("uri", uri);
        assert_eq!(element.property::<String>("host"), "fe80::1%eth0");
    }
}

#[test]
fn what_is_read_back_sets_the_same() {
    for [first, second] in [elements(), elements()] {
        let uri = "videosocket://[fe80::1]:5000?mode=listen&reconnect=true&connection-id=a%26b%20c";
        handler(&first).set_uri(uri).expect("a URI");
        assert_eq!(first.property::<String>("connection-id"), "a&b c");
        let read = handler(&first).uri().expect("a URI");
        handler(&second)
            .set_uri(&read)
            .expect("the URI of the other element");
        for name in ["mode", "host", "port", "reconnect", "connection-id", "uri"] {
            let value = |element: &gst::Element| element.property_value(name).serialize().unwrap();
            assert_eq!(value(&second), value(&first), "{name} of {read}");
        }
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (uri, culprit) in [
        ("videosocket://localhost:4953?colour=red", "colour"),
        ("videosocket://localhost:4953?mode=sideways", "mode"),
        ("videosocket://localhost:4953?mode=sideways", "sideways"),
        ("videosocket://localhost:4953?timeout=soon", "timeout"),
        ("videosocket://localhost:4953?timeout=-1", "timeout"),
        (
            "videosocket://localhost:4953?length-digits=65",
            "gives length-digits the value \"65\", which it cannot have: it is 1 to 64",
        ),
        (
            "videosocket://localhost:4953?length-digits=0",
            "it is 1 to 64",
        ),
        (
            "videosocket://localhost:4953?length-offset=65",
            "gives length-offset the value \"65\", which it cannot have: it is 0 to 64",
        ),
        (
            "videosocket://localhost:4953?length-trailer=-1",
            "gives length-trailer the value \"-1\", which it cannot have: it is 0 to 64",
        ),
        (
            "videosocket://localhost:4953?length-adjustment=-65",
            "gives length-adjustment the value \"-65\", which it cannot have: it is -64 to 64",
        ),
        ("videosocket://camera.local:4999?preamble=123", "odd number"),
        (
            "videosocket://localhost:4953?reconnect=perhaps",
            "reconnect",
        ),
        (
            "videosocket://localhost:4953?current-port=1",
            "current-port",
        ),
        ("videosocket://localhost:4953?stats=1", "stats"),
        ("videosocket://localhost:65536", "65536"),
        ("videosocket://localhost:camera", "camera"),
        ("http://localhost:4953", "http"),
        (
            "videosocket://localhost:4953?connection-id=%ff",
            "\"%FF\", which is not percent-encoded UTF-8",
        ),
        ("videosocket://localhost:4953?%c3=1", "\"%C3\""),
        ("videosocket://localhost:4953?connection-id=%00", "\"%00\""),
        (
            "videosocket://localhost:4953?connection-id=%f",
            "connection-id=%f",
        ),
        (
            "videosocket://camera.local%3A4999",
            "host=camera.local port=4999",
        ),
    ] {
        for element in elements() {
            let error = handler(&element).set_uri(uri).expect_err(uri);
            assert!(
                error.message().contains(culprit),
                "{culprit} is named for {uri}: {error}"
            );
            assert_eq!(
                element.property::<String>("uri"),
                "videosocket://localhost:4953",
                "after {uri}"
            );
        }
    }
}

#[test]
fn a_value_out_of_range_is_not_taken_for_another() {
    for (key, value, possible) in [
        ("length-digits", "4294967304", "it is 1 to 64"),
        ("length-digits", "0x-4", "it is 1 to 64"),
        ("length-digits", "--4", "it is 1 to 64"),
        ("length-adjustment", "4294967292", "it is -64 to 64"),
        ("timeout", "-2", "it is 0 to"),
        ("timeout", "18446744073709551616", "it is 0 to"),
        ("connect-timeout", "", "it is 0 to"),
        ("qos-dscp", "", "it is -1 to 63"),
        ("reconnect", "", ""),
        ("mode", "", "it is one of connect, listen"),
        ("mode", "2", "it is one of connect, listen"),
    ] {
        for element in elements() {
            expect_refused(&element, key, value, possible);
        }
    }
    let [sink, source] = elements();
    for (key, value, possible) in [
        ("max-size-bytes", "4294967296", "it is 0 to 4294967295"),
        ("max-clients", "4294967297", "it is 0 to 4294967295"),
        ("max-size-time", "-500000000", "it is 0 to"),
        ("metadata", "", "it is one of off, on-request, on"),
        ("accept-events", "8", "it is one of none, keyframe"),
        ("accept-events", "keyframe+", "several with + between them"),
    ] {
        expect_refused(&sink, key, value, possible);
    }
    expect_refused(&source, "caps", "", "");
}

#[track_caller]
fn expect_refused(element: &gst::Element, key: &str, value: &str, possible: &str) {
    let uri = format!("videosocket://localhost?{key}={value}");
    let error = handler(element).set_uri(&uri).expect_err(&uri);
    let named = format!("gives {key} the value {value:?}, which it cannot have");
    for words in [&named, possible] {
        assert!(error.message().contains(words), "{words} in {error}");
    }
}

#[test]
fn flags_are_read_as_they_are_written() {
    let [sink, _] = elements();
    for flags in ["none", "qos", "keyframe%2Bqos%2Bnavigation"] {
        let uri = format!("videosocket://localhost:4953?accept-events={flags}");
        handler(&sink).set_uri(&uri).expect("a URI");
        assert_eq!(handler(&sink).uri().expect("a URI"), uri);
    }
    let plus = "videosocket://localhost:4953?accept-events=keyframe+qos";
    handler(&sink).set_uri(plus).expect("a URI");
    let read = handler(&sink).uri().expect("a URI");
    assert_eq!(read, plus.replace('+', "%2B"));
}

#[test]
fn a_mistake_in_the_property_fails_the_start_until_it_is_mended() {
    let (sink, source) = (Sender::new(""), Receiver::new(""));
    let both: [(&Pipeline, _); 2] = [(&sink, &sink.sink), (&source, &source.source)];
    for (pipeline, element) in both {
        for (uri, culprit) in [
            ("videosocket://localhost:4953?colour=red", "\"colour\""),
            ("videosocket://localhost:4953?mode=sideways", "mode"),
            ("videosocket://local%20host", "\"local host\""),
            ("camera.local:4953", "videosocket://"),
        ] {
            element.set_property("uri", uri);
            let error = pipeline.expect_refusal().from(element);
            error
                .is(gst::ResourceError::Settings)
                .says(&[uri, culprit, "uri"]);
            pipeline.stop();
        }
        element.set_property("uri", "videosocket://127.0.0.1:0?mode=listen");
        pipeline.pause();
        assert_ne!(number(element, "current-port"), 0);
    }
}

#[test]
fn refused_while_running() {
    let source = Receiver::playing("mode=listen port=0");
    let sink = Sender::playing("mode=listen port=0");
    for element in [&source.source, &sink.sink] {
        let before: String = element.property("uri");
        let error = handler(element)
            .set_uri("videosocket://localhost:1")
            .expect_err("running");
        assert!(error.matches(gst::URIError::BadState), "{error:?}");
        assert_eq!(element.property::<String>("uri"), before);
    }
}
