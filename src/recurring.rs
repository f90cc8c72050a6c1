// SPDX-License-Identifier: MPL-2.0
//! Faults that end one connection after the other, of which the first is told.

use std::sync::Arc;

use crate::{
    net::{Error, Nature},
    settings::{Common, Mode},
};

/// What an element that goes on to the next connection tells of the ends of those before.
#[derive(Debug)]
pub struct Recurring {
    /// Host and port to which it connects. Where it listens each peer is another, and so is each fault.
    target: Option<(String, u32)>,
    told: Option<Nature>,
}

impl Recurring {
    pub fn new(common: &Common) -> Self {
        Self {
            target: (common.mode == Mode::Connect).then(|| (common.host.clone(), common.port)),
            told: None,
        }
    }

    /// A connection has ended, by this fault or in good order. Returns what is to be told of it.
    pub fn ended(&mut self, fault: Option<Arc<Error>>, was_of_use: bool) -> Option<Arc<Error>> {
        let Some((host, port)) = &self.target else {
            return fault;
        };
        if was_of_use {
            self.told = None;
        }
        let futile = || {
            let (host, port) = (host.clone(), *port);
            (!was_of_use).then(|| Arc::new(Error::Futile { host, port }))
        };
        let fault = fault.or_else(futile)?;
        let nature = fault.nature();
        (self.told.replace(nature) != Some(nature)).then_some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Peer;
    use std::io::{self, ErrorKind};

    fn connecting() -> Recurring {
        Recurring::new(&Common::default())
    }

    fn listening() -> Recurring {
        Recurring::new(&Common {
            mode: Mode::Listen,
            ..Common::default()
        })
    }

    fn lost(kind: ErrorKind) -> Option<Arc<Error>> {
        let (peer, source) = (Peer::default(), io::Error::from(kind));
        let cut = None;
        Some(Arc::new(Error::Receive { peer, cut, source }))
    }

    fn is_told(recurring: &mut Recurring, fault: Option<Arc<Error>>, was_of_use: bool) -> bool {
        recurring.ended(fault, was_of_use).is_some()
    }

    #[test]
    fn a_fault_is_told_once_until_it_is_another() {
        let mut recurring = connecting();
        for (kind, told) in [
            (ErrorKind::TimedOut, true),
            (ErrorKind::TimedOut, false),
            (ErrorKind::ConnectionReset, true),
            (ErrorKind::BrokenPipe, false),
            (ErrorKind::TimedOut, true),
        ] {
            assert_eq!(is_told(&mut recurring, lost(kind), false), told, "{kind}");
        }
    }

    #[test]
    fn after_a_connection_that_was_of_use_it_is_told_anew() {
        let reset = || lost(ErrorKind::ConnectionReset);
        let mut recurring = connecting();
        for (fault, was_of_use, told) in [
            (reset(), true, true),
            (reset(), false, false),
            (reset(), true, true),
            (reset(), false, false),
            (None, true, false),
            (reset(), false, true),
        ] {
            assert_eq!(is_told(&mut recurring, fault, was_of_use), told);
        }
    }

    #[test]
    fn a_peer_that_ends_each_connection_is_named_once() {
        let mut recurring = connecting();
        let told = recurring.ended(None, false).unwrap().to_string();
        assert!(told.contains("localhost port 4953"), "{told}");
        assert!(!is_told(&mut recurring, None, false));
        // It is chance whether it does so by a reset.
        assert!(!is_told(
            &mut recurring,
            lost(ErrorKind::ConnectionReset),
            false
        ));
    }

    #[test]
    fn of_those_who_come_each_fault_is_told() {
        let mut recurring = listening();
        assert!(!is_told(&mut recurring, None, false));
        for _ in 0..2 {
            assert!(is_told(&mut recurring, lost(ErrorKind::TimedOut), false));
        }
    }
}
