// SPDX-License-Identifier: MPL-2.0
//! Each decision by itself, in time that passes when the test says so.

pub(super) use super::model::Letter;

use super::*;
use crate::wire::HeaderFormat;

const WIRE_LEN: usize = 9;
const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

/// A capital letter is a keyframe, a digit one of the stream's headers, which says the second at which it is due.
fn frame(letter: u8) -> Frame<Letter> {
    Frame {
        header: HeaderFormat::default().encode(1).unwrap(),
        lead: None,
        payload: Letter(letter),
        len: 1,
        keyframe: !letter.is_ascii_lowercase(),
        repeats_header: letter.is_ascii_digit(),
        is_note: false,
        piece: Piece::Whole,
        time: Some(u32::from(letter.to_ascii_lowercase()) * SECOND),
    }
}

/// When tests begin. From then on time passes as they say.
pub(super) fn some_time() -> Instant {
    Instant::now()
}

/// A stream, and the time.
struct Stream {
    fanout: Fanout<Letter>,
    now: Instant,
}

impl Stream {
    fn new(audience: Audience, flow: Flow) -> Self {
        let mut fanout = Fanout::new(audience);
        fanout.begin(flow);
        let now = some_time();
        Self { fanout, now }
    }

    fn for_clients(flow: Flow) -> Self {
        Self::new(Audience::Clients, flow)
    }

    fn headers(&mut self, letters: &str) {
        let frames = letters.bytes().map(|letter| Frame {
            repeats_header: false,
            ..frame(letter)
        });
        self.fanout.set_headers(frames.collect());
    }

    /// Sends these frames, and thins what waits after each.
    fn push(&mut self, letters: &str) -> Sent {
        let mut sent = Sent::default();
        for letter in letters.bytes() {
            sent += self.fanout.push(frame(letter), self.now);
            sent += self.fanout.keep_within(self.now);
        }
        sent
    }

    /// The same for pictures: a word each, of a letter for each piece.
    fn push_pictures(&mut self, words: &str) -> Sent {
        let mut sent = Sent::default();
        for word in words.split(' ') {
            for (at, letter) in word.bytes().enumerate() {
                let piece = match (at == 0, at + 1 == word.len()) {
                    (true, true) => Piece::Whole,
                    (true, false) => Piece::First,
                    (false, false) => Piece::Middle,
                    (false, true) => Piece::Last,
                };
                sent += self.push_piece(letter, piece);
            }
        }
        sent
    }

    fn push_piece(&mut self, letter: u8, piece: Piece) -> Sent {
        let frame = Frame {
            piece,
            ..frame(letter)
        };
        let mut sent = self.fanout.push(frame, self.now);
        sent += self.fanout.keep_within(self.now);
        sent
    }

    fn must_wait(&self, letter: char) -> bool {
        self.fanout.must_wait(&frame(letter as u8), self.now)
    }

    fn join(&mut self) -> usize {
        self.fanout.join(0, self.now).0
    }

    /// One that has a kernel without room.
    fn join_full(&mut self) -> usize {
        let key = self.join();
        self.fanout.set_writable(key, false);
        key
    }

    /// What a client would be sent now.
    fn waiting(&mut self, key: usize) -> String {
        let was_writable = self.fanout.is_writable(key);
        self.fanout.set_writable(key, true);
        let letters = self.fanout.unsent(key).map(|(frames, _)| {
            let frames = frames.filter_map(|part| part.frame);
            let letters = frames.map(|frame| char::from(frame.payload.0));
            letters.collect()
        });
        self.fanout.set_writable(key, was_writable);
        letters.unwrap_or_default()
    }

    /// The kernel takes so many bytes, and no more.
    fn take(&mut self, key: usize, bytes: usize) -> Progress {
        self.fanout.sent(key, bytes, true, self.now)
    }

    fn take_frames(&mut self, key: usize, frames: usize) {
        assert_eq!(self.take(key, frames * WIRE_LEN).frames, frames as u64);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn dropped(&self, key: usize) -> u64 {
        self.fanout.counts(key).dropped
    }

    /// How many payloads there are.
    fn kept(&mut self) -> usize {
        self.fanout.spent().clear();
        self.fanout.queue.len()
    }
}

fn flow(overflow: Overflow, limits: Limits) -> Flow {
    Flow {
        overflow,
        limits,
        ..Flow::default()
    }
}

fn frames(max: usize) -> Limits {
    Limits {
        frames: Some(max),
        ..Limits::default()
    }
}

fn bytes(max: usize) -> Limits {
    Limits {
        bytes: Some(max),
        ..Limits::default()
    }
}

fn time(max: Duration) -> Limits {
    Limits {
        time: Some(max),
        ..Limits::default()
    }
}

fn dropping(limits: Limits) -> Stream {
    Stream::for_clients(flow(Overflow::Drop, limits))
}

fn blocking(limits: Limits) -> Stream {
    Stream::for_clients(flow(Overflow::Block, limits))
}

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

const TIMEOUT: Duration = Duration::from_secs(4);

fn with_timeout() -> (Stream, usize) {
    let mut stream = Stream::for_clients(Flow {
        timeout: Some(TIMEOUT),
        ..Flow::default()
    });
    let client = stream.join();
    (stream, client)
}

/// Looks every quarter of the time limit, and says after how long the client is to go.
fn stalls_after(
    stream: &mut Stream,
    client: usize,
    mut unacknowledged: impl FnMut(u32) -> usize,
) -> Option<Duration> {
    let step = TIMEOUT / 4;
    (0..40).find_map(|i| {
        stream.fanout.inspect(client, unacknowledged(i), stream.now);
        let verdict = stream.fanout.poll_verdict();
        assert!(verdict.is_none_or(|verdict| verdict == (client, Verdict::Stalled(TIMEOUT))));
        stream.pass(step);
        verdict.map(|_| i * step)
    })
}

#[test]
fn who_takes_nothing_for_too_long_is_to_go() {
    // Frames wait here.
    let (mut stream, client) = with_timeout();
    stream.fanout.set_writable(client, false);
    stream.push("A");
    assert_eq!(stalls_after(&mut stream, client, |_| 0), Some(TIMEOUT));
    // They wait with the kernel, which the peer acknowledges its questions but takes no byte from.
    let (mut stream, client) = with_timeout();
    stream.push("A");
    stream.fanout.sent(client, WIRE_LEN, false, stream.now);
    assert_eq!(
        stalls_after(&mut stream, client, |_| WIRE_LEN),
        Some(TIMEOUT)
    );
    // It goes on for a while.
    let (mut stream, client) = with_timeout();
    stream.push("A");
    stream.fanout.sent(client, WIRE_LEN, false, stream.now);
    let left = |i| WIRE_LEN - (i as usize).min(5);
    assert_eq!(
        stalls_after(&mut stream, client, left),
        Some(TIMEOUT * 5 / 4 + TIMEOUT)
    );
}

#[test]
fn who_has_all_or_takes_a_little_may_stay() {
    let (mut stream, client) = with_timeout();
    assert_eq!(stalls_after(&mut stream, client, |_| 0), None);
    stream.push("A");
    stream.fanout.sent(client, WIRE_LEN, false, stream.now);
    assert_eq!(
        stalls_after(&mut stream, client, |i| WIRE_LEN.saturating_sub(i as usize)),
        None
    );
    // The kernel has no room, and the peer takes one byte after the other.
    let (mut stream, client) = with_timeout();
    stream.push("ABCDEFGH");
    stream.take(client, 6 * WIRE_LEN);
    let left = |i| 6 * WIRE_LEN - i as usize;
    assert_eq!(stalls_after(&mut stream, client, left), None);
}

#[test]
fn the_clock_starts_with_what_waits() {
    let (mut stream, client) = with_timeout();
    stream.fanout.inspect(client, 0, stream.now);
    stream.pass(TIMEOUT - MILLI);
    stream.push("A");
    stream.fanout.sent(client, WIRE_LEN, false, stream.now);
    stream.pass(MILLI);
    stream.fanout.inspect(client, WIRE_LEN, stream.now);
    assert_eq!(stream.fanout.poll_verdict(), None);
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

/// What a client would be sent now that is no frame of the stream.
fn edge(stream: &Stream, key: usize) -> &str {
    let edge = stream.fanout.unsent_edge(key);
    std::str::from_utf8(edge.unwrap_or_default()).unwrap()
}

impl Stream {
    fn with_edges(audience: Audience, flow: Flow) -> Self {
        let mut stream = Self::new(audience, flow);
        stream.fanout.set_edges(b"hi", b"00");
        stream
    }

    /// The kernel takes so many bytes of that.
    fn take_edge(&mut self, key: usize, bytes: usize) -> Progress {
        self.fanout.sent_edge(key, bytes, false, self.now)
    }
}

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

#[test]
fn one_who_joins_begins_with_the_first_piece_of_a_picture() {
    let mut stream = Stream::for_clients(Flow::default());
    let key = stream.join();
    stream.push_pictures("xy spKL ab");
    assert_eq!(stream.waiting(key), "spKLab");
    let late = stream.join();
    stream.push_piece(b's', Piece::First);
    stream.push_piece(b'M', Piece::Middle);
    let too_late = stream.join();
    stream.push_piece(b'N', Piece::Last);
    assert_eq!(stream.waiting(late), "sMN");
    assert_eq!(stream.waiting(too_late), "");
    stream.push_pictures("O");
    assert_eq!(stream.waiting(too_late), "O");
}

#[test]
fn pictures_are_kept_only_until_decoding_can_start_with_them_or_not() {
    let mut stream = Stream::for_clients(Flow::default());
    stream.push_piece(b's', Piece::First);
    stream.push_piece(b'p', Piece::Middle);
    assert_eq!(stream.kept(), 2);
    stream.push_piece(b'x', Piece::Last);
    assert_eq!(stream.kept(), 0);
    stream.push_piece(b's', Piece::First);
    stream.push_piece(b'K', Piece::Middle);
    assert_eq!(stream.kept(), 0);
    // The picture before it is over, although nobody has said so.
    stream.push_piece(b'a', Piece::First);
    stream.push_piece(b'b', Piece::First);
    assert_eq!(stream.kept(), 1);
    stream.fanout.forget_waiting();
    assert_eq!(stream.kept(), 0);
    let key = stream.join();
    stream.push_piece(b'K', Piece::Last);
    assert_eq!(stream.waiting(key), "K");
    stream.push_piece(b'a', Piece::First);
    stream.fanout.end();
    assert_eq!(stream.kept(), 0);
}

#[test]
fn who_lost_frames_goes_on_with_the_first_piece_of_a_picture() {
    let mut stream = Stream::for_clients(flow(Overflow::Drop, frames(4)));
    let key = stream.join_full();
    stream.push_pictures("sA bc de");
    // Decoding cannot start with what is left.
    assert_eq!((stream.waiting(key).as_str(), stream.dropped(key)), ("", 6));
    stream.push_pictures("f");
    assert_eq!(stream.dropped(key), 7);
    stream.push_piece(b's', Piece::First);
    stream.push_piece(b'p', Piece::Middle);
    assert_eq!(stream.dropped(key), 7);
    stream.push_piece(b'K', Piece::Middle);
    stream.push_piece(b'L', Piece::Last);
    assert_eq!(
        (stream.waiting(key).as_str(), stream.dropped(key)),
        ("spKL", 7)
    );
    stream.push_pictures("sM n");
    assert_eq!(
        (stream.waiting(key).as_str(), stream.dropped(key)),
        ("sMn", 11)
    );
}

#[test]
fn the_group_begins_with_the_first_piece_of_a_picture() {
    let flow = Flow {
        join: JoinAt::LatestKeyframe,
        ..Flow::default()
    };
    let mut stream = Stream::for_clients(flow);
    stream.push_pictures("sKL a sMN b");
    let key = stream.join();
    assert_eq!(stream.waiting(key), "sMNb");
    assert_eq!(stream.kept(), 4);
}

#[test]
fn pieces_that_a_flush_parts_from_their_picture_are_lost_to_nobody() {
    let mut stream = Stream::for_clients(flow(Overflow::Drop, frames(1)));
    let key = stream.join_full();
    stream.push_pictures("A b");
    assert_eq!(stream.dropped(key), 2);
    stream.push_piece(b's', Piece::First);
    stream.fanout.forget_waiting();
    stream.push_pictures("K");
    assert_eq!(
        (stream.waiting(key).as_str(), stream.dropped(key)),
        ("K", 2)
    );
}

#[test]
fn records_are_made_while_somebody_is_sent_them() {
    let mut stream = Stream::for_clients(Flow {
        metadata: Metadata::OnRequest,
        ..Flow::default()
    });
    let fanout = &mut stream.fanout;
    let [plain, first, second] = [(); 3].map(|()| fanout.join(0, stream.now).0);
    assert!(!fanout.needs_records());
    for client in [first, first, second] {
        fanout.understand(client);
        assert!(fanout.needs_records());
    }
    fanout.leave(first, false);
    assert!(fanout.needs_records());
    fanout.leave(second, false);
    assert!(!fanout.needs_records());
    fanout.leave(plain, false);
    assert!(fanout.needs_records(), "whoever comes may want them");
}

#[test]
fn records_are_made_for_one_who_understands_them_amid_a_frame() {
    let mut stream = Stream::for_clients(Flow {
        metadata: Metadata::OnRequest,
        ..Flow::default()
    });
    let key = stream.join();
    stream.push("A");
    stream.fanout.sent(key, 1, false, stream.now);
    stream.fanout.understand(key);
    assert!(!stream.fanout.is_described(key) && stream.fanout.needs_records());
    let plain = stream.join();
    stream.fanout.leave(key, false);
    assert!(!stream.fanout.needs_records());
    stream.fanout.leave(plain, false);
}

#[test]
fn headers_that_are_begun_stay_together_before_a_frame_that_has_others() {
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
    assert_eq!(stream.waiting(key), "12B");
    stream.take(key, WIRE_LEN - 4 + WIRE_LEN);
    assert_eq!(stream.waiting(key), "B");
}
