// SPDX-License-Identifier: MPL-2.0
//! What the processes say to each other, each a line of JSON.

use serde::{Deserialize, Serialize};

use crate::rows::Row;

/// What a child is told as it starts.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Job {
    pub row: Row,
    pub task: Task,
    pub end: End,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Task {
    /// Every client reads all it can.
    Crowd { clients: usize, frames: u64 },
    /// The same, and the server's properties are read.
    Stats { clients: usize, frames: u64 },
    /// One client reads, the others do not. A pause comes before each of them, of so many milliseconds, and a frame.
    Stalled {
        clients: usize,
        pause: u64,
        frames: u64,
    },
    /// One client reads at half the rate of the stream, others all they can.
    Slow { stream: Stream, frames: u64 },
    /// All connect at once, and wait so long for their first bytes.
    Rush { clients: usize, seconds: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stream {
    /// Every frame is a keyframe.
    Jpeg,
    /// A keyframe, and 59 that need those before them.
    H264,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum End {
    Server,
    Clients { port: u16 },
}

/// An order. What it is about depends on the task.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Window;

/// What a child says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Said {
    Port(u16),
    /// The server is ready for what it is to be measured by.
    Ready,
    Served(Served),
    Read(Read),
    Drained(Drained),
    Watched(Watched),
    /// When the last of all clients was let in, and when the first came.
    LetIn(u64),
    Rushed(Rushed),
    Failed(String),
}

/// Of the server.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Served {
    pub cpu_seconds: f64,
    pub seconds: f64,
    /// Milliseconds that a push takes.
    pub push_p50: f64,
    pub push_p99: f64,
    /// Bytes by which the process has grown, what frames take of that, and what the kernel holds for TCP.
    pub grown: i64,
    pub frames_grown: i64,
    pub kernel_grown: i64,
}

/// Milliseconds that reading properties takes, at the median and at 99 %.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Read {
    pub stats: [f64; 2],
    /// With a copy that the caller makes, as bindings do.
    pub copied_stats: [f64; 2],
    pub num_clients: [f64; 2],
}

/// Of clients that read all they can, in bytes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Drained {
    pub total: u64,
    /// By the client that got the least.
    pub least: u64,
}

/// Of one client that looks into the frames.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Watched {
    pub is_slow: bool,
    pub frames: u64,
    pub lost: u64,
    /// Losses that were not followed by a keyframe.
    pub undecodable: u64,
    /// Milliseconds from push to the last byte.
    pub age_p50: f64,
    pub age_p99: f64,
    pub age_most: f64,
}

/// Times on the clock of all processes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Rushed {
    pub began: u64,
    pub last_connected: u64,
    pub last_served: u64,
}

impl Job {
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}
