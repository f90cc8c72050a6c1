// SPDX-License-Identifier: MPL-2.0
//! One measurement: good peers by themselves, then beside strangers.

use std::{thread, time::Duration};

use crate::{
    job::{Case, Crowd, End, Flow, Job, Said, Used, Window},
    process::Pair,
    table::number,
};

/// Strangers have this long to come.
const ARRIVAL: Duration = Duration::from_secs(30);

/// What all say of a while.
#[derive(Default)]
struct Report {
    flow: Flow,
    used: Used,
    connected: usize,
}

pub struct Scene {
    pub case: Case,
    pub good: usize,
    pub crowd: Crowd,
    /// From as many addresses.
    pub processes: usize,
    pub seconds: u64,
}

pub const HEADS: [&str; 14] = [
    "",
    "alone: lost",
    "delay p50, ms",
    "p99",
    "as strangers come: lost",
    "p99, ms",
    "beside them: lost",
    "p50, ms",
    "p99, ms",
    "strangers connected",
    "kB each",
    "kernel, kB each",
    "server's processors",
    "one more begins after ms",
];

pub fn line(scene: &Scene) -> Vec<String> {
    let name = scene.case.name().to_string();
    let cells = cells(scene).unwrap_or_else(|reason| vec![reason]);
    [name].into_iter().chain(cells).collect()
}

fn cells(scene: &Scene) -> Result<Vec<String>, String> {
    let limit = 4 * scene.seconds + 3 * ARRIVAL.as_secs() + 60;
    let mut pair = Pair::new(Duration::from_secs(limit));
    let case = scene.case;
    let start = |pair: &mut Pair, end| {
        let job = Job { case, end };
        // Theirs would be other machines' processors.
        let by: &[&str] = match end {
            End::Strangers { .. } => &["chrt", "--other", "0", "nice", "-n", "10"],
            End::Server | End::Good { .. } => &[],
        };
        pair.start(&job, by).map_err(|error| error.to_string())
    };
    start(&mut pair, End::Server)?;
    let port = loop {
        if let Said::Port(port) = pair.hear()? {
            break port;
        }
    };
    let count = scene.good;
    start(&mut pair, End::Good { port, count })?;
    // Until all is as it will be.
    report_after(&mut pair, Duration::from_secs(3), 0)?;
    let seconds = Duration::from_secs(scene.seconds);
    let alone = report_after(&mut pair, seconds, 0)?;
    for index in 0..scene.processes {
        let crowd = scene.crowd.part(scene.processes);
        let host = 2 + index as u8;
        start(&mut pair, End::Strangers { port, host, crowd })?;
    }
    let arrival = report_after(&mut pair, ARRIVAL, scene.processes)?;
    let beside = report_after(&mut pair, seconds, scene.processes)?;
    // Who has announced a frame to a source keeps its turn, and with TLS none of them gets as far.
    let joined = match case {
        Case::Source => None,
        _ => Some(join(&mut pair)?),
    };
    let strangers = scene.crowd.len() as f64;
    let each = |more: i64| number(Some(more as f64 / 1e3 / strangers));
    Ok(vec![
        alone.flow.lost.to_string(),
        number(Some(alone.flow.p50)),
        number(Some(alone.flow.p99)),
        arrival.flow.lost.to_string(),
        number(Some(arrival.flow.p99)),
        beside.flow.lost.to_string(),
        number(Some(beside.flow.p50)),
        number(Some(beside.flow.p99)),
        beside.connected.to_string(),
        each(beside.used.resident - alone.used.resident),
        each(beside.used.sockets - alone.used.sockets),
        number(Some(beside.used.processors)),
        number(joined),
    ])
}

/// What there was in so long a time.
fn report_after(pair: &mut Pair, time: Duration, strangers: usize) -> Result<Report, String> {
    thread::sleep(time);
    let order = pair.order(Window::Report);
    order.map_err(|error| error.to_string())?;
    let mut report = Report::default();
    let mut missing = 2 + strangers;
    while missing > 0 {
        match pair.hear()? {
            Said::Flow(flow) => report.flow = flow,
            Said::Used(used) => report.used = used,
            Said::Connected(connected) => report.connected += connected,
            _ => continue,
        }
        missing -= 1;
    }
    Ok(report)
}

/// How long one more waits among the strangers, or the sender that comes again.
fn join(pair: &mut Pair) -> Result<f64, String> {
    let order = pair.order(Window::Join);
    order.map_err(|error| error.to_string())?;
    loop {
        if let Said::Joined(after) = pair.hear()? {
            return Ok(after);
        }
    }
}
