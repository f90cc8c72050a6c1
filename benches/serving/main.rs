// SPDX-License-Identifier: MPL-2.0
//! What it takes to serve many clients, and what slow ones cost: videosocketsink beside a loop of plain
//! `send` and beside tcpserversink. Server and clients are processes of their own.

use std::{error::Error, thread};

use clap::{Parser, ValueEnum};

mod clients;
#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "each takes what it needs")]
mod common;
mod frames;
mod job;
mod measure;
mod outlet;
mod rows;
mod server;

use common::{child, clock, machine, pipeline, process, table, tls, tls_client};
use job::{End, Job};

/// Compare ways to serve many clients
#[derive(Parser)]
struct Cli {
    /// What to measure
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = ITEMS)]
    items: Vec<Item>,
    /// Clients that read all they can
    #[arg(long, default_value_t = 500)]
    crowd: usize,
    /// How long they do, in seconds
    #[arg(long, default_value_t = 10)]
    crowd_seconds: u64,
    /// How often that is measured; the medians are reported
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Clients that read nothing
    #[arg(long, default_value_t = 1_000)]
    stalled: usize,
    /// How long the stream goes on beside them, in seconds
    #[arg(long, default_value_t = 10)]
    stalled_seconds: u64,
    /// How long one client reads at half the rate of the stream, in seconds
    #[arg(long, default_value_t = 120)]
    slow_seconds: u64,
    /// Clients that connect at once
    #[arg(long, default_value_t = 1_000)]
    rush: usize,
    /// How long they wait for their first bytes, in seconds
    #[arg(long, default_value_t = 30)]
    rush_seconds: u64,
    /// To see that it works: the figures are rough
    #[arg(long)]
    quick: bool,
    /// What cargo says to a benchmark, and not to a test
    #[arg(long, hide = true)]
    bench: bool,
    /// What a child process is to do
    #[arg(long, hide = true, value_parser = Job::parse)]
    child: Option<Job>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Item {
    /// Many clients that read all they can
    Crowd,
    /// The same, while another thread reads what the element counts
    Stats,
    /// Many clients that read nothing
    Stalled,
    /// One client that is slower than the stream
    Slow,
    /// Many clients that connect at once
    Rush,
}

const ITEMS: [Item; 5] = [
    Item::Crowd,
    Item::Stats,
    Item::Stalled,
    Item::Slow,
    Item::Rush,
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut cli = Cli::parse();
    if let Some(job) = cli.child {
        run(&job);
    }
    if !cli.bench {
        println!("This takes minutes, so a test run leaves it out. To run it: make bench-serving");
        return Ok(());
    }
    gst::init()?;
    if cli.quick {
        cli.shorten();
    }
    println!("{}", machine::line());
    for item in &cli.items {
        let text = match item {
            Item::Crowd => measure::crowd(cli.crowd, cli.crowd_seconds, cli.rounds),
            Item::Stats => measure::stats(cli.crowd, cli.crowd_seconds, cli.rounds),
            Item::Stalled => measure::stalled(cli.stalled, cli.stalled_seconds),
            Item::Slow => measure::slow(cli.slow_seconds),
            Item::Rush => measure::rush(cli.rush, cli.rush_seconds),
        };
        println!("\n{text}");
    }
    Ok(())
}

impl Cli {
    fn shorten(&mut self) {
        (self.crowd, self.crowd_seconds, self.rounds) = (20, 1, 1);
        (self.stalled, self.stalled_seconds, self.slow_seconds) = (20, 2, 5);
        (self.rush, self.rush_seconds) = (50, 5);
    }
}

/// One side, in a process of its own.
fn run(job: &Job) -> ! {
    let orders = child::orders();
    gst::init().unwrap_or_else(|error| child::fail(error));
    gstvideosocket::plugin_register_static().unwrap_or_else(|error| child::fail(error));
    match job.end {
        End::Server => server::run(job, &orders),
        End::Clients { port } => clients::run(job, port, &orders),
    }
    loop {
        thread::park();
    }
}
