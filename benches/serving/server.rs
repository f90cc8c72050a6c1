// SPDX-License-Identifier: MPL-2.0
//! The serving process.

use std::{
    fs, mem,
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use gst::prelude::*;

use crate::{
    child::{fail, say},
    clock::{self, Usage},
    frames::{self, RATE, SLOW_SIZE, Stamp},
    job::{Job, Read, Said, Served, Task, Window},
    outlet::{self, Count, Outlet},
    rows::Row,
};

/// Bytes per frame, where it is not the stream that says.
pub const SIZE: usize = 60_000;
const SMALL: usize = 10_000;

/// Clients that read all they can, beside one that does not.
pub const HEALTHY: usize = 2;

/// Frames before memory is looked at, so that what a server takes once is not counted.
const WARM_UP: u64 = 2 * RATE;

pub fn run(job: &Job, orders: &Receiver<Window>) {
    let (outlet, count) = outlet::open(job.row);
    say(Said::Port(outlet.port()));
    let mut server = Server {
        outlet,
        count,
        row: job.row,
        number: 0,
        pushes: Vec::new(),
    };
    match job.task {
        Task::Crowd { clients, frames } => {
            server.await_clients(clients);
            let start = Usage::now();
            server.push(frames, |_| (SIZE, true));
            // What clients have not taken yet is still to be sent; they say when they have it all.
            say(Said::Ready);
            orders.recv().expect("an order");
            say(Said::Served(server.served(start)));
        }
        Task::Stats { clients, frames } => {
            server.await_clients(clients);
            let element = server.outlet.element().cloned();
            let element = element.unwrap_or_else(|| fail("nothing to read from"));
            let reading = Reading::start(element);
            server.push(frames, |_| (SIZE, true));
            say(Said::Read(reading.end()));
        }
        Task::Slow { stream, frames } => {
            server.await_clients(1 + HEALTHY);
            let start = Usage::now();
            server.push(frames, |number| {
                (SLOW_SIZE, frames::is_keyframe(stream, number))
            });
            say(Said::Served(server.served(start)));
        }
        Task::Stalled {
            clients,
            pause,
            frames,
        } => serve_stalled(&mut server, clients, pause, frames),
        Task::Rush { clients, .. } => {
            let count = mem::replace(&mut server.count, Box::new(|| 0));
            thread::spawn(move || server.push(u64::MAX, |_| (SMALL, true)));
            await_count(&count, clients);
            say(Said::LetIn(clock::now()));
            return;
        }
    }
    // It serves until the process ends.
    mem::forget(server);
}

/// A thread that reads what the element counts.
struct Reading {
    end: mpsc::Sender<()>,
    thread: thread::JoinHandle<Read>,
}

impl Reading {
    /// Somewhat less often than there are frames, so that it comes at any time between two.
    const PERIOD: Duration = Duration::from_millis(37);

    fn start(element: gst::Element) -> Self {
        let (end, ended) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut times = [const { Vec::new() }; 3];
            while let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(Self::PERIOD) {
                let [stats, copied_stats, num_clients] = &mut times;
                num_clients.push(time(|| element.property::<u32>("num-clients")));
                stats.push(time(|| element.property_value("stats")));
                copied_stats.push(time(|| element.property::<gst::Structure>("stats")));
            }
            let [stats, copied_stats, num_clients] = times.map(|mut times| {
                times.sort_unstable();
                [percentile(&times, 0.5), percentile(&times, 0.99)]
            });
            Read {
                stats,
                copied_stats,
                num_clients,
            }
        });
        Self { end, thread }
    }

    fn end(self) -> Read {
        drop(self.end);
        self.thread.join().expect("a thread that reads")
    }
}

/// Nanoseconds. What is made is let go of afterwards.
fn time<T>(make: impl FnOnce() -> T) -> u64 {
    let start = clock::now();
    let made = make();
    let end = clock::now();
    drop(made);
    end - start
}

fn serve_stalled(server: &mut Server, clients: usize, pause: u64, frames: u64) {
    server.await_clients(1);
    server.push(WARM_UP, |_| (SIZE, true));
    let before = (resident(), kernel_memory(), outlet::held());
    server.pushes.clear();
    let start = Usage::now();
    say(Said::Ready);
    while (server.count)() < 1 + clients {
        match pause {
            0 => server.push(1, |_| (SIZE, true)),
            pause => server.push_every(Duration::from_millis(pause), 1, |_| (SIZE, true)),
        }
    }
    server.push(frames, |_| (SIZE, true));
    say(Said::Served(Served {
        grown: resident() - before.0,
        kernel_grown: kernel_memory() - before.1,
        frames_grown: outlet::held() - before.2,
        ..server.served(start)
    }));
}

struct Server {
    outlet: Box<dyn Outlet>,
    count: Count,
    row: Row,
    number: u64,
    /// Nanoseconds.
    pushes: Vec<u64>,
}

impl Server {
    fn await_clients(&self, clients: usize) {
        await_count(&self.count, clients);
    }

    /// As many frames, one after the other as a camera has them.
    fn push(&mut self, frames: u64, size: impl Fn(u64) -> (usize, bool)) {
        self.push_every(Duration::from_secs(1) / RATE as u32, frames, size);
    }

    fn push_every(&mut self, period: Duration, frames: u64, size: impl Fn(u64) -> (usize, bool)) {
        let mut next = clock::now();
        for _ in 0..frames {
            clock::sleep_until(next);
            next += period.as_nanos() as u64;
            let (len, keyframe) = size(self.number);
            let stamp = Stamp {
                pushed: clock::now(),
                number: self.number,
                keyframe,
            };
            let frame = frames::bytes(len, stamp, !self.row.frames());
            self.outlet.push(frame, keyframe);
            self.pushes.push(clock::now() - stamp.pushed);
            self.number += 1;
        }
        clock::sleep_until(next);
    }

    fn served(&mut self, start: Usage) -> Served {
        let spent = Usage::now().since(start);
        self.pushes.sort_unstable();
        Served {
            cpu_seconds: spent.cpu_seconds,
            seconds: spent.seconds,
            push_p50: percentile(&self.pushes, 0.5),
            push_p99: percentile(&self.pushes, 0.99),
            ..Served::default()
        }
    }
}

fn await_count(count: &Count, clients: usize) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while count() < clients {
        if Instant::now() > deadline {
            fail(format!("{} of {clients} clients came", count()));
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Of sorted nanoseconds, in milliseconds.
pub fn percentile(sorted: &[u64], part: f64) -> f64 {
    let last = sorted.len().saturating_sub(1) as f64;
    let at = (last * part).round() as usize;
    sorted.get(at).map_or(f64::NAN, |&value| value as f64 / 1e6)
}

/// Bytes of memory that this process has in use.
fn resident() -> i64 {
    let pages = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * PAGE
}

/// Bytes of memory that the kernel has in use for TCP, of all processes.
fn kernel_memory() -> i64 {
    let stat = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let line = stat.lines().find(|line| line.starts_with("TCP:"));
    let pages = line.and_then(|line| line.split("mem ").nth(1)?.trim().parse().ok());
    pages.unwrap_or(0) * PAGE
}

const PAGE: i64 = 4096;
