// SPDX-License-Identifier: MPL-2.0
//! The measurements, each as a table.

use std::{thread, time::Duration};

use crate::{
    frames::{RATE, SLOW_SIZE, wire_len},
    job::{Drained, End, Job, Read, Said, Served, Stream, Task, Watched, Window},
    process::Pair,
    rows::Row,
    server::{HEALTHY, SIZE},
    table::{number, table},
};

type Cells = Result<Vec<String>, String>;

/// Clients that read all they can.
pub fn crowd(clients: usize, seconds: u64, rounds: usize) -> String {
    let frames = seconds * RATE;
    let rows = [Row::Loop, Row::Videosocket, Row::VideosocketTls, Row::Tcp];
    let mut runs = rows.map(|_| Vec::new());
    let mut failures = rows.map(|_| None);
    for _ in 0..rounds {
        for (index, &row) in rows.iter().enumerate() {
            match crowd_once(row, clients, frames) {
                Ok(run) => runs[index].push(run),
                Err(reason) => failures[index] = Some(reason),
            }
        }
    }
    let limit = cost(&runs[0]);
    let due = frames * wire_len(SIZE);
    let lines = rows.iter().zip(runs.iter().zip(failures));
    let lines = lines.map(|(row, (runs, failure))| {
        let mut cells = crowd_cells(runs, due, limit);
        // Behind the last column.
        cells.extend(failure);
        line(row.name(), Ok(cells))
    });
    let title = format!("{clients} clients, {RATE} frames/s of {} kB", SIZE / 1000);
    let heads = [
        "% of all, least client",
        "GB/s",
        "server CPU s/GB",
        "of loop",
        "push ms, p50",
        "p99",
    ];
    with_heads(&title, &heads, lines)
}

/// Processor time of the server, in seconds for each GB.
fn cost(runs: &[(Served, Drained)]) -> Option<f64> {
    median(runs, |(served, drained)| {
        served.cpu_seconds / (drained.total as f64 / 1e9)
    })
}

fn crowd_cells(runs: &[(Served, Drained)], due: u64, limit: Option<f64>) -> Vec<String> {
    let least = runs.iter().map(|(_, drained)| drained.least).min();
    let rate = |(served, drained): &(Served, Drained)| drained.total as f64 / 1e9 / served.seconds;
    vec![
        number(least.map(|least| 100.0 * least as f64 / due as f64)),
        number(median(runs, rate)),
        number(cost(runs)),
        number(cost(runs).zip(limit).map(|(cost, limit)| cost / limit)),
        number(median(runs, |(served, _)| served.push_p50)),
        number(median(runs, |(served, _)| served.push_p99)),
    ]
}

fn crowd_once(row: Row, clients: usize, frames: u64) -> Result<(Served, Drained), String> {
    let task = Task::Crowd { clients, frames };
    let mut pair = start(row, task, 120 + frames / RATE)?;
    let mut drained = None;
    let mut is_ready = false;
    loop {
        match pair.hear()? {
            Said::Drained(all) => drained = Some(all),
            Said::Ready => is_ready = true,
            Said::Served(served) => return Ok((served, drained.ok_or("served too soon")?)),
            _ => {}
        }
        if is_ready && drained.is_some() {
            is_ready = false;
            pair.order(Window).map_err(|error| error.to_string())?;
        }
    }
}

/// Reading properties while clients read all they can.
pub fn stats(clients: usize, seconds: u64, rounds: usize) -> String {
    let frames = seconds * RATE;
    let runs: Result<Vec<_>, _> = (0..rounds).map(|_| stats_once(clients, frames)).collect();
    let cells = runs.map(|runs| {
        let figures: [fn(&Read) -> [f64; 2]; 3] = [
            |read| read.stats,
            |read| read.copied_stats,
            |read| read.num_clients,
        ];
        let figures = figures
            .iter()
            .flat_map(|figure| [0, 1].map(|part| number(median(&runs, |read| figure(read)[part]))));
        figures.collect()
    });
    let title = format!("Reading properties, with {clients} clients; ms");
    let heads = [
        "stats, p50",
        "p99",
        "with a copy, p50",
        "p99",
        "num-clients, p50",
        "p99",
    ];
    let row = Row::Videosocket;
    with_heads(&title, &heads, [line(row.name(), cells)].into_iter())
}

fn stats_once(clients: usize, frames: u64) -> Result<Read, String> {
    let task = Task::Stats { clients, frames };
    let pair = start(Row::Videosocket, task, 120 + frames / RATE)?;
    loop {
        if let Said::Read(read) = pair.hear()? {
            return Ok(read);
        }
    }
}

/// Clients that read nothing, all at once and each from another frame on.
pub fn stalled(clients: usize, seconds: u64) -> String {
    let rows = [Row::Videosocket, Row::Tcp, Row::TcpLimited];
    // The stream is as fast as they come.
    let pauses = [(0, "at once"), (10, "each on another frame")];
    let cases = pauses.iter().flat_map(|pause| rows.map(|row| (row, pause)));
    let lines = cases.map(|(row, (pause, how))| {
        let cells = stalled_once(row, clients, *pause, seconds).map(|served| {
            let megabytes = |bytes: i64| number(Some(bytes as f64 / 1e6));
            let own = served.grown - served.frames_grown;
            vec![
                megabytes(served.grown),
                megabytes(served.frames_grown),
                number(Some(own as f64 / 1e3 / clients as f64)),
                megabytes(served.kernel_grown),
                number(Some(served.push_p50)),
                number(Some(served.push_p99)),
            ]
        });
        line(&format!("{}, {how}", row.name()), cells)
    });
    let title = format!(
        "{clients} clients that read nothing, {RATE} frames/s of {} kB",
        SIZE / 1000
    );
    let heads = [
        "server grows by MB",
        "of that frames",
        "kB per client, else",
        "kernel, MB",
        "push ms, p50",
        "p99",
    ];
    with_heads(&title, &heads, lines)
}

fn stalled_once(row: Row, clients: usize, pause: u64, seconds: u64) -> Result<Served, String> {
    let task = Task::Stalled {
        clients,
        pause,
        frames: seconds * RATE,
    };
    let limit = 60 + seconds + clients as u64 * pause / 500;
    let mut pair = start(row, task, limit)?;
    loop {
        match pair.hear()? {
            Said::Ready => pair.order(Window).map_err(|error| error.to_string())?,
            Said::Served(served) => return Ok(served),
            _ => {}
        }
    }
}

/// One client that reads at half the rate of the stream.
pub fn slow(seconds: u64) -> String {
    let rows = [
        Row::Videosocket,
        Row::VideosocketOne,
        Row::Tcp,
        Row::TcpLimited,
    ];
    let streams = [Stream::Jpeg, Stream::H264];
    let cases = streams
        .iter()
        .flat_map(|&stream| rows.map(|row| (row, stream)));
    // They need little more than time.
    let running: Vec<_> = cases
        .map(|(row, stream)| {
            (
                row,
                stream,
                thread::spawn(move || slow_once(row, stream, seconds)),
            )
        })
        .collect();
    let lines: Vec<_> = running
        .into_iter()
        .map(|(row, stream, running)| {
            let clients = running.join().expect("a measurement");
            let name = format!("{stream:?}, {}", row.name());
            line(&name, clients.map(|clients| slow_cells(&clients)))
        })
        .collect();
    let title = format!(
        "A client at half of {RATE} frames/s of {} kB, {seconds} s; ages in ms",
        SLOW_SIZE / 1000
    );
    let heads = [
        "frames",
        "lost",
        "resumed without keyframe",
        "age p50",
        "p99",
        "most",
        "others lost",
        "others' p99",
    ];
    with_heads(&title, &heads, lines.into_iter())
}

fn slow_cells(clients: &[Watched]) -> Vec<String> {
    let (slow, others): (Vec<&Watched>, Vec<&Watched>) =
        clients.iter().partition(|client| client.is_slow);
    let slow = slow[0];
    let lost: u64 = others.iter().map(|client| client.lost).sum();
    let worst = others.iter().map(|client| client.age_p99);
    vec![
        slow.frames.to_string(),
        slow.lost.to_string(),
        slow.undecodable.to_string(),
        number(Some(slow.age_p50)),
        number(Some(slow.age_p99)),
        number(Some(slow.age_most)),
        lost.to_string(),
        number(worst.max_by(f64::total_cmp)),
    ]
}

fn slow_once(row: Row, stream: Stream, seconds: u64) -> Result<Vec<Watched>, String> {
    let frames = seconds * RATE;
    // What waits where nothing is dropped takes as long again.
    let pair = start(row, Task::Slow { stream, frames }, 60 + 2 * seconds)?;
    let mut clients = Vec::new();
    while clients.len() < 1 + HEALTHY {
        if let Said::Watched(watched) = pair.hear()? {
            clients.push(watched);
        }
    }
    Ok(clients)
}

/// Clients that connect at once.
pub fn rush(clients: usize, seconds: u64) -> String {
    let lines = [Row::Loop, Row::Videosocket, Row::Tcp]
        .into_iter()
        .map(|row| {
            let cells = rush_once(row, clients, seconds)
                .map(|times| times.map(|ms| number(Some(ms))).to_vec());
            line(row.name(), cells)
        });
    let title = format!("{clients} clients connect at once; ms until");
    let heads = ["all are connected", "all are let in", "all have bytes"];
    with_heads(&title, &heads, lines)
}

fn rush_once(row: Row, clients: usize, seconds: u64) -> Result<[f64; 3], String> {
    let pair = start(row, Task::Rush { clients, seconds }, 60 + seconds)?;
    let (mut let_in, mut rushed) = (None, None);
    loop {
        match pair.hear()? {
            Said::LetIn(at) => let_in = Some(at),
            Said::Rushed(times) => rushed = Some(times),
            _ => {}
        }
        if let (Some(let_in), Some(times)) = (let_in, rushed) {
            let since = |at: u64| at.saturating_sub(times.began) as f64 / 1e6;
            return Ok([
                since(times.last_connected),
                since(let_in),
                since(times.last_served),
            ]);
        }
    }
}

/// A server, then its clients. `limit` is in seconds.
fn start(row: Row, task: Task, limit: u64) -> Result<Pair, String> {
    let mut pair = Pair::new(Duration::from_secs(limit));
    let begin = |pair: &mut Pair, end| {
        let job = Job { row, task, end };
        pair.start(&job, &[]).map_err(|error| error.to_string())
    };
    begin(&mut pair, End::Server)?;
    loop {
        if let Said::Port(port) = pair.hear()? {
            begin(&mut pair, End::Clients { port })?;
            return Ok(pair);
        }
    }
}

fn median<T>(runs: &[T], figure: impl Fn(&T) -> f64) -> Option<f64> {
    let mut values: Vec<_> = runs.iter().map(figure).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn line(name: &str, cells: Cells) -> Vec<String> {
    let cells = cells.unwrap_or_else(|reason| vec![reason]);
    [name.into()].into_iter().chain(cells).collect()
}

fn with_heads(title: &str, heads: &[&str], lines: impl Iterator<Item = Vec<String>>) -> String {
    let heads = heads.iter().map(|head| String::from(*head));
    let first = [String::from(title)].into_iter().chain(heads).collect();
    let lines: Vec<_> = [first].into_iter().chain(lines).collect();
    table(&lines)
}
