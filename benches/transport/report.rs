// SPDX-License-Identifier: MPL-2.0
//! The results as tables.

use std::{collections::BTreeSet, fmt::Write, iter};

use crate::{
    Part,
    figures::{self, Figure, Results},
    machine,
    rows::{PACED_SIZES, Row, size_name},
    table::{self, number},
};

pub fn text(results: &Results, parts: &[Part], rows: &[Row], sizes: &[usize], pace: u32) -> String {
    let mut text = format!("{}\n", machine::line());
    if parts.iter().any(|part| *part != Part::Delays) {
        for &size in sizes {
            let of_size = rows.iter().filter(|row| row.takes(size));
            let lines = of_size.map(|&row| rates(results, row, size)).collect();
            text += &table(&size_name(size), &RATES, lines);
        }
    }
    if parts.contains(&Part::Delays) {
        let _ = writeln!(
            text,
            "\nFrom push to arrival at {pace} frames/s, in µs: half of all frames, 99 % of them"
        );
        let paced = rows.iter().filter(|row| row.batch() == 1);
        let lines = paced.map(|&row| delays(results, row, pace)).collect();
        let names = PACED_SIZES.map(size_name);
        text += &table("", &names.each_ref().map(String::as_str), lines);
    }
    text
}

const RATES: [&str; 7] = [
    "GB/s",
    "lowest-highest",
    "of raw",
    "frames/s",
    "CPU s/GB",
    "page faults/frame",
    "system calls/frame",
];

fn rates(results: &Results, row: Row, size: usize) -> Vec<String> {
    let figure = |figure| number(results.median(row, size, figure));
    let sum = |send, receive| match (figure(send), figure(receive)) {
        (send, receive) if send.is_empty() && receive.is_empty() => String::new(),
        (send, receive) => format!("{send} + {receive}"),
    };
    let range = results.range(row, size, Figure::Rate);
    let range = range.filter(|(low, high)| low < high);
    let mut cells = vec![
        row.name().into(),
        figure(Figure::Rate),
        range.map_or(String::new(), |(low, high)| {
            format!("{}-{}", number(Some(low)), number(Some(high)))
        }),
        figure(Figure::OfRaw),
        figure(Figure::Frames),
        sum(Figure::SendCpu, Figure::ReceiveCpu),
        sum(Figure::SendFaults, Figure::ReceiveFaults),
        sum(Figure::SendCalls, Figure::ReceiveCalls),
    ];
    cells.extend(results.remark(&[Part::Rates, Part::Calls], row, size));
    cells
}

fn delays(results: &Results, row: Row, pace: u32) -> Vec<String> {
    let mut cells = vec![row.name().into()];
    let mut remarks = Vec::new();
    for size in PACED_SIZES {
        let figure = |figure| results.median(row, size, figure);
        let delays = figure(Figure::Delay50).zip(figure(Figure::Delay99));
        cells.push(delays.map_or(String::new(), |(p50, p99)| format!("{p50:.0}, {p99:.0}")));
        remarks.extend(results.remark(&[Part::Delays], row, size));
        let least = 0.95 * f64::from(pace);
        if let Some(frames) = figure(Figure::PacedFrames).filter(|frames| *frames < least) {
            remarks.push(format!("{}: only {frames:.0} frames/s", size_name(size)));
        }
    }
    remarks.dedup();
    if !remarks.is_empty() {
        cells.push(remarks.join("; "));
    }
    cells
}

/// What a line has more than the heading follows the table's edge.
fn table(name: &str, heading: &[&str], lines: Vec<Vec<String>>) -> String {
    let names = iter::once(name).chain(heading.iter().copied());
    let mut all = vec![names.map(String::from).collect()];
    all.extend(lines);
    format!("\n{}", table::table(&all))
}

pub fn csv(results: &Results, rows: &[Row], sizes: &[usize]) -> String {
    let mut text = String::from("row,size");
    for (_, name) in figures::ALL {
        let _ = write!(text, ",{name}");
    }
    text.push('\n');
    let sizes: BTreeSet<usize> = sizes.iter().copied().chain(PACED_SIZES).collect();
    for size in sizes {
        for &row in rows.iter().filter(|row| row.takes(size)) {
            let _ = write!(text, "{},{size}", row.name());
            for (figure, _) in figures::ALL {
                text.push(',');
                if let Some(value) = results.median(row, size, figure) {
                    let _ = write!(text, "{value:.4}");
                }
            }
            text.push('\n');
        }
    }
    text
}
