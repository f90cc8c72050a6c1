// SPDX-License-Identifier: MPL-2.0
//! A sender, a relay and ten viewers, of which some are killed, stalled and cut off again and again, for as long as is
//! wanted: what they use, and how late frames are, is not to grow. Each is a process of its own.

use std::{
    error::Error,
    path::PathBuf,
    process::exit,
    thread,
    time::{Duration, Instant},
};

use clap::Parser;

mod cable;
mod chart;
#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "each takes what it needs")]
mod common;
mod crew;
mod elements;
mod frames;
mod job;
mod mishaps;
#[path = "../../tests/soak/random.rs"]
mod random;
mod record;
mod viewer;

use common::{child, clock, machine, pipeline, table, tls};
use crew::{Crew, SPARED, VIEWERS};
use job::Job;
use mishaps::Mishaps;
use record::{PARTS, Record, median};
use table::{number, table};

/// Let a sender, a relay and ten viewers go through mishaps, and look whether anything grows
#[derive(Parser)]
struct Cli {
    /// How long
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Which mishaps: the same for the same number
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to draw what was used over time
    #[arg(long)]
    chart: Option<PathBuf>,
    /// What cargo says to a benchmark, and not to a test
    #[arg(long, hide = true)]
    bench: bool,
    /// What a child process is to do
    #[arg(long, hide = true, value_parser = Job::parse)]
    child: Option<Job>,
}

/// How often what is used is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Viewers have this long to receive again, in the end.
const RECOVERY: Duration = Duration::from_secs(20);

fn main() -> Result<(), Box<dyn Error>> {
    let cli = Cli::parse();
    if let Some(job) = cli.child {
        run(job);
    }
    if !cli.bench {
        println!("This takes minutes, so a test run leaves it out. To run it: make soak");
        return Ok(());
    }
    gst::init()?;
    println!("{}", machine::line());
    let mut mishaps = Mishaps::new(cli.seed);
    let (record, fault) = soak(cli.minutes, &mut mishaps)?;
    if let Some(file) = &cli.chart {
        chart::draw(file, &record, cli.minutes)?;
    }
    println!("\n{}", report(&record));
    println!(
        "{} frames were received, {} were missing. {}.",
        record.frames,
        record.missing,
        mishaps.told()
    );
    let grown = record.all().filter(|series| series.has_grown());
    let grown = grown.map(|series| format!("{}: {} grows", series.of, series.what.name()));
    let faults: Vec<_> = fault.into_iter().chain(grown).collect();
    for fault in &faults {
        println!("FAILED: {fault}");
    }
    exit(i32::from(!faults.is_empty()))
}

/// Says what was seen, and what has ended it early.
fn soak(minutes: f64, mishaps: &mut Mishaps) -> Result<(Record, Option<String>), String> {
    let mut crew = Crew::start()?;
    let watched = crew.watched();
    let names: Vec<_> = watched.iter().map(|&index| crew.name(index)).collect();
    let mut record = Record::of(&names);
    let length = Duration::from_secs_f64(minutes * 60.0);
    let (start, mut looked) = (Instant::now(), Instant::now());
    let mut part = 0;
    while part < PARTS {
        let lived = mishaps.befall(&mut crew, part < PARTS / 3);
        let heard = lived.and_then(|()| crew.hear(Duration::from_millis(20)));
        match heard {
            Ok(Some((index, viewed))) => record.view(&viewed, index < VIEWERS + SPARED),
            Ok(None) => (),
            Err(fault) => return Ok((record, Some(fault))),
        }
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            for (process, &index) in watched.iter().enumerate() {
                record.look(part, process, crew.pid(index));
            }
            if let Some(fault) = crew.forgotten() {
                return Ok((record, Some(fault)));
            }
        }
        part = (start.elapsed().as_secs_f64() / length.as_secs_f64() * PARTS as f64) as usize;
        record.reach(part);
    }
    mishaps.cease(&mut crew);
    let fault = recover(&mut crew).err();
    Ok((record, fault))
}

/// With nothing in their way all viewers receive.
fn recover(crew: &mut Crew) -> Result<(), String> {
    let deadline = Instant::now() + RECOVERY;
    // What is said first may be of before.
    await_all(crew, deadline)?;
    await_all(crew, deadline)
}

fn await_all(crew: &mut Crew, deadline: Instant) -> Result<(), String> {
    let mut silent: Vec<_> = (VIEWERS..crew.members.len()).collect();
    while let Some(&first) = silent.first() {
        if Instant::now() > deadline {
            return Err(format!("{} receives nothing in the end", crew.name(first)));
        }
        if let Some((heard, _)) = crew.hear(Duration::from_millis(100))? {
            silent.retain(|&index| index != heard);
        }
    }
    Ok(())
}

fn report(record: &Record) -> String {
    let heads = ["", "median", "growth over the later two thirds"];
    let lines = record.all().map(|series| {
        let middle = median(series.later().iter().map(|point| point.1).collect());
        let growth = series.growth().map(|growth| format!("{growth:+.2}"));
        vec![
            format!("{}: {}", series.of, series.what.name()),
            number(middle),
            growth.unwrap_or_default(),
        ]
    });
    let first = heads.map(String::from).to_vec();
    let lines: Vec<_> = [first].into_iter().chain(lines).collect();
    table(&lines)
}

/// One process.
fn run(job: Job) -> ! {
    let _orders = child::orders();
    gst::init().unwrap_or_else(|error| child::fail(error));
    gstvideosocket::plugin_register_static().unwrap_or_else(|error| child::fail(error));
    match job {
        Job::Sender => elements::send(),
        Job::Relay { port } => elements::relay(port),
        Job::Viewer { kind, port } => viewer::view(kind, port),
    }
    loop {
        thread::park();
    }
}
