// SPDX-License-Identifier: MPL-2.0
//! What a poll is told of a script: a pair of sockets over which nothing else goes.

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::{
        fd::{AsRawFd, RawFd},
        unix::net::UnixStream,
    },
    sync::Mutex,
};

#[derive(Debug)]
pub(super) struct Bell {
    near: UnixStream,
    /// None when the connection is lost.
    far: Mutex<Option<UnixStream>>,
}

impl Bell {
    pub fn new() -> Self {
        let (near, far) = UnixStream::pair().unwrap();
        Self {
            near,
            far: Mutex::new(Some(far)),
        }
    }

    /// Who watches it learns that there is something to read, or would learn it.
    pub fn tell_of_input(&self) {
        if let Some(far) = &*self.far.lock().unwrap() {
            // Behind the end nothing is to be told.
            let _ = (&*far).write(b"i");
        }
    }

    /// The same of room.
    pub fn tell_of_room(&self) {
        if let Some(far) = &*self.far.lock().unwrap()
            && (&self.near).write(b"r").is_ok()
        {
            // The kernel tells of room where some is made.
            let _ = (&*far).read(&mut [0]);
        }
    }

    pub fn tell_of_end(&self) {
        if let Some(far) = &*self.far.lock().unwrap() {
            let _ = far.shutdown(Shutdown::Write);
        }
    }

    pub fn tell_of_loss(&self) {
        // What nobody has read makes an error of the end.
        let _ = (&self.near).write(b"l");
        *self.far.lock().unwrap() = None;
    }

    pub fn shutdown(&self, how: Shutdown) {
        let _ = self.near.shutdown(how);
    }
}

impl AsRawFd for Bell {
    fn as_raw_fd(&self) -> RawFd {
        self.near.as_raw_fd()
    }
}
