// SPDX-License-Identifier: MPL-2.0
//! The preamble and the last frame, which are no frames of the stream.

use super::*;

/// What a client would be sent now that is no frame of the stream.

#[test]
fn each_connection_begins_with_the_preamble_which_is_no_frame() {
    for lockstep in [false, true] {
        let flow = Flow {
            lockstep,
            ..Flow::default()
        };
        let mut stream = Stream::with_edges(Audience::Callee, flow);
        for _ in 0..2 {
            let key = stream.join();
            assert!(!stream.fanout.is_idle(key));
            assert_eq!(edge(&stream, key), "hi");
            assert_eq!(stream.take_edge(key, 1), Progress::default());
            assert!(!stream.fanout.has_nothing_to_send(key));
            assert_eq!(edge(&stream, key), "i");
            stream.take_edge(key, 1);
            assert_eq!(edge(&stream, key), "");
            assert!(stream.fanout.is_idle(key));
            stream.fanout.grant_turn();
            stream.push("A");
            assert_eq!(edge(&stream, key), "");
            stream.take_frames(key, 1);
            assert_eq!(stream.fanout.counts(key).sent.frames, 1);
            stream.fanout.leave(key, true);
        }
    }
}

#[test]
fn a_peer_that_does_not_take_the_preamble_is_stalled() {
    let flow = Flow {
        timeout: Some(SECOND),
        ..Flow::default()
    };
    let mut stream = Stream::with_edges(Audience::Clients, flow);
    let key = stream.join_full();
    stream.pass(SECOND - MILLI);
    stream.fanout.inspect(key, 0, stream.now);
    assert_eq!(stream.fanout.poll_verdict(), None);
    stream.pass(MILLI);
    stream.fanout.inspect(key, 0, stream.now);
    let stalled = Verdict::Stalled(SECOND);
    assert_eq!(stream.fanout.poll_verdict(), Some((key, stalled)));
}

#[test]
fn a_client_is_told_of_the_end_by_a_frame_behind_the_last_one() {
    let mut stream = Stream::with_edges(Audience::Clients, Flow::default());
    let key = stream.join();
    stream.take_edge(key, 2);
    stream.push("A");
    stream.fanout.finish(stream.now);
    assert_eq!(edge(&stream, key), "");
    stream.take_frames(key, 1);
    stream.fanout.set_writable(key, true);
    assert_eq!(edge(&stream, key), "00");
    assert!(!stream.fanout.is_idle(key) && !stream.fanout.is_draining(key));
    assert_eq!(stream.take_edge(key, 1).frames, 0);
    assert!(stream.fanout.is_draining(key) && stream.fanout.take_begun_drain());
    assert!(!stream.fanout.is_to_end(key));
    assert!(!stream.fanout.is_drained(key, 0, stream.now));
    assert_eq!(edge(&stream, key), "0");
    assert_eq!(stream.take_edge(key, 1).frames, 1);
    assert_eq!(stream.fanout.counts(key).sent.frames, 2);
    assert!(stream.fanout.is_to_end(key) && !stream.fanout.is_to_end(key));
    assert!(stream.fanout.is_drained(key, 0, stream.now));
}

#[test]
fn a_flush_takes_back_the_last_frame_that_is_not_begun_and_no_other() {
    for begun in [0, 1] {
        let mut stream = Stream::with_edges(Audience::Clients, Flow::default());
        let key = stream.join();
        stream.take_edge(key, 2);
        stream.fanout.finish(stream.now);
        assert_eq!(edge(&stream, key), "00");
        if begun > 0 {
            stream.take_edge(key, begun);
        }
        stream.fanout.resume();
        stream.push("A");
        let expected = if begun == 0 { ("", "A") } else { ("0", "") };
        let waiting = stream.waiting(key);
        assert_eq!((edge(&stream, key), &*waiting), expected);
    }
}

#[test]
fn a_client_that_does_not_take_the_last_frame_holds_up_no_end() {
    for (overflow, is_stuck) in [(Overflow::Drop, true), (Overflow::Block, false)] {
        let flow = Flow {
            overflow,
            ..Flow::default()
        };
        let mut stream = Stream::with_edges(Audience::Clients, flow);
        let key = stream.join();
        stream.take_edge(key, 2);
        stream.pass(SECOND);
        stream.fanout.set_writable(key, false);
        stream.fanout.finish(stream.now);
        stream.pass(DRAIN_LIMIT - MILLI);
        stream.fanout.inspect_end(key, stream.now);
        assert_eq!(stream.fanout.poll_verdict(), None);
        stream.pass(MILLI);
        stream.fanout.inspect_end(key, stream.now);
        let verdict = is_stuck.then_some((key, Verdict::Stuck));
        assert_eq!(stream.fanout.poll_verdict(), verdict);
    }
}
