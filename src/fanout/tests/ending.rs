// SPDX-License-Identifier: MPL-2.0
//! The end of a stream, and who holds it up.

use super::*;

#[test]
fn a_drain_ends_when_all_is_acknowledged() {
    let mut stream = blocking(frames(1));
    let client = stream.join();
    stream.fanout.begin_drain(client, stream.now);
    assert!(!stream.fanout.is_drained(client, 10, stream.now));
    assert!(stream.fanout.is_drained(client, 0, stream.now));
}

#[test]
fn a_drain_ends_when_the_peer_takes_no_more() {
    let mut stream = blocking(frames(1));
    let client = stream.join();
    stream.fanout.begin_drain(client, stream.now);
    for left in [30, 20, 10] {
        assert!(!stream.fanout.is_drained(client, left, stream.now));
        stream.pass(DRAIN_LIMIT - MILLI);
    }
    assert!(!stream.fanout.is_drained(client, 10, stream.now));
    stream.pass(MILLI);
    assert!(stream.fanout.is_drained(client, 10, stream.now));
}

#[test]
fn a_peer_that_talks_is_given_time_to_hear_the_end() {
    let mut stream = blocking(frames(1));
    let client = stream.join();
    stream.fanout.peer_talks(client);
    stream.fanout.begin_drain(client, stream.now);
    assert!(!stream.fanout.is_drained(client, 10, stream.now));
    stream.pass(19 * SECOND);
    assert!(!stream.fanout.is_drained(client, 10, stream.now));
    stream.pass(SECOND);
    assert!(stream.fanout.is_drained(client, 10, stream.now));
    // It has heard it, and says so.
    let client = stream.join();
    stream.fanout.peer_talks(client);
    stream.fanout.begin_drain(client, stream.now);
    assert!(!stream.fanout.is_drained(client, 0, stream.now));
    stream.fanout.peer_ended(client);
    assert!(stream.fanout.is_drained(client, 0, stream.now));
}

#[test]
fn frames_after_the_end_are_for_the_next_peer() {
    let mut stream = Stream::new(Audience::Callee, flow(Overflow::Block, frames(9)));
    let client = stream.join();
    stream.push("A");
    stream.take_frames(client, 1);
    stream.fanout.finish(stream.now);
    stream.fanout.begin_drain(client, stream.now);
    stream.fanout.resume();
    stream.push("Bc");
    assert_eq!(stream.waiting(client), "");
    let (_, lost) = stream.fanout.leave(client, false);
    assert_eq!(lost, 0);
    let (next, lost) = stream.fanout.join(0, stream.now);
    assert_eq!((stream.waiting(next), lost), ("Bc".into(), 0));
}

#[test]
fn a_stream_is_finished_when_all_have_gone() {
    let mut stream = Stream::new(Audience::Callee, flow(Overflow::Block, frames(9)));
    stream.push("A");
    stream.fanout.finish(stream.now);
    assert!(!stream.fanout.is_finished(), "somebody is still to come");
    let client = stream.join();
    stream.take_frames(client, 1);
    assert!(!stream.fanout.is_finished());
    stream.fanout.leave(client, false);
    assert!(stream.fanout.is_finished());
}

#[test]
fn a_stream_that_waits_for_nobody_is_finished_without_a_caller() {
    let begin = |hold_without_client, lockstep| {
        let flow = Flow {
            hold_without_client,
            lockstep,
            ..Flow::default()
        };
        Stream::new(Audience::Caller, flow)
    };
    let mut stream = begin(false, false);
    stream.fanout.push_ahead(frame(b'A'), stream.now);
    assert_eq!(stream.fanout.finish(stream.now), 1);
    assert!(stream.fanout.is_finished());
    let mut stream = begin(false, true);
    stream.push("A");
    assert_eq!(stream.fanout.finish(stream.now), 1);
    assert!(stream.fanout.is_finished());
    // More may follow all the same.
    stream.fanout.resume();
    stream.push("B");
    let (client, _) = stream.fanout.join(1, stream.now);
    assert_eq!(stream.waiting(client), "B");
    // One that waits does so at the end as well, unless that is changed.
    let mut stream = begin(true, true);
    stream.push("A");
    assert_eq!(stream.fanout.finish(stream.now), 0);
    assert!(!stream.fanout.is_finished());
    let flow = Flow {
        hold_without_client: false,
        ..*stream.fanout.flow()
    };
    assert_eq!(stream.fanout.set_flow(flow), 1);
    assert!(stream.fanout.is_finished());
}

#[test]
fn who_does_not_take_the_rest_does_not_hold_up_the_end() {
    for (overflow, verdict) in [
        (Overflow::Block, None),
        (Overflow::Drop, Some(Verdict::Stuck)),
    ] {
        let mut stream = Stream::for_clients(flow(overflow, frames(9)));
        let client = stream.join_full();
        stream.push("A");
        stream.pass(10 * SECOND);
        stream.fanout.finish(stream.now);
        stream.pass(DRAIN_LIMIT - MILLI);
        stream.fanout.inspect_end(client, stream.now);
        assert_eq!(stream.fanout.poll_verdict(), None);
        stream.pass(MILLI);
        stream.fanout.inspect_end(client, stream.now);
        let found = stream.fanout.poll_verdict().map(|(_, verdict)| verdict);
        assert_eq!(found, verdict);
    }
}

#[test]
fn a_description_does_not_hold_up_the_end_where_nobody_is() {
    let mut stream = Stream::new(
        Audience::Callee,
        Flow {
            metadata: Metadata::On,
            ..flow(Overflow::Block, frames(9))
        },
    );
    let describe = |stream: &mut Stream, records: &[u8]| {
        let description = Description::new(None, records.to_vec(), stream.now);
        stream.fanout.describe(description);
    };
    describe(&mut stream, b"one");
    let client = stream.join();
    stream.fanout.describe_to(client, stream.now);
    stream.take(client, 3);
    assert!(stream.fanout.is_idle(client));
    stream.fanout.leave(client, true);
    describe(&mut stream, b"two");
    stream.fanout.finish(stream.now);
    assert!(!stream.fanout.has_any_for_awaited());
    assert!(stream.fanout.is_finished());
}

#[test]
fn headers_that_no_frame_follows_do_not_hold_up_the_end_where_nobody_is() {
    let mut stream = Stream::new(Audience::Callee, flow(Overflow::Block, frames(9)));
    stream.headers("1");
    let first = stream.join();
    stream.push("A");
    stream.take(first, 2 * WIRE_LEN);
    stream.fanout.leave(first, true);
    let second = stream.join();
    assert_eq!(stream.waiting(second), "1");
    stream.fanout.leave(second, true);
    stream.fanout.finish(stream.now);
    assert!(stream.fanout.is_finished());
}
