// SPDX-License-Identifier: MPL-2.0
//! What it takes to move frames from one process to another: the elements of this crate beside plain
//! sockets and beside GStreamer's own ways.

use std::{error::Error, fs, path::PathBuf, thread, time::Duration};

use clap::{Parser, ValueEnum};

mod calls;
mod chart;
#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "each takes what it needs")]
mod common;
mod figures;
mod job;
mod measure;
mod meter;
mod outlet;
mod pads;
mod pressure;
mod raw;
mod receiver;
mod report;
mod rows;
mod sender;
mod tls_server;

use calls::Counter;
use common::{child, clock, machine, pipeline, process, table, tls, tls_client};
use figures::{Figure, Results};
use job::{Case, End, Job};
use measure::Plan;
use rows::Row;

/// Compare ways to move frames between two processes
#[derive(Parser)]
struct Cli {
    /// How often rates and delays are measured; the medians are reported [default: 5, quick: 1]
    #[arg(long)]
    rounds: Option<usize>,
    /// Bytes per frame, for rates and calls
    #[arg(long, value_delimiter = ',', default_values_t = rows::SIZES)]
    sizes: Vec<usize>,
    /// What to compare
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = rows::ALL)]
    rows: Vec<Row>,
    /// What to find out
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = [Part::Rates, Part::Delays, Part::Calls])]
    only: Vec<Part>,
    /// How long a rate is measured; a delay takes twice as long [default: 1, quick: 0.2]
    #[arg(long)]
    seconds: Option<f64>,
    /// Frames per second where the delay is measured
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pace: u32,
    /// Push frames that have no time to be shown at
    #[arg(long)]
    untimed: bool,
    /// To see that it works: the figures are rough
    #[arg(long)]
    quick: bool,
    /// Where the results go
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
    /// What cargo says to a benchmark, and not to a test
    #[arg(long, hide = true)]
    bench: bool,
    /// What a child process is to do
    #[arg(long, hide = true, value_parser = Job::parse)]
    child: Option<Job>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Part {
    /// Frames as fast as they go, with what they cost
    Rates,
    /// From push to arrival
    Delays,
    /// System calls per frame, by perf or strace
    Calls,
}

fn main() -> Result<(), Box<dyn Error>> {
    let cli = Cli::parse();
    if let Some(job) = cli.child {
        run(&job);
    }
    if !cli.bench {
        println!("This takes minutes, so a test run leaves it out. To run it: make bench");
        return Ok(());
    }
    gst::init()?;
    gstvideosocket::plugin_register_static()?;
    fs::create_dir_all(&cli.out)?;

    let pressure = pressure::tcp_memory_pressure();
    let results = measure_all(&cli);
    let pressure = pressure::tcp_memory_pressure() - pressure;
    print!(
        "{}",
        report::text(&results, &cli.only, &cli.rows, &cli.sizes, cli.pace)
    );
    if pressure > 0 {
        println!(
            "\nDo not trust this: for {pressure} ms the kernel had too little memory for TCP."
        );
    }
    let table = cli.out.join("transport.csv");
    fs::write(&table, report::csv(&results, &cli.rows, &cli.sizes))?;
    println!("\n{}", table.display());
    if cli.only.contains(&Part::Rates) {
        let picture = cli.out.join("transport.svg");
        chart::draw(&picture, &results, &cli.rows, &cli.sizes)?;
        println!("{}", picture.display());
    }
    Ok(())
}

/// A round has one of everything: what else the machine does is spread over all of them.
fn measure_all(cli: &Cli) -> Results {
    let plan = Plan {
        seconds: cli.seconds.unwrap_or(if cli.quick { 0.2 } else { 1.0 }),
        pace: cli.pace,
        warm_up: Duration::from_millis(if cli.quick { 50 } else { 200 }),
    };
    let mut results = Results::default();
    let rows = available(&cli.rows, &mut results);
    let rounds = cli.rounds.unwrap_or(if cli.quick { 1 } else { 5 });
    let mut in_turn = rows.clone();
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        if cli.only.contains(&Part::Rates) {
            let cases: Vec<_> = cases(&in_turn, &cli.sizes, cli.untimed).collect();
            rates(&cases, &plan, &mut results);
        }
        if cli.only.contains(&Part::Delays) {
            let cases = cases(&in_turn, &rows::PACED_SIZES, cli.untimed);
            for case in cases.filter(|case| case.row.batch() == 1) {
                results.add(Part::Delays, case, measure::paced(case, &plan));
            }
        }
        // What was measured just before has its influence.
        in_turn.reverse();
    }
    if cli.only.contains(&Part::Calls)
        && let Some(counter) = Counter::find()
    {
        eprintln!("system calls, by {}", counter.name());
        for case in cases(&rows, &cli.sizes, cli.untimed) {
            results.add(Part::Calls, case, counter.count(case, &cli.out));
        }
    }
    results
}

/// Measures each case and compares those of one size, which were measured when the machine was as busy.
fn rates(cases: &[Case], plan: &Plan, results: &mut Results) {
    for of_size in cases.chunk_by(|a, b| a.size == b.size) {
        let found: Vec<_> = of_size
            .iter()
            .map(|&case| (case, measure::flood(case, plan)))
            .collect();
        let raw = found.iter().find(|(case, _)| case.row == Row::Raw);
        let raw = raw.and_then(|(_, found)| Some(found.as_ref().ok()?[&Figure::Rate]));
        for (case, mut found) in found {
            if let (Ok(figures), Some(raw)) = (&mut found, raw) {
                figures.insert(Figure::OfRaw, figures[&Figure::Rate] / raw);
            }
            results.add(Part::Rates, case, found);
        }
    }
}

fn cases(rows: &[Row], sizes: &[usize], untimed: bool) -> impl Iterator<Item = Case> {
    let of_size = move |&size| {
        let rows = rows.iter().filter(move |row| row.takes(size));
        rows.map(move |&row| Case {
            row,
            size,
            timed: !untimed || row.needs_times(),
        })
    };
    sizes.iter().flat_map(of_size)
}

/// One end of a connection, in a process of its own.
fn run(job: &Job) -> ! {
    let orders = child::orders();
    gst::init().unwrap_or_else(|error| child::fail(error));
    gstvideosocket::plugin_register_static().unwrap_or_else(|error| child::fail(error));
    match job.end {
        End::Sender { port } => sender::run(job, port, &orders),
        End::Receiver => receiver::run(job, &orders),
    }
    loop {
        thread::park();
    }
}

/// Those whose elements are installed.
fn available(rows: &[Row], results: &mut Results) -> Vec<Row> {
    let mut available = Vec::new();
    for &row in rows {
        let lacks: Vec<_> = row
            .elements()
            .filter(|name| gst::ElementFactory::find(name).is_none())
            .collect();
        if lacks.is_empty() {
            available.push(row);
        } else {
            results.leave_out(row, format!("not installed: {}", lacks.join(", ")));
        }
    }
    available
}
