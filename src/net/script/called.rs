// SPDX-License-Identifier: MPL-2.0
//! A connect to one who is not there.

use std::{
    io,
    os::fd::{AsRawFd, RawFd},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use super::{Call, Callers, Fault, Script, bell::Bell};
use crate::net::Established;

/// Waits again among the others where nothing comes of it.
#[derive(Debug)]
pub(crate) struct Called {
    script: Option<Arc<Script>>,
    callers: Arc<Callers>,
    bell: Bell,
}

impl Called {
    pub(super) fn new(script: Arc<Script>, callers: Arc<Callers>) -> Self {
        Self {
            script: Some(script),
            callers,
            bell: Bell::new(),
        }
    }

    pub fn outcome(&self) -> Option<io::Result<i32>> {
        let script = self.script.as_ref()?;
        if script.never_answers {
            return None;
        }
        match self.callers.faults.next(Call::ConnectResult, true) {
            None => Some(Ok(0)),
            Some(Fault::Fails(libc::EAGAIN)) => {
                self.bell.tell_of_room();
                None
            }
            Some(Fault::Loses(error)) => {
                script.is_hit.store(true, Relaxed);
                script.lose();
                Some(Ok(error))
            }
            Some(Fault::Fails(error)) => Some(Err(io::Error::from_raw_os_error(error))),
            Some(Fault::Short) => unreachable!("no bytes are moved"),
        }
    }

    pub fn established(mut self, failure: i32) -> Established {
        let script = self.script.take().expect("it is there until then");
        Established {
            failure,
            ..Established::scripted(script)
        }
    }
}

impl AsRawFd for Called {
    fn as_raw_fd(&self) -> RawFd {
        self.bell.as_raw_fd()
    }
}

impl Drop for Called {
    fn drop(&mut self) {
        if let Some(script) = self.script.take() {
            self.callers.waiting.lock().unwrap().push_front(script);
        }
    }
}
