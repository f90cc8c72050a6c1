// SPDX-License-Identifier: MPL-2.0
//! Where one who comes begins.

use super::*;

#[test]
fn who_joins_starts_where_it_is_to() {
    for (join, letters) in [
        (JoinAt::Latest, "cDe"),
        (JoinAt::NextKeyframe, "De"),
        (JoinAt::LatestKeyframe, "AbcDe"),
    ] {
        let mut stream = Stream::for_clients(Flow {
            join,
            ..Flow::default()
        });
        stream.push("Ab");
        let client = stream.join();
        stream.push("cDe");
        assert_eq!(stream.waiting(client), letters, "{join:?}");
        let again = stream.join();
        let letters = if join == JoinAt::LatestKeyframe {
            "De"
        } else {
            ""
        };
        assert_eq!(stream.waiting(again), letters);
    }
}

#[test]
fn a_group_has_no_hole_where_the_way_to_join_was_changed_meanwhile() {
    let latest = Flow {
        join: JoinAt::LatestKeyframe,
        ..Flow::default()
    };
    let mut stream = Stream::for_clients(latest);
    stream.push("Abc");
    stream.fanout.set_flow(Flow::default());
    stream.push("de");
    stream.fanout.set_flow(latest);
    stream.push("fg");
    let client = stream.join();
    assert_eq!(stream.waiting(client), "", "it waits for the next keyframe");
    stream.push("Hi");
    assert_eq!(stream.waiting(client), "Hi");
}

#[test]
fn a_group_that_is_too_long_is_not_kept() {
    let mut stream = Stream::for_clients(Flow {
        join: JoinAt::LatestKeyframe,
        ..Flow::default()
    });
    let large = |letter| Frame {
        len: MAX_GROUP_BYTES / 2,
        ..frame(letter)
    };
    stream.fanout.push(large(b'A'), stream.now);
    assert_eq!(stream.kept(), 1);
    stream.fanout.push(large(b'b'), stream.now);
    assert_eq!(stream.kept(), 0);
    let client = stream.join();
    assert_eq!(stream.waiting(client), "");
}

#[test]
fn the_peer_that_is_connected_to_starts_with_the_group_as_well() {
    for audience in [Audience::Callee, Audience::Caller] {
        let mut stream = Stream::new(
            audience,
            Flow {
                join: JoinAt::LatestKeyframe,
                overflow: Overflow::Drop,
                ..Flow::default()
            },
        );
        stream.push("AbCd");
        let client = stream.join();
        assert_eq!(stream.waiting(client), "Cd");
    }
}

#[test]
fn headers_come_first_and_once() {
    let mut stream = Stream::for_clients(Flow {
        join: JoinAt::LatestKeyframe,
        ..Flow::default()
    });
    stream.headers("12");
    let first = stream.join();
    stream.push("12Ab");
    assert_eq!(stream.waiting(first), "12Ab");
    let second = stream.join();
    assert_eq!(stream.waiting(second), "12Ab");
    // The next ones are part of the stream for those who have others.
    stream.headers("3");
    stream.push("3C");
    assert_eq!(stream.waiting(first), "12Ab3C");
    let third = stream.join();
    assert_eq!(stream.waiting(third), "3C");
}

/// Joins in the middle of a group of 8 frames, which is longer than the limits.
fn joined(overflow: Overflow, limits: Limits) -> (Stream, usize) {
    let mut stream = Stream::for_clients(Flow {
        join: JoinAt::LatestKeyframe,
        ..flow(overflow, limits)
    });
    stream.push("Abcdefgh");
    stream.pass(SECOND);
    let client = stream.join_full();
    (stream, client)
}

#[test]
fn to_join_in_mid_group_is_not_to_fall_behind() {
    for limits in [frames(2), bytes(2 * WIRE_LEN), time(2 * SECOND)] {
        let (stream, _) = joined(Overflow::Block, limits);
        assert!(!stream.must_wait('i'), "{limits:?}");
        let (mut stream, _) = joined(Overflow::Drop, limits);
        assert_eq!(stream.push("ij").dropped, 0, "{limits:?}");
        let (mut stream, _) = joined(Overflow::Disconnect, limits);
        stream.push("ij");
        assert_eq!(stream.fanout.poll_verdict(), None, "{limits:?}");
    }
}

#[test]
fn a_group_is_as_old_as_the_join() {
    let (mut stream, _) = joined(Overflow::Block, time(2 * SECOND));
    assert!(!stream.must_wait('i'));
    assert!(stream.must_wait('j'));
    let (mut dropping, _) = joined(Overflow::Drop, time(2 * SECOND));
    assert_eq!(dropping.push("ij").dropped, 0);
    assert_eq!(dropping.push("k").dropped, 11);
    // Either the clock says so or the stream's own time does.
    stream.pass(2 * SECOND);
    assert!(stream.must_wait('i'));
}

#[test]
fn a_group_counts_when_as_much_has_followed() {
    for limits in [frames(2), bytes(2 * WIRE_LEN)] {
        let (mut stream, client) = joined(Overflow::Drop, limits);
        for letters in ["ij", "klmn", "o"] {
            stream.push(letters);
            assert_eq!(stream.dropped(client), 0, "{limits:?}");
            stream.take_frames(client, 4);
        }
        stream.push("p");
        assert_eq!(stream.dropped(client), 4, "{limits:?}");
    }
}

#[test]
fn who_has_taken_the_group_is_as_everybody() {
    let (mut stream, client) = joined(Overflow::Drop, frames(2));
    stream.take_frames(client, 8);
    assert_eq!(stream.push("ij").dropped, 0);
    assert_eq!(stream.push("k").dropped, 3);
}

#[test]
fn a_peer_that_is_connected_to_gets_a_stream_that_waits_from_its_beginning() {
    let mut stream = Stream::new(Audience::Callee, flow(Overflow::Block, frames(2)));
    assert_eq!(stream.push("Ab"), Sent::default());
    assert!(stream.must_wait('c'));
    let (client, lost) = stream.fanout.join(0, stream.now);
    assert_eq!((stream.waiting(client), lost), ("Ab".into(), 0));
}

#[test]
fn the_first_peer_gets_what_has_waited_even_if_no_keyframe_has() {
    let mut stream = Stream::new(
        Audience::Callee,
        Flow {
            join: JoinAt::Latest,
            ..flow(Overflow::Block, frames(9))
        },
    );
    // Nor is this one a peer that has got anything.
    let (none, _) = stream.fanout.join(0, stream.now);
    stream.fanout.leave(none, true);
    stream.push("ab");
    let (first, lost) = stream.fanout.join(0, stream.now);
    assert_eq!((stream.waiting(first), lost), ("ab".into(), 0));
    stream.fanout.leave(first, true);
    let (second, lost) = stream.fanout.join(0, stream.now);
    assert_eq!((stream.waiting(second), lost), (String::new(), 2));
}

#[test]
fn frames_that_go_by_before_the_connection_are_counted() {
    let mut stream = Stream::new(Audience::Callee, flow(Overflow::Drop, frames(2)));
    assert!(!stream.must_wait('A'));
    assert_eq!(stream.push("Abc").dropped, 3);
    let client = stream.join();
    assert_eq!(stream.push("De").dropped, 0);
    assert_eq!(stream.waiting(client), "De");
}

#[test]
fn a_stream_that_could_wait_is_kept_within_the_limits_until_the_connection_is_there() {
    for overflow in [Overflow::Drop, Overflow::Disconnect] {
        let hold = Flow {
            keep_for_callee: true,
            ..flow(overflow, frames(2))
        };
        let mut stream = Stream::new(Audience::Callee, hold);
        assert!(!stream.must_wait('A'));
        assert_eq!(stream.push("AB").dropped, 0);
        assert_eq!(stream.push("C").dropped, 1);
        let client = stream.join();
        assert_eq!(stream.waiting(client), "BC");
    }
}

#[test]
fn while_the_peer_is_greeted_a_stream_that_does_not_wait_is_kept_within_the_limits() {
    let mut stream = Stream::new(Audience::Callee, flow(Overflow::Drop, frames(2)));
    assert_eq!(stream.push("Ab").dropped, 2);
    stream.fanout.set_callee_is_here(true);
    assert!(!stream.must_wait('c'));
    assert_eq!(stream.push("cDe").dropped, 0);
    assert_eq!(stream.push("F").dropped, 2);
    let client = stream.join();
    stream.fanout.set_callee_is_here(false);
    assert_eq!(stream.waiting(client), "F");
}

#[test]
fn a_peer_that_is_given_the_group_gets_one_that_began_while_it_was_greeted() {
    let group = Flow {
        join: JoinAt::LatestKeyframe,
        ..flow(Overflow::Drop, frames(2))
    };
    let mut stream = Stream::new(Audience::Callee, group);
    stream.fanout.set_callee_is_here(true);
    stream.push("Abcdef");
    let client = stream.join();
    assert_eq!(stream.waiting(client), "Abcdef");
}

#[test]
fn a_group_that_is_kept_for_the_connection_is_not_lost() {
    let mut stream = Stream::new(
        Audience::Callee,
        Flow {
            join: JoinAt::LatestKeyframe,
            ..flow(Overflow::Drop, frames(9))
        },
    );
    assert_eq!(stream.push("abC").dropped, 2);
    assert_eq!(stream.push("de").dropped, 0);
    assert_eq!(stream.push("F").dropped, 3, "the group before");
    let client = stream.join();
    assert_eq!(
        (stream.waiting(client), stream.dropped(client)),
        ("F".into(), 0)
    );
}

#[test]
fn a_group_that_is_not_kept_any_longer_is_lost_where_nobody_has_come() {
    let keeping = Flow {
        join: JoinAt::LatestKeyframe,
        ..flow(Overflow::Drop, frames(9))
    };
    let not_keeping = Flow {
        join: JoinAt::NextKeyframe,
        ..keeping
    };
    for (audience, comes, lost) in [
        (Audience::Callee, false, 2),
        (Audience::Callee, true, 0),
        (Audience::Clients, false, 0),
    ] {
        let begin = || {
            let mut stream = Stream::new(audience, keeping);
            if comes {
                stream.join();
            }
            stream.push("Ab");
            stream
        };
        assert_eq!(begin().fanout.set_flow(keeping), 0);
        assert_eq!(begin().fanout.set_flow(not_keeping), lost);
        assert_eq!(begin().fanout.set_headers(Vec::new()), lost);
    }
}

#[test]
fn the_next_peer_starts_with_headers_and_a_whole_keyframe() {
    for (taken, letters, lost) in [
        (4, "1Abc", 0),
        (WIRE_LEN + 4, "1", 2),
        (3 * WIRE_LEN, "1", 0),
    ] {
        let mut stream = Stream::new(Audience::Callee, flow(Overflow::Block, frames(9)));
        stream.headers("1");
        let first = stream.join();
        stream.take(first, WIRE_LEN);
        stream.push("Abc");
        stream.take(first, WIRE_LEN + taken);
        let (counts, _) = stream.fanout.leave(first, true);
        assert_eq!(counts.dropped, 0);
        let (second, dropped) = stream.fanout.join(0, stream.now);
        assert_eq!(
            (stream.waiting(second), dropped),
            (letters.into(), lost),
            "{taken}"
        );
        stream.push("dE");
        let letters = if lost == 0 && taken == 4 {
            "1AbcdE"
        } else {
            "1E"
        };
        assert_eq!(stream.waiting(second), letters);
    }
}

#[test]
fn a_keyframe_that_waits_is_where_the_next_peer_starts() {
    let mut stream = Stream::new(Audience::Callee, flow(Overflow::Block, frames(9)));
    let first = stream.join();
    stream.push("AbcDe");
    stream.take(first, WIRE_LEN + 4);
    stream.fanout.leave(first, true);
    stream.push("f");
    let (second, lost) = stream.fanout.join(0, stream.now);
    assert_eq!((stream.waiting(second), lost), ("Def".into(), 2));
}

#[test]
fn who_comes_next_has_nothing_to_do_with_who_has_left() {
    for audience in [Audience::Caller, Audience::Clients] {
        let mut stream = Stream::new(audience, flow(Overflow::Block, frames(9)));
        let first = stream.join_full();
        stream.push("Ab");
        let (counts, lost) = stream.fanout.leave(first, true);
        assert_eq!((counts.dropped, lost, counts.queued), (2, 2, 0));
        stream.push("c");
        assert_eq!(stream.kept(), 0);
        let second = stream.join();
        stream.push("dE");
        assert_eq!(stream.waiting(second), "E");
    }
}

#[test]
fn what_is_kept_for_a_peer_that_does_not_come_is_lost() {
    let mut stream = Stream::new(Audience::Callee, flow(Overflow::Block, frames(9)));
    stream.push("Abc");
    assert_eq!(stream.fanout.queued(), 3 * WIRE_LEN);
    assert!(stream.fanout.has_any_for_awaited());
    assert_eq!(stream.fanout.await_nobody(), 3);
    assert_eq!((stream.fanout.queued(), stream.kept()), (0, 0));
}

#[test]
fn a_frame_ahead_of_the_stream_goes_alone() {
    let mut stream = Stream::new(Audience::Caller, flow(Overflow::Drop, frames(9)));
    assert!(stream.fanout.push_ahead(frame(b'A'), stream.now));
    assert!(!stream.fanout.push_ahead(frame(b'B'), stream.now));
    let client = stream.join();
    assert_eq!(stream.waiting(client), "A");
}

#[test]
fn nothing_is_kept_for_a_peer_that_was_replaced_before_it_had_gone() {
    let mut stream = Stream::new(Audience::Callee, flow(Overflow::Block, Limits::default()));
    let first = stream.join();
    stream.fanout.begin_drain(first, stream.now);
    let second = stream.join();
    stream.fanout.leave(first, true);
    stream.push("AB");
    stream.fanout.leave(second, true);
    let third = stream.join();
    assert_eq!(stream.waiting(third), "AB");
    stream.take_frames(third, 2);
    assert_eq!(stream.kept(), 0);
}
