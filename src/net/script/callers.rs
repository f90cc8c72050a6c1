// SPDX-License-Identifier: MPL-2.0
//! Who comes to a listening socket that is none, or answers there.

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsRawFd, RawFd},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{Call, Called, Fault, Faults, Script, bell::Bell};
use crate::net::Established;

#[derive(Debug)]
pub(crate) struct Callers {
    pub(super) waiting: Mutex<VecDeque<Arc<Script>>>,
    pub(super) faults: Arc<Faults>,
    bell: Bell,
    owes: AtomicBool,
}

impl Callers {
    pub fn new(waiting: impl IntoIterator<Item = Arc<Script>>, faults: &Arc<Faults>) -> Arc<Self> {
        Arc::new(Self {
            waiting: Mutex::new(waiting.into_iter().collect()),
            faults: faults.clone(),
            bell: Bell::new(),
            owes: AtomicBool::new(false),
        })
    }

    pub fn connect(self: &Arc<Self>) -> io::Result<Called> {
        let mut waiting = self.waiting.lock().unwrap();
        if waiting.is_empty() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        if let Some(fault) = self.faults.next(Call::Connect, true) {
            return Err(fails(fault));
        }
        let script = waiting.pop_front().expect("there is one");
        Ok(Called::new(script, self.clone()))
    }

    pub fn accept(&self) -> io::Result<Established> {
        if let Some(fault) = self.faults.next(Call::Accept, true) {
            let error = fails(fault);
            self.owes
                .fetch_or(error.kind() == io::ErrorKind::WouldBlock, Relaxed);
            return Err(error);
        }
        match self.waiting.lock().unwrap().pop_front() {
            Some(script) => Ok(Established::scripted(script)),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Tells whom nobody seemed to wait for that somebody does.
    pub fn settle(&self) -> bool {
        let owes = self.owes.swap(false, Relaxed);
        if owes {
            self.bell.tell_of_input();
        }
        owes
    }
}

impl AsRawFd for Callers {
    fn as_raw_fd(&self) -> RawFd {
        self.bell.as_raw_fd()
    }
}

fn fails(fault: Fault) -> io::Error {
    let (Fault::Fails(error) | Fault::Loses(error)) = fault else {
        unreachable!("no bytes are moved")
    };
    io::Error::from_raw_os_error(error)
}
