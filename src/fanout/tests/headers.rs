// SPDX-License-Identifier: MPL-2.0
//! Headers that change: each frame comes behind those that it was pushed under.

use super::*;

fn taking_turns() -> Stream {
    Stream::new(
        Audience::Caller,
        Flow {
            lockstep: true,
            ..Flow::default()
        },
    )
}

#[test]
fn a_frame_that_has_its_turn_comes_behind_all_of_its_headers_whatever_follows() {
    for taken in [0, 1] {
        let mut stream = taking_turns();
        stream.headers("12");
        let client = stream.join();
        stream.push("A");
        stream.fanout.grant_turn();
        stream.take_frames(client, taken);
        stream.headers("34");
        stream.push("B");
        assert_eq!(stream.waiting(client), &"12A34"[taken..]);
        stream.take_frames(client, 5 - taken);
        stream.fanout.grant_turn();
        assert_eq!(stream.waiting(client), "B");
    }
}

#[test]
fn a_header_that_is_begun_is_sent_whole_and_the_next_frame_comes_behind_its_own() {
    let mut stream = taking_turns();
    stream.headers("12");
    let client = stream.join();
    stream.push("A");
    stream.fanout.grant_turn();
    stream.take(client, 3);
    stream.headers("34");
    stream.push("B");
    stream.fanout.grant_turn();
    assert_eq!(stream.waiting(client), "12A34");
    stream.take(client, WIRE_LEN - 3);
    assert_eq!(stream.waiting(client), "2A34");
    stream.take_frames(client, 2);
    assert_eq!(stream.waiting(client), "34B");
}

#[test]
fn who_lost_frames_amid_a_header_gets_those_of_the_next_keyframe() {
    for (taken, letters) in [(0, "2E"), (3, "12E")] {
        let mut stream = dropping(frames(3));
        stream.headers("1");
        let client = stream.join();
        stream.push("1A");
        stream.take(client, taken);
        stream.push("bcd");
        stream.headers("2");
        stream.push("2E");
        assert_eq!(stream.waiting(client), letters);
    }
}

#[test]
fn the_next_peer_gets_frames_behind_the_headers_that_they_were_pushed_under() {
    let mut stream = Stream::new(Audience::Callee, flow(Overflow::Block, Limits::default()));
    stream.headers("1");
    let first = stream.join();
    stream.push("1A");
    stream.take(first, WIRE_LEN + 3);
    stream.headers("2");
    stream.push("2C");
    assert_eq!(stream.waiting(first), "A2C");
    stream.fanout.leave(first, true);
    let second = stream.join();
    assert_eq!(stream.waiting(second), "1A2C");
}

#[test]
fn headers_that_the_stream_does_not_repeat_come_before_the_next_frame() {
    let mut stream = blocking(Limits::default());
    stream.headers("1");
    let client = stream.join();
    stream.push("A");
    stream.headers("23");
    assert_eq!(stream.waiting(client), "1A");
    stream.push("Bc3d2e");
    assert_eq!(stream.waiting(client), "1A23Bcde");
}

#[test]
fn headers_that_are_set_anew_and_are_the_same_are_not_sent_again() {
    let mut stream = blocking(Limits::default());
    stream.headers("12");
    let client = stream.join();
    stream.push("A");
    stream.take_frames(client, 3);
    stream.headers("12");
    stream.push("12B");
    assert_eq!(stream.waiting(client), "B");
    let late = stream.join();
    stream.push("C");
    assert_eq!(stream.waiting(late), "12C");
    stream.fanout.end();
    assert_eq!(stream.kept(), 0);
}

#[test]
fn headers_alone_wait_for_nobody_who_has_all_frames() {
    let mut stream = blocking(Limits::default());
    let client = stream.join();
    stream.push("A");
    stream.take_frames(client, 1);
    stream.headers("1");
    assert!(stream.fanout.is_idle(client) && stream.fanout.has_nothing_to_send(client));
    stream.push("B");
    assert_eq!(stream.waiting(client), "1B");
    assert_eq!(stream.fanout.counts(client).queued, 2 * WIRE_LEN);
}
