// SPDX-License-Identifier: MPL-2.0
//! What a client that is too slow loses, and when it is to go.

use super::*;

#[test]
fn keyframes_lose_the_oldest() {
    let mut stream = dropping(frames(3));
    let client = stream.join_full();
    assert_eq!(stream.push("ABCDE").dropped, 2);
    assert_eq!(stream.waiting(client), "CDE");
    assert_eq!(stream.fanout.counts(client).queued, 3 * WIRE_LEN);
    assert_eq!(stream.dropped(client), 2);
}

#[test]
fn a_stream_with_delta_units_goes_on_with_the_newest_keyframe() {
    let mut stream = dropping(frames(7));
    let client = stream.join_full();
    assert_eq!(stream.push("AbcDefGh").dropped, 6);
    assert_eq!(stream.waiting(client), "Gh");
}

#[test]
fn without_a_later_keyframe_nothing_is_left_and_one_is_asked_for() {
    let mut stream = dropping(frames(3));
    let client = stream.join_full();
    let sent = stream.push("Abcd");
    assert_eq!((sent.dropped, sent.wants_keyframe), (4, true));
    assert_eq!(stream.waiting(client), "");
    let sent = stream.push("ef");
    assert_eq!((sent.dropped, sent.wants_keyframe), (2, true));
    let sent = stream.push("Gh");
    assert_eq!((sent.dropped, sent.wants_keyframe), (0, false));
    assert_eq!(stream.waiting(client), "Gh");
}

#[test]
fn a_frame_begun_is_sent_to_its_end_and_does_not_count() {
    let mut stream = dropping(frames(2));
    let client = stream.join_full();
    stream.push("A");
    stream.take(client, 4);
    assert_eq!(stream.push("BC").dropped, 0);
    assert_eq!(stream.push("D").dropped, 1);
    assert_eq!(stream.waiting(client), "ACD");
    assert_eq!(stream.kept(), 3, "what was dropped is kept by nobody");
    stream.fanout.forget_waiting();
    assert_eq!(stream.waiting(client), "A");
    stream.push("e");
    assert_eq!(stream.waiting(client), "A", "the stream has jumped");
    stream.push("F");
    assert_eq!(stream.waiting(client), "AF");
    assert_eq!(stream.take(client, WIRE_LEN - 4).frames, 1);
    assert_eq!(stream.waiting(client), "F");
    assert_eq!(stream.kept(), 1);
}

#[test]
fn a_client_that_keeps_up_loses_nothing_whatever_the_limits() {
    let mut stream = dropping(frames(1));
    let client = stream.join();
    // They wait for more to come, not for the client.
    assert_eq!(stream.push("ABCDEF"), Sent::default());
    assert_eq!(stream.waiting(client), "ABCDEF");
}

#[test]
fn a_client_that_is_too_slow_is_to_go() {
    let mut stream = Stream::for_clients(flow(Overflow::Disconnect, frames(2)));
    let client = stream.join_full();
    stream.push("AB");
    assert_eq!(stream.fanout.poll_verdict(), None);
    stream.push("C");
    let verdict = stream.fanout.poll_verdict();
    assert_eq!(verdict, Some((client, Verdict::TooSlow)));
    let (counts, lost) = stream.fanout.leave(client, false);
    assert_eq!((counts.dropped, lost), (3, 3));
    assert_eq!(stream.kept(), 0);
}

#[test]
fn one_frame_may_wait_whatever_the_limits() {
    let limits = Limits {
        frames: Some(1),
        bytes: Some(1),
        time: Some(Duration::from_nanos(1)),
    };
    for overflow in [Overflow::Block, Overflow::Drop] {
        let mut stream = Stream::for_clients(flow(overflow, limits));
        let client = stream.join_full();
        assert!(!stream.must_wait('A'));
        assert_eq!(stream.push("A").dropped, 0);
        assert_eq!(stream.must_wait('B'), overflow == Overflow::Block);
        assert_eq!(stream.waiting(client), "A");
    }
}

#[test]
fn every_limit_counts_by_itself() {
    for (limits, waits) in [
        (frames(2), true),
        (frames(3), false),
        (bytes(3 * WIRE_LEN - 1), true),
        (bytes(3 * WIRE_LEN), false),
        (time(2 * SECOND), true),
        (time(3 * SECOND), false),
        (Limits::default(), false),
    ] {
        let mut stream = blocking(limits);
        stream.join_full();
        stream.push("AB");
        assert_eq!(stream.must_wait('C'), waits, "{limits:?}");
    }
}

#[test]
fn the_clock_counts_where_the_streams_own_time_does_not() {
    let mut stream = blocking(time(10 * SECOND));
    let client = stream.join_full();
    stream.push("A");
    stream.pass(10 * SECOND - MILLI);
    assert!(!stream.must_wait('B'));
    stream.pass(MILLI);
    assert!(stream.must_wait('B'));
    stream.take_frames(client, 1);
    assert!(!stream.must_wait('B'));
}

#[test]
fn frames_without_a_time_may_wait_by_their_bytes() {
    let mut stream = blocking(time(SECOND));
    stream.join_full();
    let untimed = |len: usize| Frame {
        time: None,
        len,
        ..frame(b'A')
    };
    stream.fanout.push(untimed(64 * 1024 - 8), stream.now);
    assert!(!stream.fanout.must_wait(&untimed(1), stream.now));
    stream.fanout.push(untimed(1), stream.now);
    assert!(stream.fanout.must_wait(&untimed(1), stream.now));
}

#[test]
fn a_stream_is_held_while_there_is_no_client() {
    let mut stream = Stream::for_clients(Flow {
        hold_without_client: true,
        ..Flow::default()
    });
    assert!(stream.must_wait('A'));
    let client = stream.join();
    assert!(!stream.must_wait('A'));
    stream.fanout.begin_drain(client, stream.now);
    assert!(
        stream.must_wait('A'),
        "one that has been told of the end is none any more"
    );
}

#[test]
fn headers_survive_every_thinning() {
    let mut stream = dropping(frames(2));
    stream.headers("1");
    let client = stream.join_full();
    assert_eq!(stream.push("ABCD").dropped, 2);
    assert_eq!(stream.waiting(client), "1CD");
    stream.fanout.forget_waiting();
    assert_eq!(stream.waiting(client), "1");
}

#[test]
fn headers_that_were_lost_come_before_the_frame_that_needs_them() {
    let mut stream = dropping(frames(3));
    stream.headers("1");
    let client = stream.join_full();
    stream.push("Abc");
    stream.take(client, WIRE_LEN + 4);
    stream.headers("2");
    stream.push("2DeF");
    assert_eq!(stream.waiting(client), "A2DeF");
}

#[test]
fn frames_are_kept_once_for_all() {
    let mut stream = dropping(frames(5));
    let clients: Vec<_> = (0..1000)
        .map(|i| {
            let client = stream.join();
            stream.push("A");
            let (bytes, is_short) = (i % WIRE_LEN, true);
            stream.fanout.sent(client, bytes, is_short, stream.now);
            client
        })
        .collect();
    // Each stalls in its first frame, but for those that have nothing of it.
    let begun = clients.len() - clients.len().div_ceil(WIRE_LEN);
    stream.push("BCDEF");
    assert_eq!(stream.kept(), begun + 5);
    for client in clients {
        stream.fanout.leave(client, false);
    }
    assert_eq!(stream.kept(), 0);
}
