// SPDX-License-Identifier: MPL-2.0
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

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::{
        fanout::{Audience, Fanout, Flow, Frame, Limits, Overflow, Piece, Sent, tests::some_time},
        wire::HeaderFormat,
    };

    const FRAME: Duration = Duration::from_millis(33);
    const STEP: Duration = Duration::from_millis(1);
    const SECOND: Duration = Duration::from_secs(1);

    /// What a kernel takes before what it has is on its way.
    const KERNEL: usize = 16 * 1024;

    /// A client at the end of a link, in simulated time.
    struct Sim {
        fanout: Fanout<()>,
        client: usize,
        begin: Instant,
        now: Duration,
        /// What the kernel has.
        kernel: VecDeque<Part>,
        /// How old frames were when the client had them.
        ages: Vec<Duration>,
        sum: Sent,
        wants_keyframe: bool,
        /// An encoder that is asked for keyframes, once a second, when it was last.
        asked: Option<Duration>,
    }

    /// A part of a frame.
    struct Part {
        /// When the frame came.
        came: Duration,
        /// Bytes that are to be sent.
        left: usize,
        is_last: bool,
    }

    impl Sim {
        fn new() -> Self {
            let begin = some_time();
            let mut fanout = Fanout::new(Audience::Clients);
            fanout.begin(Flow {
                overflow: Overflow::Drop,
                limits: Limits {
                    time: Some(Duration::from_millis(500)),
                    ..Limits::default()
                },
                ..Flow::default()
            });
            let (client, _) = fanout.join(0, begin);
            Self {
                fanout,
                client,
                begin,
                now: Duration::ZERO,
                kernel: VecDeque::new(),
                ages: Vec::new(),
                sum: Sent::default(),
                wants_keyframe: false,
                asked: None,
            }
        }

        /// Sends frames of this size, one in `group` a keyframe, while the link takes so many bytes a step.
        fn run(
            &mut self,
            time: Duration,
            group: u32,
            size: impl Fn(u32) -> usize,
            link: impl Fn(Duration) -> usize,
        ) {
            let end = self.now + time;
            while self.now < end {
                let number = u32::try_from(self.now.as_millis() / FRAME.as_millis()).unwrap();
                if self.now == number * FRAME {
                    let is_asked = self
                        .asked
                        .is_some_and(|asked| self.wants_keyframe && self.now >= asked + SECOND);
                    if is_asked {
                        self.asked = Some(self.now);
                    }
                    self.push(size(number), is_asked || number % group == 0);
                }
                self.drain(link(self.now));
                self.fill();
                self.now += STEP;
            }
        }

        fn push(&mut self, len: usize, keyframe: bool) {
            let frame = Frame {
                header: HeaderFormat::default().encode(len as u64).unwrap(),
                lead: None,
                payload: (),
                len,
                keyframe,
                repeats_header: false,
                is_note: false,
                piece: Piece::Whole,
                time: Some(self.now),
            };
            self.sum += self.fanout.push(frame, self.begin + self.now);
            self.fill();
            let sent = self.fanout.keep_within(self.begin + self.now);
            self.wants_keyframe = sent.wants_keyframe;
            self.sum += sent;
        }

        /// The link takes so many bytes from the kernel.
        fn drain(&mut self, mut bytes: usize) {
            while let Some(part) = self.kernel.front_mut() {
                let taken = bytes.min(part.left);
                part.left -= taken;
                bytes -= taken;
                if part.left > 0 {
                    return;
                }
                if part.is_last {
                    self.ages.push(self.now - part.came);
                }
                self.kernel.pop_front();
            }
        }

        fn fill(&mut self) {
            let has: usize = self.kernel.iter().map(|part| part.left).sum();
            if has >= KERNEL {
                return;
            }
            self.fanout.set_writable(self.client, true);
            let mut room = 2 * KERNEL - has;
            let mut taken = 0;
            let mut is_short = false;
            if let Some((frames, mut offset)) = self.fanout.unsent(self.client) {
                for frame in frames.filter_map(|part| part.frame) {
                    let left = frame.wire_len(false) - offset;
                    let len = left.min(room);
                    self.kernel.push_back(Part {
                        came: frame.time.unwrap(),
                        left: len,
                        is_last: len == left,
                    });
                    (taken, room, offset) = (taken + len, room - len, 0);
                    if len < left || room == 0 {
                        is_short = true;
                        break;
                    }
                }
            }
            let now = self.begin + self.now;
            self.fanout.sent(self.client, taken, is_short, now);
        }

        fn age(&mut self, percent: usize) -> Duration {
            self.ages.sort();
            self.ages[(self.ages.len() * percent / 100).min(self.ages.len() - 1)]
        }
    }

    const JPEG: usize = 60_000;

    /// So many bytes of a stream of JPEG pictures in a step.
    const RATE: usize = JPEG / 33;

    #[test]
    fn the_queue_of_a_client_at_half_the_rate_is_short() {
        let mut sim = Sim::new();
        sim.run(Duration::from_secs(20), 1, |_| JPEG, |_| RATE / 2);
        let (half, most) = (sim.age(50), sim.age(99));
        assert!(half <= Duration::from_millis(150), "{half:?}");
        assert!(most <= Duration::from_millis(350), "{most:?}");
        assert!(sim.ages.len() > 20_000 / 66 - 10, "the link was not idle");
    }

    #[test]
    fn a_pause_that_the_client_makes_up_for_loses_nothing() {
        let mut sim = Sim::new();
        let link = |now: Duration| {
            let is_pausing = now.as_millis() % 5000 >= 4600;
            if is_pausing { 0 } else { 5 * RATE }
        };
        sim.run(Duration::from_secs(30), 1, |_| JPEG, link);
        assert_eq!(sim.sum, Sent::default());
    }

    #[test]
    fn a_large_keyframe_loses_nothing_where_the_link_has_the_rate() {
        let mut sim = Sim::new();
        let size = |number: u32| {
            if number.is_multiple_of(60) {
                10 * 6_000
            } else {
                6_000
            }
        };
        sim.run(Duration::from_secs(30), 60, size, |_| 7_000 / 33 * 6 / 5);
        assert_eq!(sim.sum, Sent::default());
    }

    #[test]
    fn a_client_that_is_a_little_too_slow_loses_a_little() {
        let mut sim = Sim::new();
        sim.run(Duration::from_secs(30), 1, |_| JPEG, |_| RATE * 19 / 20);
        let frames = 30_000 / 33;
        assert!(sim.sum.dropped <= frames / 10, "{:?}", sim.sum);
        let half = sim.age(50);
        assert!(half <= Duration::from_millis(150), "{half:?}");
    }

    /// How many frames of groups a client at half the rate gets in a minute, and how old they are.
    fn groups(asked: Option<Duration>) -> (usize, Duration, Duration) {
        let mut sim = Sim::new();
        sim.asked = asked;
        sim.run(60 * SECOND, 60, |_| JPEG, |_| RATE / 2);
        (sim.ages.len(), sim.age(50), sim.age(99))
    }

    #[test]
    fn of_a_stream_with_delta_units_no_more_is_lost_than_by_the_limits() {
        // So much by the limits alone: 519 frames, 330 and 594 ms; 908, 369 and 605 ms.
        let (frames, half, most) = groups(None);
        assert!(frames >= 519, "{frames}");
        assert!(
            half <= 330 * STEP && most <= 594 * STEP,
            "{half:?} {most:?}"
        );
        let (frames, half, most) = groups(Some(Duration::ZERO));
        assert!(frames >= 908, "{frames}");
        assert!(
            half <= 340 * STEP && most <= 605 * STEP,
            "{half:?} {most:?}"
        );
    }

    #[test]
    fn a_client_that_has_become_faster_loses_no_more() {
        let mut sim = Sim::new();
        sim.run(Duration::from_secs(5), 1, |_| JPEG, |_| RATE / 2);
        assert!(sim.sum.dropped > 0);
        sim.run(Duration::from_secs(1), 1, |_| JPEG, |_| 5 * RATE);
        sim.sum = Sent::default();
        let link = |now: Duration| {
            let is_pausing = now.as_millis() % 5000 >= 4600;
            if is_pausing { 0 } else { 5 * RATE }
        };
        sim.run(Duration::from_secs(20), 1, |_| JPEG, link);
        assert_eq!(sim.sum, Sent::default());
    }
}
