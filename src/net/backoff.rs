// SPDX-License-Identifier: MPL-2.0
//! How long to pause before the next try, however many connections come to nothing in between.

use std::{mem, time::Duration};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A connection that was there for so long has lasted.
const LASTING: Duration = Duration::from_secs(1);

/// Kernels take less than this for a program that does not read. The buffer grows as one does.
const UNREAD: u64 = 1 << 20;

/// Doubles the pauses until a connection was of use.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
    has_connected: bool,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            next: FIRST_PAUSE,
            has_connected: false,
        }
    }
}

impl Backoff {
    /// The pause before the first try: none, unless a connection before it has ended.
    pub fn first_pause(&mut self) -> Option<Duration> {
        self.has_connected.then(|| self.next_pause())
    }

    /// The pause after a try that failed.
    pub fn next_pause(&mut self) -> Duration {
        let next = (self.next * 2).min(LONGEST_PAUSE);
        mem::replace(&mut self.next, next)
    }

    /// A connection has ended.
    pub fn ended(&mut self, was_of_use: bool) {
        self.has_connected = true;
        if was_of_use {
            self.next = FIRST_PAUSE;
        }
    }
}

/// Whether a connection was more than a peer that accepts and closes: a frame came, or the peer took more than a
/// kernel does for a program that reads nothing. Or it has lasted, and so does not begin often.
pub fn was_of_use(frames_received: u64, bytes_taken: u64, lasted: Duration) -> bool {
    frames_received > 0 || bytes_taken >= UNREAD || lasted >= LASTING
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pauses of so many tries, each of which makes a connection that ends at once.
    fn pauses_between_futile_connections(backoff: &mut Backoff, count: usize) -> Vec<u128> {
        let pause = |_| {
            backoff.ended(was_of_use(0, 0, Duration::from_millis(1)));
            backoff.first_pause().unwrap().as_millis()
        };
        (0..count).map(pause).collect()
    }

    #[test]
    fn the_first_connection_is_made_at_once() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.first_pause(), None);
        backoff.ended(true);
        assert_eq!(backoff.first_pause(), Some(FIRST_PAUSE));
    }

    #[test]
    fn pauses_grow_while_connections_end_at_once() {
        let pauses = pauses_between_futile_connections(&mut Backoff::default(), 7);
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 2000, 2000]);
    }

    #[test]
    fn tries_that_fail_count_among_them() {
        let mut backoff = Backoff::default();
        let failed = [(); 3].map(|()| backoff.next_pause().as_millis());
        assert_eq!(failed, [100, 200, 400]);
        assert_eq!(pauses_between_futile_connections(&mut backoff, 1), [800]);
    }

    #[test]
    fn a_connection_that_was_of_use_begins_anew() {
        let short = LASTING - Duration::from_millis(1);
        for (frames, bytes, lasted, then) in [
            (0, UNREAD - 1, short, 1600),
            (0, 0, LASTING, 100),
            (0, UNREAD, Duration::ZERO, 100),
            (1, 0, Duration::ZERO, 100),
        ] {
            let mut backoff = Backoff::default();
            pauses_between_futile_connections(&mut backoff, 4);
            backoff.ended(was_of_use(frames, bytes, lasted));
            let pause = backoff.first_pause().unwrap();
            assert_eq!(pause.as_millis(), then, "{frames}, {bytes}, {lasted:?}");
        }
    }

    #[test]
    fn a_minute_of_futile_connections_is_few() {
        let mut backoff = Backoff::default();
        let (mut now, mut connections) = (Duration::ZERO, 0);
        while now < Duration::from_secs(60) {
            now += pauses_between_futile_connections(&mut backoff, 1)
                .iter()
                .map(|&pause| Duration::from_millis(pause as u64))
                .sum::<Duration>();
            connections += 1;
        }
        assert_eq!(connections, 34);
    }
}
