// SPDX-License-Identifier: MPL-2.0
//! What the user sees: news, and below them a table that stays in its place, or lines where there is no terminal.

use std::time::{Duration, Instant};

use console::Term;

use super::viewers::{HEAD, Viewer};

const REFRESH: Duration = Duration::from_secs(1);

pub struct Board {
    term: Term,
    shown: Instant,
    /// Those of the table as it stands on the terminal.
    lines: Vec<String>,
}

impl Board {
    pub fn new() -> Self {
        Self {
            term: Term::buffered_stdout(),
            shown: Instant::now(),
            lines: Vec::new(),
        }
    }

    /// Says something that stays to be read.
    pub fn say(&mut self, text: &str) {
        let table = std::mem::take(&mut self.lines);
        self.print(table.len(), &[text.into()]);
        self.print(0, &table);
        self.lines = table;
    }

    /// Says the last word, in the place of the table.
    pub fn sum_up(&mut self, text: &str) {
        self.print(self.lines.len(), &[text.into()]);
        self.lines.clear();
    }

    /// Until the viewers are to be shown again.
    pub fn time_left(&self) -> Duration {
        REFRESH.saturating_sub(self.shown.elapsed())
    }

    pub fn show(&mut self, viewers: &[Viewer]) {
        self.shown = Instant::now();
        if self.term.is_term() {
            let (height, width) = self.term.size();
            let lines = table(viewers, height.into(), width.into());
            self.print(self.lines.len(), &lines);
            self.lines = lines;
        } else {
            let lines: Vec<_> = viewers.iter().map(Viewer::to_string).collect();
            self.print(0, &lines);
        }
    }

    /// Prints in the place of the last lines. A reader of the output that went away is no reason to end.
    fn print(&self, replaced: usize, lines: &[String]) {
        let _ = self.term.clear_last_lines(replaced);
        for line in lines {
            let _ = self.term.write_line(line);
        }
        let _ = self.term.flush();
    }
}

/// A table that fits: lines that wrap or scroll away could not be replaced.
fn table(viewers: &[Viewer], height: usize, width: usize) -> Vec<String> {
    if viewers.is_empty() {
        return vec!["Nobody watches".into()];
    }
    let rows: Vec<_> = viewers.iter().map(Viewer::cells).collect();
    let mut lines = aligned(&rows);
    let room = height.saturating_sub(1).max(2);
    if lines.len() > room {
        lines.truncate(room - 1);
        let left = rows.len() - (lines.len() - 1);
        lines.push(format!("and {left} more"));
    }
    lines
        .iter()
        .map(|line| console::truncate_str(line, width, "").into_owned())
        .collect()
}

/// The rows below their head, in columns as wide as they must be.
fn aligned(rows: &[[String; 8]]) -> Vec<String> {
    let head = HEAD.map(String::from);
    let rows: Vec<_> = [&head].into_iter().chain(rows).collect();
    let widths: [usize; 8] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0));
    let line = |row: &&[String; 8]| {
        let [address, figures @ ..] = *row;
        let mut line = format!("{address:<0$}", widths[0]);
        for (figure, width) in figures.iter().zip(&widths[1..]) {
            line += &format!("  {figure:>width$}");
        }
        line
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewers(count: usize) -> Vec<Viewer> {
        (0..count).map(|_| Viewer::default()).collect()
    }

    #[test]
    fn a_table_never_scrolls_away() {
        assert_eq!(table(&viewers(0), 24, 80), ["Nobody watches"]);
        assert_eq!(table(&viewers(3), 5, 80).len(), 4);
        let short = table(&viewers(9), 5, 80);
        assert_eq!(short.len(), 4);
        assert_eq!(short[3], "and 7 more");
        assert_eq!(table(&viewers(9), 0, 80).len(), 2);
    }

    #[test]
    fn a_table_never_wraps() {
        assert!(
            table(&viewers(1), 24, 20)
                .iter()
                .all(|line| line.len() <= 20)
        );
    }

    #[test]
    fn columns_stand_below_their_heads() {
        let row = ["[::1]:50312", "0:00:12", "360", "0", "0", "0", "0.1", "-"].map(String::from);
        assert_eq!(
            aligned(&[row]),
            [
                "viewer       connected  frames  dropped  queued kB  queued ms  rtt ms  delay ms",
                "[::1]:50312    0:00:12     360        0          0          0     0.1         -",
            ]
        );
    }
}
