//! Small frames on the heels of one another are worth a moment's wait: each system call costs a trip through
//! the network stack, whatever it carries.

use std::time::{Duration, Instant};

/// Frames follow one another when there is less than this between them.
const GAP: Duration = Duration::from_micros(20);

/// As many have to follow before one waits: the slices of a picture are not to.
const LEAD: u32 = 32;

/// Larger frames are worth a call each.
const SMALL: usize = 16 * 1024;

/// Frames that wait are sent when they add up to this many bytes.
const ENOUGH: usize = 256 * 1024;

/// No frame waits for longer than about this.
pub(super) const TICK: Duration = Duration::from_millis(1);

/// Whether a stream is in a burst.
#[derive(Debug, Default)]
pub(super) struct Burst {
    last: Option<Instant>,
    length: u32,
    held: usize,
    ticks: bool,
    has_held: bool,
}

impl Burst {
    /// Says of `bytes` that come now whether they are to wait for more.
    pub fn holds(&mut self, bytes: usize, now: Instant) -> bool {
        let follows = self.last.is_some_and(|last| now < last + GAP);
        self.length = if follows && bytes < SMALL {
            self.length.saturating_add(1)
        } else {
            0
        };
        self.held += bytes;
        let holds = self.length >= LEAD && self.held < ENOUGH;
        if holds {
            self.has_held = true;
        } else {
            self.held = 0;
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

    /// Everything that waits is about to be sent.
    pub fn tick(&mut self) {
        self.held = 0;
        self.ticks = std::mem::take(&mut self.has_held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(burst: &mut Burst, now: &mut Instant, gap: Duration) -> bool {
        *now += gap;
        let holds = burst.holds(1000, *now);
        burst.mark(*now);
        holds
    }

    #[test]
    fn a_burst_is_sent_in_batches() {
        let (mut burst, mut now) = (Burst::default(), Instant::now());
        let sent: Vec<_> = (0..600)
            .filter(|_| !follow(&mut burst, &mut now, GAP / 2))
            .collect();
        let lead: Vec<_> = (0..32).collect();
        assert_eq!(sent, [&lead[..], &[294, 557]].concat());
    }

    #[test]
    fn frames_with_a_pause_between_them_never_wait() {
        let (mut burst, mut now) = (Burst::default(), Instant::now());
        assert!((0..1000).all(|_| !follow(&mut burst, &mut now, GAP)));
    }

    #[test]
    fn a_pause_ends_a_burst() {
        let (mut burst, mut now) = (Burst::default(), Instant::now());
        for _ in 0..=LEAD {
            follow(&mut burst, &mut now, Duration::ZERO);
        }
        assert!(follow(&mut burst, &mut now, Duration::ZERO));
        assert!(!follow(&mut burst, &mut now, GAP));
    }

    #[test]
    fn ticking_ends_when_nothing_waits_any_more() {
        let (mut burst, mut now) = (Burst::default(), Instant::now());
        for _ in 0..=LEAD {
            follow(&mut burst, &mut now, Duration::ZERO);
        }
        assert!(burst.starts_ticking());
        assert!(!burst.starts_ticking());
        burst.tick();
        assert!(burst.is_ticking());
        burst.tick();
        assert!(!burst.is_ticking());
    }
}
