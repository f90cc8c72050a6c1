//! The results as tables.

use std::fmt::Write;

use crate::{
    figures::{self, Figure, Results},
    machine,
    rows::{Row, size_name},
};

pub fn text(results: &Results, rows: &[Row], sizes: &[usize]) -> String {
    let mut text = format!("{}\n", machine::line());
    for &size in sizes {
        let mut lines = vec![heading(size)];
        for &row in rows.iter().filter(|row| row.takes(size)) {
            lines.push(line(results, row, size));
        }
        text.push('\n');
        text += &table(&lines);
    }
    text
}

fn heading(size: usize) -> Vec<String> {
    let columns = [
        "GB/s",
        "of raw",
        "frames/s",
        "CPU s/GB, send + receive",
        "page faults/frame",
    ];
    let names = columns.map(String::from);
    [size_name(size)].into_iter().chain(names).collect()
}

fn line(results: &Results, row: Row, size: usize) -> Vec<String> {
    let figure = |figure| results.median(row, size, figure);
    let of_raw = figure(Figure::Rate)
        .zip(results.median(Row::Raw, size, Figure::Rate))
        .map(|(rate, raw)| rate / raw);
    let mut cells = vec![
        row.name().into(),
        number(figure(Figure::Rate)),
        number(of_raw),
        number(figure(Figure::Frames)),
        both(figure(Figure::SendCpu), figure(Figure::ReceiveCpu)),
        both(figure(Figure::SendFaults), figure(Figure::ReceiveFaults)),
    ];
    if let Some(remark) = results.remark(row, size) {
        cells.push(remark);
    }
    cells
}

/// As Markdown that reads well as it is.
fn table(lines: &[Vec<String>]) -> String {
    let columns = lines[0].len();
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        for (column, width) in widths.iter().enumerate() {
            let cell = line.get(column).map_or("", String::as_str);
            let _ = match column {
                0 => write!(text, "| {cell:<width$} "),
                _ => write!(text, "| {cell:>width$} "),
            };
        }
        text += "|";
        if let Some(remark) = line.get(columns) {
            let _ = write!(text, " {remark}");
        }
        text.push('\n');
        if index == 0 {
            for (column, width) in widths.iter().enumerate() {
                let dashes = "-".repeat(width + 1);
                let _ = match column {
                    0 => write!(text, "|{dashes}-"),
                    _ => write!(text, "|{dashes}:"),
                };
            }
            text += "|\n";
        }
    }
    text
}

fn both(send: Option<f64>, receive: Option<f64>) -> String {
    match (send, receive) {
        (None, None) => String::new(),
        _ => format!("{} + {}", number(send), number(receive)),
    }
}

/// Three digits of it, or all of a large one.
fn number(value: Option<f64>) -> String {
    match value {
        None => String::new(),
        Some(value) if value >= 100.0 => format!("{value:.0}"),
        Some(value) if value >= 10.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.2}"),
    }
}

pub fn csv(results: &Results, rows: &[Row], sizes: &[usize]) -> String {
    let mut text = String::from("row,size");
    for (_, name) in figures::ALL {
        let _ = write!(text, ",{name}");
    }
    text.push('\n');
    for &size in sizes {
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
