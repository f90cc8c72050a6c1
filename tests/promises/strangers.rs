// SPDX-License-Identifier: MPL-2.0
//! Peers that are not invited: a source that serves one sender at a time is held by none that sends nothing.

use crate::support::*;

fn source(settings: &str) -> Receiver {
    Receiver::playing(&format!("mode=listen port=0 {settings}"))
}

/// Connected, and with its turn.
fn first(source: &Receiver) -> Peer {
    let peer = Peer::connect(source.port());
    source.expect_message("videosocket-connected");
    peer
}

#[test]
fn who_has_sent_no_header_gives_way_to_a_sender_that_waits() {
    for (reconnect, said) in [
        (true, &b""[..]),
        (false, b""),
        (true, b"0000"),
        (false, b"0000000"),
    ] {
        let source = source(&format!("reconnect={reconnect}"));
        let stranger = first(&source);
        stranger.send(said);
        let sender = Peer::connect(source.port());
        sender.send_frame(b"hello");
        assert_eq!(source.frame(), b"hello", "{reconnect}, {said:?}");
        source
            .expect_warning()
            .is(gst::ResourceError::Read)
            .says(&["127.0.0.1", "gives way"]);
        stranger.expect_turned_away();
        sender.send_frame(b"more");
        assert_eq!(source.frame(), b"more");
    }
}

#[test]
fn without_reconnecting_the_stream_ends_with_the_sender_that_has_begun() {
    let source = source("");
    let _stranger = first(&source);
    let sender = Peer::connect(source.port());
    sender.send_frame(b"only");
    sender.end_sending();
    assert_eq!(source.rest(), [b"only"]);
    source.expect_eos();
}

/// It sends nothing for as long as nobody has anything to say.
#[test]
fn who_waits_in_silence_has_its_turn_behind_those_who_speak() {
    let source = source("reconnect=true");
    let current = first(&source);
    let silent = Peer::connect(source.port());
    let sender = Peer::connect(source.port());
    sender.send_frame(b"hello");
    assert_eq!(source.frame(), b"hello");
    current.expect_turned_away();
    drop(sender);
    silent.send_frame(b"at last");
    assert_eq!(source.frame(), b"at last");
}

#[test]
fn a_sender_may_wait_for_another_to_begin() {
    let source = source("reconnect=true");
    let idle = first(&source);
    // Nobody else has anything to say, however long that takes.
    let _silent = Peer::connect(source.port());
    idle.send_frame(b"late");
    assert_eq!(source.frame(), b"late");
}
