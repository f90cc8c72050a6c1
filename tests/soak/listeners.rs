// SPDX-License-Identifier: MPL-2.0
//! Peers that sinks connect to, again and again.

use crate::random::Random;
use crate::stream;
use crate::support::*;
use crate::viewer::Viewer;
use std::net::{Ipv4Addr, TcpListener};

/// They connect again after a pause each, so that several make for a lively run.
const SINKS: usize = 24;
const LIMIT: usize = 8;

pub fn soak(seed: u64, events: usize) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("a bound socket").port();
    listener.set_nonblocking(true).expect("non-blocking");
    let settings = format!(
        "port={port} reconnect=true overflow=drop max-size-time=0 max-size-buffers={LIMIT}"
    );
    let sinks: Vec<_> = (0..SINKS).map(|_| Sender::playing(&settings)).collect();
    let mut random = Random::new(seed);
    let mut viewers = Vec::new();
    let (mut number, mut accepted) = (0, 0);
    let mut accept = |viewers: &mut Vec<Viewer>| {
        while let Ok((stream, _)) = listener.accept() {
            viewers.push(Viewer::new(stream));
            accepted += 1;
        }
    };
    for _ in 0..events {
        eventually("somebody connects", || {
            accept(&mut viewers);
            !viewers.is_empty()
        });
        let chosen = viewers.swap_remove(random.below(viewers.len()));
        viewers.extend(act(&mut random, chosen));
        push_all(&sinks, &mut number);
        for viewer in viewers.iter_mut().filter(|viewer| viewer.reads) {
            viewer.read(usize::MAX);
        }
    }
    // Only what is sent to it tells a peer that is gone from one that has ended its sending side.
    eventually("all connect again", || {
        number = stream::next_keyframe(number);
        push_all(&sinks, &mut number);
        accept(&mut viewers);
        viewers.len() == SINKS
    });
    for sink in &sinks {
        await_number(&sink.sink, "num-clients", 1);
    }
    number = stream::next_keyframe(number);
    push_all(&sinks, &mut number);
    end(&sinks, &mut viewers, number - 1);
    let connections: u64 = sinks
        .iter()
        .map(|sink| stat(&sink.sink, "connections"))
        .sum();
    assert_eq!(connections, accepted);
}

fn push_all(sinks: &[Sender], number: &mut u64) {
    for sink in sinks {
        let pushed = sink.push_buffer(stream::buffer(*number));
        assert_eq!(pushed, Ok(gst::FlowSuccess::Ok));
    }
    *number += 1;
}

/// Returns the peer if it stays.
fn act(random: &mut Random, mut viewer: Viewer) -> Option<Viewer> {
    match random.below(10) {
        0 => return None,
        1 => {
            viewer.reset();
            return None;
        }
        2 => {
            viewer.read(random.below(stream::LONGEST));
            viewer.reset();
            return None;
        }
        3 => viewer.end_sending(),
        4 => viewer.talk(&vec![b'?'; random.below(5_000)]),
        5 => viewer.reads = false,
        _ => viewer.reads = true,
    }
    Some(viewer)
}

/// Everybody gets the last frame and a clean end.
fn end(sinks: &[Sender], viewers: &mut [Viewer], last: u64) {
    let ending: Vec<_> = sinks
        .iter()
        .map(|sink| sink.in_background(|feed| feed.end()))
        .collect();
    eventually("every peer has the end of the stream", || {
        for viewer in viewers.iter_mut() {
            viewer.read(usize::MAX);
        }
        viewers.iter().all(|viewer| viewer.has_ended)
    });
    for viewer in viewers {
        assert_eq!(viewer.last(), Some(last));
    }
    for (sink, ending) in sinks.iter().zip(ending) {
        ending.join().expect("the end was taken");
        sink.expect_eos();
        assert!(sink.unread_errors(&sink.sink).is_empty());
        sink.stop();
    }
}
