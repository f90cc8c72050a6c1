// SPDX-License-Identifier: MPL-2.0
//! Each call of each scenario goes wrong once, in each way in which it can.
//!
//! A scenario runs on one thread, over connections that are none: what their calls do is written down, and what a poll
//! would be told of them it is told. So a run makes the same calls each time, and one of them can be let fail: the
//! first, the second, until a run has no such call left.

mod peer;
mod run;
mod sent;
mod verdict;

use std::cell::RefCell;

use self::{
    peer::Manner,
    run::run,
    verdict::{Trial, judge_undisturbed},
};
use super::target::{Mode, Role, Users};
use crate::{fanout::Metadata, net::Fault};

/// What is done in a run.
struct Scenario {
    name: &'static str,
    mode: Mode,
    users: Users,
    /// What the peers do that come, one after the other or all at once.
    peers: &'static [Manner],
    reconnect: bool,
    tls: bool,
    metadata: Metadata,
}

const WRITER: Users = Users::One(Role::Writer);
const READER: Users = Users::One(Role::Reader);

use Manner::{Asks, Hears, Leaves, Records, Says, SaysTheRest, SaysTwo};
use Metadata::{Off, On, OnRequest};
use Mode::{Connect, Listen};

#[rustfmt::skip]
const SCENARIOS: [Scenario; 15] = [
    // What,                       who makes it, who uses it,  what the peers do,            and again, TLS, records
    scenario("connect, send",           Connect, WRITER,      &[Hears],                       false, false, Off),
    scenario("connect, receive",        Connect, READER,      &[Says],                        false, false, Off),
    scenario("listen, receive",         Listen,  READER,      &[Says],                        false, false, Off),
    scenario("fan-out of three",        Listen,  WRITER,      &[Hears, Hears, Hears],         false, false, Off),
    scenario("reconnect, send",         Connect, WRITER,      &[Leaves, Hears, Hears, Hears], true,  false, Off),
    scenario("reconnect, receive",      Listen,  READER,      &[SaysTwo, SaysTheRest, Says],  true,  false, Off),
    scenario("shared pair",             Connect, Users::Pair, &[Says],                        false, false, Off),
    scenario("shared pair, listening",  Listen,  Users::Pair, &[Says],                        false, false, Off),
    scenario("TLS, send",               Connect, WRITER,      &[Hears],                       false, true,  Off),
    scenario("TLS, receive",            Listen,  READER,      &[Says],                        false, true,  Off),
    scenario("TLS, fan-out of two",     Listen,  WRITER,      &[Hears, Hears],                false, true,  Off),
    scenario("TLS, shared pair",        Connect, Users::Pair, &[Says],                        false, true,  Off),
    scenario("records, sent to all",    Listen,  WRITER,      &[Hears, Hears],                false, false, On),
    scenario("records, asked for",      Listen,  WRITER,      &[Asks, Asks],                  false, false, OnRequest),
    scenario("records, received",       Listen,  READER,      &[Records],                     false, false, On),
];

const fn scenario(
    name: &'static str,
    mode: Mode,
    users: Users,
    peers: &'static [Manner],
    reconnect: bool,
    tls: bool,
    metadata: Metadata,
) -> Scenario {
    Scenario {
        name,
        mode,
        users,
        peers,
        reconnect,
        tls,
        metadata,
    }
}

impl Scenario {
    fn writes(&self) -> bool {
        self.users != READER
    }

    fn reads(&self) -> bool {
        self.users != WRITER
    }

    fn awaits_callers(&self) -> bool {
        self.mode == Listen || self.reconnect
    }
}

/// So many that do not are enough to see why.
const SHOWN: usize = 10;

fn torture(scenarios: impl Fn(&Scenario) -> bool) {
    let mut broken = Vec::new();
    for scenario in SCENARIOS.iter().filter(|scenario| scenarios(scenario)) {
        let undisturbed = &run(scenario, None);
        judge_undisturbed(scenario, undisturbed);
        let again = run(scenario, None);
        assert_eq!(undisturbed.calls, again.calls, "{}", scenario.name);
        for fault in Fault::ALL {
            for at in 0.. {
                let outcome = &run(scenario, Some((fault, at)));
                let trial = Trial {
                    scenario,
                    fault,
                    at,
                    undisturbed,
                    outcome,
                    broken: RefCell::default(),
                };
                broken.extend(trial.judge());
                if !outcome.has_happened {
                    break;
                }
            }
        }
    }
    let count = broken.len();
    broken.truncate(SHOWN);
    assert!(broken.is_empty(), "{count} runs: {}", broken.join("\n"));
}

#[test]
fn whatever_call_fails_a_plain_connection_ends_as_specified() {
    torture(|scenario| !scenario.tls);
}

#[test]
fn whatever_call_fails_an_encrypted_connection_ends_as_specified() {
    torture(|scenario| scenario.tls);
}
