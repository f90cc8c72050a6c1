// SPDX-License-Identifier: MPL-2.0
//! A header that is none ends the connection: no byte after it can be trusted.

use crate::support::*;

/// What comes where a header should, and how the error shows it.
const BAD_HEADERS: &[(&[u8; 8], &str)] = &[
    (b"-0000001", r#""-0000001" (2d 30 30 30 30 30 30 31)"#),
    (b"+0000012", r#""+0000012" (2b 30 30 30 30 30 31 32)"#),
    (b"0000 012", r#""0000 012" (30 30 30 30 20 30 31 32)"#),
    (b"12345abc", r#""12345abc" (31 32 33 34 35 61 62 63)"#),
    (b"1_000_00", r#""1_000_00" (31 5f 30 30 30 5f 30 30)"#),
    (b"0x00001f", r#""0x00001f" (30 78 30 30 30 30 31 66)"#),
    (b"000012.0", r#""000012.0" (30 30 30 30 31 32 2e 30)"#),
    (b"GET / HT", r#""GET / HT" (47 45 54 20 2f 20 48 54)"#),
    (b"        ", r#""        " (20 20 20 20 20 20 20 20)"#),
    (b"0000001\n", r#""0000001\n" (30 30 30 30 30 30 31 0a)"#),
    (
        b"\0\0\0\0\0\0\0\0",
        r#""\x00\x00\x00\x00\x00\x00\x00\x00" (00 00 00 00 00 00 00 00)"#,
    ),
    (
        b"0\x000\x000\x005\x00",
        r#""0\x000\x000\x005\x00" (30 00 30 00 30 00 35 00)"#,
    ),
    (
        "٠٠٠٥".as_bytes().first_chunk().unwrap(),
        r#""\xd9\xa0\xd9\xa0\xd9\xa0\xd9\xa5" (d9 a0 d9 a0 d9 a0 d9 a5)"#,
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
        source
            .expect_error()
            .from(&source.source)
            .is(gst::StreamError::Decode)
            .says(&[shown, &address.to_string()]);
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
