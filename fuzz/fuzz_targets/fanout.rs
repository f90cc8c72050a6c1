// SPDX-License-Identifier: MPL-2.0
//! The fan-out beside the naive one, whatever happens.

#![no_main]

use std::time::Instant;

use arbitrary::Arbitrary;
use gstvideosocket::fanout::{
    Audience, Flow, JoinAt, Limits, Overflow,
    model::{self, Happening},
};
use libfuzzer_sys::fuzz_target;

/// More would find nothing that these do not.
const MAX_HAPPENINGS: usize = 200;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    drops: bool,
    lockstep: bool,
    join: u8,
    max_frames: u8,
    max_bytes: u8,
    happenings: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let flow = Flow {
        overflow: if input.drops {
            Overflow::Drop
        } else {
            Overflow::Block
        },
        limits: Limits {
            frames: Some(input.max_frames.into()).filter(|&frames| (1..6).contains(&frames)),
            bytes: Some(input.max_bytes.into()).filter(|&bytes| (10..60).contains(&bytes)),
            time: None,
        },
        join: join_at(input.join),
        ..Flow::default()
    };
    let (happenings, _) = input.happenings.as_chunks();
    let happenings: Vec<_> = happenings
        .iter()
        .take(MAX_HAPPENINGS)
        .map(|&bytes| happening(bytes))
        .collect();
    let now = Instant::now();
    let lockstep = input.lockstep;
    let others = Flow { lockstep, ..flow };
    for audience in [Audience::Caller, Audience::Callee] {
        model::one_after_the_other(audience, others, &happenings, now);
    }
    let happenings: Vec<_> = happenings
        .into_iter()
        .map(|(happening, _)| happening)
        .collect();
    model::beside_lists_of_their_own(flow, &happenings, now);
});

/// Each has its bytes, and all bytes are one.
fn happening([name, a, b]: [u8; 3]) -> (Happening, bool) {
    let client = usize::from(a % 6);
    let happening = match name % 32 {
        0..=11 => Happening::Push {
            letter: a,
            len: usize::from(b) % 5,
            keyframe: b & 8 > 0,
            repeats: b & 0x70 == 0x70,
        },
        12..=13 => Happening::Join,
        14 => Happening::Leave(client),
        15..=22 => Happening::Take {
            client,
            bytes: usize::from(b >> 1) % 60,
            is_short: b & 1 > 0,
        },
        23..=25 => Happening::Fill(client),
        26..=27 => Happening::Headers(a),
        28..=29 => Happening::Jump,
        _ => Happening::JoinAt(join_at(a)),
    };
    (happening, name & 32 > 0)
}

fn join_at(number: u8) -> JoinAt {
    match number % 3 {
        0 => JoinAt::Latest,
        1 => JoinAt::NextKeyframe,
        _ => JoinAt::LatestKeyframe,
    }
}
