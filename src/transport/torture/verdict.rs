// SPDX-License-Identifier: MPL-2.0
//! What must hold of every run.

use std::{cell::RefCell, fmt, io, sync::Arc};

use libc::{ECONNABORTED, ECONNRESET, EPIPE};

use super::{
    Scenario,
    peer::Manner,
    run::{Heard, Outcome},
    sent::{FRAMES, described, wire},
};
use crate::{
    fanout::Metadata,
    net::{Error, Fault, TlsFault},
    transport::{Mode, Reason},
};

/// What a run without a fault comes to.
pub fn judge_undisturbed(scenario: &Scenario, outcome: &Outcome) {
    let name = scenario.name;
    let leave = scenario
        .peers
        .iter()
        .filter(|&&peer| peer == Manner::Leaves);
    assert_eq!(outcome.faults.len(), leave.count(), "{name}: {outcome}");
    assert!(
        outcome.warnings.is_empty(),
        "{name}: {:?}",
        outcome.warnings
    );
    assert_eq!(outcome.connected.len(), outcome.disconnected.len());
    assert_ne!(outcome.has_sent, Some(false), "{name}");
    assert_eq!(outcome.received, said(scenario), "{name}");
    if scenario.reconnect {
        return;
    }
    let expected = match scenario.metadata {
        _ if !scenario.writes() => Vec::new(),
        Metadata::Off => wire(&FRAMES),
        Metadata::OnRequest | Metadata::On => described(&FRAMES),
    };
    for heard in &outcome.heard {
        let text = heard.bytes.escape_ascii();
        assert!(heard.bytes == expected, "{name}: {text}");
        assert!(heard.has_end, "{name}");
    }
}

fn said(scenario: &Scenario) -> Vec<String> {
    scenario.peers.iter().flat_map(frames).collect()
}

fn frames(manner: &Manner) -> Vec<String> {
    let frames = manner.frames().iter();
    let texts = frames.map(|pieces| String::from_utf8(pieces.concat()).unwrap());
    texts.collect()
}

/// A run, and what it is held against.
pub struct Trial<'a> {
    pub scenario: &'a Scenario,
    pub fault: Fault,
    pub at: usize,
    pub undisturbed: &'a Outcome,
    pub outcome: &'a Outcome,
    /// What does not hold.
    pub broken: RefCell<Vec<&'static str>>,
}

impl Trial<'_> {
    /// Says what does not hold.
    pub fn judge(&self) -> Option<String> {
        let Self { outcome, .. } = self;
        self.each_connection_ends_once();
        self.users_learn_the_end();
        let mut heard = outcome.heard.iter();
        match heard.position(|heard| heard.is_hit && !self.fault.passes()) {
            None => self.nothing_has_changed(),
            Some(hit) => self.it_ends_alone(hit),
        }
        for heard in outcome.heard.iter().filter(|heard| !heard.is_hit) {
            self.holds(!heard.is_reset, "no connection ends by a reset");
        }
        let is_broken = !self.broken.borrow().is_empty();
        is_broken.then(|| self.to_string())
    }

    /// Where there is one at a time; of a listener without a client nobody knows whether one comes.
    fn users_learn_the_end(&self) {
        let Self {
            scenario, outcome, ..
        } = self;
        if scenario.awaits_callers() && outcome.connected.is_empty() {
            return;
        }
        let has_sent = outcome.has_sent.is_some() || !scenario.writes();
        let has_received = outcome.has_received_end || !scenario.reads();
        self.holds(has_sent && has_received, "the users learn of the end");
    }

    fn each_connection_ends_once(&self) {
        let ended = self.outcome.disconnected.iter().map(|(id, _)| id);
        self.holds(
            self.outcome.connected.iter().eq(ended),
            "connections end once",
        );
    }

    /// The fault is none of the connections', or passes.
    fn nothing_has_changed(&self) {
        let (outcome, undisturbed) = (self.outcome, self.undisturbed);
        self.holds(outcome.received == undisturbed.received, "the same comes");
        if self.scenario.reconnect {
            self.every_frame_is_sent_once();
        } else {
            let mut pairs = outcome.heard.iter().zip(&undisturbed.heard);
            let is_same = pairs.all(|(heard, before)| self.is_like(heard, before));
            self.holds(is_same, "the same is sent");
        }
        self.holds(
            outcome.faults.len() == undisturbed.faults.len(),
            "there is no other fault",
        );
        self.holds(
            outcome.disconnected == undisturbed.disconnected,
            "connections end in the same way",
        );
        // Who connects tries again.
        let is_told = outcome.has_happened
            && self.scenario.mode == Mode::Listen
            && !self.fault.passes()
            && self.fault != Fault::Fails(ECONNABORTED);
        let warnings = outcome.warnings.iter();
        let fitting = warnings.filter(|error| matches!(***error, Error::Accept(_)));
        self.holds(
            fitting.count() == usize::from(is_told) && outcome.warnings.len() <= 1,
            "what the system lacks is told once",
        );
    }

    /// One connection has met with it.
    fn it_ends_alone(&self, hit: usize) {
        let (outcome, undisturbed) = (self.outcome, self.undisturbed);
        let pairs = outcome.heard.iter().zip(&undisturbed.heard);
        for (i, (heard, before)) in pairs.enumerate().filter(|_| !self.scenario.reconnect) {
            if i == hit {
                self.holds(before.bytes.starts_with(&heard.bytes), "no frame is torn");
            } else {
                self.holds(self.is_like(heard, before), "others get the same");
            }
        }
        if self.scenario.reconnect {
            self.every_frame_is_sent_once();
        }
        self.what_came_is_received(hit);
        self.it_is_told(hit);
    }

    /// Whole, over whichever connection.
    fn every_frame_is_sent_once(&self) {
        if !self.scenario.writes() {
            return;
        }
        let mut whole = Vec::new();
        for heard in &self.outcome.heard {
            let mut rest = &heard.sent[..];
            while let Some((frame, more)) = split_frame(rest) {
                whole.push(frame);
                rest = more;
            }
            self.holds(
                wire(&FRAMES[whole.len().min(FRAMES.len())..]).starts_with(rest),
                "a cut frame is one",
            );
        }
        let expected: Vec<_> = FRAMES.iter().map(|pieces| pieces.concat()).collect();
        self.holds(whole == expected, "each frame is sent once");
    }

    /// All of the others, and the first of that which has met with the fault.
    fn what_came_is_received(&self, hit: usize) {
        if !self.scenario.reads() {
            return;
        }
        let peers = self.scenario.peers;
        let before: Vec<_> = peers[..hit].iter().flat_map(frames).collect();
        let after: Vec<_> = peers[hit + 1..].iter().flat_map(frames).collect();
        let own = frames(&peers[hit]);
        let fits = |n: usize| [&before[..], &own[..n], &after].concat() == self.outcome.received;
        self.holds((0..=own.len()).any(fits), "whole frames are received");
    }

    fn it_is_told(&self, hit: usize) {
        let (outcome, undisturbed) = (self.outcome, self.undisturbed);
        let errors = || outcome.faults.iter().chain(&outcome.warnings);
        for error in errors().filter(|error| !self.is_of_leaving(error)) {
            self.holds(self.tells(error), "no other fault is told");
        }
        // Then it is about the end at most.
        let has_all = outcome.heard[hit].bytes == undisturbed.heard[hit].bytes
            && outcome.received == undisturbed.received;
        let id = hit as u64 + 1;
        let reason_in = |outcome: &Outcome| {
            let mut ends = outcome.disconnected.iter();
            ends.find(|(other, _)| *other == id)
                .map(|&(_, reason)| reason)
        };
        if outcome.connected.len() < undisturbed.connected.len() {
            self.holds(
                self.scenario.tls && errors().count() == 1,
                "a handshake fails",
            );
            return;
        }
        let reason = reason_in(outcome);
        // Behind the end of its stream that is how the peer closes.
        let is_close = matches!(self.fault.error(), Some(EPIPE | ECONNRESET))
            && self.scenario.reads()
            && outcome.received == undisturbed.received
            && reason == Some(Reason::ClosedByPeer);
        if has_all || is_close {
            return;
        }
        let is_broken_pipe = self.fault.error() == Some(EPIPE);
        self.holds(
            reason == Some(Reason::Failed)
                || is_broken_pipe && reason == Some(Reason::ClosedByPeer),
            "the reason fits",
        );
        let is_one_of_many = self.scenario.mode == Mode::Listen && !self.scenario.reads();
        self.holds(is_one_of_many || errors().count() > 0, "the fault is told");
    }

    /// Whether a connection was sent the same. Of one that only receives, it does not matter how it ends.
    fn is_like(&self, heard: &Heard, before: &Heard) -> bool {
        heard.bytes == before.bytes && (heard.has_end || !self.scenario.writes())
    }

    /// Whether it tells of a peer that leaves in any case.
    fn is_of_leaving(&self, error: &Arc<Error>) -> bool {
        let leaves = self.scenario.peers.contains(&Manner::Leaves);
        let is_broken_pipe = |source: &io::Error| source.kind() == io::ErrorKind::BrokenPipe;
        leaves && matches!(&**error, Error::Send { source, .. } if is_broken_pipe(source))
    }

    /// Whether an error says what has happened.
    fn tells(&self, error: &Arc<Error>) -> bool {
        let Some(number) = self.fault.error() else {
            return false;
        };
        let kind = io::Error::from_raw_os_error(number).kind();
        match &**error {
            Error::Send { source, .. } | Error::Receive { source, .. } => {
                source.raw_os_error() == Some(number) || source.kind() == kind
            }
            Error::Handshake {
                fault: TlsFault::Ended(told) | TlsFault::Unanswered(told),
                ..
            } => *told == Some(kind),
            _ => false,
        }
    }

    fn holds(&self, condition: bool, what: &'static str) {
        if !condition {
            self.broken.borrow_mut().push(what);
        }
    }
}

impl fmt::Display for Trial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scenario,
            fault,
            at,
            outcome,
            broken,
            ..
        } = self;
        let name = scenario.name;
        write!(
            f,
            "{name}, {fault:?} at {at}: not so: {:?}\n{outcome}",
            broken.borrow()
        )
    }
}

fn split_frame(stream: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (header, rest) = stream.split_at_checked(8)?;
    let len = std::str::from_utf8(header).ok()?.parse().ok()?;
    let (payload, rest) = rest.split_at_checked(len)?;
    Some((payload.to_vec(), rest))
}
