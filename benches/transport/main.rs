//! What it takes to move frames from one process to another: the elements of this crate beside plain
//! sockets and beside GStreamer's own ways.

use std::{error::Error, path::PathBuf, time::Duration};

use clap::Parser;

mod child;
mod clock;
mod figures;
mod job;
mod machine;
mod measure;
mod meter;
mod pads;
mod process;
mod raw;
mod receiver;
mod report;
mod rows;
mod sender;

use figures::Results;
use job::Job;
use measure::Plan;
use rows::Row;

/// Compare ways to move frames between two processes
#[derive(Parser)]
struct Cli {
    /// How often everything is measured; the medians are reported [default: 5, quick: 1]
    #[arg(long)]
    rounds: Option<usize>,
    /// Bytes per frame
    #[arg(long, value_delimiter = ',', default_values_t = rows::SIZES)]
    sizes: Vec<usize>,
    /// What to compare
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = rows::ALL)]
    rows: Vec<Row>,
    /// How long one measurement lasts [default: 1, quick: 0.2]
    #[arg(long)]
    seconds: Option<f64>,
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

fn main() -> Result<(), Box<dyn Error>> {
    let cli = Cli::parse();
    if let Some(job) = cli.child {
        child::run(&job);
    }
    if !cli.bench {
        println!("This takes minutes, so a test run leaves it out. To run it: make bench");
        return Ok(());
    }
    gst::init()?;
    gstvideosocket::plugin_register_static()?;

    let plan = Plan {
        seconds: cli.seconds.unwrap_or(if cli.quick { 0.2 } else { 1.0 }),
        warm_up: Duration::from_millis(if cli.quick { 50 } else { 200 }),
    };
    let mut results = Results::default();
    let rows = available(&cli.rows, &mut results);
    let rounds = cli.rounds.unwrap_or(if cli.quick { 1 } else { 5 });
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for &size in &cli.sizes {
            for &row in rows.iter().filter(|row| row.takes(size)) {
                results.add(row, size, measure::flood(row, size, &plan));
            }
        }
    }
    print!("{}", report::text(&results, &cli.rows, &cli.sizes));
    std::fs::create_dir_all(&cli.out)?;
    let table = cli.out.join("transport.csv");
    std::fs::write(&table, report::csv(&results, &cli.rows, &cli.sizes))?;
    println!("\n{}", table.display());
    Ok(())
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
