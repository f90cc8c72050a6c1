//! A header that is none ends the connection: no byte after it can be trusted.

use crate::support::*;

/// What comes where a header should, and how an error may show it.
const BAD_HEADERS: &[(&[u8; 8], &[&str])] = &[
    (b"-0000001", &["-0000001"]),
    (b"+0000012", &["+0000012"]),
    (b"0000 012", &["0000 012"]),
    (b"12345abc", &["12345abc"]),
    (b"1_000_00", &["1_000_00"]),
    (b"0x00001f", &["0x00001f"]),
    (b"000012.0", &["000012.0"]),
    (b"GET / HT", &["GET / HT"]),
    (b"        ", &["        ", "20 20 20 20"]),
    (b"0000001\n", &["0000001\\n", "0000001\\x0a"]),
    (
        b"\0\0\0\0\0\0\0\0",
        &["\\0\\0\\0\\0", "\\x00\\x00\\x00\\x00", "00 00 00 00"],
    ),
    (
        b"0\x000\x000\x005\x00",
        &[
            "0\\00\\00\\05\\0",
            "0\\x000\\x000\\x005\\x00",
            "30 00 30 00 30 00 35 00",
        ],
    ),
    (
        "٠٠٠٥".as_bytes().first_chunk().unwrap(),
        &["\\xd9\\xa0", "\\xD9\\xA0", "d9 a0", "٠٠٠٥"],
    ),
];

#[test]
fn a_bad_header_is_an_error_that_shows_it_and_the_peer() {
    for (header, shown) in BAD_HEADERS {
        let source = Receiver::playing("mode=listen port=0");
        let peer = Peer::connect(source.port());
        let address = peer.address();
        peer.send_frame(b"good");
        peer.send(*header);
        assert_eq!(source.rest(), [b"good"]);
        let fault = source
            .expect_error()
            .from(&source.source)
            .is(gst::StreamError::Decode);
        let fault = fault.shows(&[&address.to_string()]);
        let text = fault.to_string();
        assert!(
            shown.iter().any(|bytes| text.contains(bytes)),
            "{header:?} is shown by {fault:?}"
        );
        peer.expect_turned_away();
    }
}

#[test]
fn a_length_over_the_limit_is_an_error_that_says_both() {
    for properties in ["", "length-format=u32be", "length-format=varint"] {
        let source = Receiver::playing(&format!(
            "mode=listen port=0 max-frame-size=1000 {properties}"
        ));
        let peer = Peer::connect(source.port());
        peer.send(match properties {
            "" => b"00001001",
            "length-format=u32be" => &[0, 0, 0x03, 0xe9],
            _ => &[0xe9, 0x07],
        });
        assert!(source.rest().is_empty());
        let address = peer.address().to_string();
        source
            .expect_error()
            .is(gst::StreamError::Decode)
            .shows(&["1001", "1000", &address]);
    }
}

#[test]
fn a_frame_of_just_the_limit_passes() {
    let source = Receiver::playing("mode=listen port=0 max-frame-size=1000");
    let peer = Peer::connect(source.port());
    peer.send_frame(&payload(1, 1000));
    assert_eq!(source.frame(), payload(1, 1000));
}

#[test]
fn a_varint_without_end_is_an_error() {
    let source = Receiver::playing("mode=listen port=0 length-format=varint");
    let peer = Peer::connect(source.port());
    peer.send(&[0x80; 11]);
    assert!(source.rest().is_empty());
    source.expect_error().is(gst::StreamError::Decode);
}

#[test]
fn the_next_peer_is_served_after_a_bad_one() {
    let source = Receiver::playing("mode=listen port=0 reconnect=true max-frame-size=1000");
    for (header, _) in BAD_HEADERS {
        let peer = Peer::connect(source.port());
        peer.send(*header);
        source
            .expect_warning()
            .is(gst::StreamError::Decode)
            .shows(&[&peer.address().to_string()]);
        peer.expect_turned_away();
    }
    let peer = Peer::connect(source.port());
    peer.send_frame(b"good");
    assert_eq!(source.frame(), b"good");
    assert_eq!(
        stat(&source.source, "protocol-errors"),
        BAD_HEADERS.len() as u64
    );
    assert_eq!(stat(&source.source, "frames-received"), 1);
    assert!(source.unread_errors(&source.source).is_empty());
}
