// SPDX-License-Identifier: MPL-2.0
//! What is asked for again and again, and passed on now and then.

use std::time::{Duration, Instant};

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
}
