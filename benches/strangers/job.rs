// SPDX-License-Identifier: MPL-2.0
//! What the processes say to each other, each a line of JSON.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What a child is told as it starts.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Job {
    pub case: Case,
    pub end: End,
}

/// What listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Case {
    /// videosocketsink
    Sink,
    /// The same with TLS
    TlsSink,
    /// videosocketsrc
    Source,
    /// The same with TLS
    TlsSource,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum End {
    Server,
    Good {
        port: u16,
        count: usize,
    },
    /// Who calls from 127.0.0.`host`.
    Strangers {
        port: u16,
        host: u8,
        crowd: Crowd,
    },
}

/// How many there are.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Crowd {
    /// Who announce 99,999,999 bytes and send none.
    pub announce: usize,
    /// Who send one byte a second.
    pub dribble: usize,
    /// Who begin a TLS handshake.
    pub handshakes: usize,
}

/// An order to all children.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Window {
    /// Say what there was since the last time.
    Report,
    /// One more good peer comes.
    Join,
}

/// What a child says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Said {
    Port(u16),
    Flow(Flow),
    Used(Used),
    /// So many strangers are connected.
    Connected(usize),
    /// Milliseconds until one more had its first frame.
    Joined(f64),
    Failed(String),
}

/// Of frames that good peers have received.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Flow {
    pub frames: u64,
    pub lost: u64,
    /// Milliseconds from push to the last byte.
    pub p50: f64,
    pub p99: f64,
}

/// Of the server, in bytes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Used {
    pub resident: i64,
    /// In its sockets.
    pub sockets: i64,
    /// Processors that it has kept busy since the last time.
    pub processors: f64,
}

impl Case {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sink => "videosocketsink",
            Self::TlsSink => "videosocketsink, TLS",
            Self::Source => "videosocketsrc",
            Self::TlsSource => "videosocketsrc, TLS",
        }
    }

    pub fn is_sink(self) -> bool {
        matches!(self, Self::Sink | Self::TlsSink)
    }

    pub fn is_encrypted(self) -> bool {
        matches!(self, Self::TlsSink | Self::TlsSource)
    }
}

impl Crowd {
    pub fn len(self) -> usize {
        self.announce + self.dribble + self.handshakes
    }

    /// One of so many parts.
    pub fn part(self, of: usize) -> Self {
        Self {
            announce: self.announce / of,
            dribble: self.dribble / of,
            handshakes: self.handshakes / of,
        }
    }
}

impl Job {
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}
