// SPDX-License-Identifier: MPL-2.0
//! Frames that say when they were pushed, and what is seen of them.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{clock, job::Flow};

pub const PERIOD: u64 = 1_000_000_000 / 30;
pub const SIZE: usize = 50_000;
pub const HEADER_LEN: usize = 8;
const STAMP_LEN: usize = 16;

/// A payload of now.
pub fn payload(number: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SIZE);
    bytes.extend_from_slice(&clock::now().to_be_bytes());
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.resize(SIZE, 7);
    bytes
}

/// Shared by all who receive.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<(Vec<u64>, u64)>>);

impl Log {
    /// A frame has come; the one before had that number.
    pub fn take(&self, payload: &[u8], last: &mut Option<u64>) {
        let number =
            |at: usize| u64::from_be_bytes(payload[at..at + 8].try_into().expect("8 bytes"));
        assert!(payload.len() == SIZE && STAMP_LEN <= SIZE, "a whole frame");
        let (pushed, number) = (number(0), number(8));
        let lost = last.replace(number).map_or(0, |last| number - last - 1);
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.0.push(clock::now().saturating_sub(pushed));
        log.1 += lost;
    }

    /// What there was since the last time.
    pub fn flow(&self) -> Flow {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut ages, lost) = mem::take(&mut *log);
        drop(log);
        ages.sort_unstable();
        let at = |part: f64| {
            let index = (ages.len().saturating_sub(1) as f64 * part).round() as usize;
            ages.get(index).map_or(0.0, |&age| age as f64 / 1e6)
        };
        Flow {
            frames: ages.len() as u64,
            lost,
            p50: at(0.5),
            p99: at(0.99),
        }
    }
}
