// SPDX-License-Identifier: MPL-2.0
//! What the processes say to each other, each a line of JSON.

use serde::{Deserialize, Serialize};

use crate::{common::clock::Spent, rows::Row};

/// What a child is told as it starts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    pub case: Case,
    pub task: Task,
    pub end: End,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Case {
    pub row: Row,
    /// Bytes per frame.
    pub size: usize,
    /// Whether frames have a time to be shown at.
    pub timed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// As fast as it goes.
    Flood,
    /// So many per second.
    Paced(u32),
    /// So many frames, and no more.
    Count(u64),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum End {
    Sender { port: u16 },
    Receiver,
}

/// What to measure, in nanoseconds of the monotonic clock, which the processes share.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Window {
    pub from: u64,
    pub to: u64,
}

/// What a child says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Said {
    /// The receiver waits for the sender there.
    Port(u16),
    /// The first bytes have come.
    Flowing,
    Sent(Spent),
    Received(Received),
    Failed(String),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Received {
    pub spent: Spent,
    pub bytes: u64,
    pub delays: Option<Delays>,
}

/// In microseconds, from push to arrival.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Delays {
    pub p50: f64,
    pub p99: f64,
}

impl Job {
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}
