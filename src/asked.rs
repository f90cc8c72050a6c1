// SPDX-License-Identifier: MPL-2.0
//! What is asked for again and again, and passed on now and then.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// More than all viewers of a stream want within a second.
const MANY: usize = 64;

/// When something was asked for.
#[derive(Debug, Default)]
pub struct Asked {
    at: Option<Instant>,
    /// Again since, which was too early.
    pub is_due: bool,
}

impl Asked {
    /// Whether it is time to ask. If not, it is due.
    pub fn ask(&mut self, interval: Duration, now: Instant) -> bool {
        let is_early = self
            .at
            .is_some_and(|at| now.saturating_duration_since(at) < interval);
        self.is_due = is_early;
        if !is_early {
            self.at = Some(now);
        }
        !is_early
    }

    /// Whether it is time to ask for what is due.
    pub fn ask_if_due(&mut self, interval: Duration, now: Instant) -> bool {
        self.is_due && self.ask(interval, now)
    }
}

/// What is wanted from times on. Each of them is asked for, the earliest first.
#[derive(Debug)]
pub struct AskedFrom<T> {
    asked: Asked,
    waiting: BTreeSet<T>,
}

impl<T> Default for AskedFrom<T> {
    fn default() -> Self {
        Self {
            asked: Asked::default(),
            waiting: BTreeSet::new(),
        }
    }
}

impl<T: Ord + Copy> AskedFrom<T> {
    /// From this time on as well. Of too many the latest are left out.
    pub fn add(&mut self, time: T) {
        self.waiting.insert(time);
        if self.waiting.len() > MANY {
            self.waiting.pop_last();
        }
    }

    /// Whether there is any to ask for, now or later.
    pub fn is_due(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Which one to ask for, if it is time to. It serves all that begin no later than it, or than the present.
    pub fn next(&mut self, interval: Duration, now: Instant, present: Option<T>) -> Option<T> {
        let first = *self.waiting.first()?;
        if !self.asked.ask(interval, now) {
            return None;
        }
        let served = present.map_or(first, |present| present.max(first));
        self.waiting.retain(|time| *time > served);
        Some(first)
    }

    /// None of them is wanted any more.
    pub fn forget(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(1);

    #[test]
    fn what_comes_too_early_is_asked_for_later() {
        let start = Instant::now();
        let after = |tenths| start + INTERVAL * tenths / 10;
        let mut asked = Asked::default();
        assert!(!asked.ask_if_due(INTERVAL, start));
        assert!(asked.ask(INTERVAL, start));
        assert!(!asked.ask_if_due(INTERVAL, after(20)));
        assert!(asked.ask(INTERVAL, after(20)));
        assert!(!asked.ask(INTERVAL, after(25)));
        assert!(!asked.ask_if_due(INTERVAL, after(29)));
        assert!(asked.ask_if_due(INTERVAL, after(30)));
        assert!(!asked.ask_if_due(INTERVAL, after(50)), "once");
    }

    #[test]
    fn what_has_come_is_due_no_more() {
        let start = Instant::now();
        let mut asked = Asked::default();
        asked.ask(INTERVAL, start);
        asked.ask(INTERVAL, start);
        assert!(asked.is_due);
        asked.is_due = false;
        assert!(!asked.ask_if_due(INTERVAL, start + INTERVAL));
    }

    #[test]
    fn what_is_wanted_from_times_on_is_asked_for_one_after_the_other() {
        let start = Instant::now();
        let mut asked = AskedFrom::default();
        let at = |asked: &mut AskedFrom<u32>, tenths, present| {
            asked.next(INTERVAL, start + INTERVAL * tenths / 10, present)
        };
        assert_eq!(at(&mut asked, 0, None), None);
        asked.add(20);
        assert_eq!(at(&mut asked, 0, Some(9)), Some(20));
        for time in [90, 21, 25, 25] {
            asked.add(time);
        }
        assert_eq!(at(&mut asked, 9, Some(18)), None);
        assert_eq!(at(&mut asked, 10, Some(19)), Some(21));
        assert_eq!(at(&mut asked, 20, Some(29)), Some(25));
        // One that somebody wants in an age stands in the way of none.
        asked.add(40);
        asked.add(41);
        assert_eq!(at(&mut asked, 30, Some(50)), Some(40));
        assert_eq!(at(&mut asked, 40, Some(60)), Some(90));
        assert!(!asked.is_due());
        (0..100).for_each(|time| asked.add(time));
        assert_eq!(asked.waiting.last(), Some(&63));
    }
}
