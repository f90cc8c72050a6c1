// SPDX-License-Identifier: MPL-2.0
//! The clock that all processes share, and what this process has used.

use std::{thread, time::Duration};

use nix::{
    sys::resource::{UsageWho, getrusage},
    sys::time::{TimeVal, TimeValLike},
    time::ClockId,
};
use serde::{Deserialize, Serialize};

/// Nanoseconds of the monotonic clock. (An `Instant` means nothing to another process.)
pub fn now() -> u64 {
    let now = ClockId::CLOCK_MONOTONIC.now().expect("a monotonic clock");
    Duration::from(now).as_nanos() as u64
}

pub fn sleep_until(time: u64) {
    thread::sleep(Duration::from_nanos(time.saturating_sub(now())));
}

/// What a process used in some time.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Spent {
    pub seconds: f64,
    pub cpu_seconds: f64,
    pub faults: f64,
}

/// What this process has used up to some time.
#[derive(Clone, Copy)]
pub struct Usage {
    at: u64,
    cpu_seconds: f64,
    faults: i64,
}

impl Usage {
    pub fn now() -> Self {
        let used = getrusage(UsageWho::RUSAGE_SELF).expect("what was used");
        let seconds = |time: TimeVal| time.num_microseconds() as f64 / 1e6;
        Self {
            at: now(),
            cpu_seconds: seconds(used.user_time()) + seconds(used.system_time()),
            faults: used.minor_page_faults(),
        }
    }

    pub fn since(self, start: Self) -> Spent {
        Spent {
            seconds: (self.at - start.at) as f64 / 1e9,
            cpu_seconds: self.cpu_seconds - start.cpu_seconds,
            faults: (self.faults - start.faults) as f64,
        }
    }
}
