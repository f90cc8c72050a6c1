// SPDX-License-Identifier: MPL-2.0
//! What the processes say to each other, each a line of JSON.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What a child is told as it starts.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Job {
    /// Sends to whoever connects.
    Sender,
    /// Receives from the sender, and sends to viewers.
    Relay { port: u16 },
    /// Receives from the relay.
    Viewer { kind: Kind, port: u16 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Kind {
    /// A socket, as of a program that knows the framing and nothing else
    Plain,
    /// videosocketsrc, which asks for records
    Records,
    /// videosocketsrc over TLS
    Tls,
}

/// What a child says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Said {
    /// Where it listens, without TLS and with.
    Ports {
        plain: u16,
        tls: u16,
    },
    Viewed(Viewed),
    Failed(String),
}

/// What came in a second.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Viewed {
    /// Microseconds from push to arrival, one for each frame.
    pub ages: Vec<u32>,
    /// Frames that are missing before or between them.
    pub missing: u64,
}

/// Nothing is ordered; a child ends when it is hung up on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Window;

impl Job {
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}
