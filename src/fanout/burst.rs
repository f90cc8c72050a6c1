// SPDX-License-Identifier: MPL-2.0
//! Small frames on the heels of one another are worth a moment's wait: each system call costs a trip through
//! the network stack, whatever it carries.

use std::time::{Duration, Instant};

/// Frames follow one another when there is less than this between them.
const GAP: Duration = Duration::from_micros(20);

/// As many have to follow before one waits: the slices of a picture are not to.
const LEAD: u32 = 32;

/// Larger frames are worth a call each.
const SMALL: usize = 64 * 1024;

/// Frames that wait are sent when they add up to this many bytes, or are so many.
const ENOUGH: usize = 512 * 1024;
const MANY: usize = 512;

/// How often it is looked whether frames wait: for no longer than half as much again.
pub const TICK: Duration = Duration::from_millis(1);

/// A burst goes on after a pause of up to a [`TICK`], such as a busy system makes, when so many frames have
/// followed before: single calls for the next would cost more than the pause.
const FORGIVEN: u32 = 2 * LEAD;

/// Whether a stream is in a burst.
#[derive(Debug, Default)]
pub struct Burst {
    last: Option<Instant>,
    length: u32,
    held: Held,
    ticks: bool,
}

/// What waits for more to come.
#[derive(Debug, Default)]
struct Held {
    bytes: usize,
    frames: usize,
    since: Option<Instant>,
}

impl Burst {
    /// Says of some `frames` of as many `bytes` that come now whether they are to wait for more.
    pub fn holds(&mut self, frames: usize, bytes: usize, now: Instant) -> bool {
        let pause = self.last.map(|last| now.saturating_duration_since(last));
        self.length = match pause {
            Some(pause) if bytes < SMALL && pause < GAP => (self.length + 1).min(FORGIVEN + LEAD),
            Some(pause) if bytes < SMALL && pause < TICK => self.length.saturating_sub(FORGIVEN),
            _ => 0,
        };
        self.held.bytes += bytes;
        self.held.frames += frames;
        let holds = self.length >= LEAD && self.held.bytes < ENOUGH && self.held.frames < MANY;
        if holds {
            self.held.since.get_or_insert(now);
        } else {
            self.held = Held::default();
        }
        holds
    }

    /// The next bytes follow what came until now.
    pub fn mark(&mut self, now: Instant) {
        self.last = Some(now);
    }

    /// Whether somebody sees to it that no frame waits for long. If not, the caller is to.
    pub fn starts_ticking(&mut self) -> bool {
        !std::mem::replace(&mut self.ticks, true)
    }

    /// Whether [`tick`](Self::tick) is to be called after a [`TICK`].
    pub fn is_ticking(&self) -> bool {
        self.ticks
    }

    /// Says whether what waits is to be sent now. What has just begun to wait may be more by the next time.
    pub fn tick(&mut self, now: Instant) -> bool {
        let waited = self
            .held
            .since
            .map(|since| now.saturating_duration_since(since));
        self.ticks = waited.is_some();
        let is_due = waited.is_some_and(|waited| waited >= TICK / 2);
        if is_due {
            self.held = Held::default();
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fanout::tests::some_time;

    const SHORT: Duration = GAP.checked_div(2).unwrap();

    fn follow(burst: &mut Burst, now: &mut Instant, gap: Duration) -> bool {
        *now += gap;
        let holds = burst.holds(1, 1000, *now);
        burst.mark(*now);
        holds
    }

    fn after(frames: usize) -> (Burst, Instant) {
        let (mut burst, mut now) = (Burst::default(), some_time());
        for _ in 0..frames {
            follow(&mut burst, &mut now, SHORT);
        }
        (burst, now)
    }

    #[test]
    fn a_burst_is_sent_in_batches() {
        let (mut burst, mut now) = after(0);
        let sent: Vec<_> = (0..1200)
            .filter(|_| !follow(&mut burst, &mut now, SHORT))
            .collect();
        let lead: Vec<_> = (0..32).collect();
        assert_eq!(sent, [&lead[..], &[543, 1055]].concat());
    }

    #[test]
    fn many_bytes_make_a_batch_as_well() {
        let (mut burst, now) = after(100);
        let held = (0..).take_while(|_| burst.holds(1, 60_000, now)).count();
        // Of the first hundred 68 are held.
        assert_eq!(held, (ENOUGH - 68_000) / 60_000);
    }

    #[test]
    fn large_frames_do_not_wait() {
        let (mut burst, now) = after(100);
        assert!(!burst.holds(1, SMALL, now));
    }

    #[test]
    fn frames_with_a_pause_between_them_never_wait() {
        let (mut burst, mut now) = after(0);
        assert!((0..1000).all(|_| !follow(&mut burst, &mut now, GAP)));
    }

    #[test]
    fn a_pause_ends_a_burst() {
        let (mut burst, mut now) = after(1000);
        assert!(!follow(&mut burst, &mut now, TICK));
    }

    #[test]
    fn a_short_pause_ends_a_burst_that_has_just_begun_or_has_many() {
        let (mut burst, mut now) = after(LEAD as usize + 2);
        assert!(follow(&mut burst, &mut now, SHORT));
        assert!(!follow(&mut burst, &mut now, GAP));

        let (mut burst, mut now) = after(400);
        assert!(follow(&mut burst, &mut now, GAP));
        assert!(!follow(&mut burst, &mut now, GAP));
    }

    #[test]
    fn no_frame_waits_for_much_longer_than_a_tick() {
        let (mut burst, mut now) = after(100);
        let begun = now - SHORT * 67;
        assert!(burst.starts_ticking());
        assert!(!burst.starts_ticking());
        assert!(!burst.tick(begun + TICK / 2 - SHORT));
        assert!(burst.is_ticking());
        assert!(burst.tick(begun + TICK / 2));
        // Nothing waits any more, but more may come until the next tick.
        assert!(burst.is_ticking());
        follow(&mut burst, &mut now, SHORT);
        assert!(burst.tick(now + TICK));
    }

    #[test]
    fn ticking_ends_when_nothing_waits_any_more() {
        let (mut burst, now) = after(100);
        burst.starts_ticking();
        assert!(burst.tick(now + TICK));
        assert!(!burst.tick(now + TICK * 2));
        assert!(!burst.is_ticking());
    }
}
