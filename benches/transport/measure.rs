//! One measurement of one row and size.

use std::time::Duration;

use crate::{
    clock,
    figures::Figure::{self, *},
    job::{End, Job, Received, Said, Spent, Task, Window},
    process::Pair,
    rows::Row,
};

/// How long to measure.
pub struct Plan {
    pub seconds: f64,
    pub warm_up: Duration,
}

pub type Figures = Vec<(Figure, f64)>;

/// Frames are pushed as fast as they are taken.
pub fn flood(row: Row, size: usize, plan: &Plan) -> Result<Figures, String> {
    let (sent, received) = window(row, size, Task::Flood, plan, plan.seconds)?;
    let seconds = received.spent.seconds;
    let bytes = received.bytes as f64;
    let frames = bytes / size as f64;
    // The two windows differ by the time of a frame.
    let of_sender = |figure: f64| figure / sent.seconds * seconds;
    Ok(vec![
        (Rate, bytes / 1e9 / seconds),
        (Frames, frames / seconds),
        (SendCpu, of_sender(sent.cpu_seconds) / (bytes / 1e9)),
        (ReceiveCpu, received.spent.cpu_seconds / (bytes / 1e9)),
        (SendFaults, of_sender(sent.faults) / frames),
        (ReceiveFaults, received.spent.faults / frames),
    ])
}

fn window(
    row: Row,
    size: usize,
    task: Task,
    plan: &Plan,
    seconds: f64,
) -> Result<(Spent, Received), String> {
    let seconds = Duration::from_secs_f64(seconds);
    let mut pair = Pair::new(PATIENCE + plan.warm_up + seconds);
    connect(&mut pair, row, size, task, [&[], &[]])?;
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
fn connect(
    pair: &mut Pair,
    row: Row,
    size: usize,
    task: Task,
    [send_by, receive_by]: [&[&str]; 2],
) -> Result<(), String> {
    let start = |pair: &mut Pair, end, by| {
        let job = Job {
            row,
            size,
            task,
            end,
        };
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
const PATIENCE: Duration = Duration::from_secs(15);
