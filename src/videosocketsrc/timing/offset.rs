// SPDX-License-Identifier: MPL-2.0
//! How far this pipeline's clock is ahead of the sender's, from times of both that a network lies between.

use std::collections::VecDeque;

use super::{MILLISECOND, SECOND};

/// The shortest of the ways of so long stands for them all.
const BIN: i64 = 500 * MILLISECOND;

/// The estimate is made from so many of these.
const BINS: usize = 8;

/// Older ones say nothing any more: with few frames a bin is long.
const OLDEST_BIN: i64 = 10 * SECOND;

/// At the start the estimate follows a shorter way by at most so much with each sample.
const APPROACH: i64 = 1_500_000;

/// A way shorter by more than this shows at once that the estimate is wrong: a receiver was suspended, or a
/// long congestion is over. Frames would be shown that much too late.
const SHORTCUT: i64 = 100 * MILLISECOND;

/// A way longer by more than this does so after a few bins: until then it may be congestion.
const DETOUR: i64 = SECOND;
const DETOUR_BINS: u32 = 4;

/// An error above this is congestion, of which the drift learns nothing.
const CONGESTION: i64 = 20 * MILLISECOND;

/// The speed of the loop, in radians per second: it is critically damped. It is faster at the start, when
/// nothing is known of the drift, and slows down until its age is so many radians.
const LOOP_SPEED: f64 = 0.05;
const LOOP_SPEED_AT_START: f64 = 0.25;
const LOOP_AGE: f64 = 2.0;

/// How fast the estimate is corrected at most, beside the drift.
const FASTEST_CORRECTION: f64 = 1e-3;

/// Clocks of computers are better by far.
const LARGEST_DRIFT: f64 = 1e-3;

/// What one bin corrects is for so long at most, however long the next one takes.
const LONGEST_STEP: i64 = SECOND;

/// The smallest difference between the time at which something is received, on this pipeline's clock, and the
/// time at which it was sent, on the sender's: the offset of the clocks and the shortest way through the network.
///
/// How long frames are under way varies, and no frame comes before it was sent: so the least of many differences
/// is what changes least. A loop of second order follows it, without a jump, and learns how the clocks drift.
#[derive(Debug, Default)]
pub struct Offset {
    drift: f64,
    estimate: Option<Estimate>,
}

#[derive(Debug)]
struct Estimate {
    offset: i64,
    /// When it was that.
    at: i64,
    /// What is added to the drift until the next bin is full.
    correction: f64,
    begun_at: i64,
    closed_at: i64,
    bins: VecDeque<Bin>,
    filling: Bin,
    bins_filled: usize,
    detours: u32,
}

/// The shortest way of some time.
#[derive(Clone, Copy, Debug)]
struct Bin {
    begun_at: i64,
    difference: i64,
    at: i64,
}

impl Offset {
    /// How much this clock gains on the sender's, as a part of the time.
    pub fn drift(&self) -> f64 {
        self.drift
    }

    /// What to add to a time of the sender, if there is an estimate.
    pub fn get(&self) -> Option<i64> {
        self.estimate.as_ref().map(|estimate| estimate.offset)
    }

    /// The way may be another from now on.
    pub fn forget_offset(&mut self) {
        self.estimate = None;
    }

    /// The clocks may be others from now on.
    pub fn forget_drift(&mut self) {
        self.drift = 0.0;
    }

    /// What was sent at a time of the sender's clock came at one of this. Says whether the estimate begins anew.
    pub fn sample(&mut self, sent_at: i64, received_at: i64) -> bool {
        let sample = Bin::new(received_at.saturating_sub(sent_at), received_at);
        let restart = match &mut self.estimate {
            None => Some(sample),
            Some(estimate) => estimate.sample(sample, &mut self.drift),
        };
        if let Some(sample) = restart {
            self.estimate = Some(Estimate::new(sample));
        }
        restart.is_some()
    }
}

impl Offset {
    /// The same of what came then or earlier, which tells something only where it is sooner than expected.
    pub fn sample_latest(&mut self, sent_at: i64, received_at: i64) -> bool {
        let difference = received_at.saturating_sub(sent_at);
        let is_news = self.get().is_none_or(|offset| difference < offset);
        is_news && self.sample(sent_at, received_at)
    }
}

impl Estimate {
    fn new(first: Bin) -> Self {
        Self {
            offset: first.difference,
            at: first.at,
            correction: 0.0,
            begun_at: first.at,
            closed_at: first.at,
            bins: VecDeque::with_capacity(BINS + 1),
            filling: Bin {
                begun_at: first.at,
                ..first
            },
            bins_filled: 0,
            detours: 0,
        }
    }

    /// Returns where to begin anew, if the estimate is wrong.
    fn sample(&mut self, sample: Bin, drift: &mut f64) -> Option<Bin> {
        self.advance(sample.at, *drift);
        if self.offset.saturating_sub(sample.difference) > SHORTCUT {
            return Some(sample);
        }
        if self.bins_filled < BINS {
            self.approach(sample.difference);
        }
        if sample.at.saturating_sub(self.filling.begun_at) < BIN {
            self.filling.add(sample);
            return None;
        }
        let full = std::mem::replace(&mut self.filling, sample);
        self.close(full, sample.at, drift)
    }

    fn advance(&mut self, to: i64, drift: f64) {
        let elapsed = to.saturating_sub(self.at).max(0);
        let gained = drift * elapsed as f64;
        let corrected = self.correction * elapsed.min(LONGEST_STEP) as f64;
        self.offset = self
            .offset
            .saturating_add((gained + corrected).round() as i64);
        self.at = self.at.max(to);
    }

    /// Nothing is known of the ways yet, but that the shortest is shorter than this one.
    fn approach(&mut self, difference: i64) {
        let shortest = self.offset.saturating_sub(APPROACH);
        self.offset = self.offset.min(difference.max(shortest));
    }

    fn close(&mut self, full: Bin, now: i64, drift: &mut f64) -> Option<Bin> {
        let is_detour = full.at_time(now, *drift).saturating_sub(self.offset) > DETOUR;
        self.detours = if is_detour { self.detours + 1 } else { 0 };
        if self.detours == DETOUR_BINS {
            return Some(full);
        }
        self.bins.push_back(full);
        self.bins_filled += 1;
        let is_old = |bin: &Bin| now.saturating_sub(bin.at) > OLDEST_BIN;
        while self.bins.len() > BINS || self.bins.len() > 1 && self.bins.front().is_some_and(is_old)
        {
            self.bins.pop_front();
        }
        let step = now.saturating_sub(self.closed_at).clamp(0, LONGEST_STEP);
        self.closed_at = now;
        if self.bins_filled >= BINS {
            self.correct(now, step, drift);
        }
        None
    }

    fn correct(&mut self, now: i64, step: i64, drift: &mut f64) {
        let differences = self.bins.iter().map(|bin| bin.at_time(now, *drift));
        let least = differences.min().unwrap_or(self.offset);
        let error = least.saturating_sub(self.offset);
        let speed = self.loop_speed(now);
        if error.abs() <= CONGESTION {
            let learned = speed * speed * seconds(error) * seconds(step);
            *drift = (*drift + learned).clamp(-LARGEST_DRIFT, LARGEST_DRIFT);
        }
        let correction = 2.0 * speed * seconds(error);
        self.correction = correction.clamp(-FASTEST_CORRECTION, FASTEST_CORRECTION);
    }

    fn loop_speed(&self, now: i64) -> f64 {
        let age = seconds(now.saturating_sub(self.begun_at));
        (LOOP_AGE / age.max(1.0)).clamp(LOOP_SPEED, LOOP_SPEED_AT_START)
    }
}

impl Bin {
    fn new(difference: i64, at: i64) -> Self {
        Self {
            begun_at: at,
            difference,
            at,
        }
    }

    fn add(&mut self, sample: Self) {
        if sample.difference < self.difference {
            (self.difference, self.at) = (sample.difference, sample.at);
        }
    }

    /// The difference that the same way makes now.
    fn at_time(&self, now: i64, drift: f64) -> i64 {
        let gained = drift * now.saturating_sub(self.at) as f64;
        self.difference.saturating_add(gained.round() as i64)
    }
}

fn seconds(time: i64) -> f64 {
    time as f64 / SECOND as f64
}
