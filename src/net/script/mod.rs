// SPDX-License-Identifier: MPL-2.0
//! A stream that does what a test has written down: takes and gives as much as it says, or fails.

mod bell;
mod called;
mod callers;
mod faults;

use std::{
    collections::VecDeque,
    io::{self, IoSlice, IoSliceMut},
    net::Shutdown,
    ops::Deref,
    os::fd::{AsRawFd, RawFd},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use self::bell::Bell;
pub(crate) use self::{
    called::Called,
    callers::Callers,
    faults::{Call, Fault, Faults},
};

/// How one call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// With so many bytes, or as many as there are.
    Moves(usize),
    /// With this error number.
    Fails(i32),
}

/// The answers to calls, in their order. After them, each call moves all it can.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub sends: Mutex<VecDeque<Answer>>,
    pub receives: Mutex<VecDeque<Answer>>,
    /// What was sent.
    pub sent: Mutex<Vec<u8>>,
    /// What is to be received.
    pub input: Mutex<VecDeque<u8>>,
    /// Nothing follows that.
    pub is_ended: AtomicBool,
    /// What the peer has not taken may be no more than this.
    pub room: Option<usize>,
    /// How much of what was sent it has taken.
    pub taken: Mutex<usize>,
    /// This side has ended its own stream.
    pub has_ended: AtomicBool,
    /// The connection is lost.
    pub is_lost: AtomicBool,
    /// This side has let go of it.
    pub is_closed: AtomicBool,
    /// It has done so with something unread, which a kernel tells the peer by a reset.
    pub is_reset: AtomicBool,
    /// It has met with the fault.
    pub is_hit: AtomicBool,
    /// Nothing comes of a connect to it.
    never_answers: bool,
    /// A call has failed that could not have, but for the time at which it came: the system tells when that is past.
    owes: Mutex<Owes>,
    faults: Arc<Faults>,
    bell: Option<Bell>,
}

#[derive(Debug, Default)]
struct Owes {
    room: bool,
    input: bool,
}

impl Script {
    /// One that a poll can wait for, with room for so much, and a fault in one of its calls.
    pub fn watched(room: usize, faults: &Arc<Faults>) -> Self {
        Self {
            room: Some(room),
            faults: faults.clone(),
            bell: Some(Bell::new()),
            ..Self::default()
        }
    }

    /// One of whom nothing comes.
    pub fn silent() -> Self {
        Self {
            never_answers: true,
            ..Self::default()
        }
    }

    pub fn send(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut max = self.before(Call::Send)?;
        if self.has_ended.load(Relaxed) || self.is_lost.load(Relaxed) {
            return Err(io::Error::from_raw_os_error(libc::EPIPE));
        }
        max = max.min(next(&self.sends)?);
        let mut sent = self.sent.lock().unwrap();
        if let Some(room) = self.room {
            max = max.min(room - (sent.len() - *self.taken.lock().unwrap()));
        }
        let given: usize = slices.iter().map(|slice| slice.len()).sum();
        self.owes.lock().unwrap().room |= max < given;
        if max == 0 && given > 0 && self.room.is_some() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let bytes = slices.iter().flat_map(|slice| slice.iter().copied());
        let before = sent.len();
        sent.extend(bytes.take(max));
        Ok(sent.len() - before)
    }

    pub fn receive(&self, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let mut max = self.before(Call::Receive)?;
        if self.is_lost.load(Relaxed) {
            return Ok(0);
        }
        max = max.min(next(&self.receives)?);
        let mut input = self.input.lock().unwrap();
        if input.is_empty() && !self.is_ended.load(Relaxed) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut received = 0;
        for place in slices.iter_mut().flat_map(|slice| slice.iter_mut()) {
            if received == max {
                break;
            }
            let Some(byte) = input.pop_front() else { break };
            *place = byte;
            received += 1;
        }
        self.owes.lock().unwrap().input |= !input.is_empty();
        Ok(received)
    }

    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.before(Call::Shutdown)?;
        if self.is_lost.load(Relaxed) {
            return Err(io::ErrorKind::NotConnected.into());
        }
        self.has_ended.store(true, Relaxed);
        if how == Shutdown::Both {
            self.input.lock().unwrap().clear();
            self.is_ended.store(true, Relaxed);
        }
        if let Some(bell) = &self.bell {
            bell.shutdown(how);
        }
        Ok(())
    }

    /// The peer takes what has been sent.
    pub fn take(&self) -> Vec<u8> {
        let mut taken = self.taken.lock().unwrap();
        let sent = self.sent.lock().unwrap();
        let from = std::mem::replace(&mut *taken, sent.len());
        sent[from..].to_vec()
    }

    /// The peer sends this.
    pub fn give(&self, bytes: &[u8]) {
        self.input.lock().unwrap().extend(bytes);
        if let Some(bell) = &self.bell {
            bell.tell_of_input();
        }
    }

    /// The peer sends no more.
    pub fn end(&self) {
        self.is_ended.store(true, Relaxed);
        if let Some(bell) = &self.bell {
            bell.tell_of_end();
        }
    }

    /// The peer is gone.
    pub fn lose(&self) {
        self.is_lost.store(true, Relaxed);
        self.input.lock().unwrap().clear();
        if let Some(bell) = &self.bell {
            bell.tell_of_loss();
        }
    }

    /// Tells what there was no room for, or nothing to read, that it may be tried again.
    pub fn settle(&self) -> bool {
        let owes = std::mem::take(&mut *self.owes.lock().unwrap());
        if let Some(bell) = self.bell.as_ref().filter(|_| !self.is_lost.load(Relaxed)) {
            if owes.room {
                bell.tell_of_room();
            }
            if owes.input {
                bell.tell_of_input();
            }
        }
        owes.room || owes.input
    }

    /// How many bytes a call may move at most, or the fault that it meets with.
    fn before(&self, call: Call) -> io::Result<usize> {
        // Where the peer's end is there, there is no waiting for it.
        let may_wait = call != Call::Receive || !self.is_ended.load(Relaxed);
        let Some(fault) = self.faults.next(call, may_wait) else {
            return Ok(usize::MAX);
        };
        self.is_hit.store(true, Relaxed);
        match fault {
            Fault::Short => Ok(1),
            Fault::Fails(error) => {
                if error == libc::EAGAIN {
                    let mut owes = self.owes.lock().unwrap();
                    match call {
                        Call::Receive => owes.input = true,
                        _ => owes.room = true,
                    }
                }
                Err(io::Error::from_raw_os_error(error))
            }
            Fault::Loses(error) => {
                self.lose();
                Err(io::Error::from_raw_os_error(error))
            }
        }
    }
}

impl AsRawFd for Script {
    fn as_raw_fd(&self) -> RawFd {
        self.bell.as_ref().map_or(-1, Bell::as_raw_fd)
    }
}

/// A script in the place of a socket, which is closed when this is dropped.
#[derive(Debug)]
pub(crate) struct Scripted(Arc<Script>);

impl From<Arc<Script>> for Scripted {
    fn from(script: Arc<Script>) -> Self {
        Self(script)
    }
}

impl Deref for Scripted {
    type Target = Script;

    fn deref(&self) -> &Script {
        &self.0
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.0.is_closed.store(true, Relaxed);
        let is_unread = !self.0.input.lock().unwrap().is_empty();
        self.0.is_reset.store(is_unread, Relaxed);
    }
}

fn next(answers: &Mutex<VecDeque<Answer>>) -> io::Result<usize> {
    match answers.lock().unwrap().pop_front() {
        Some(Answer::Moves(bytes)) => Ok(bytes),
        Some(Answer::Fails(error)) => Err(io::Error::from_raw_os_error(error)),
        None => Ok(usize::MAX),
    }
}
