// SPDX-License-Identifier: MPL-2.0
//! Good peers of an element that listens, beside strangers: what these cost, and whether the good ones notice.
//! All are processes of their own, within this host.

use std::{error::Error, thread};

use clap::Parser;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "each takes what it needs")]
mod common;
mod elements;
mod good;
mod job;
mod log;
mod measure;
mod server;
mod stranger;

use common::{child, clock, machine, pipeline, process, table, tls};
use job::{Case, Crowd, End, Job};
use measure::Scene;

/// Measure what strangers cost an element that listens
#[derive(Parser)]
struct Cli {
    /// What listens
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = CASES)]
    cases: Vec<Case>,
    /// Strangers that announce 99,999,999 bytes and send none
    #[arg(long, default_value_t = 10_000)]
    announce: usize,
    /// Strangers that send one byte a second
    #[arg(long, default_value_t = 5_000)]
    dribble: usize,
    /// Strangers that begin a TLS handshake
    #[arg(long, default_value_t = 1_000)]
    handshakes: usize,
    /// Good clients of a sink, each sent 30 frames a second
    #[arg(long, default_value_t = 20)]
    good: usize,
    /// Strangers come from as many processes, each with an address
    #[arg(long, default_value_t = 4)]
    processes: usize,
    /// How long, before and beside the strangers
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// To see that it works: a hundredth of the strangers
    #[arg(long)]
    quick: bool,
    /// What cargo says to a benchmark, and not to a test
    #[arg(long, hide = true)]
    bench: bool,
    /// What a child process is to do
    #[arg(long, hide = true, value_parser = Job::parse)]
    child: Option<Job>,
}

const CASES: [Case; 4] = [Case::Sink, Case::TlsSink, Case::Source, Case::TlsSource];

fn main() -> Result<(), Box<dyn Error>> {
    let mut cli = Cli::parse();
    if let Some(job) = cli.child {
        run(&job);
    }
    if !cli.bench {
        println!(
            "This takes minutes, so a test run leaves it out. To run it: make bench-strangers"
        );
        return Ok(());
    }
    gst::init()?;
    if cli.quick {
        cli.shorten();
    }
    println!("{}", machine::line());
    let crowd = Crowd {
        announce: cli.announce,
        dribble: cli.dribble,
        handshakes: cli.handshakes,
    };
    println!(
        "{} strangers announce 99,999,999 bytes and send none, {} send one a second, {} begin a TLS handshake\n",
        crowd.announce, crowd.dribble, crowd.handshakes
    );
    let lines = cli.cases.iter().map(|&case| {
        measure::line(&Scene {
            case,
            good: if case.is_sink() { cli.good } else { 1 },
            crowd,
            processes: cli.processes,
            seconds: cli.seconds,
        })
    });
    let first = measure::HEADS.map(String::from).to_vec();
    let lines: Vec<_> = [first].into_iter().chain(lines).collect();
    println!("{}", table::table(&lines));
    Ok(())
}

impl Cli {
    fn shorten(&mut self) {
        for count in [&mut self.announce, &mut self.dribble, &mut self.handshakes] {
            *count /= 100;
        }
        self.seconds = 3;
    }
}

/// One process.
fn run(job: &Job) -> ! {
    raise_limit().unwrap_or_else(|error| child::fail(error));
    let orders = child::orders();
    gst::init().unwrap_or_else(|error| child::fail(error));
    gstvideosocket::plugin_register_static().unwrap_or_else(|error| child::fail(error));
    match job.end {
        End::Server => server::run(job.case, &orders),
        End::Good { port, count } => good::run(job.case, port, count, &orders),
        End::Strangers { port, host, crowd } => stranger::run(job, port, host, crowd, &orders),
    }
    loop {
        thread::park();
    }
}

/// Of descriptors, as far as this process may.
fn raise_limit() -> nix::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)
}
