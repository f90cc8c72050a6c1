// SPDX-License-Identifier: MPL-2.0
//! Clocks that do what others seldom do.

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

    #[derive(Default)]
    pub struct SilentClock;

    #[glib::object_subclass]
    #[allow(unsafe_code)]
    impl ObjectSubclass for SilentClock {
        const NAME: &'static str = "TestSilentClock";
        type Type = super::SilentClock;
        type ParentType = gst::Clock;

        fn class_init(class: &mut Self::Class) {
            unsafe extern "C" fn no_time(_: *mut gst::ffi::GstClock) -> gst::ffi::GstClockTime {
                gst::ffi::GST_CLOCK_TIME_NONE
            }
            // SAFETY: the class begins with its parent's. In Rust a clock cannot say that it has no time.
            let parent = unsafe { &mut *(&raw mut *class).cast::<gst::ffi::GstClockClass>() };
            parent.get_internal_time = Some(no_time);
        }
    }

    impl ObjectImpl for SilentClock {}
    impl GstObjectImpl for SilentClock {}
    impl ClockImpl for SilentClock {}

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
    /// A clock that takes its time, as one does whose reader is put aside by a busy machine.
    pub struct SlowClock(ObjectSubclass<imp::SlowClock>) @extends gst::Clock, gst::Object;
}

glib::wrapper! {
    /// A clock that shows no time yet, as one that waits for its master.
    pub struct SilentClock(ObjectSubclass<imp::SilentClock>) @extends gst::Clock, gst::Object;
}
