//! Telling a queue that stands from one that passes.

use std::time::{Duration, Instant};

/// A queue that has not come down to its target for this long stands. It passes when it has not gone above it
/// for as long.
const INTERVAL: Duration = Duration::from_millis(500);

/// A frame waits no longer than so many frames of the stream take, or one frame on the client's connection.
const FRAMES: u32 = 2;

/// How long the frames of one client wait, and whether that is going to pass.
///
/// A burst fills a queue, and so does a pause of the network. A client that keeps up empties it again, and nothing
/// needs to be lost. The queue of a client that is slower than the stream stands at its limit, and makes every frame
/// late. The two are told apart by the least time that frames have waited for over an interval (RFC 8289).
#[derive(Default)]
pub(super) struct Standing {
    state: State,
    /// Of a frame on its connection.
    period: Period,
}

#[derive(Clone, Copy, Default)]
enum State {
    #[default]
    Passing,
    /// Frames wait for longer than they should since then.
    Above(Instant),
    /// It stands, and frames were last dropped because of that then.
    Standing(Instant),
}

/// How long one frame takes, on average.
#[derive(Clone, Copy, Default)]
pub(super) struct Period {
    average: Option<Duration>,
    last: Option<Instant>,
}

impl Standing {
    /// A frame has been sent, and others wait if the connection `is_busy`.
    pub fn sent(&mut self, is_busy: bool, now: Instant) {
        self.period.next(now);
        if !is_busy {
            self.period.pause();
        }
    }

    /// Frames wait since `oldest`, of a stream with this period. Says whether those are to be dropped for which
    /// there are newer ones.
    pub fn is_to_be_cleared(
        &mut self,
        oldest: Option<Instant>,
        stream: Period,
        now: Instant,
    ) -> bool {
        let waited = oldest.map_or(Duration::ZERO, |oldest| {
            now.saturating_duration_since(oldest)
        });
        let target = (FRAMES * stream.average()).max(self.period.average());
        let is_above = waited > target;
        self.state = match self.state {
            State::Passing if is_above => State::Above(now),
            State::Above(since) if is_above && since + INTERVAL <= now => State::Standing(now),
            State::Above(_) if !is_above => State::Passing,
            State::Standing(last) if !is_above && last + INTERVAL <= now => State::Passing,
            state => state,
        };
        is_above && matches!(self.state, State::Standing(_))
    }

    /// They have been.
    pub fn cleared(&mut self, now: Instant) {
        self.state = State::Standing(now);
    }
}

impl Period {
    /// One more frame.
    pub fn next(&mut self, now: Instant) {
        if let Some(last) = self.last.replace(now) {
            let period = now.saturating_duration_since(last);
            let average = self
                .average
                .map_or(period, |average| (7 * average + period) / 8);
            self.average = Some(average);
        }
    }

    /// What passes until the next frame does not count.
    pub fn pause(&mut self) {
        self.last = None;
    }

    fn average(self) -> Duration {
        self.average.unwrap_or_default()
    }
}
