// SPDX-License-Identifier: MPL-2.0
//! A sender, a network and a receiver, simulated: their times are in nanoseconds since the beginning of it all.

use super::*;

mod files;
mod pieces;

const MICROSECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// What the clocks showed at the beginning.
const SENDER_BEGIN: i64 = 8_000 * SECOND;
const RECEIVER_BEGIN: i64 = 123 * SECOND;

/// When the pipelines began to play.
const SENDER_BASE: i64 = SENDER_BEGIN - 7 * SECOND;
const RECEIVER_BASE: i64 = RECEIVER_BEGIN - 2 * SECOND;

/// What the way takes without jitter.
const WAY: i64 = 20 * MILLISECOND;

const FRAME: i64 = SECOND / 30;

/// More than the jitter.
const LATENCY: i64 = 200 * MILLISECOND;

/// So long the estimate may take to settle.
const SETTLED: i64 = 4 * SECOND;

/// Numbers that look like random ones, and are the same each time.
struct Dice(u64);

impl Dice {
    /// From 0 up to this.
    fn roll(&mut self, below: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % below.max(1) as u64) as i64
    }
}

#[derive(Clone, Copy)]
struct Simulation {
    /// How much faster the receiver's clock is, in parts per million.
    drift: i64,
    jitter: i64,
    frame: i64,
    seed: u64,
    /// Something that takes the bytes so much longer, from one time to another.
    congestion: (i64, i64, i64),
    /// From a time on, the receiver's clock shows so much more. Nothing is sent while it stands still.
    step: (i64, i64),
    /// When the connection is made.
    from: i64,
    to: i64,
    is_paced: bool,
    /// Whether the sender tells its times.
    is_told: bool,
    /// A frame is read when the one before it has been shown: there is no queue between source and sink.
    holds: bool,
    id: &'static str,
    own_id: &'static str,
    latency: i64,
}

impl Default for Simulation {
    fn default() -> Self {
        Self {
            drift: 0,
            jitter: 50 * MILLISECOND,
            frame: FRAME,
            seed: 1,
            congestion: (0, 0, 0),
            step: (HOUR * 2, 0),
            from: 0,
            to: MINUTE,
            is_paced: true,
            is_told: true,
            holds: false,
            id: "",
            own_id: "",
            latency: LATENCY,
        }
    }
}

/// What became of a frame.
#[derive(Clone, Copy, Debug)]
struct Shown {
    made: i64,
    pts: i64,
    is_discontinuous: bool,
    /// As it would be over the shortest way, with clocks that are known.
    ideal: i64,
    /// The running time at which it was handed on.
    handed_on: i64,
}

impl Shown {
    fn error(&self) -> i64 {
        self.pts - self.ideal
    }
}

impl Simulation {
    fn receiver_clock(&self, at: i64) -> i64 {
        let step = if at >= self.step.0 { self.step.1 } else { 0 };
        RECEIVER_BEGIN + at + (i128::from(at) * i128::from(self.drift) / 1_000_000) as i64 + step
    }

    fn clock(&self, at: i64) -> Clock<'static> {
        Clock {
            now: (SENDER_BEGIN + at) as u64,
            base_time: SENDER_BASE as u64,
            unix_offset: None,
            latency: 0,
            is_paced: self.is_paced,
            is_unix_synchronised: false,
            id: self.id,
        }
    }

    fn run(&self) -> (Vec<Shown>, Timing) {
        let mut timing = Timing::new(self.latency as u64);
        (self.run_with(&mut timing), timing)
    }

    fn run_with(&self, timing: &mut Timing) -> Vec<Shown> {
        timing.connected();
        let mut dice = Dice(self.seed);
        let mut last_arrival = 0;
        let mut next_clock = self.from;
        let mut waited_until = 0;
        let mut shown = Vec::new();
        for number in (self.from + self.frame - 1) / self.frame..self.to / self.frame {
            let made = number * self.frame;
            if (self.step.0 + self.step.1..self.step.0).contains(&made) {
                continue;
            }
            let arrival = self.arrival(made, &mut dice).max(last_arrival);
            last_arrival = arrival;
            let came = self.receiver_clock(arrival) as u64;
            let free = shown.last().filter(|_| self.holds);
            let free = free.map_or(0, |last: &Shown| last.pts + self.latency + RECEIVER_BASE);
            let read_at = ReadAt {
                time: came.max(free as u64),
                is_awaited: came >= free as u64,
            };
            if self.is_told && made >= next_clock {
                timing.clock(&self.clock(made), read_at, Some(self.own_id));
                next_clock = made + SECOND;
            }
            let buffer = Buffer {
                sequence: shown.len() as u16,
                pts: Some(SENDER_BEGIN + made - SENDER_BASE),
                clock: Some((SENDER_BEGIN + made) as u64),
                ..Buffer::default()
            };
            if read_at.is_awaited {
                waited_until = read_at.time;
            }
            let now = read_at.time;
            let timed = timing.frame(&buffer, read_at, waited_until, now, RECEIVER_BASE as u64);
            shown.push(Shown {
                made,
                pts: timed.pts.unwrap() as i64,
                is_discontinuous: timed.is_discontinuous,
                ideal: self.receiver_clock(made) + WAY - RECEIVER_BASE,
                handed_on: read_at.time as i64 - RECEIVER_BASE,
            });
        }
        shown
    }

    fn arrival(&self, made: i64, dice: &mut Dice) -> i64 {
        let (from, to, longer) = self.congestion;
        let longer = if (from..to).contains(&made) {
            longer
        } else {
            0
        };
        made + WAY + dice.roll(self.jitter) + longer
    }
}

/// The largest change of the time between two frames.
fn largest_jump(shown: &[Shown]) -> i64 {
    let change = |two: &[Shown]| (two[1].pts - two[0].pts) - (two[1].made - two[0].made);
    let jumps = shown.windows(2).map(|two| change(two).abs());
    jumps.max().unwrap()
}

fn largest_error(shown: &[Shown]) -> i64 {
    let errors = shown.iter().map(|frame| frame.error().abs());
    errors.max().unwrap()
}

fn after(shown: &[Shown], time: i64) -> &[Shown] {
    &shown[shown.partition_point(|frame| frame.made < time)..]
}

/// When there was a discontinuity, but for the first.
fn discontinuities(shown: &[Shown]) -> Vec<i64> {
    assert!(shown[0].is_discontinuous);
    let later = shown[1..].iter().filter(|frame| frame.is_discontinuous);
    later.map(|frame| frame.made).collect()
}

#[test]
fn an_hour_of_drift_is_followed_without_a_jump() {
    for drift in [-500, -50, 0, 50, 500] {
        let simulation = Simulation {
            drift,
            to: HOUR,
            ..Simulation::default()
        };
        let (shown, timing) = simulation.run();
        let jump = largest_jump(after(&shown, SETTLED));
        let start = largest_error(after(&shown, SETTLED));
        let error = largest_error(after(&shown, MINUTE));
        let stats = timing.stats();
        println!("{drift} ppm: jump {jump}, error {start} at the start, {error} later, {stats:?}");
        assert!(jump < 100 * MICROSECOND, "{drift}: {jump}");
        assert!(start < 5 * MILLISECOND, "{drift}: {start}");
        assert!(error < 3 * MILLISECOND, "{drift}: {error}");
        assert!((stats.drift - drift as f64).abs() < 10.0, "{stats:?}");
        assert_eq!(stats.late, 0);
        assert!(discontinuities(&shown).is_empty());
    }
}

#[test]
fn congestion_is_not_drift() {
    for drift in [-500, 0, 500] {
        let calm = Simulation {
            drift,
            ..Simulation::default()
        };
        let congested = Simulation {
            congestion: (30 * SECOND, 36 * SECOND, 400 * MILLISECOND),
            drift,
            ..Simulation::default()
        };
        let ((calm, _), (shown, timing)) = (calm.run(), congested.run());
        let both = shown.iter().zip(&calm);
        let shifts = both.map(|(shown, calm)| (shown.made, (shown.pts - calm.pts).abs()));
        // In the congestion frames are late.
        let end = 36_400 * MILLISECOND;
        let shift = shifts
            .filter(|(made, _)| *made > end)
            .map(|(_, shift)| shift);
        let shift = shift.max().unwrap();
        let jump = largest_jump(after(&shown, end));
        println!(
            "{drift} ppm: shift {shift}, jump {jump}, {:?}",
            timing.stats()
        );
        assert!(shift < 5 * MILLISECOND, "{drift}: {shift}");
        assert!(jump < 2 * MILLISECOND, "{drift}: {jump}");
        assert!(discontinuities(&shown).is_empty());
        // All that were sent in it, and some that waited behind them.
        assert!(
            (180..195).contains(&timing.stats().late),
            "{:?}",
            timing.stats()
        );
    }
}

#[test]
fn two_connections_agree() {
    for drift in [-500, 0, 500] {
        let early = Simulation {
            drift,
            ..Simulation::default()
        };
        let late = Simulation {
            drift,
            seed: 2,
            from: 20 * SECOND,
            ..Simulation::default()
        };
        let ((early, _), (late, _)) = (early.run(), late.run());
        let from = 20 * SECOND + SETTLED;
        let both = after(&early, from).iter().zip(after(&late, from));
        let difference = both.map(|(early, late)| (early.pts - late.pts).abs());
        let difference = difference.max().unwrap();
        println!("{drift} ppm: {difference}");
        assert!(difference < 2_500 * MICROSECOND, "{drift}: {difference}");
    }
}

/// By how much picture and sound of a film are apart, from so long after its start on: 25 pictures a second and AAC, each
/// over a connection of its own.
fn film_apart(film: &Simulation, from: i64) -> i64 {
    let [picture, sound] = [(SECOND / 25, 3), (1024 * SECOND / 48_000, 4)].map(|(frame, seed)| {
        let simulation = Simulation {
            frame,
            seed,
            ..*film
        };
        let (shown, timing) = simulation.run();
        assert_eq!(timing.stats().late, 0);
        shown
    });
    // A sink shows none before it is there.
    let delay = |shown: &Shown| {
        shown
            .error()
            .max(shown.handed_on - 100 * MILLISECOND - shown.ideal)
    };
    let mut heard = sound.iter();
    let mut last = &sound[0];
    let apart = after(&picture, from).iter().map(|seen| {
        last = heard.find(|heard| heard.made >= seen.made).unwrap_or(last);
        (delay(seen) - delay(last)).abs()
    });
    apart.max().unwrap()
}

#[test]
fn picture_and_sound_of_a_film_stay_together() {
    for drift in [-500, 500] {
        let film = Simulation {
            drift,
            latency: 100 * MILLISECOND,
            to: 90 * MINUTE,
            ..Simulation::default()
        };
        let apart = film_apart(&film, SECOND);
        let later = film_apart(&film, SETTLED);
        println!("{drift} ppm: {apart}, {later} later");
        assert!(apart < 20 * MILLISECOND, "{drift}: {apart}");
        assert!(later < 5 * MILLISECOND, "{drift}: {later}");

        let holds = Simulation {
            holds: true,
            ..film
        };
        let by_arrival = Simulation {
            is_told: false,
            ..film
        };
        let [holds, by_arrival] = [holds, by_arrival].map(|film| film_apart(&film, SECOND));
        println!("{drift} ppm: {holds} without a queue, {by_arrival} by arrival");
        // What a frame waits for the one before it says nothing of its way.
        assert!(holds < 50 * MILLISECOND, "{drift}: {holds}");
        assert!(by_arrival > 20 * MILLISECOND, "{drift}: {by_arrival}");
    }
}

#[test]
fn a_clock_that_steps_is_followed() {
    // A receiver, or a sender, was suspended: its clock stood still.
    for (step, within) in [
        (-MINUTE, 100 * MILLISECOND),
        (-200 * MILLISECOND, 100 * MILLISECOND),
        (2 * SECOND, 3 * SECOND),
        (MINUTE, 3 * SECOND),
    ] {
        let at = 2 * MINUTE;
        let simulation = Simulation {
            step: (at, step),
            to: 3 * MINUTE,
            ..Simulation::default()
        };
        let (shown, _) = simulation.run();
        let times = discontinuities(&shown);
        println!("{step}: {times:?}");
        assert!(!times.is_empty(), "{step}");
        for time in times {
            assert!(
                (at - 70 * MILLISECOND..at + within).contains(&time),
                "{step}: {time}"
            );
        }
        let error = largest_error(after(&shown, at + within + SETTLED));
        assert!(error < 5 * MILLISECOND, "{step}: {error}");
        // And until then no frame is held for long.
        let held = after(&shown, at).iter();
        let held = held.map(|frame| frame.pts - frame.handed_on).max().unwrap();
        assert!(held < 100 * MILLISECOND, "{step}: {held}");
    }
}

#[test]
fn another_connection_is_anchored_anew() {
    let mut timing = Timing::new(LATENCY as u64);
    let before = Simulation {
        drift: 500,
        ..Simulation::default()
    };
    before.run_with(&mut timing);
    let drift = timing.stats().drift;
    assert!((drift - 500.0).abs() < 50.0, "{drift}");
    // The sender's clock has begun anew as well.
    let restarted = Simulation {
        from: MINUTE,
        to: 2 * MINUTE,
        step: (0, 3 * HOUR),
        ..before
    };
    let shown = restarted.run_with(&mut timing);
    assert!(discontinuities(&shown).is_empty());
    let error = largest_error(after(&shown, MINUTE + 2 * SECOND));
    assert!(error < 2 * MILLISECOND, "{error}");
}

#[test]
fn the_drift_of_one_clock_is_not_that_of_another() {
    let mut timing = Timing::new(LATENCY as u64);
    let simulation = Simulation {
        drift: 500,
        ..Simulation::default()
    };
    simulation.run_with(&mut timing);
    timing.connected();
    timing.clock(&simulation.clock(MINUTE), 0, None);
    assert!(timing.stats().drift > 400.0);
    let other = Clock {
        id: "another",
        ..simulation.clock(MINUTE)
    };
    timing.clock(&other, 0, None);
    assert_eq!(timing.stats().drift, 0.0);
}

#[test]
fn no_frame_is_later_than_the_latency_allows() {
    for latency in [0, 10 * MILLISECOND, 30 * MILLISECOND] {
        let (shown, timing) = Simulation {
            latency,
            ..Simulation::default()
        }
        .run();
        let late = shown
            .iter()
            .filter(|frame| frame.ideal < frame.handed_on - latency);
        let (late, counted) = (late.count() as u64, timing.stats().late);
        println!("{latency}: {late} {counted}");
        assert!(
            late.abs_diff(counted) * 20 < shown.len() as u64,
            "{late}, {counted}"
        );
        for frame in &shown {
            assert!(frame.pts >= frame.handed_on - latency, "{frame:?}");
        }
        for two in shown.windows(2) {
            assert!(two[0].pts <= two[1].pts, "{two:?}");
        }
    }
}

#[test]
fn the_same_clock_is_exact() {
    let (shown, timing) = Simulation {
        id: "GstPtpClock 0",
        own_id: "GstPtpClock 0",
        ..Simulation::default()
    }
    .run();
    assert!(
        !timing.stats().is_exact,
        "the clocks of the simulation differ"
    );
    assert!(timing.are_clocks_apart());
    assert!(largest_error(after(&shown, SETTLED)) < 2 * MILLISECOND);

    let clock = clock_of("GstPtpClock 0");
    let (base, own_base) = (clock.base_time as i64, 100 * SECOND);
    let mut timing = Timing::new(LATENCY as u64);
    let mut dice = Dice(7);
    for number in 0..3000 {
        let made = base + number * FRAME;
        let read_at = made + MILLISECOND + dice.roll(50 * MILLISECOND);
        if number % 30 == 0 {
            let clock = Clock {
                now: made as u64,
                ..clock
            };
            timing.clock(&clock, read_at as u64, Some("GstPtpClock 0"));
        }
        let timed = frame_at(
            &mut timing,
            number as u16,
            number * FRAME,
            made,
            read_at,
            own_base,
        );
        let due = base + number * FRAME + clock.latency as i64;
        assert_eq!(timed.pts, Some((due - own_base) as u64));
    }
    let stats = timing.stats();
    assert!(
        stats.is_exact && stats.late == 0 && stats.offset == 0,
        "{stats:?}"
    );
    let jitter = stats.jitter as i64 / MILLISECOND;
    assert!((10..25).contains(&jitter), "{jitter}");
}

fn clock_of(id: &str) -> Clock<'_> {
    Clock {
        now: 1_000 * SECOND as u64,
        base_time: 1_000 * SECOND as u64,
        unix_offset: Some(5 * HOUR),
        latency: 40 * MILLISECOND as u64,
        is_paced: true,
        is_unix_synchronised: false,
        id,
    }
}

fn frame_at(
    timing: &mut Timing,
    sequence: u16,
    pts: i64,
    sent_at: i64,
    now: i64,
    base: i64,
) -> Timed {
    let buffer = Buffer {
        sequence,
        pts: Some(pts),
        clock: Some(sent_at as u64),
        ..Buffer::default()
    };
    hand_on(timing, &buffer, now, base)
}

/// At once: it has been waited for until now.
fn hand_on(timing: &mut Timing, buffer: &Buffer, now: i64, base: i64) -> Timed {
    let now = now as u64;
    timing.frame(buffer, now, now, now, base as u64)
}

/// A sender that is not live.
fn file() -> Clock<'static> {
    Clock {
        is_paced: false,
        ..clock_of("")
    }
}

fn of_file() -> Timing {
    let mut timing = Timing::new(0);
    timing.connected();
    timing.clock(&file(), 0, None);
    timing
}

fn is_anew(timed: Timed) -> bool {
    timed.is_discontinuous
}

/// Of a picture in pieces h264parse gives the first a PTS, and the last the DTS of the next picture.
/// A live sender over a way that always takes as long, and the difference that makes.
fn live(latency: i64) -> (Timing, i64) {
    let mut timing = Timing::new(latency as u64);
    timing.connected();
    let clock = clock_of("");
    let way = 30 * MILLISECOND;
    let offset = way - 100 * SECOND;
    timing.clock(&clock, (clock.now as i64 + offset) as u64, None);
    (timing, clock.base_time as i64 + offset)
}

#[test]
fn a_live_sender_is_shown_when_it_shows_itself_and_the_way_later() {
    let (mut timing, begin) = live(LATENCY);
    let due = clock_of("").latency as i64;
    let base = SECOND;
    // The sender's pipeline delays its frames by the latency that it tells.
    let sent = clock_of("").base_time as i64 + due;
    let timed = frame_at(&mut timing, 0, 0, sent, begin + due, base);
    assert_eq!(timed.pts, Some((begin + due - base) as u64));
    assert_eq!(timing.stats().offset, 30 * MILLISECOND - 100 * SECOND);
}

#[test]
fn a_base_time_before_the_clocks_beginning_is_one() {
    let (mut timing, begin) = live(LATENCY);
    let clock = clock_of("");
    let (due, base) = (clock.latency as i64, -2 * SECOND);
    let sent = clock.base_time as i64 + due;
    let timed = frame_at(&mut timing, 0, 0, sent, begin + due, base);
    assert_eq!(timed.pts, Some((begin + due - base) as u64));
    assert_eq!(
        timing.to_sender((begin + due - base) as u64, base as u64),
        Some(0)
    );
    // The same of the sender's.
    let began_anew = Clock {
        now: SECOND as u64,
        base_time: base as u64,
        ..clock
    };
    timing.connected();
    timing.clock(&began_anew, 5 * SECOND as u64, None);
    let timed = frame_at(
        &mut timing,
        0,
        3 * SECOND,
        SECOND + due,
        5 * SECOND + due,
        0,
    );
    assert_eq!(timed.pts, Some((5 * SECOND + due) as u64));
}

/// The sink holds each frame until its time has come, and 20 ms more, which is longer than one lasts. Behind a decoder
/// that shows pictures in another order than they come in it holds one for several, and the next not at all.
#[test]
fn a_frame_that_waits_for_the_one_before_is_not_late() {
    const INTERVAL: i64 = SECOND / 60;
    const HOLD: i64 = 20 * MILLISECOND;
    for (paced, group) in [(true, 1), (false, 1), (true, 4), (false, 4)] {
        let (mut timing, begin) = live(0);
        let clock = Clock {
            is_paced: paced,
            ..clock_of("")
        };
        timing.clock(&clock, begin as u64, None);
        let (due, offset) = (clock.latency as i64, begin - clock.base_time as i64);
        let (mut free, mut waited_until) = (0, 0);
        for number in 0..600 {
            let pts = number * INTERVAL;
            let sent = clock.base_time as i64 + due + pts;
            let came = sent + offset;
            let now = came.max(free);
            let buffer = Buffer {
                sequence: number as u16,
                pts: Some(pts),
                clock: Some(sent as u64),
                ..Buffer::default()
            };
            let read_at = ReadAt {
                time: now as u64,
                is_awaited: now == came,
            };
            if read_at.is_awaited {
                waited_until = now as u64;
            }
            let timed = timing.frame(&buffer, read_at, waited_until, now as u64, 0);
            assert_eq!(timed.pts, Some(came as u64), "{number}");
            assert!(now - came < HOLD + group * INTERVAL, "{number}");
            free = match number % group {
                0 => came + HOLD + (group - 1) * INTERVAL,
                _ => now,
            };
        }
        assert_eq!(timing.stats().late, 0);
    }
}

#[test]
fn a_frame_that_takes_long_to_come_is_late() {
    const LONG: i64 = 2 * LATENCY;
    for paced in [true, false] {
        let (mut timing, begin) = live(LATENCY);
        let clock = Clock {
            is_paced: paced,
            ..clock_of("")
        };
        timing.clock(&clock, begin as u64, None);
        let (due, offset) = (clock.latency as i64, begin - clock.base_time as i64);
        for number in 0..4 {
            let sent = clock.base_time as i64 + due + number * FRAME;
            let buffer = Buffer {
                sequence: number as u16,
                pts: Some(number * FRAME),
                clock: Some(sent as u64),
                ..Buffer::default()
            };
            // Its record comes in time, and the rest of the last one later.
            let read_at = (sent + offset) as u64;
            let whole = read_at + if number == 3 { LONG as u64 } else { 0 };
            let timed = timing.frame(&buffer, read_at, whole, whole, 0);
            let least = whole as i64 - if paced { LATENCY } else { 0 };
            assert!(timed.pts.unwrap() as i64 >= least, "{number}");
        }
        assert_eq!(timing.stats().late, 1);
    }
}

#[test]
fn base_times_that_change_leave_the_offset_as_it_is() {
    let (mut timing, begin) = live(LATENCY);
    let offset = timing.stats().offset;
    let due = clock_of("").latency as i64;
    let sent = clock_of("").base_time as i64 + due;
    frame_at(&mut timing, 0, 0, sent, begin + due, 0);
    // The sender pauses for a minute, and this side for ten seconds.
    let later = sent + FRAME + MINUTE;
    let clock = Clock {
        now: later as u64,
        base_time: clock_of("").base_time + MINUTE as u64,
        ..clock_of("")
    };
    timing.clock(&clock, (later + offset) as u64, None);
    let timed = frame_at(&mut timing, 1, FRAME, later, later + offset, 10 * SECOND);
    assert_eq!(timed.pts, Some((later + offset - 10 * SECOND) as u64));
    assert!(!is_anew(timed));
    assert_eq!(timing.stats().offset, offset);
}

#[test]
fn another_clock_on_this_side_is_anchored_anew() {
    let (mut timing, begin) = live(LATENCY);
    let due = clock_of("").latency as i64;
    let sent = clock_of("").base_time as i64 + due;
    frame_at(&mut timing, 0, 0, sent, begin + due, 0);
    timing.clock_changed();
    let moved = begin + due + HOUR;
    let timed = frame_at(&mut timing, 1, FRAME, sent + FRAME, moved + FRAME, HOUR);
    assert_eq!(timed.pts, Some((begin + due + FRAME) as u64));
    assert!(is_anew(timed));
}

#[test]
fn pictures_that_are_shown_in_another_order_keep_it() {
    let (mut timing, begin) = live(LATENCY);
    let due = clock_of("").latency as i64;
    let sent = clock_of("").base_time as i64 + due;
    for (number, pts) in [0, 3, 1, 2, 6, 4, 5].into_iter().enumerate() {
        let dts = (number as i64 - 1) * FRAME;
        let buffer = Buffer {
            sequence: number as u16,
            pts: Some(pts * FRAME),
            dts: Some(dts),
            clock: Some((sent + dts) as u64),
            ..Buffer::default()
        };
        let now = (begin + due + dts) as u64;
        let timed = timing.frame(&buffer, now, now, now, 0);
        assert_eq!(timed.pts, Some((begin + due + pts * FRAME) as u64));
        assert_eq!(timed.dts, Some((begin + due + dts) as u64));
    }
    assert_eq!(timing.stats().late, 0);
}

#[test]
fn dts_do_not_go_back_where_pictures_are_late() {
    let (mut timing, begin) = live(0);
    let now = begin + clock_of("").latency as i64 + 2 * FRAME;
    let mut last = None;
    for (number, pts) in [0, 3, 1, 2, 6, 4, 5].into_iter().enumerate() {
        let buffer = Buffer {
            sequence: number as u16,
            pts: Some(pts * FRAME),
            dts: Some((number as i64 - 1) * FRAME),
            ..Buffer::default()
        };
        let now = (now + number as i64 * FRAME) as u64;
        let timed = timing.frame(&buffer, now, now, now, 0);
        assert!(timed.dts >= last, "{timed:?}, {last:?}");
        assert!(
            timed.dts <= timed.pts && timed.pts >= Some(now),
            "{timed:?}"
        );
        last = timed.dts;
    }
    assert!(timing.stats().late > 0);
}

/// Muxers take a time that they had before for none.
#[test]
fn what_waited_when_a_pipeline_begins_is_shown_one_after_the_other() {
    let (mut timing, begin) = live(LATENCY);
    let base = begin + SECOND;
    let mut times = Vec::new();
    for number in 0..8 {
        let pts = i64::from(number) * FRAME;
        let buffer = Buffer {
            sequence: number,
            pts: Some(pts),
            dts: Some(pts - FRAME),
            ..Buffer::default()
        };
        let timed = hand_on(&mut timing, &buffer, base + 10 * MILLISECOND, base);
        times.push((timed.pts.unwrap(), timed.dts.unwrap()));
    }
    assert!(
        times.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1),
        "{times:?}"
    );
}

#[test]
fn late_frames_that_are_handed_on_together_follow_one_another() {
    let (mut timing, begin) = live(0);
    let now = begin + MINUTE;
    let times = [0, 1, 2].map(|number| {
        let buffer = Buffer {
            sequence: number,
            pts: Some(i64::from(number) * FRAME),
            dts: Some(i64::from(number) * FRAME),
            ..Buffer::default()
        };
        let timed = hand_on(&mut timing, &buffer, now, 0);
        (
            timed.pts.unwrap() - now as u64,
            timed.dts.unwrap() - now as u64,
        )
    });
    assert_eq!(times, [(0, 0), (1, 1), (2, 2)]);
}

#[test]
fn a_frame_far_ahead_holds_back_no_other() {
    let (mut timing, begin) = live(LATENCY);
    let due = begin + clock_of("").latency as i64;
    for (number, ahead, expected) in [
        (0, 9 * SECOND, 9 * SECOND),
        (1, 0, 9 * SECOND),
        (2, MINUTE, 9 * SECOND),
        (3, 0, 9 * SECOND),
    ] {
        let clock = Clock {
            base_time: clock_of("").base_time + ahead as u64,
            ..clock_of("")
        };
        timing.clock(&clock, begin as u64, None);
        let buffer = Buffer {
            sequence: number,
            pts: Some(i64::from(number)),
            ..Buffer::default()
        };
        let timed = hand_on(&mut timing, &buffer, due, 0);
        let pts = timed.pts.unwrap() as i64 - due;
        assert!((0..10).contains(&(pts - expected)), "{number}: {pts}");
        assert_eq!(is_anew(timed), number == 0 || number == 2);
    }
}

#[test]
fn a_pipeline_that_begins_again_begins_at_its_own_time() {
    let mut timing = of_file();
    frame_at(&mut timing, 0, 0, 0, HOUR, 0);
    let timed = frame_at(&mut timing, 1, FRAME, 0, HOUR + FRAME, HOUR);
    assert_eq!(timed.pts, Some(FRAME as u64));
    assert!(is_anew(timed));
    let next = frame_at(&mut timing, 2, 2 * FRAME, 0, HOUR + FRAME, HOUR);
    assert_eq!(next.pts, Some(2 * FRAME as u64));
    assert!(!is_anew(next));
}

#[test]
fn frames_without_times_have_none() {
    let (mut timing, begin) = live(LATENCY);
    let due = clock_of("").latency as i64;
    let now = (begin + due) as u64;
    let header = Buffer {
        flags: BufferFlags::HEADER,
        sequence: 9,
        ..Buffer::default()
    };
    let timed = timing.frame(&header, now, now, now, 0);
    assert_eq!((timed.pts, timed.dts), (None, None));
    assert!(is_anew(timed));
    // Its number is none of the stream.
    let first = frame_at(&mut timing, 500, 0, 0, begin, 0);
    assert!(!is_anew(first));
    let only_dts = Buffer {
        dts: Some(FRAME),
        sequence: 501,
        ..Buffer::default()
    };
    let timed = timing.frame(&only_dts, now, now, now, 0);
    assert_eq!(timed.pts, None);
    assert!(timed.dts.is_some());
}

#[test]
fn numbers_that_are_missing_are_a_discontinuity() {
    let (mut timing, begin) = live(LATENCY);
    let sequences = [7, 8, 10, 11, 65535, 0, 1, 1];
    let expected = [true, false, true, false, true, false, false, true];
    for (sequence, expected) in sequences.into_iter().zip(expected) {
        let buffer = Buffer {
            sequence,
            pts: Some(0),
            ..Buffer::default()
        };
        let timed = hand_on(&mut timing, &buffer, begin, 0);
        assert_eq!(is_anew(timed), expected, "{sequence}");
    }
}

#[test]
fn without_a_clock_a_frame_is_of_when_it_came() {
    let mut timing = Timing::new(LATENCY as u64);
    timing.connected();
    for number in 0..3 {
        let now = 5 * SECOND + i64::from(number) * 7;
        let timed = frame_at(
            &mut timing,
            number,
            HOUR - i64::from(number),
            0,
            now,
            SECOND,
        );
        let arrival = Some((now - SECOND) as u64);
        assert_eq!((timed.pts, timed.dts), (arrival, arrival));
        assert_eq!(is_anew(timed), number == 0);
    }
}

#[test]
fn nothing_is_before_the_start() {
    let (mut timing, begin) = live(LATENCY);
    let timed = frame_at(&mut timing, 0, 0, 0, begin, begin + SECOND);
    assert_eq!(timed.pts, Some(0));
}

#[test]
fn times_come_back_to_the_sender() {
    let (mut timing, begin) = live(LATENCY);
    let base = SECOND;
    assert_eq!(
        timing.to_sender(0, 10 * HOUR as u64),
        Some((10 * HOUR - begin - 40 * MILLISECOND) as u64)
    );
    let pts = 3 * SECOND;
    let sent = clock_of("").base_time as i64 + pts + 40 * MILLISECOND;
    let timed = frame_at(
        &mut timing,
        0,
        pts,
        sent,
        begin + pts + 40 * MILLISECOND,
        base,
    );
    assert_eq!(
        timing.to_sender(timed.pts.unwrap(), base as u64),
        Some(pts as u64)
    );
    assert_eq!(timing.to_sender(0, base as u64), None, "before its start");
    timing.connected();
    assert_eq!(timing.to_sender(timed.pts.unwrap(), base as u64), None);
    timing.clock(&file(), 0, None);
    let timed = frame_at(&mut timing, 0, HOUR, 0, MINUTE, base);
    assert_eq!(
        timing.to_sender(timed.pts.unwrap() + 1, base as u64),
        Some(HOUR as u64 + 1)
    );
}

#[test]
fn gaps_are_among_the_frames() {
    let (mut timing, begin) = live(LATENCY);
    let due = begin + 40 * MILLISECOND;
    assert_eq!(
        timing.gap(SECOND, due as u64, 0),
        Some((due + SECOND) as u64)
    );
    let late = due + MINUTE;
    assert_eq!(
        timing.gap(SECOND, late as u64, 0),
        Some((late - LATENCY) as u64)
    );
    assert_eq!(timing.stats().late, 0);
    timing.connected();
    assert_eq!(timing.gap(SECOND, late as u64, 1), Some(late as u64 - 1));
    timing.clock(&file(), 0, None);
    assert_eq!(timing.gap(SECOND, late as u64, 0), Some(late as u64));
    let frame = frame_at(&mut timing, 0, 2 * SECOND, 0, late, 0);
    assert_eq!(frame.pts, Some((late + SECOND) as u64));
}

#[test]
fn a_frame_was_made_at_a_time_of_the_world() {
    let (mut timing, _) = live(LATENCY);
    let buffer = Buffer {
        pts: Some(SECOND),
        ..Buffer::default()
    };
    let made = clock_of("").base_time as i64 + 5 * HOUR + SECOND;
    assert_eq!(timing.unix_time(&buffer), Some(made as u64));
    assert_eq!(timing.unix_time(&Buffer::default()), None);
    timing.connected();
    assert_eq!(timing.unix_time(&buffer), None);
}

#[test]
fn a_record_that_has_waited_leaves_the_clock_the_same() {
    let mut timing = Timing::new(0);
    let clock = clock_of("ntp");
    let now = clock.now;
    for (waited, is_exact, id) in [
        (20 * SECOND as u64, false, "ntp"),
        (1_000, true, "ntp"),
        (20 * SECOND as u64, true, "ntp"),
        (0, false, "another"),
        (0, true, "ntp"),
    ] {
        let was = timing.stats().is_exact;
        let is_anew = timing.clock(&clock, now + waited, Some(id));
        assert_eq!(timing.stats().is_exact, is_exact, "{waited}");
        assert_eq!(
            is_anew,
            was != is_exact || waited == 20 * SECOND as u64 && !was
        );
    }
    timing.clock(&clock, now - 2 * MILLISECOND as u64, Some("ntp"));
    assert!(timing.are_clocks_apart());
    timing.clock(&clock, now, Some("ntp"));
    assert!(
        timing.are_clocks_apart(),
        "until there is another connection"
    );
    let nameless = clock_of("");
    timing.clock(&nameless, now, Some(""));
    assert!(!timing.stats().is_exact);
}

#[test]
fn frames_that_wait_to_be_read_do_not_grow_the_delay() {
    let way = 5 * MILLISECOND;
    let mut delays = Vec::new();
    let mut timing = Timing::new(100 * MILLISECOND as u64);
    let simulation = Simulation::default();
    timing.clock(&simulation.clock(0), (RECEIVER_BEGIN + way) as u64, None);
    for number in 0..1_800 {
        let made = number * SECOND / 30;
        let buffer = Buffer {
            sequence: number as u16,
            pts: Some(SENDER_BEGIN + made - SENDER_BASE),
            clock: Some((SENDER_BEGIN + made) as u64),
            ..Buffer::default()
        };
        // From the second second on a sink holds each until the next but one has come.
        let is_awaited = made < SECOND;
        let held = if is_awaited { 0 } else { 67 * MILLISECOND };
        let time = (RECEIVER_BEGIN + made + way + held) as u64;
        let read_at = ReadAt { time, is_awaited };
        let timed = timing.frame(&buffer, read_at, time, time, RECEIVER_BASE as u64);
        delays.push(timed.pts.unwrap() as i64 + RECEIVER_BASE - RECEIVER_BEGIN - made);
    }
    let (least, most) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
    assert!(most - least < MILLISECOND, "{least} to {most}");
}
