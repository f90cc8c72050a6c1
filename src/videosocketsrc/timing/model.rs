// SPDX-License-Identifier: MPL-2.0
//! Whatever records come, and whatever clocks show: nothing overflows, and a frame has a time that can be used.

use proptest::{collection::vec, prelude::*};

use super::*;

/// As many cases as take a moment. What fails is shown, and not kept in a file.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// What happens to a stream.
#[derive(Clone, Debug)]
enum Happening {
    Connected,
    ClockChanged,
    Latency(u64),
    Pieces(bool),
    Clock {
        now: u64,
        base_time: u64,
        latency: u64,
        unix_offset: Option<i64>,
        is_paced: bool,
        has_id: bool,
        read_at: u64,
    },
    Frame(Buffer, Here),
    Gap(i64, Here),
    Query(u64, u64),
}

#[derive(Clone, Copy, Debug)]
struct Here {
    read_at: u64,
    waited_until: u64,
    now: u64,
    base_time: u64,
}

/// Times at the edges, and times near each other.
fn some_time() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => (0u64..200).prop_map(|tenths| 1_000_000_000_000 + tenths * 100_000_000),
        1 => prop_oneof![Just(0), Just(u64::MAX - 1), Just(u64::MAX), Just(i64::MAX as u64)],
        1 => any::<u64>(),
    ]
}

fn some_signed_time() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => (-20i64..200).prop_map(|tenths| tenths * 100_000_000),
        1 => prop_oneof![Just(i64::MIN), Just(i64::MIN + 1), Just(i64::MAX)],
        1 => any::<i64>(),
    ]
}

fn some_here() -> impl Strategy<Value = Here> {
    let times = (some_time(), some_time(), some_time(), some_time());
    times.prop_map(|(read_at, waited_until, now, base_time)| Here {
        read_at,
        waited_until,
        now,
        base_time,
    })
}

fn some_buffer() -> impl Strategy<Value = Buffer> {
    let times = (
        proptest::option::of(some_signed_time()),
        proptest::option::of(some_signed_time()),
        proptest::option::of(some_time()),
    );
    (any::<u16>(), any::<u16>(), times).prop_map(|(sequence, flags, (pts, dts, clock))| Buffer {
        sequence,
        flags: BufferFlags::from_bits(flags),
        pts,
        dts,
        clock,
        ..Buffer::default()
    })
}

fn some_clock() -> impl Strategy<Value = Happening> {
    let times = (some_time(), some_time(), some_time(), some_time());
    let rest = (
        proptest::option::of(some_signed_time()),
        any::<bool>(),
        any::<bool>(),
    );
    (times, rest).prop_map(
        |((now, base_time, latency, read_at), (unix_offset, is_paced, has_id))| Happening::Clock {
            now,
            base_time,
            latency,
            unix_offset,
            is_paced,
            has_id,
            read_at,
        },
    )
}

fn something() -> impl Strategy<Value = Happening> {
    prop_oneof![
        1 => Just(Happening::Connected),
        1 => Just(Happening::ClockChanged),
        1 => some_time().prop_map(Happening::Latency),
        1 => any::<bool>().prop_map(Happening::Pieces),
        4 => some_clock(),
        16 => (some_buffer(), some_here()).prop_map(|(buffer, here)| Happening::Frame(buffer, here)),
        2 => (some_signed_time(), some_here()).prop_map(|(time, here)| Happening::Gap(time, here)),
        1 => (some_time(), some_time()).prop_map(|(time, base)| Happening::Query(time, base)),
    ]
}

/// What a frame must be like, beside the ones before it.
#[derive(Default)]
struct Expected {
    latency: u64,
    has_clock: bool,
    are_pieces: bool,
    last: Option<(i64, u64)>,
    /// The times at the sender by which the last picture may be known: its PTS, and a DTS since that had none beside it.
    picture: (Option<i64>, Option<i64>),
    running_time: i64,
}

impl Expected {
    fn check(&mut self, buffer: &Buffer, here: Here, timed: Timed) {
        let running_time = bounded(time(here.now).saturating_sub(wrapped(here.base_time)));
        let came_at = time(here.waited_until).saturating_sub(wrapped(here.base_time));
        let came_at = came_at.min(running_time);
        let (pts, dts) = (buffer.pts.map(bounded), buffer.dts.map(bounded));
        let last_picture = self.picture;
        self.picture = match pts {
            Some(_) => (pts, None),
            None => (last_picture.0, dts.or(last_picture.1)),
        };
        if timed.lacks_times {
            assert!(self.has_clock && pts.or(dts).is_none() && timed.pts.is_some());
            self.last = None;
            return;
        }
        let (Some(to), true) = (timed.pts, self.has_clock) else {
            assert!(self.has_clock || timed.pts.is_some());
            assert_eq!(timed.pts.is_some(), buffer.pts.is_some() || !self.has_clock);
            self.last = None;
            return;
        };
        assert!(to <= i64::MAX as u64);
        let from = buffer.pts.unwrap();
        // A piece of a picture has the picture's time, however late it comes.
        let is_last = pts == last_picture.0 || pts == last_picture.1;
        let goes_on = self.are_pieces && is_last;
        assert!(goes_on || to as i64 >= came_at.saturating_sub(time(self.latency)));
        if let Some((last_from, last_to)) = self.last
            && from >= last_from
            && running_time >= self.running_time
            && !timed.is_discontinuous
        {
            assert!(to >= last_to, "{to} after {last_to}");
        }
        (self.last, self.running_time) = (Some((from, to)), running_time);
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_records_make_times(happenings in vec(something(), 1..80)) {
        let mut timing = Timing::new(0);
        let mut expected = Expected::default();
        for happening in happenings {
            match happening {
                Happening::Connected => {
                    timing.connected();
                    expected.has_clock = false;
                    expected.picture = (None, None);
                }
                Happening::ClockChanged => timing.clock_changed(),
                Happening::Latency(latency) => {
                    timing.set_latency(latency);
                    expected.latency = latency;
                }
                Happening::Pieces(are_pieces) => {
                    timing.set_pieces(are_pieces);
                    expected.are_pieces = are_pieces;
                }
                Happening::Clock { now, base_time, latency, unix_offset, is_paced, has_id, read_at } => {
                    let clock = Clock {
                        now,
                        base_time,
                        unix_offset,
                        latency,
                        is_paced,
                        is_unix_synchronised: false,
                        id: if has_id { "id" } else { "" },
                    };
                    timing.clock(&clock, read_at, Some("id"));
                    expected.has_clock = true;
                }
                Happening::Frame(buffer, here) => {
                    let timed = timing.frame(&buffer, here.read_at, here.waited_until, here.now, here.base_time);
                    expected.check(&buffer, here, timed);
                    timing.unix_time(&buffer);
                }
                Happening::Gap(time, here) => {
                    let time = timing.gap(time, here.now, here.base_time).unwrap();
                    prop_assert!(time <= i64::MAX as u64);
                }
                Happening::Query(time, base_time) => {
                    timing.to_sender(time, base_time);
                }
            }
            let stats = timing.stats();
            prop_assert!(stats.drift.abs() <= 1000.0);
        }
    }
}
