// SPDX-License-Identifier: MPL-2.0
//! Lockstep: a frame for each byte of the peer.

use super::*;

fn taking_turns(audience: Audience) -> Stream {
    Stream::new(
        audience,
        Flow {
            lockstep: true,
            ..Flow::default()
        },
    )
}

#[test]
fn a_turn_is_for_the_newest_frame() {
    let mut stream = taking_turns(Audience::Callee);
    assert!(!stream.must_wait('A'));
    assert_eq!(stream.push("AB").dropped, 1);
    let (client, lost) = stream.fanout.join(1, stream.now);
    assert_eq!((stream.waiting(client), lost), ("B".into(), 0));
    // The frame that has its turn is sent, whatever comes.
    assert_eq!(stream.push("CD").dropped, 1);
    assert_eq!(stream.waiting(client), "B");
    stream.take_frames(client, 1);
    assert_eq!(stream.waiting(client), "");
    assert!(stream.fanout.has_nothing_to_send(client) && !stream.fanout.is_idle(client));
    stream.fanout.grant_turn();
    assert_eq!(stream.waiting(client), "D");
    stream.take_frames(client, 1);
    // A turn waits for a frame as well.
    stream.fanout.grant_turn();
    stream.push("EF");
    assert_eq!(stream.waiting(client), "E");
    assert_eq!(stream.kept(), 2);
}

#[test]
fn headers_that_change_come_before_the_frame_that_has_a_turn() {
    let mut stream = taking_turns(Audience::Caller);
    stream.headers("1");
    let client = stream.join();
    stream.push("1A");
    stream.fanout.grant_turn();
    assert_eq!(stream.waiting(client), "1A");
    stream.take_frames(client, 2);
    stream.push("B");
    stream.headers("2");
    assert_eq!(stream.push("2C").dropped, 1);
    stream.fanout.grant_turn();
    assert_eq!(stream.waiting(client), "2C");
    stream.take_frames(client, 2);
    stream.push("2D");
    stream.fanout.grant_turn();
    assert_eq!(stream.waiting(client), "D");
}

#[test]
fn a_frame_that_has_its_turn_comes_before_headers_that_it_does_not_need() {
    let mut stream = taking_turns(Audience::Caller);
    stream.headers("1");
    let client = stream.join_full();
    stream.push("A");
    stream.fanout.grant_turn();
    stream.take_frames(client, 1);
    stream.headers("2");
    stream.push("2B");
    stream.fanout.grant_turn();
    assert_eq!(stream.waiting(client), "A2");
    stream.take(client, WIRE_LEN + 4);
    stream.fanout.grant_turn();
    assert_eq!(stream.waiting(client), "2B");
    stream.take(client, WIRE_LEN - 4);
    assert_eq!(stream.waiting(client), "B");
}

#[test]
fn of_headers_that_no_frame_needs_any_more_only_the_one_begun_is_sent() {
    let mut stream = Stream::for_clients(Flow {
        lockstep: true,
        ..Flow::default()
    });
    stream.headers("12");
    let key = stream.join();
    stream.push("A");
    stream.take(key, 4);
    stream.headers("34");
    stream.push("B");
    stream.fanout.grant_turn();
    assert_eq!(stream.waiting(key), "134B");
    stream.take(key, WIRE_LEN - 4 + WIRE_LEN);
    assert_eq!(stream.waiting(key), "4B");
}

#[test]
fn at_the_end_a_frame_waits_for_its_turn_no_longer_than_for_a_slow_peer() {
    let mut stream = taking_turns(Audience::Caller);
    let client = stream.join();
    stream.push("A");
    stream.pass(10 * SECOND);
    stream.fanout.finish(stream.now);
    stream.pass(DRAIN_LIMIT - MILLI);
    stream.fanout.inspect_end(client, stream.now);
    assert!(!stream.fanout.is_idle(client));
    stream.pass(MILLI);
    stream.fanout.inspect_end(client, stream.now);
    assert!(stream.fanout.is_idle(client));
    assert_eq!(stream.dropped(client), 1);
}

#[test]
fn with_lockstep_the_last_frame_needs_no_turn_and_waits_for_the_one_that_does() {
    let flow = Flow {
        lockstep: true,
        overflow: Overflow::Drop,
        ..Flow::default()
    };
    let mut stream = Stream::with_edges(Audience::Caller, flow);
    let key = stream.join();
    stream.take_edge(key, 2);
    stream.push("A");
    stream.fanout.finish(stream.now);
    assert_eq!(stream.waiting(key), "");
    assert_eq!(edge(&stream, key), "");
    stream.pass(DRAIN_LIMIT);
    assert_eq!(stream.fanout.inspect_end(key, stream.now), 1);
    assert_eq!(stream.fanout.poll_verdict(), None);
    assert_eq!(edge(&stream, key), "00");
}
