// SPDX-License-Identifier: MPL-2.0
//! Over a network that takes now longer, now shorter, pictures keep the time between them. How far picture and sound are
//! apart by that is shown by simulation, beside the clock recovery.

#[allow(
    dead_code,
    unused_imports,
    reason = "the helpers serve the other tests too"
)]
mod support;

use gst::prelude::*;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use support::*;

/// What each piece of a stream is late by at most.
const JITTER: Duration = Duration::from_millis(50);

const PICTURES_A_SECOND: u64 = 30;

/// Of the stream.
const SECONDS: u64 = 3;

/// In the first seconds each record corrects the clock by 1.5 ms at most, and two may come with a picture.
const JUMP: i64 = 3_010;

/// Passes on what comes there to this port, each piece late by chance, but none before another.
fn jittery(to: u16, seed: u64) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut from, _) = listener.accept().unwrap();
        let mut to = TcpStream::connect(("127.0.0.1", to)).unwrap();
        to.set_nodelay(true).unwrap();
        let (send, pieces) = mpsc::channel::<(Instant, Vec<u8>)>();
        thread::spawn(move || {
            for (due, piece) in pieces {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                if to.write_all(&piece).is_err() {
                    return;
                }
            }
        });
        let mut chance = (0..).map(|n| payload(seed + n, 4));
        let mut piece = vec![0; 1 << 16];
        while let Ok(len @ 1..) = from.read(&mut piece) {
            let bytes = chance.next().unwrap();
            let chance = u16::from_be_bytes([bytes[0], bytes[1]]);
            let late = JITTER * u32::from(chance) / u32::from(u16::MAX);
            let _ = send.send((Instant::now() + late, piece[..len].to_vec()));
        }
    });
    port
}

/// By how much the time between two pictures is another than at the sender at most, in microseconds.
fn largest_jump(timestamps: &str) -> i64 {
    // So much latency that none is late, however busy the machine.
    let viewer = Pipeline::launch(&format!(
        "videosocketsrc name=source mode=listen host=127.0.0.1 port=0 latency=20000000000 \
         timestamps={timestamps} ! appsink name=output sync=false"
    ));
    viewer.play();
    let port = number(&viewer.element("source"), "current-port") as u16;
    let sender = Pipeline::launch(&format!(
        "videotestsrc is-live=true num-buffers={} ! video/x-raw,format=GRAY8,width=160,height=120,framerate=30/1 ! \
         videosocketsink host=127.0.0.1 port={} metadata=on",
        SECONDS * PICTURES_A_SECOND,
        jittery(port, 1)
    ));
    // Another clock than the viewer's, as on another machine.
    let clock = gst::glib::Object::builder::<gst::SystemClock>()
        .property("clock-type", gst::ClockType::Realtime)
        .build();
    sender.use_clock(&clock);
    sender.play();
    let output: gst_app::AppSink = viewer.element("output").downcast().unwrap();
    let samples = std::iter::from_fn(|| output.pull_sample().ok());
    let delays = samples.map(|sample| {
        let buffer = sample.buffer().unwrap();
        let made = buffer.offset() * 1_000_000 / PICTURES_A_SECOND;
        buffer.pts().unwrap().useconds() as i64 - made as i64
    });
    let delays: Vec<_> = delays.collect();
    assert!(delays.len() as u64 >= (SECONDS - 1) * PICTURES_A_SECOND);
    let jumps = delays.windows(2).map(|two| (two[1] - two[0]).abs());
    jumps.max().unwrap()
}

#[test]
fn pictures_keep_their_spacing_by_the_times_of_the_sender_and_not_by_those_of_arrival() {
    let [by_sender, by_arrival] = ["sender", "arrival"]
        .map(|timestamps| thread::spawn(move || largest_jump(timestamps)))
        .map(|viewing| viewing.join().unwrap());
    assert!(by_sender < JUMP, "{by_sender} us");
    assert!(by_arrival > 5 * JUMP, "{by_arrival} us");
}
