// SPDX-License-Identifier: MPL-2.0
//! A clock that takes its time, as one does whose reader is put aside by a busy machine.

use std::{sync::OnceLock, thread, time::Duration, time::Instant};

use gst::{glib, subclass::prelude::*};

/// Before and behind the reading.
pub const DELAY: Duration = Duration::from_millis(5);

/// What it shows now, without delay.
pub fn shows() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    // Not 0, so that what is earlier has a form.
    1_000_000_000 + START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

mod imp {
    use super::*;

    #[derive(Default)]
    pub struct SlowClock;

    #[glib::object_subclass]
    impl ObjectSubclass for SlowClock {
        const NAME: &'static str = "TestSlowClock";
        type Type = super::SlowClock;
        type ParentType = gst::Clock;
    }

    impl ObjectImpl for SlowClock {}
    impl GstObjectImpl for SlowClock {}

    impl ClockImpl for SlowClock {
        fn internal_time(&self) -> gst::ClockTime {
            thread::sleep(DELAY);
            let time = shows();
            thread::sleep(DELAY);
            gst::ClockTime::from_nseconds(time)
        }
    }
}

glib::wrapper! {
    pub struct SlowClock(ObjectSubclass<imp::SlowClock>) @extends gst::Clock, gst::Object;
}
