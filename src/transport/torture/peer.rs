// SPDX-License-Identifier: MPL-2.0
//! The other end of a scripted connection.

use std::{
    io::{self, Write},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use super::sent::{FRAMES, HELLO, described, wire};
use crate::net::Script;

/// What is said at a time.
const BREATH: usize = 23;

/// What one that leaves has heard before.
const ENOUGH: usize = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It takes what comes to the end, and ends as well.
    Hears,
    /// The same, and it asks for records.
    Asks,
    /// It takes some, and is gone.
    Leaves,
    /// It sends all frames, and takes what comes.
    Says,
    /// The first two of them.
    SaysTwo,
    /// All but those.
    SaysTheRest,
    /// All of them, with records.
    Records,
}

impl Manner {
    /// What it sends.
    fn speech(self) -> Vec<u8> {
        match self {
            Self::Hears | Self::Leaves => Vec::new(),
            Self::Asks => HELLO.to_vec(),
            Self::Says | Self::SaysTwo | Self::SaysTheRest => wire(self.frames()),
            Self::Records => described(self.frames()),
        }
    }

    /// The frames in that.
    pub fn frames(self) -> &'static [&'static [&'static [u8]]] {
        match self {
            Self::Hears | Self::Asks | Self::Leaves => &[],
            Self::Says | Self::Records => &FRAMES,
            Self::SaysTwo => &FRAMES[..2],
            Self::SaysTheRest => &FRAMES[2..],
        }
    }

    /// Whether the end of what it sends depends on nothing else.
    fn ends_first(self) -> bool {
        !self.frames().is_empty()
    }
}

pub struct Peer {
    pub script: Arc<Script>,
    manner: Manner,
    speech: Vec<u8>,
    pub heard: Vec<u8>,
    /// It has seen the end of what it hears, in good order.
    pub has_heard_end: bool,
    /// Its end of TLS, where it is encrypted.
    tls: Option<rustls::Connection>,
    has_ended: bool,
}

impl Peer {
    pub fn new(script: Arc<Script>, manner: Manner, tls: Option<rustls::Connection>) -> Self {
        Self {
            script,
            manner,
            speech: manner.speech(),
            heard: Vec::new(),
            has_heard_end: false,
            tls,
            has_ended: false,
        }
    }

    /// Takes what is there, and says something. Says whether that was anything.
    pub fn go_on(&mut self) -> bool {
        let taken = self.script.take();
        if self.script.is_lost.load(Relaxed) {
            // What was under way may arrive.
            self.hear(&taken, false);
            return self.script.settle();
        }
        let mut is_busy = !taken.is_empty();
        // What was sent before a close is there all the same.
        let is_last = self.script.has_ended.load(Relaxed) || self.script.is_closed.load(Relaxed);
        self.hear(&taken, is_last);
        if self.manner == Manner::Leaves && self.heard.len() >= ENOUGH {
            self.script.lose();
            return true;
        }
        is_busy |= self.say();
        is_busy | self.script.settle()
    }

    fn hear(&mut self, mut bytes: &[u8], is_last: bool) {
        let Some(tls) = &mut self.tls else {
            self.heard.extend(bytes);
            self.has_heard_end |= is_last;
            return;
        };
        let mut result = tls.process_new_packets();
        while !bytes.is_empty() && result.is_ok() && tls.read_tls(&mut bytes).unwrap() > 0 {
            result = tls.process_new_packets();
            // Fails where there is no more of it.
            let _ = io::copy(&mut tls.reader(), &mut self.heard);
        }
        match result {
            Ok(state) => self.has_heard_end |= is_last && state.peer_has_closed(),
            // It is not spoken to any more.
            Err(_) => {
                self.script.end();
                self.has_ended = true;
            }
        }
    }

    fn say(&mut self) -> bool {
        if self.has_ended {
            return false;
        }
        let is_ready = self.tls.as_ref().is_none_or(|tls| !tls.is_handshaking());
        let breath = if is_ready { BREATH } else { 0 };
        let said: Vec<u8> = self.speech.drain(..self.speech.len().min(breath)).collect();
        let may_end = self.manner.ends_first() || self.has_heard_end;
        self.has_ended = is_ready && self.speech.is_empty() && may_end;
        let bytes = match &mut self.tls {
            Some(tls) => encrypted(tls, &said, self.has_ended),
            None => said,
        };
        if !bytes.is_empty() {
            self.script.give(&bytes);
        }
        if self.has_ended {
            self.script.end();
        }
        !bytes.is_empty() || self.has_ended
    }
}

fn encrypted(tls: &mut rustls::Connection, said: &[u8], is_last: bool) -> Vec<u8> {
    tls.writer().write_all(said).unwrap();
    if is_last {
        tls.send_close_notify();
    }
    let mut bytes = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut bytes).unwrap();
    }
    bytes
}
