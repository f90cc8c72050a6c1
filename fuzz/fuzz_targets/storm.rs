// SPDX-License-Identifier: MPL-2.0
//! Anything asked of a fan-out, in any order: each peer is sent whole frames in theirs.

#![no_main]

use std::time::Instant;

use gstvideosocket::fanout::storm::{self, Command};
use libfuzzer_sys::fuzz_target;

/// More commands would find nothing that these do not.
const MAX_COMMANDS: usize = 300;

fuzz_target!(|input: (u8, [u8; 4], bool, &[u8])| {
    let (audience, flow, reconnects, commands) = input;
    let (commands, _) = commands.as_chunks();
    let commands = commands.iter().take(MAX_COMMANDS);
    storm::run(
        storm::audience(audience),
        storm::flow(flow),
        reconnects,
        commands.map(|&bytes| Command::from(bytes)),
        Instant::now(),
    );
});
