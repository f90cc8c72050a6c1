// SPDX-License-Identifier: MPL-2.0
//! One end is killed and started again, many times: the other goes on, says nothing of an error, and counts right.

#[allow(
    dead_code,
    unused_imports,
    reason = "the helpers serve the other tests too"
)]
mod support;

use gst::prelude::*;
use once_cell::sync::Lazy;
use std::env;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use support::*;

/// Of each end in each mode.
const KILLS: u64 = 25;
/// Frames that must come through before the next kill, which then meets the stream at any byte.
const FRAMES: usize = 5;
const FRAME: usize = 300_000;

#[test]
fn a_listening_source_survives_its_senders() {
    if let Ok(role) = env::var(ROLE) {
        return live(&role);
    }
    let port = ReservedPort::new();
    let source = survivor(&format!(
        "mode=listen port={} reconnect=true",
        port.number()
    ));
    receive_from_mortals(&source, &format!("port={}", port.number()));
}

#[test]
fn a_connecting_source_survives_its_senders() {
    let port = ReservedPort::new();
    let source = survivor(&format!("port={} reconnect=true", port.number()));
    receive_from_mortals(&source, &format!("mode=listen port={}", port.number()));
}

#[test]
fn a_listening_sink_survives_its_receivers() {
    let port = ReservedPort::new();
    let sink = Sender::playing(&format!("mode=listen port={}", port.number()));
    send_to_mortals(&sink, &format!("port={}", port.number()));
}

#[test]
fn a_connecting_sink_survives_its_receivers() {
    let port = ReservedPort::new();
    let sink = Sender::new(&format!("port={} reconnect=true", port.number()));
    let mortal = format!("mode=listen port={}", port.number());
    sink.start();
    send_to_mortals(&sink, &mortal);
}

fn survivor(settings: &str) -> Receiver {
    let source = Receiver::new(settings);
    // A sender is killed while it waits for the receiver as well.
    source.output.set_max_buffers(FRAMES as u32);
    source.play();
    source
}

#[track_caller]
fn receive_from_mortals(source: &Receiver, settings: &str) {
    let (mut frames, mut bytes) = (0, 0);
    for life in 0..=KILLS {
        let _mortal = Mortal::born("sender", settings, life);
        let mut own = Vec::new();
        while own.len() < FRAMES {
            let frame = source.frame();
            (frames, bytes) = (frames + 1, bytes + frame.len() as u64);
            let (its_life, number) = check(&frame);
            if its_life == life {
                own.push(number);
            } else {
                assert!(
                    its_life + 1 == life && own.is_empty(),
                    "{its_life} in {life}"
                );
            }
        }
        assert_eq!(own, (0..FRAMES as u64).collect::<Vec<_>>());
    }
    source.stop();
    assert!(source.unread_errors(&source.source).is_empty());
    assert_eq!(stat(&source.source, "connections"), KILLS + 1);
    // Some were received, and not asked for any more.
    assert!(
        (frames..frames + 3 * FRAMES as u64).contains(&stat(&source.source, "frames-received"))
    );
    assert!(stat(&source.source, "bytes-received") >= bytes);
    let told: u64 = (0..=KILLS)
        .map(|_| number_in(&source.expect_message("videosocket-disconnected"), "frames"))
        .sum();
    assert_eq!(told, stat(&source.source, "frames-received"));
}

#[track_caller]
fn send_to_mortals(sink: &Sender, settings: &str) {
    let removed = listen_to(&sink.sink, "client-removed", |arguments| {
        let stats = arguments[3].get::<gst::Structure>().expect("stats");
        number_in(&stats, "frames-sent")
    });
    let pushing = sink.in_background(|feed| {
        let push = |number: &u64| feed.try_push(buffer(&frame_of(0, *number)));
        (0..).take_while(|number| push(number).is_ok()).count() as u64
    });
    for life in 0..=KILLS {
        let mut mortal = Mortal::born("receiver", settings, life);
        for _ in 0..FRAMES {
            mortal.line();
        }
    }
    sink.stop();
    let pushed = pushing.join().expect("stopped");
    assert!(sink.unread_errors(&sink.sink).is_empty());
    assert_eq!(stat(&sink.sink, "connections"), KILLS + 1);
    let sent = stat(&sink.sink, "frames-sent");
    assert_eq!(removed.try_iter().sum::<u64>(), sent);
    eprintln!(
        "{pushed} pushed {}",
        sink.sink.property::<gst::Structure>("stats")
    );
    assert!(
        sent <= pushed && sent >= (KILLS + 1) * FRAMES as u64,
        "{sent} of {pushed}"
    );
}

/// A process of this very program that has a role in place of this test, and is killed in the end.
struct Mortal {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

const STAGE: &str = "a_listening_source_survives_its_senders";
const ROLE: &str = "VIDEOSOCKET_TEST_MORTAL";

impl Mortal {
    fn born(role: &str, settings: &str, life: u64) -> Self {
        let mut process = Command::new(env::current_exe().expect("this program"))
            .args(["--exact", STAGE, "--nocapture"])
            .env(ROLE, format!("{role}|{settings}|{life}"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("another process");
        let stdout = process.stdout.take().expect("its stdout");
        Self {
            process,
            lines: BufReader::new(stdout).lines(),
        }
    }

    /// Waits until it says that a frame has come.
    fn line(&mut self) {
        let came = |line: Result<String, _>| line.expect("a line").ends_with(RECEIVED);
        assert!(self.lines.by_ref().any(came), "it ended by itself");
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        self.process.kill().expect("a process of ours");
        self.process.wait().expect("it is dead");
    }
}

const RECEIVED: &str = "received";

/// What such a process does.
fn live(role: &str) {
    let parts: Vec<_> = role.split('|').collect();
    match parts[0] {
        "sender" => {
            let sink = Sender::playing(parts[1]);
            let life = parts[2].parse().expect("a number");
            for number in 0.. {
                sink.push(&frame_of(life, number));
            }
        }
        _ => {
            let source = Receiver::playing(parts[1]);
            source.output.set_max_buffers(1);
            loop {
                check(&source.frame());
                println!("{RECEIVED}");
                std::io::stdout().flush().expect("somebody listens");
            }
        }
    }
}

static CONTENT: Lazy<Vec<u8>> = Lazy::new(|| payload(0, FRAME + MOST_SHIFTED));
const MOST_SHIFTED: usize = 1_000;

fn frame_of(life: u64, number: u64) -> Vec<u8> {
    let mut frame = CONTENT[number as usize % MOST_SHIFTED..].to_vec();
    frame[..8].copy_from_slice(&life.to_be_bytes());
    frame[8..16].copy_from_slice(&number.to_be_bytes());
    frame
}

#[track_caller]
fn check(frame: &[u8]) -> (u64, u64) {
    let number = |at: usize| u64::from_be_bytes(frame[at..at + 8].try_into().expect("8 bytes"));
    let (life, number) = (number(0), number(8));
    assert!(frame == frame_of(life, number), "frame {number} of {life}");
    (life, number)
}
