//! System calls per frame. strace makes the processes slow, so that how much one call moves may differ
//! from what it moves at full speed.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    figures::{Figure, Figures},
    job::{Case, Said, Task},
    measure::{PATIENCE, connect},
    process::Pair,
};

/// Whether strace is installed.
pub fn are_countable() -> bool {
    let mut strace = Command::new("strace");
    let version = strace.arg("--version").stdout(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

/// What twice as many frames add is what frames cost, without the start.
pub fn count(case: Case, folder: &Path) -> Result<Figures, String> {
    let frames = (BYTES / case.size)
        .clamp(16, 2_048)
        .next_multiple_of(case.row.batch()) as u64;
    let once = of_frames(case, frames, folder)?;
    let twice = of_frames(case, 2 * frames, folder)?;
    // Where next to nothing is added, the start of one may outweigh it.
    let added = |end: usize| (twice[end] - once[end]).max(0.0) / frames as f64;
    Ok(BTreeMap::from([
        (Figure::SendCalls, added(0)),
        (Figure::ReceiveCalls, added(1)),
    ]))
}

/// Of the sender, and of the receiver.
fn of_frames(case: Case, frames: u64, folder: &Path) -> Result<[f64; 2], String> {
    let files = ["sender", "receiver"].map(|end| folder.join(format!("{end}.calls")));
    let names = files.each_ref().map(|file| file.to_string_lossy());
    let strace = names.each_ref().map(|name| {
        let mut words = vec!["strace", "-f", "-c", "-U", "calls,name", "-o"];
        words.push(name);
        words
    });
    let mut pair = Pair::new(4 * PATIENCE);
    let by = strace.each_ref().map(Vec::as_slice);
    connect(&mut pair, case, Task::Count(frames), by)?;
    while !matches!(pair.hear()?, Said::Received(_)) {}
    // strace writes as its child ends.
    drop(pair);
    let mut totals = [0.0; 2];
    for (total, file) in totals.iter_mut().zip(files) {
        let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
        fs::remove_file(&file).map_err(|error| error.to_string())?;
        *total = sum(&text).ok_or("strace counted nothing")?;
    }
    Ok(totals)
}

/// From the last line, such as `     29 total`.
fn sum(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.ends_with(" total"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Enough of them for what is not from frames to vanish.
const BYTES: usize = 200_000_000;
