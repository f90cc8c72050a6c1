//! What is found out, over all rounds.

use std::collections::BTreeMap;

use crate::{measure::Figures, rows::Row};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    Rate,
    Frames,
    SendCpu,
    ReceiveCpu,
    SendFaults,
    ReceiveFaults,
}

pub const ALL: [(Figure, &str); 6] = [
    (Figure::Rate, "gb_per_s"),
    (Figure::Frames, "frames_per_s"),
    (Figure::SendCpu, "send_cpu_s_per_gb"),
    (Figure::ReceiveCpu, "receive_cpu_s_per_gb"),
    (Figure::SendFaults, "send_faults_per_frame"),
    (Figure::ReceiveFaults, "receive_faults_per_frame"),
];

#[derive(Default)]
pub struct Results {
    figures: BTreeMap<(Row, usize, Figure), Vec<f64>>,
    failures: BTreeMap<(Row, usize), Vec<String>>,
    left_out: BTreeMap<Row, String>,
}

impl Results {
    pub fn add(&mut self, row: Row, size: usize, found: Result<Figures, String>) {
        match found {
            Ok(figures) => {
                for (figure, value) in figures {
                    let values = self.figures.entry((row, size, figure)).or_default();
                    values.push(value);
                }
            }
            Err(reason) => {
                eprintln!("{}, {size} bytes: {reason}", row.name());
                self.failures.entry((row, size)).or_default().push(reason);
            }
        }
    }

    pub fn leave_out(&mut self, row: Row, reason: String) {
        self.left_out.insert(row, reason);
    }

    pub fn median(&self, row: Row, size: usize, figure: Figure) -> Option<f64> {
        let mut values = self.figures.get(&(row, size, figure))?.clone();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        Some(match values.len() % 2 {
            0 => (values[middle - 1] + values[middle]) / 2.0,
            _ => values[middle],
        })
    }

    /// What went wrong, for a person.
    pub fn remark(&self, row: Row, size: usize) -> Option<String> {
        if let Some(reason) = self.left_out.get(&row) {
            return Some(reason.clone());
        }
        let failures = self.failures.get(&(row, size))?;
        Some(format!("{} failed: {}", failures.len(), failures[0]))
    }
}
