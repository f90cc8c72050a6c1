// SPDX-License-Identifier: MPL-2.0
//! One fault in a run, at any of its calls.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use libc::{EAGAIN, ECONNABORTED, ECONNRESET, EINTR, EMFILE, ENOBUFS, ENOTCONN, EPIPE, ETIMEDOUT};

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Accept,
    Connect,
    /// What has become of a connect.
    ConnectResult,
    Send,
    Receive,
    Shutdown,
}

/// How one call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It moves one byte.
    Short,
    /// It fails, and the next may succeed.
    Fails(i32),
    /// It fails, and so do those that follow.
    Loses(i32),
}

impl Fault {
    pub const ALL: [Self; 14] = [
        Self::Short,
        Self::Fails(EINTR),
        Self::Fails(EAGAIN),
        Self::Fails(ECONNRESET),
        Self::Fails(EPIPE),
        Self::Fails(ETIMEDOUT),
        Self::Fails(ENOBUFS),
        Self::Fails(EMFILE),
        Self::Fails(ECONNABORTED),
        Self::Loses(ENOTCONN),
        Self::Loses(ECONNRESET),
        Self::Loses(EPIPE),
        Self::Loses(ETIMEDOUT),
        Self::Loses(ENOBUFS),
    ];

    /// Whether frames arrive as if it had not been.
    pub fn passes(self) -> bool {
        matches!(self, Self::Short | Self::Fails(EINTR | EAGAIN))
    }

    pub fn error(self) -> Option<i32> {
        match self {
            Self::Short => None,
            Self::Fails(error) | Self::Loses(error) => Some(error),
        }
    }

    /// Whether a system can do so to such a call.
    fn befalls(self, call: Call, may_wait: bool) -> bool {
        match (self, call) {
            (Self::Short, Call::Send | Call::Receive) => true,
            (Self::Fails(EAGAIN), Call::Receive) => may_wait,
            (Self::Fails(EINTR | EAGAIN), Call::Accept | Call::Send | Call::Receive) => true,
            (Self::Fails(ENOBUFS | EMFILE | ECONNABORTED), Call::Accept) => true,
            (
                Self::Fails(EAGAIN | ENOBUFS | ETIMEDOUT | ECONNABORTED),
                Call::Connect | Call::ConnectResult,
            ) => true,
            (Self::Fails(EMFILE), Call::Connect) => true,
            (Self::Loses(ECONNRESET), Call::ConnectResult) => true,
            (Self::Loses(ENOTCONN), Call::Shutdown) => true,
            (Self::Fails(EPIPE) | Self::Loses(EPIPE), call) => call == Call::Send,
            (
                Self::Fails(ECONNRESET | ETIMEDOUT | ENOBUFS)
                | Self::Loses(ECONNRESET | ETIMEDOUT | ENOBUFS),
                Call::Send | Call::Receive,
            ) => true,
            _ => false,
        }
    }
}

/// Counts the calls to which a fault can happen, and lets it happen to one.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    fault: Option<Fault>,
    at: usize,
    calls: AtomicUsize,
    has_happened: AtomicBool,
    all: Mutex<Vec<Call>>,
}

impl Faults {
    pub fn new(fault: Fault, at: usize) -> Self {
        Self {
            fault: Some(fault),
            at,
            ..Self::default()
        }
    }

    pub fn has_happened(&self) -> bool {
        self.has_happened.load(Relaxed)
    }

    /// All calls, in their order.
    pub fn calls(&self) -> Vec<Call> {
        self.all.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.all.lock().unwrap().len()
    }

    pub(super) fn next(&self, call: Call, may_wait: bool) -> Option<Fault> {
        self.all.lock().unwrap().push(call);
        let fault = self.fault.filter(|fault| fault.befalls(call, may_wait))?;
        let is_hit = self.calls.fetch_add(1, Relaxed) == self.at;
        self.has_happened.fetch_or(is_hit, Relaxed);
        is_hit.then_some(fault)
    }
}
