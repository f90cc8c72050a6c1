// SPDX-License-Identifier: MPL-2.0
//! System calls per frame.

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

/// A program that counts the system calls of another.
pub struct Counter {
    words: &'static [&'static str],
    /// What it writes last, of which the count is the first word.
    total: &'static str,
    /// For what is not from frames to vanish.
    bytes: usize,
    max_frames: usize,
}

/// Counts at full speed, where the system lets it.
const PERF: Counter = Counter {
    words: &["perf", "stat", "-x ", "-e", "raw_syscalls:sys_enter", "-o"],
    total: "raw_syscalls:sys_enter",
    bytes: 2_000_000_000,
    max_frames: 500_000,
};

/// Makes the processes slow, so that how much one call moves differs from what it moves at full speed: small
/// frames no longer come on the heels of one another.
const STRACE: Counter = Counter {
    words: &["strace", "-f", "-c", "-U", "calls,name", "-o"],
    total: " total",
    bytes: 200_000_000,
    max_frames: 2_048,
};

impl Counter {
    /// The best that works here.
    pub fn find() -> Option<Self> {
        [PERF, STRACE].into_iter().find(Self::works)
    }

    pub fn name(&self) -> &'static str {
        self.words[0]
    }

    fn works(&self) -> bool {
        let mut command = Command::new(self.words[0]);
        command.args(&self.words[1..]).args(["/dev/null", "true"]);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    /// What twice as many frames add is what frames cost, without the start.
    pub fn count(&self, case: Case, folder: &Path) -> Result<Figures, String> {
        let frames = (self.bytes / case.size)
            .clamp(16, self.max_frames)
            .next_multiple_of(case.row.batch()) as u64;
        let once = self.of_frames(case, frames, folder)?;
        let twice = self.of_frames(case, 2 * frames, folder)?;
        // Where next to nothing is added, the start of one may outweigh it.
        let added = |end: usize| (twice[end] - once[end]).max(0.0) / frames as f64;
        Ok(BTreeMap::from([
            (Figure::SendCalls, added(0)),
            (Figure::ReceiveCalls, added(1)),
        ]))
    }

    /// Of the sender, and of the receiver.
    fn of_frames(&self, case: Case, frames: u64, folder: &Path) -> Result<[f64; 2], String> {
        let files = ["sender", "receiver"].map(|end| folder.join(format!("{end}.calls")));
        let names = files.each_ref().map(|file| file.to_string_lossy());
        let words = names.each_ref().map(|name| [self.words, &[name]].concat());
        let mut pair = Pair::new(4 * PATIENCE);
        let by = words.each_ref().map(Vec::as_slice);
        connect(&mut pair, case, Task::Count(frames), by)?;
        while !matches!(pair.hear()?, Said::Received(_)) {}
        // It writes as its child ends.
        drop(pair);
        let mut totals = [0.0; 2];
        for (total, file) in totals.iter_mut().zip(files) {
            let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
            fs::remove_file(&file).map_err(|error| error.to_string())?;
            let sum = self.sum(&text);
            *total = sum.ok_or_else(|| format!("{} counted nothing", self.name()))?;
        }
        Ok(totals)
    }

    fn sum(&self, text: &str) -> Option<f64> {
        let line = text.lines().find(|line| line.contains(self.total))?;
        line.split_whitespace().next()?.parse().ok()
    }
}
