// SPDX-License-Identifier: MPL-2.0
//! Senders that are not live.

use super::*;

#[test]
fn a_file_keeps_its_spacing() {
    let mut timing = of_file();
    let mut dice = Dice(3);
    // It is sent as fast as it is taken, and so comes ever earlier than it is shown.
    let begin = 7 * SECOND;
    for number in 0..2_000 {
        let now = begin + number * FRAME / 2 + dice.roll(FRAME / 2);
        let now = if number == 0 { begin } else { now };
        let timed = frame_at(
            &mut timing,
            number as u16,
            HOUR + number * FRAME,
            0,
            now,
            SECOND,
        );
        assert_eq!(timed.pts, Some((begin - SECOND + number * FRAME) as u64));
        assert_eq!(timed.is_discontinuous, number == 0);
    }
    assert_eq!(timing.stats().late, 0);
}

#[test]
fn a_file_that_comes_late_goes_on_from_there() {
    let mut timing = Timing::new((50 * MILLISECOND) as u64);
    timing.connected();
    timing.clock(&file(), 0, None);
    let at = |timing: &mut Timing, number: u16, now| {
        frame_at(timing, number, i64::from(number) * FRAME, 0, now, 0)
    };
    at(&mut timing, 0, SECOND);
    let in_time = at(&mut timing, 1, SECOND + FRAME + 50 * MILLISECOND);
    assert_eq!(in_time.pts, Some((SECOND + FRAME) as u64));
    assert!(!is_anew(in_time));
    let late = at(&mut timing, 2, 2 * SECOND);
    assert_eq!(late.pts, Some(2 * SECOND as u64));
    assert!(is_anew(late));
    let next = at(&mut timing, 3, 2 * SECOND + 1);
    assert_eq!(next.pts, Some((2 * SECOND + FRAME) as u64));
    assert!(!is_anew(next));
    assert_eq!(timing.stats().late, 1);
}

#[test]
fn a_file_over_another_connection_follows_what_is_still_to_be_shown() {
    let mut timing = Timing::new(0);
    for (now, begin, expected) in [
        (SECOND, SECOND, SECOND),
        (SECOND + 1, 6 * SECOND, 6 * SECOND + 1),
    ] {
        timing.connected();
        timing.clock(&file(), 0, None);
        let first = frame_at(&mut timing, 0, 0, 0, now, 0);
        assert_eq!(first.pts, Some(expected as u64));
        assert!(is_anew(first));
        let next = frame_at(&mut timing, 1, 5 * SECOND, 0, now, 0);
        assert_eq!(next.pts, Some((begin + 5 * SECOND) as u64));
    }
}

#[test]
fn few_pictures_a_second_in_another_order_are_no_other_place_in_the_file() {
    let mut timing = of_file();
    for (number, pts) in [0, 4, 2, 1, 3].into_iter().enumerate() {
        let dts = number as i64 - 2;
        let buffer = Buffer {
            sequence: number as u16,
            pts: Some(pts * SECOND),
            dts: Some(dts * SECOND),
            ..Buffer::default()
        };
        let now = MINUTE + number as i64 * SECOND;
        let timed = hand_on(&mut timing, &buffer, now, 0);
        let shown = MINUTE + (pts + 2) * SECOND;
        assert_eq!(
            (timed.pts, is_anew(timed)),
            (Some(shown as u64), number == 0)
        );
    }
}

#[test]
fn a_file_that_is_sought_in_goes_on_behind_what_is_still_to_be_shown() {
    let mut timing = of_file();
    // Downstream waits for each, so that none has been waited for since the first.
    let mut at = |sequence: u16, pts: i64, now: i64| {
        let buffer = Buffer {
            sequence,
            pts: Some(pts),
            ..Buffer::default()
        };
        let now = now as u64;
        timing.frame(&buffer, now, SECOND as u64, now, 0)
    };
    for number in 0..4 {
        let pts = i64::from(number) * SECOND;
        let shown = SECOND + pts;
        assert_eq!(at(number, pts, shown).pts, Some(shown as u64));
    }
    let end = 4 * SECOND;
    let again = at(4, 0, end);
    assert_eq!((again.pts, is_anew(again)), (Some(end as u64), true));
    let next = at(5, FRAME, end);
    assert_eq!(
        (next.pts, is_anew(next)),
        (Some((end + FRAME) as u64), false)
    );
}

#[test]
fn a_pause_leaves_a_file_where_it_is() {
    let mut timing = of_file();
    frame_at(&mut timing, 0, 0, 0, SECOND, 0);
    // Both have been paused for a minute.
    let resumed = Clock {
        base_time: file().base_time + MINUTE as u64,
        ..file()
    };
    timing.clock(&resumed, (MINUTE + SECOND) as u64, None);
    let timed = frame_at(&mut timing, 1, FRAME, 0, MINUTE + SECOND + FRAME, MINUTE);
    assert_eq!(timed.pts, Some((SECOND + FRAME) as u64));
    assert!(!is_anew(timed));
}

#[test]
fn a_file_is_exact_with_the_same_clock() {
    let clock = Clock {
        is_paced: false,
        ..clock_of("ptp")
    };
    let base = clock.base_time as i64;
    let due = clock.latency as i64;
    for (came, expected) in [
        // It was sent when it was due.
        (due + 20 * MILLISECOND, due),
        // That was long ago, or will be.
        (due + MINUTE, due + MINUTE),
        (due - MINUTE, due - MINUTE),
    ] {
        let mut timing = Timing::new(LATENCY as u64);
        timing.connected();
        let sent = Clock {
            now: (base + came - MILLISECOND) as u64,
            ..clock
        };
        timing.clock(&sent, (base + came) as u64, Some("ptp"));
        let own_base = base - 5 * MINUTE;
        let first = frame_at(&mut timing, 0, 0, 0, base + came, own_base);
        assert_eq!(first.pts, Some((expected + 5 * MINUTE) as u64), "{came}");
        let next = frame_at(&mut timing, 1, FRAME, 0, base + came, own_base);
        assert_eq!(next.pts, Some((expected + FRAME + 5 * MINUTE) as u64));
    }
}

#[test]
fn a_file_in_another_order_is_on_time() {
    let mut timing = of_file();
    for (number, pts) in [2, 0, 1, 5, 3, 4].into_iter().enumerate() {
        let dts = (number as i64 - 2) * FRAME;
        let buffer = Buffer {
            sequence: number as u16,
            pts: Some(pts * FRAME),
            dts: Some(dts),
            ..Buffer::default()
        };
        let timed = hand_on(&mut timing, &buffer, MINUTE, 0);
        assert_eq!(timed.dts, Some((MINUTE + dts + 2 * FRAME) as u64));
        assert_eq!(timed.pts, Some((MINUTE + (pts + 2) * FRAME) as u64));
    }
    assert_eq!(timing.stats().late, 0);
}

#[test]
fn a_pause_of_hours_in_a_file_is_a_mistake() {
    let mut timing = of_file();
    let at = |timing: &mut Timing, number: u16, pts| frame_at(timing, number, pts, 0, SECOND, 0);
    let shown = |timed: Timed| (timed.pts.unwrap() as i64, is_anew(timed));
    assert_eq!(shown(at(&mut timing, 0, 0)), (SECOND, true));
    let minute_later = shown(at(&mut timing, 1, MINUTE));
    assert_eq!(minute_later, (SECOND + MINUTE, false));
    for (number, pts) in [(2, 1 << 61), (3, 2 * MINUTE)] {
        let (pts, is_anew) = shown(at(&mut timing, number, pts));
        assert!(pts <= SECOND + MINUTE + 10 && is_anew, "{number}: {pts}");
    }
    let gap = timing.gap(1 << 61, SECOND as u64, 0).unwrap();
    assert!(gap <= (SECOND + HOUR) as u64, "{gap}");
}
