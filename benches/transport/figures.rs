// SPDX-License-Identifier: MPL-2.0
//! What is found out, over all rounds.

use std::collections::BTreeMap;

use crate::{Part, job::Case, rows::Row};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    Rate,
    OfRaw,
    Frames,
    SendCpu,
    ReceiveCpu,
    SendFaults,
    ReceiveFaults,
    SendCalls,
    ReceiveCalls,
    PacedFrames,
    Delay50,
    Delay99,
}

pub const ALL: [(Figure, &str); 12] = [
    (Figure::Rate, "gb_per_s"),
    (Figure::OfRaw, "of_raw"),
    (Figure::Frames, "frames_per_s"),
    (Figure::SendCpu, "send_cpu_s_per_gb"),
    (Figure::ReceiveCpu, "receive_cpu_s_per_gb"),
    (Figure::SendFaults, "send_faults_per_frame"),
    (Figure::ReceiveFaults, "receive_faults_per_frame"),
    (Figure::SendCalls, "send_calls_per_frame"),
    (Figure::ReceiveCalls, "receive_calls_per_frame"),
    (Figure::PacedFrames, "paced_frames_per_s"),
    (Figure::Delay50, "delay_p50_us"),
    (Figure::Delay99, "delay_p99_us"),
];

/// Of one measurement.
pub type Figures = BTreeMap<Figure, f64>;

/// Of all measurements.
#[derive(Default)]
pub struct Results {
    figures: BTreeMap<(Row, usize, Figure), Vec<f64>>,
    failures: BTreeMap<(Part, Row, usize), Vec<String>>,
    left_out: BTreeMap<Row, String>,
}

impl Results {
    pub fn add(&mut self, part: Part, case: Case, found: Result<Figures, String>) {
        let Case { row, size, .. } = case;
        match found {
            Ok(figures) => {
                for (figure, value) in figures {
                    let values = self.figures.entry((row, size, figure)).or_default();
                    let place = values.partition_point(|other| *other < value);
                    values.insert(place, value);
                }
            }
            Err(reason) => {
                eprintln!("{}, {size} bytes, {part:?}: {reason}", row.name());
                let failures = self.failures.entry((part, row, size)).or_default();
                failures.push(reason);
            }
        }
    }

    pub fn leave_out(&mut self, row: Row, reason: String) {
        self.left_out.insert(row, reason);
    }

    pub fn median(&self, row: Row, size: usize, figure: Figure) -> Option<f64> {
        let values = self.figures.get(&(row, size, figure))?;
        let middle = values.len() / 2;
        Some(match values.len() % 2 {
            0 => (values[middle - 1] + values[middle]) / 2.0,
            _ => values[middle],
        })
    }

    /// Lowest and highest.
    pub fn range(&self, row: Row, size: usize, figure: Figure) -> Option<(f64, f64)> {
        let values = self.figures.get(&(row, size, figure))?;
        Some((*values.first()?, *values.last()?))
    }

    /// What went wrong, for a person.
    pub fn remark(&self, parts: &[Part], row: Row, size: usize) -> Option<String> {
        if let Some(reason) = self.left_out.get(&row) {
            return Some(reason.clone());
        }
        parts.iter().find_map(|&part| {
            let failures = self.failures.get(&(part, row, size))?;
            Some(format!("{} failed: {}", failures.len(), failures[0]))
        })
    }
}
