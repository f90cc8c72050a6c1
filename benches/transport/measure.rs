// SPDX-License-Identifier: MPL-2.0
//! One measurement of one row and size.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    clock,
    clock::Spent,
    figures::{Figure, Figures},
    job::{Case, End, Job, Received, Said, Task, Window},
    process::Pair,
};

/// How long to measure.
pub struct Plan {
    pub seconds: f64,
    /// Frames per second where the delay is measured.
    pub pace: u32,
    pub warm_up: Duration,
}

/// Frames are pushed as fast as they are taken.
pub fn flood(case: Case, plan: &Plan) -> Result<Figures, String> {
    let (sent, received) = window(case, Task::Flood, plan, plan.seconds)?;
    let seconds = received.spent.seconds;
    let bytes = received.bytes as f64;
    let frames = bytes / case.size as f64;
    // The two windows differ by the time of a frame.
    let of_sender = |figure: f64| figure / sent.seconds * seconds;
    Ok(BTreeMap::from([
        (Figure::Rate, bytes / 1e9 / seconds),
        (Figure::Frames, frames / seconds),
        (Figure::SendCpu, of_sender(sent.cpu_seconds) / (bytes / 1e9)),
        (
            Figure::ReceiveCpu,
            received.spent.cpu_seconds / (bytes / 1e9),
        ),
        (Figure::SendFaults, of_sender(sent.faults) / frames),
        (Figure::ReceiveFaults, received.spent.faults / frames),
    ]))
}

/// Frames are pushed at their times.
pub fn paced(case: Case, plan: &Plan) -> Result<Figures, String> {
    let (_, received) = window(case, Task::Paced(plan.pace), plan, 2.0 * plan.seconds)?;
    let delays = received.delays.ok_or("no whole frame comes")?;
    let frames = received.bytes as f64 / case.size as f64;
    Ok(BTreeMap::from([
        (Figure::PacedFrames, frames / received.spent.seconds),
        (Figure::Delay50, delays.p50),
        (Figure::Delay99, delays.p99),
    ]))
}

fn window(case: Case, task: Task, plan: &Plan, seconds: f64) -> Result<(Spent, Received), String> {
    let seconds = Duration::from_secs_f64(seconds);
    let mut pair = Pair::new(PATIENCE + plan.warm_up + seconds);
    connect(&mut pair, case, task, [&[], &[]])?;
    await_flow(&pair)?;
    let from = clock::now() + plan.warm_up.as_nanos() as u64;
    let to = from + seconds.as_nanos() as u64;
    let order = Window { from, to };
    pair.order(order).map_err(|error| error.to_string())?;
    let (mut sent, mut received) = (None, None);
    loop {
        match pair.hear()? {
            Said::Sent(spent) => sent = Some(spent),
            Said::Received(arrived) => received = Some(arrived),
            _ => {}
        }
        if let (Some(sent), Some(received)) = (sent, received) {
            return match received.bytes {
                0 => Err("nothing comes".into()),
                _ => Ok((sent, received)),
            };
        }
    }
}

/// Starts the receiver, then the sender, each by way of a program or directly.
pub fn connect(
    pair: &mut Pair,
    case: Case,
    task: Task,
    [send_by, receive_by]: [&[&str]; 2],
) -> Result<(), String> {
    let start = |pair: &mut Pair, end, by| {
        let job = Job { case, task, end };
        pair.start(&job, by).map_err(|error| error.to_string())
    };
    start(pair, End::Receiver, receive_by)?;
    let port = loop {
        if let Said::Port(port) = pair.hear()? {
            break port;
        }
    };
    start(pair, End::Sender { port }, send_by)
}

fn await_flow(pair: &Pair) -> Result<(), String> {
    while !matches!(pair.hear()?, Said::Flowing) {}
    Ok(())
}

/// Beyond the time of the measurement itself.
pub const PATIENCE: Duration = Duration::from_secs(15);
