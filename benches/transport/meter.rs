// SPDX-License-Identifier: MPL-2.0
//! Counts what arrives, and times it if asked.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    mpsc::Sender,
};

use crate::{
    clock::{self, Usage},
    job::{Delays, Job, Task},
};

pub struct Meter {
    pub size: usize,
    /// Written by the one thread that receives.
    bytes: AtomicU64,
    /// Whether a mark is to be made, which begins and ends a measurement right at an arrival.
    asked: AtomicBool,
    mark: Sender<Mark>,
    /// A mark is made from there on.
    enough: u64,
    stamps: Option<Mutex<Stamps>>,
}

/// How things were when something arrived.
#[derive(Clone, Copy)]
pub struct Mark {
    pub usage: Usage,
    pub bytes: u64,
}

#[derive(Default)]
struct Stamps {
    /// That of the frame that is arriving.
    current: [u8; STAMP_LEN],
    delays: Vec<u64>,
}

impl Meter {
    /// Its first mark is for what arrives first.
    pub fn new(job: &Job, mark: Sender<Mark>) -> Self {
        Self {
            size: job.case.size,
            bytes: AtomicU64::new(0),
            asked: AtomicBool::new(true),
            mark,
            enough: match job.task {
                Task::Count(frames) => frames * job.case.size as u64,
                _ => u64::MAX,
            },
            stamps: matches!(job.task, Task::Paced(_)).then(Default::default),
        }
    }

    pub fn ask(&self) {
        self.asked.store(true, Relaxed);
    }

    /// Of a frame or of any part of the stream; `copy` fills a slice with what is at this place in it.
    pub fn arrived(&self, len: usize, copy: impl Fn(usize, &mut [u8])) {
        let before = self.bytes.load(Relaxed);
        let bytes = before + len as u64;
        self.bytes.store(bytes, Relaxed);
        if let Some(stamps) = &self.stamps {
            let mut stamps = stamps.lock().expect("the stamps");
            stamps.read((before % self.size as u64) as usize, self.size, len, copy);
        }
        if self.asked.load(Relaxed) || bytes >= self.enough {
            self.asked.store(false, Relaxed);
            let usage = Usage::now();
            // Nobody listens any more after the last one.
            let _ = self.mark.send(Mark { usage, bytes });
        }
    }

    pub fn forget_delays(&self) {
        if let Some(stamps) = &self.stamps {
            stamps.lock().expect("the stamps").delays.clear();
        }
    }

    pub fn delays(&self) -> Option<Delays> {
        let mut stamps = self.stamps.as_ref()?.lock().expect("the stamps");
        stamps.delays.sort_unstable();
        let delays = &stamps.delays;
        let last = delays.len().checked_sub(1)?;
        let at = |part: f64| delays[(last as f64 * part).round() as usize] as f64 / 1e3;
        Some(Delays {
            p50: at(0.5),
            p99: at(0.99),
        })
    }
}

impl Stamps {
    /// Takes part of a stream that begins at a place in a frame. A frame is there with its last byte.
    fn read(&mut self, mut place: usize, size: usize, len: usize, copy: impl Fn(usize, &mut [u8])) {
        let now = clock::now();
        let mut done = 0;
        while done < len {
            if place < STAMP_LEN {
                let end = STAMP_LEN.min(place + len - done);
                copy(done, &mut self.current[place..end]);
            }
            let step = (size - place).min(len - done);
            done += step;
            place += step;
            if place == size {
                let sent = u64::from_ne_bytes(self.current);
                self.delays.push(now.saturating_sub(sent));
                place = 0;
            }
        }
    }
}

/// Frames that are timed begin with the time at which they were pushed.
pub const STAMP_LEN: usize = size_of::<u64>();
