// SPDX-License-Identifier: MPL-2.0
//! The rates as a picture.

use std::{error::Error, ops::Range, path::Path};

use plotters::{coord::Shift, prelude::*};

use crate::{
    figures::{Figure, Results},
    machine,
    rows::{Row, size_name},
};

type Plot<'a> = DrawingArea<SVGBackend<'a>, Shift>;

pub fn draw(
    file: &Path,
    results: &Results,
    rows: &[Row],
    sizes: &[usize],
) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(file, (900, 560)).into_drawing_area();
    // Also where the page around it is dark.
    root.fill(&WHITE)?;
    let (title, plot) = root.margin(12, 12, 12, 24).split_vertically(56);
    title.titled("GB/s from one process to another", ("sans-serif", 22))?;
    let small = ("sans-serif", 13).into_font().color(&BLACK.mix(0.7));
    title.draw_text(&machine::line(), &small, (12, 34))?;
    lines(&plot, results, rows, sizes)?;
    root.present()?;
    Ok(())
}

fn lines(
    plot: &Plot<'_>,
    results: &Results,
    rows: &[Row],
    sizes: &[usize],
) -> Result<(), Box<dyn Error>> {
    let marks: Vec<f64> = sizes.iter().map(|&size| size as f64).collect();
    let widths = around(marks.iter().copied());
    let heights = around(rates(results, rows, sizes));
    let ticks = TICKS.into_iter().filter(|tick| heights.contains(tick));
    let ticks = ticks.collect();
    let mut chart = ChartBuilder::on(plot)
        .x_label_area_size(44)
        .y_label_area_size(48)
        .build_cartesian_2d(
            widths.log_scale().with_key_points(marks),
            heights.log_scale().with_key_points(ticks),
        )?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.15))
        .label_style(("sans-serif", 14))
        .x_label_formatter(&|size| size_name(*size as usize))
        .y_label_formatter(&f64::to_string)
        .x_desc("bytes per frame")
        .draw()?;
    for &row in rows {
        let color = color(row);
        let points = sizes.iter().filter_map(|&size| {
            let rate = results.median(row, size, Figure::Rate)?;
            Some((size as f64, rate))
        });
        let line = LineSeries::new(points, color.stroke_width(2)).point_size(4);
        chart
            .draw_series(line)?
            .label(row.name())
            .legend(move |(x, y)| Circle::new((x + 8, y), 5, color.filled()));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE)
        .border_style(BLACK.mix(0.3))
        .label_font(("sans-serif", 15))
        .draw()?;
    Ok(())
}

fn rates(results: &Results, rows: &[Row], sizes: &[usize]) -> impl Iterator<Item = f64> {
    let of_row = move |&row| {
        let rate = move |&size| results.median(row, size, Figure::Rate);
        sizes.iter().filter_map(rate)
    };
    rows.iter().flat_map(of_row)
}

/// From below the lowest to above the highest.
fn around(values: impl Iterator<Item = f64>) -> Range<f64> {
    let both = values.map(|value| (value, value));
    let wider = |(low, high): (f64, f64), (value, _)| (low.min(value), high.max(value));
    let (low, high) = both.reduce(wider).unwrap_or((1.0, 1.0));
    low * 0.8..high * 1.25
}

/// Distinct also for the colour-blind.
fn color(row: Row) -> RGBColor {
    match row {
        Row::Raw => RGBColor(0, 0, 0),
        Row::RawTls => RGBColor(110, 70, 30),
        Row::Videosocket => RGBColor(0, 114, 178),
        Row::VideosocketLists => RGBColor(86, 180, 233),
        Row::VideosocketMetadata => RGBColor(240, 228, 66),
        Row::VideosocketTls => RGBColor(204, 121, 167),
        Row::VideosocketSink => RGBColor(148, 103, 189),
        Row::VideosocketSrc => RGBColor(127, 127, 127),
        Row::VideosocketU32 => RGBColor(23, 190, 207),
        Row::VideosocketVarint => RGBColor(188, 189, 34),
        Row::VideosocketLongHeader => RGBColor(227, 119, 194),
        Row::Tcp => RGBColor(230, 159, 0),
        Row::Gdp => RGBColor(213, 94, 0),
        Row::Matroska => RGBColor(0, 158, 115),
    }
}

const TICKS: [f64; 10] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
