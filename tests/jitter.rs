//! Picture and sound over a network that takes now longer, now shorter, each over a connection of its own.

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
const SAMPLES_A_SECOND: u64 = 48_000;

/// Of the stream, and of its beginning that is not looked at: then the shortest way is not known yet.
const SECONDS: u64 = 5;
const SETTLING: Duration = Duration::from_secs(1);

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

/// When each was made, and what was added to that on the way.
fn delays(output: gst_app::AppSink, made: impl Fn(u64) -> Duration) -> Vec<(Duration, i64)> {
    let buffers = std::iter::from_fn(|| output.pull_sample().ok());
    let delays = buffers.map(|sample| {
        let buffer = sample.buffer().unwrap();
        let made = made(buffer.offset());
        let pts: Duration = buffer.pts().unwrap().into();
        (made, pts.as_micros() as i64 - made.as_micros() as i64)
    });
    delays.collect()
}

/// By how much picture and sound are apart, most of the time, in microseconds.
fn apart(timestamps: &str, between: &str) -> i64 {
    let source = |name| {
        format!(
            "videosocketsrc name={name} mode=listen host=127.0.0.1 port=0 latency=100000000 \
             timestamps={timestamps} ! {between} appsink name={name}-out sync=true"
        )
    };
    let viewer = Pipeline::launch(&format!("{} {}", source("picture"), source("sound")));
    viewer.play();
    let ports =
        ["picture", "sound"].map(|name| number(&viewer.element(name), "current-port") as u16);
    let ports = [jittery(ports[0], 1), jittery(ports[1], 1_000_000)];
    let sender = Pipeline::launch(&format!(
        "videotestsrc is-live=true num-buffers={} ! video/x-raw,format=GRAY8,width=160,height=120,framerate=30/1 ! \
         videosocketsink host=127.0.0.1 port={} metadata=on \
         audiotestsrc is-live=true samplesperbuffer=480 num-buffers={} ! audio/x-raw,rate=48000,channels=1 ! \
         videosocketsink host=127.0.0.1 port={} metadata=on",
        SECONDS * PICTURES_A_SECOND,
        ports[0],
        SECONDS * 100,
        ports[1]
    ));
    // Another clock than the viewer's, as on another machine.
    let clock = gst::glib::Object::builder::<gst::SystemClock>()
        .property("clock-type", gst::ClockType::Realtime)
        .build();
    sender.use_clock(&clock);
    sender.play();
    let [picture, sound] = [
        ("picture-out", PICTURES_A_SECOND),
        ("sound-out", SAMPLES_A_SECOND),
    ]
    .map(|(name, rate)| {
        let output = viewer.element(name).downcast().unwrap();
        thread::spawn(move || delays(output, |n| Duration::from_micros(n * 1_000_000 / rate)))
    })
    .map(|reading| reading.join().unwrap());
    let mut apart: Vec<_> = picture
        .iter()
        .filter(|(made, _)| *made > SETTLING)
        .map(|(made, delay)| {
            let (_, other) = sound
                .iter()
                .min_by_key(|(other, _)| other.abs_diff(*made))
                .unwrap();
            (delay - other).abs()
        })
        .collect();
    apart.sort_unstable();
    // On a busy machine a few are late because of that.
    apart[apart.len() * 95 / 100]
}

#[test]
fn they_stay_together_by_the_times_of_the_sender_and_not_by_those_of_arrival() {
    // Where a sink holds frames in the source's own thread, most are not read when they come.
    let ways = [
        ("sender", "queue !"),
        ("sender", ""),
        ("arrival", "queue !"),
    ];
    let [apart_by_sender, apart_without_queue, apart_by_arrival] = ways
        .map(|(timestamps, between)| thread::spawn(move || apart(timestamps, between)))
        .map(|viewing| viewing.join().unwrap());
    assert!(apart_by_sender < 20_000, "{apart_by_sender} us");
    assert!(apart_without_queue < 50_000, "{apart_without_queue} us");
    assert!(apart_by_arrival > 20_000, "{apart_by_arrival} us");
}
