// SPDX-License-Identifier: MPL-2.0
//! What is used over time, and whether that grows.

use std::fs;

use crate::job::Viewed;

/// Into as many parts the whole is cut, of each of which one point is shown.
pub const PARTS: usize = 60;

/// Of these the first are the warm-up.
const WARM_UP: usize = PARTS / 3;

/// What one process, or all viewers, show.
pub struct Series {
    pub of: String,
    pub what: What,
    /// One for each part, as far as there is one.
    pub points: Vec<Option<f64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Megabytes,
    Descriptors,
    Threads,
    DelayMedian,
    DelayTail,
}

impl What {
    pub const ALL: [Self; 5] = [
        Self::Megabytes,
        Self::Descriptors,
        Self::Threads,
        Self::DelayMedian,
        Self::DelayTail,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Megabytes => "memory, MB",
            Self::Descriptors => "descriptors",
            Self::Threads => "threads",
            Self::DelayMedian => "delay p50, ms",
            Self::DelayTail => "delay p99, ms",
        }
    }

    /// By so much a straight line through the later two thirds may rise. Memory: less than a kB for each mishap of an
    /// hour. The tail is what the mishaps of a part make it.
    fn bound(self) -> Option<f64> {
        match self {
            Self::Megabytes => Some(1.0),
            Self::Descriptors | Self::Threads => Some(1.0),
            Self::DelayMedian => Some(5.0),
            Self::DelayTail => None,
        }
    }
}

impl Series {
    fn new(of: &str, what: What) -> Self {
        Self {
            of: of.into(),
            what,
            points: vec![None; PARTS],
        }
    }

    /// The least of a part counts: more is used for a while by whatever goes on.
    fn note_least(&mut self, part: usize, value: f64) {
        let point = &mut self.points[part];
        *point = Some(point.map_or(value, |least| least.min(value)));
    }

    pub fn later(&self) -> Vec<(f64, f64)> {
        let points = self.points.iter().enumerate().skip(WARM_UP);
        points
            .filter_map(|(part, point)| Some((part as f64, (*point)?)))
            .collect()
    }

    /// By how much it rises in the later two thirds: the median of the slopes between any two points (Theil and Sen),
    /// which single ones do not move.
    pub fn growth(&self) -> Option<f64> {
        let points = self.later();
        let pairs = points.iter().enumerate();
        let slopes = pairs.flat_map(|(index, (x, y))| {
            let later = points[index + 1..].iter();
            later.map(move |(later_x, later_y)| (later_y - y) / (later_x - x))
        });
        median(slopes.collect()).map(|slope| slope * (PARTS - WARM_UP) as f64)
    }

    pub fn has_grown(&self) -> bool {
        let bound = self.what.bound();
        self.growth()
            .zip(bound)
            .is_some_and(|(growth, bound)| growth > bound)
    }
}

/// All of it.
pub struct Record {
    pub processes: Vec<[Series; 3]>,
    pub delays: [Series; 2],
    /// Microseconds, of the part that is under way.
    ages: Vec<u32>,
    part: usize,
    pub frames: u64,
    pub missing: u64,
}

impl Record {
    pub fn of(names: &[String]) -> Self {
        let usage = [What::Megabytes, What::Descriptors, What::Threads];
        let processes = names
            .iter()
            .map(|name| usage.map(|what| Series::new(name, what)));
        Self {
            processes: processes.collect(),
            delays: [What::DelayMedian, What::DelayTail].map(|what| Series::new("viewers", what)),
            ages: Vec::new(),
            part: 0,
            frames: 0,
            missing: 0,
        }
    }

    pub fn all(&self) -> impl Iterator<Item = &Series> {
        self.processes.iter().flatten().chain(&self.delays)
    }

    /// What a process uses.
    pub fn look(&mut self, part: usize, process: usize, pid: u32) {
        let Some(usage) = usage(pid) else { return };
        for (series, value) in self.processes[process].iter_mut().zip(usage) {
            series.note_least(part, value);
        }
    }

    /// What a viewer has received; how late counts of those who are spared.
    pub fn view(&mut self, viewed: &Viewed, is_spared: bool) {
        self.frames += viewed.ages.len() as u64;
        self.missing += viewed.missing;
        if is_spared {
            self.ages.extend(&viewed.ages);
        }
    }

    /// This part is under way.
    pub fn reach(&mut self, part: usize) {
        if part == self.part {
            return;
        }
        self.ages.sort_unstable();
        for (series, at) in self.delays.iter_mut().zip([0.5, 0.99]) {
            let last = self.ages.len().saturating_sub(1) as f64;
            let age = self.ages.get((last * at).round() as usize);
            series.points[self.part] = age.map(|&age| f64::from(age) / 1e3);
        }
        self.ages.clear();
        self.part = part;
    }
}

/// Megabytes that are the process's own, descriptors, threads.
fn usage(pid: u32) -> Option<[f64; 3]> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| -> Option<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
    let megabytes = field("RssAnon:")? * 1_024.0 / 1e6;
    Some([megabytes, descriptors as f64, field("Threads:")?])
}

pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
