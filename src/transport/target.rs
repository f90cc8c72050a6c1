// SPDX-License-Identifier: MPL-2.0
//! What to open.

use std::{
    os::fd::OwnedFd,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use crate::net::Credentials;

/// Who makes the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// This end.
    Connect,
    /// The peer.
    Listen,
}

/// What to open, and for how long.
#[derive(Debug)]
pub struct Target {
    /// Who makes the connection.
    pub mode: Mode,
    /// The host to reach, or the local one to listen on.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How long to go on trying to connect; `None` is for ever.
    pub connect_timeout: Option<Duration>,
    /// Open the next connection when one has ended.
    pub reconnect: bool,
    /// The DSCP mark of what is sent.
    pub qos_dscp: Option<u8>,
    /// A connected socket to use instead of opening one.
    pub socket: Option<OwnedFd>,
    /// What to show and whom to believe, where connections are encrypted.
    pub tls: Option<Credentials>,
    /// The number of the last connection of all, of which each has its own: what is told late of a former one is not to be
    /// taken for one of these.
    pub last_id: Arc<AtomicU64>,
}

/// What an element does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It receives.
    Reader,
    /// It sends.
    Writer,
}

/// Who uses an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Users {
    /// One alone. A writer that listens sends to any number of clients.
    One(Role),
    /// A reader and a writer, over one connection at a time.
    Pair,
}
