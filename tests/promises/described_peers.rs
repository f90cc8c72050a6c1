// SPDX-License-Identifier: MPL-2.0
//! Records on the wire, with a plain TCP program on the other end: who is sent them, and what bad ones come to.

use crate::support::*;
use gst::prelude::*;
use std::io::Write as _;

pub const HELLO: &[u8] = b"H0000014videosocket 1\n";

fn record(letter: u8, payload: &[u8]) -> Vec<u8> {
    let mut record = Vec::new();
    write!(record, "{}{:07}", char::from(letter), payload.len()).unwrap();
    record.extend_from_slice(payload);
    record
}

/// The record before a frame that was to be shown then.
fn buffer_record(sequence: u16, pts: i64) -> Vec<u8> {
    flagged_record(sequence, 0, pts)
}

fn flagged_record(sequence: u16, flags: u16, pts: i64) -> Vec<u8> {
    let mut payload = Vec::new();
    payload.extend_from_slice(&sequence.to_be_bytes());
    payload.extend_from_slice(&flags.to_be_bytes());
    payload.extend_from_slice(&pts.to_be_bytes());
    payload.extend_from_slice(&i64::MIN.to_be_bytes());
    payload.extend_from_slice(&[0xff; 16]);
    record(b'B', &payload)
}

/// Letter and payload of the next one, or of a frame with a space for its letter.
pub fn read(peer: &Peer) -> (char, Vec<u8>) {
    let head = peer.receive(8);
    let letter = char::from(head[0]);
    let digits = if letter.is_ascii_digit() {
        &head[..]
    } else {
        &head[1..]
    };
    let len = std::str::from_utf8(digits).unwrap().parse().unwrap();
    let letter = if letter.is_ascii_digit() { ' ' } else { letter };
    (letter, peer.receive(len))
}

fn letters(peer: &Peer, count: usize) -> String {
    (0..count).map(|_| read(peer).0).collect()
}

/// What comes before a frame, and the frame.
fn letters_until_frame(peer: &Peer) -> String {
    let mut letters = String::new();
    while !letters.ends_with(' ') {
        letters.push(read(peer).0);
    }
    letters
}

#[test]
fn who_asks_is_told_and_who_does_not_gets_the_bytes_that_there_always_were() {
    let caps: gst::Caps = "video/x-test,width=1".parse().unwrap();
    let sink = Sender::new("mode=listen port=0");
    sink.start_with_caps(&caps);
    let plain = Peer::connect(sink.port());
    let asks = Peer::connect(sink.port());
    asks.send(HELLO);
    await_number(&sink.sink, "num-clients", 2);
    sink.push(b"hello");
    sink.push(b"");
    sink.end();
    let first = letters_until_frame(&asks);
    // The clock is there from PLAYING on, and then all is told again.
    assert!(
        first.starts_with("HIC") && first.ends_with("KICB "),
        "{first}"
    );
    assert_eq!(letters(&asks, 3), "B E");
    asks.expect_end();
    assert_eq!(plain.receive(8 + 5 + 8), b"00000005hello00000000");
    plain.expect_end();
    sink.expect_eos();
}

#[test]
fn a_peer_that_asks_in_mid_stream_is_told_from_then_on() {
    let sink = Sender::playing("mode=listen port=0");
    let peer = Peer::connect(sink.port());
    await_number(&sink.sink, "num-clients", 1);
    sink.push(b"plain");
    assert_eq!(read(&peer), (' ', b"plain".to_vec()));
    peer.send(HELLO);
    assert_eq!(letters(&peer, 2), "HI");
    sink.push(b"described");
    assert_eq!(letters_until_frame(&peer), "KIB ");
}

#[test]
fn the_greeting_is_waited_for_no_longer_than_for_a_moment() {
    let sink = Sender::playing("mode=listen port=0");
    let peer = Peer::connect(sink.port());
    sink.push(b"hello");
    assert_eq!(peer.receive_frame(), b"hello");
}

#[test]
fn a_peer_that_says_something_else_is_not_waited_for() {
    for chatter in [&b"GET / HTTP/1.0\r\n\r\n"[..], b"00000003ack", b"ack"] {
        let sink = Sender::playing("mode=listen port=0");
        let peer = Peer::connect(sink.port());
        peer.send(chatter);
        sink.push(b"hello");
        assert_eq!(peer.receive_frame(), b"hello");
        peer.send(chatter);
        sink.push(b"again");
        assert_eq!(peer.receive_frame(), b"again");
    }
}

#[test]
fn with_metadata_on_everybody_is_told() {
    let sink = Sender::playing("mode=listen port=0 metadata=on");
    let peer = Peer::connect(sink.port());
    await_number(&sink.sink, "num-clients", 1);
    sink.push(b"hello");
    let first = letters_until_frame(&peer);
    assert!(
        first.starts_with("HI") && first.ends_with("KIB "),
        "{first}"
    );
}

#[test]
fn with_metadata_off_nobody_is() {
    let sink = Sender::playing("mode=listen port=0 metadata=off");
    let peer = Peer::connect(sink.port());
    peer.send(HELLO);
    await_number(&sink.sink, "num-clients", 1);
    sink.push(b"hello");
    assert_eq!(peer.receive_frame(), b"hello");
}

#[test]
fn what_a_peer_asks_for_goes_upstream_as_far_as_it_is_accepted() {
    for (accepted, is_taken) in [("keyframe", true), ("qos", false)] {
        let sink = Sender::playing(&format!(
            "mode=listen port=0 request-keyframes=false accept-events={accepted}"
        ));
        let peer = Peer::connect(sink.port());
        peer.send(HELLO);
        assert_eq!(letters(&peer, 2), "HI");
        peer.send(&record(b'U', b"keyframe all-headers=1"));
        // What comes behind has been heard as well.
        peer.send(&record(b'U', b"qos"));
        expect_let_go(&sink);
        if is_taken {
            sink.expect_keyframe_request();
        } else {
            sink.expect_no_keyframe_request();
        }
    }
}

/// The client is none any more, and why is counted.
fn expect_let_go(sink: &Sender) {
    let ended = sink.expect_message("videosocket-disconnected");
    assert_eq!(ended.get::<&str>("reason"), Ok("failed"));
    assert_eq!(stat(&sink.sink, "protocol-errors"), 1);
}

#[test]
fn why_a_client_was_let_go_is_told_in_words() {
    let sink = Sender::playing("mode=listen port=0");
    let (tell, causes) = std::sync::mpsc::channel();
    sink.sink.connect("client-removed", false, move |values| {
        let stats = values[3].get::<gst::Structure>().unwrap();
        let cause = stats.get::<Option<String>>("cause").ok().flatten();
        let _ = tell.send(cause);
        None
    });
    let peer = Peer::connect(sink.port());
    peer.send(HELLO);
    assert_eq!(letters(&peer, 2), "HI");
    peer.send(&record(b'U', b"qos \x1b[2J"));
    expect_let_go(&sink);
    let cause = causes.recv_timeout(PATIENCE).unwrap().expect("a cause");
    let is_readable = cause.contains("record U") && !cause.contains('\x1b');
    assert!(is_readable, "{cause}");
    sink.expect_no_warning();
}

#[test]
fn a_peer_that_floods_is_let_go() {
    let sink = Sender::playing("mode=listen port=0");
    let peer = Peer::connect(sink.port());
    peer.send(HELLO);
    assert_eq!(letters(&peer, 2), "HI");
    peer.send_until_refused(&record(b'U', b"keyframe").repeat(1_000));
    expect_let_go(&sink);
}

#[test]
fn records_go_with_plain_digits_and_without_turns() {
    for (settings, reason) in [
        ("length-format=u32be", "8 decimal digits"),
        ("length-digits=9", "8 decimal digits"),
        ("preamble=00", "a preamble"),
    ] {
        let words = ["8 plain digits", reason];
        let sink = Sender::new(&format!("mode=listen port=0 metadata=on {settings}"));
        sink.expect_refusal().says(&words);
        let source = Receiver::new(&format!("mode=listen port=0 metadata=request {settings}"));
        source.expect_refusal().says(&words);
    }
    let sink = Sender::new("mode=listen port=0 metadata=on lockstep=true connection-id=turns");
    sink.expect_refusal().says(&["lockstep=true"]);
}

#[test]
fn the_end_of_a_stream_is_told_from_a_lost_connection() {
    for is_told in [true, false] {
        let source = Receiver::playing("mode=listen port=0");
        let peer = Peer::connect(source.port());
        peer.send(HELLO);
        peer.send(&buffer_record(0, 0));
        peer.send_frame(b"hello");
        if is_told {
            peer.send(&record(b'E', b""));
        }
        peer.end_sending();
        assert_eq!(source.rest(), [b"hello"]);
        if is_told {
            source.expect_eos();
        } else {
            let words = ["ended before the stream was over"];
            source
                .expect_error()
                .is(gst::ResourceError::Read)
                .says(&words);
        }
    }
}

#[test]
fn of_a_peer_that_only_asks_the_end_is_one() {
    let source = Receiver::playing("mode=listen port=0");
    let peer = Peer::connect(source.port());
    peer.send(HELLO);
    peer.send_frame(b"hello");
    peer.end_sending();
    assert_eq!(source.rest(), [b"hello"]);
    source.expect_eos();
}

#[test]
fn a_gap_in_the_numbers_is_a_discontinuity() {
    let source = Receiver::playing("mode=listen port=0");
    let peer = Peer::connect(source.port());
    peer.send(HELLO);
    let mut discontinuities = Vec::new();
    for sequence in [65_535, 0, 1, 3, 4] {
        peer.send(&buffer_record(sequence, sequence.into()));
        peer.send_frame(b"frame");
        let flags = source.buffer().flags();
        discontinuities.push(flags.contains(gst::BufferFlags::DISCONT));
    }
    assert_eq!(discontinuities, [true, false, false, true, false]);
}

#[test]
fn bad_records_end_the_connection_and_say_why() {
    let deep = b"video/x-raw, a=[b, c=[b, c=[b, c=[b, c=[b]]]]]".to_vec();
    let braces = [b"a, b={".to_vec(), vec![b'{'; 30_000]].concat();
    for (bytes, reason) in [
        (record(b'H', b"videosocket 2\nsomething"), "version 2"),
        (record(b'C', b"video/x-raw"), "before the H"),
        ([HELLO, &record(b'C', &deep)].concat(), "refused"),
        ([HELLO, &record(b'C', &braces)].concat(), "refused"),
        (
            [HELLO, &record(b'C', b"video/x-raw, width=[1, 2]")].concat(),
            "bad record",
        ),
        ([HELLO, &record(b'C', b"ANY")].concat(), "bad record"),
        (
            [HELLO, &record(b'C', b"video/x-raw, format=I420, width=1")].concat(),
            "bad record",
        ),
        ([HELLO, &record(b'T', b"s title=a")].concat(), "taglist"),
        ([HELLO, b"C9999999"].concat(), "too long"),
        (
            [HELLO, &record(b'M', b"video\0")].concat(),
            "without a record B",
        ),
        (
            [
                HELLO,
                &buffer_record(0, 0),
                &record(b'M', b"video\0\0"),
                b"00000002ok",
            ]
            .concat(),
            "bad record",
        ),
        (
            [HELLO, &buffer_record(0, 0), &record(b'C', b"a/b")].concat(),
            "between a record B",
        ),
        ([HELLO, &record(b'E', b""), b"00000000"].concat(), "went on"),
    ] {
        let source = Receiver::playing("mode=listen port=0");
        let peer = Peer::connect(source.port());
        peer.send(&bytes);
        assert!(source.rest().is_empty());
        let fault = source.expect_error().is(gst::StreamError::Decode);
        fault.says(&["sent a bad record", reason]);
    }
}

#[test]
fn a_letter_is_a_bad_header_where_records_are_not_listened_to() {
    for settings in ["metadata=off", "length-digits=8 preamble=68"] {
        let source = Receiver::playing(&format!("mode=listen port=0 {settings}"));
        let peer = Peer::connect(source.port());
        peer.send(b"h");
        peer.send(HELLO);
        assert!(source.rest().is_empty());
        let fault = source.expect_error().is(gst::StreamError::Decode);
        fault.says(&["sent a bad header"]);
    }
}

#[test]
fn a_letter_that_nobody_knows_is_passed_over() {
    let source = Receiver::playing("mode=listen port=0");
    let peer = Peer::connect(source.port());
    peer.send(HELLO);
    peer.send(&record(b'Z', &[7; 100_000]));
    peer.send_frame(b"hello");
    assert_eq!(source.frame(), b"hello");
}

#[test]
fn caps_that_the_user_does_not_allow_are_an_error_that_shows_both() {
    for (allowed, is_allowed) in [("video/x-test", true), ("video/x-other", false)] {
        let source = Receiver::playing(&format!("mode=listen port=0 caps={allowed}"));
        let peer = Peer::connect(source.port());
        peer.send(HELLO);
        peer.send(&record(b'C', b"video/x-test, width=(int)1"));
        peer.send_frame(b"hello");
        if is_allowed {
            let caps = source.sample().caps_owned().unwrap();
            assert_eq!(caps.to_string(), "video/x-test, width=(int)1");
        } else {
            assert!(source.rest().is_empty());
            let words = ["video/x-test", allowed];
            source
                .expect_error()
                .is(gst::CoreError::Negotiation)
                .says(&words);
        }
    }
}

#[test]
fn a_source_that_asks_greets_at_once_and_asks_for_keyframes_if_it_may() {
    let source = Receiver::playing("mode=listen port=0 metadata=request");
    let peer = Peer::connect(source.port());
    assert_eq!(read(&peer).0, 'H');
    peer.send(&record(b'H', b"videosocket 1\nback keyframe\n"));
    peer.send(&buffer_record(0, 0));
    peer.send_frame(b"hello");
    assert_eq!(source.frame(), b"hello");
    // The second is too early, and taken all the same.
    for _ in 0..2 {
        let request = gst_video::UpstreamForceKeyUnitEvent::builder().build();
        assert!(source.source.static_pad("src").unwrap().send_event(request));
    }
    assert_eq!(read(&peer), ('U', b"keyframe all-headers=1".to_vec()));
}

#[test]
fn a_source_that_is_told_unasked_greets_before_it_asks_for_anything() {
    let source = Receiver::playing("mode=listen port=0");
    let peer = Peer::connect(source.port());
    peer.send(&record(b'H', b"videosocket 1\nback keyframe\n"));
    peer.send(&buffer_record(0, 0));
    peer.send_frame(b"hello");
    assert_eq!(source.frame(), b"hello");
    let request = gst_video::UpstreamForceKeyUnitEvent::builder().build();
    assert!(source.source.static_pad("src").unwrap().send_event(request));
    assert_eq!(letters(&peer, 2), "HU");
}

#[test]
fn a_source_that_passed_over_what_came_before_the_greeting_begins_with_a_keyframe() {
    const DELTA_UNIT: u16 = 1;
    let source = Receiver::playing("mode=listen port=0 metadata=request");
    let peer = Peer::connect(source.port());
    assert_eq!(read(&peer).0, 'H');
    peer.send_frame(b"the keyframe");
    peer.send(&record(b'H', b"videosocket 1\nback keyframe\n"));
    peer.send(&flagged_record(0, DELTA_UNIT, 0));
    peer.send_frame(b"what needs it");
    assert_eq!(read(&peer), ('U', b"keyframe all-headers=1".to_vec()));
    peer.send(&buffer_record(1, 1));
    peer.send_frame(b"another");
    peer.send(&flagged_record(2, DELTA_UNIT, 2));
    peer.send_frame(b"what needs that");
    assert_eq!(source.frames(2), [&b"another"[..], b"what needs that"]);
}

#[test]
fn a_source_that_passed_over_pieces_begins_with_the_parameter_sets_of_a_keyframe() {
    const DELTA_UNIT: u16 = 1;
    const HEADER: u16 = 4;
    let source = Receiver::playing("mode=listen port=0 metadata=request");
    let peer = Peer::connect(source.port());
    assert_eq!(read(&peer).0, 'H');
    peer.send_frame(b"a piece");
    peer.send(&record(b'H', b"videosocket 1\n"));
    peer.send(&record(b'C', b"video/x-test, alignment=nal"));
    for (sequence, (flags, piece)) in [
        (DELTA_UNIT, &b"what needs it"[..]),
        (DELTA_UNIT | HEADER, b"parameters"),
        (0, b"keyframe"),
        (DELTA_UNIT, b"what needs that"),
    ]
    .into_iter()
    .enumerate()
    {
        let time = i64::from(sequence > 0);
        peer.send(&flagged_record(sequence as u16, flags, time));
        peer.send_frame(piece);
    }
    let expected = [&b"parameters"[..], b"keyframe", b"what needs that"];
    assert_eq!(source.frames(3), expected);
}

#[test]
fn of_a_peer_that_describes_nothing_every_frame_is_handed_on() {
    for ending in ["", "zero-length=eos", "reconnect=true"] {
        let source = Receiver::playing(&format!("mode=listen port=0 metadata=request {ending}"));
        let peer = Peer::connect(source.port());
        let frames = payloads(3, 10);
        for frame in &frames {
            peer.send_frame(frame);
        }
        if ending == "zero-length=eos" {
            peer.send_frame(b"");
        }
        peer.end_sending();
        assert_frames(&source.frames(frames.len()), &frames);
        let warning = source.expect_warning().from(&source.source);
        warning.says(&["does not say what its frames are"]);
        if ending != "reconnect=true" {
            source.expect_eos();
        }
    }
}

#[test]
fn a_lone_frame_waits_no_longer_than_the_peer_is_waited_for() {
    let source = Receiver::playing("mode=listen port=0 metadata=request");
    let peer = Peer::connect(source.port());
    peer.send_frame(b"lone");
    assert_eq!(source.frame(), b"lone");
    peer.send_frame(b"another");
    assert_eq!(source.frame(), b"another");
    source
        .expect_warning()
        .says(&["does not say what its frames are"]);
}

#[test]
fn a_source_asks_nothing_of_a_peer_that_takes_nothing() {
    let source = Receiver::playing("mode=listen port=0");
    let peer = Peer::connect(source.port());
    peer.send_frame(b"hello");
    assert_eq!(source.frame(), b"hello");
    let request = gst_video::UpstreamForceKeyUnitEvent::builder().build();
    source.source.static_pad("src").unwrap().send_event(request);
    source.stop();
    peer.expect_end();
}

#[test]
fn a_sink_that_is_stopped_says_so() {
    let sink = Sender::playing("mode=listen port=0 metadata=on");
    let peer = Peer::connect(sink.port());
    await_number(&sink.sink, "num-clients", 1);
    sink.push(b"hello");
    letters_until_frame(&peer);
    sink.stop();
    assert_eq!(read(&peer).0, 'E');
    peer.expect_end();
}

#[test]
fn times_that_are_asked_for_and_not_there_are_warned_of_once() {
    for (timestamps, is_warned_of) in [("sender", true), ("auto", false)] {
        let source = Receiver::playing(&format!("mode=listen port=0 timestamps={timestamps}"));
        let peer = Peer::connect(source.port());
        peer.send_frame(b"one");
        peer.send_frame(b"two");
        assert_eq!(source.frames(2), [b"one", b"two"]);
        if is_warned_of {
            source.expect_warning().says(&["timestamps=sender"]);
        }
        source.expect_no_warning();
    }
}

/// The flags of the clocks that come before a frame. The first says that the stream comes as it is made.
fn clock_flags(peer: &Peer) -> Vec<u16> {
    let mut flags = Vec::new();
    loop {
        match read(peer) {
            (' ', _) => return flags,
            ('K', clock) => flags.push(u16::from_be_bytes([clock[32], clock[33]]) & 1),
            _ => (),
        }
    }
}

fn tag(title: &str) -> gst::Event {
    let mut tags = gst::TagList::new();
    let list = tags.get_mut().unwrap();
    list.add::<gst::tags::Title>(&title, gst::TagMergeMode::Replace);
    gst::event::Tag::new(tags)
}

/// decodebin3 ends the program upon another id that comes without a collection of streams.
#[test]
fn another_stream_has_the_id_of_the_first() {
    let source = Receiver::playing("mode=listen port=0");
    let peer = Peer::connect(source.port());
    peer.send(&record(b'H', b"videosocket 1\n"));
    let pad = source.source.static_pad("src").unwrap();
    for (id, group) in [("one", 1), ("another", 2)] {
        peer.send(&record(b'I', format!("{id}\ngroup {group}\n").as_bytes()));
        peer.send(&buffer_record(group, 0));
        peer.send_frame(b"hello");
        assert_eq!(source.frame(), b"hello");
        let start = pad.sticky_event::<gst::event::StreamStart>(0).unwrap();
        assert_eq!(start.stream_id(), "one");
        let groups = start.structure().unwrap().get::<u32>("group-id");
        assert_eq!(groups, Ok(group.into()));
    }
}

#[test]
fn another_stream_of_a_camera_is_as_live_as_the_one_before() {
    let sink = Sender::live("mode=listen port=0 metadata=on");
    let peer = Peer::connect(sink.port());
    await_number(&sink.sink, "num-clients", 1);
    sink.push(b"hello");
    clock_flags(&peer);
    sink.push_event(gst::event::StreamStart::new("another"));
    sink.push_event(tag("another"));
    sink.push(b"hello");
    let flags = clock_flags(&peer);
    assert!(!flags.contains(&0), "{flags:?}");
}

#[test]
fn upstream_that_does_not_know_yet_whether_it_is_live_is_asked_again() {
    let sink = Sender::new("mode=listen port=0 metadata=on");
    let feed = sink.sink.static_pad("sink").unwrap().peer().unwrap();
    let not_yet = feed.add_probe(gst::PadProbeType::QUERY_UPSTREAM, |_, info| {
        match info.query_mut().map(|query| query.type_()) {
            Some(gst::QueryType::Latency) => gst::PadProbeReturn::Drop,
            _ => gst::PadProbeReturn::Ok,
        }
    });
    sink.start();
    let peer = Peer::connect(sink.port());
    await_number(&sink.sink, "num-clients", 1);
    sink.push(b"hello");
    clock_flags(&peer);
    feed.remove_probe(not_yet.unwrap());
    feed.add_probe(gst::PadProbeType::QUERY_UPSTREAM, |_, info| {
        if let Some(query) = info.query_mut()
            && let gst::QueryViewMut::Latency(latency) = query.view_mut()
        {
            latency.set(true, gst::ClockTime::ZERO, gst::ClockTime::NONE);
            return gst::PadProbeReturn::Handled;
        }
        gst::PadProbeReturn::Ok
    });
    sink.push(b"hello");
    assert_eq!(clock_flags(&peer).last(), Some(&1));
}

#[test]
fn upstream_may_set_properties_while_it_is_asked_whether_it_is_live() {
    let sink = Sender::new("mode=listen port=0 wait-for-connection=false");
    let (element, feed) = (
        sink.sink.clone(),
        sink.sink.static_pad("sink").unwrap().peer().unwrap(),
    );
    feed.add_probe(gst::PadProbeType::QUERY_UPSTREAM, move |_, _| {
        element.set_property("max-clients", 3_u32);
        gst::PadProbeReturn::Ok
    });
    sink.start();
    sink.push(b"hello");
    assert_eq!(number(&sink.sink, "max-clients"), 3);
}

#[test]
fn what_is_set_for_the_next_start_changes_nothing_before_it() {
    let sink = Sender::playing("mode=listen port=0 metadata=off");
    sink.sink.set_property_from_str("metadata", "on");
    sink.sink.set_property("max-clients", 1_u32);
    let peer = Peer::connect(sink.port());
    await_number(&sink.sink, "num-clients", 1);
    sink.push(b"hello");
    assert_eq!(peer.receive_frame(), b"hello");

    let sink = Sender::playing("mode=listen port=0 request-keyframes=false");
    sink.sink.set_property_from_str("accept-events", "qos");
    let peer = Peer::connect(sink.port());
    peer.send(HELLO);
    assert_eq!(letters(&peer, 2), "HI");
    peer.send(&record(b'U', b"keyframe all-headers=1"));
    sink.expect_keyframe_request();

    let source = Receiver::playing("mode=listen port=0 caps=video/x-test");
    source
        .source
        .set_property("caps", "video/x-other".parse::<gst::Caps>().unwrap());
    let peer = Peer::connect(source.port());
    peer.send(HELLO);
    peer.send(&record(b'C', b"video/x-test, width=(int)1"));
    peer.send_frame(b"hello");
    assert_eq!(source.frame(), b"hello");
}
