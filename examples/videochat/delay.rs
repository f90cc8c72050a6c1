// SPDX-License-Identifier: MPL-2.0
//! How long pictures and sound are under way, from when they were made to here: the time of their making comes with
//! them, where the peer tells what its frames are. The figures hold where the clocks of both ends agree.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gst::prelude::*;

/// Enough for some minutes, little enough to sort once a second.
const SAMPLES: usize = 5000;

/// The last ones, the newest first.
#[derive(Clone, Default)]
pub struct Samples(Arc<Mutex<VecDeque<Duration>>>);

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantiles {
    pub median: Duration,
    pub percent_99: Duration,
}

impl Samples {
    pub fn quantiles(&self) -> Option<Quantiles> {
        let mut sorted: Vec<_> = self.lock().iter().copied().collect();
        sorted.sort_unstable();
        let at = |percent: usize| sorted.get(sorted.len() * percent / 100).copied();
        Some(Quantiles {
            median: at(50)?,
            percent_99: at(99)?,
        })
    }

    fn newest(&self) -> Option<Duration> {
        self.lock().front().copied()
    }

    fn push(&self, sample: Duration) {
        let mut samples = self.lock();
        samples.truncate(SAMPLES - 1);
        samples.push_front(sample);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Duration>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How old everything is that passes the pad.
pub fn ages(pad: &gst::Pad) -> Samples {
    let ages = Samples::default();
    let samples = ages.clone();
    watch(pad, move |age| samples.push(age));
    ages
}

/// How much older or younger each picture is, as it passes, than the newest sound that has passed.
pub fn distances(picture: &gst::Pad, sound: &gst::Pad) -> Samples {
    let sounds = ages(sound);
    let distances = Samples::default();
    let samples = distances.clone();
    watch(picture, move |age| {
        if let Some(sound) = sounds.newest() {
            samples.push(age.abs_diff(sound));
        }
    });
    distances
}

fn watch(pad: &gst::Pad, notice: impl Fn(Duration) + Send + Sync + 'static) {
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(made) = info.buffer().and_then(|buffer| time_of_making(buffer)) {
            notice(now().saturating_sub(made));
        }
        gst::PadProbeReturn::Ok
    });
}

/// Since 1970.
fn time_of_making(buffer: &gst::BufferRef) -> Option<Duration> {
    let unix = gst::Caps::new_empty_simple("timestamp/x-unix");
    let mut metas = buffer.iter_meta::<gst::ReferenceTimestampMeta>();
    let meta = metas.find(|meta| meta.reference().is_subset(&unix))?;
    Some(Duration::from_nanos(meta.timestamp().nseconds()))
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_a_second_ago_is_a_second_old() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::new();
        assert_eq!(time_of_making(&buffer), None);
        let made = now() - Duration::from_secs(1);
        for (caps, time) in [
            ("timestamp/x-ntp", Duration::ZERO),
            ("timestamp/x-unix", made),
        ] {
            gst::ReferenceTimestampMeta::add(
                buffer.make_mut(),
                &gst::Caps::new_empty_simple(caps),
                gst::ClockTime::from_nseconds(time.as_nanos() as u64),
                gst::ClockTime::NONE,
            );
        }
        assert_eq!(time_of_making(&buffer), Some(made));
    }

    #[test]
    fn quantiles_of_the_last_samples() {
        let samples = Samples::default();
        assert_eq!(samples.quantiles(), None);
        for milliseconds in (1..=100).chain([0; SAMPLES - 100]).chain(1..=100) {
            samples.push(Duration::from_millis(milliseconds));
        }
        let Quantiles { median, percent_99 } = samples.quantiles().unwrap();
        assert_eq!(
            (median, percent_99),
            (Duration::ZERO, Duration::from_millis(51))
        );
    }
}
