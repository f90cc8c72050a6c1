// SPDX-License-Identifier: MPL-2.0
//! What is used over time, as a picture.

use std::{error::Error, path::Path};

use plotters::{coord::Shift, prelude::*};

use crate::{
    machine,
    record::{PARTS, Record, Series, What},
};

type Plot<'a> = DrawingArea<SVGBackend<'a>, Shift>;

pub fn draw(file: &Path, record: &Record, minutes: f64) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(file, (900, 1_100)).into_drawing_area();
    // Also where the page around it is dark.
    root.fill(&WHITE)?;
    let (title, plots) = root.margin(12, 12, 12, 24).split_vertically(56);
    let text = format!("{minutes:.0} minutes of kills, stalls and cuts");
    title.titled(&text, ("sans-serif", 22))?;
    let small = ("sans-serif", 13).into_font().color(&BLACK.mix(0.7));
    title.draw_text(&machine::line(), &small, (12, 34))?;
    for (plot, what) in plots
        .split_evenly((What::ALL.len(), 1))
        .iter()
        .zip(What::ALL)
    {
        lines(plot, record, what, minutes)?;
    }
    root.present()?;
    Ok(())
}

fn lines(plot: &Plot<'_>, record: &Record, what: What, minutes: f64) -> Result<(), Box<dyn Error>> {
    let shown: Vec<&Series> = record.all().filter(|series| series.what == what).collect();
    let points = shown
        .iter()
        .flat_map(|series| series.points.iter().flatten());
    let most = points.fold(0.0, |most: f64, &point| most.max(point));
    let mut chart = ChartBuilder::on(plot)
        .x_label_area_size(if what == What::DelayTail { 44 } else { 20 })
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..minutes, 0.0..most * 1.2 + f64::EPSILON)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.15))
        .label_style(("sans-serif", 13))
        .y_labels(5)
        .x_desc(if what == What::DelayTail {
            "minutes"
        } else {
            ""
        })
        .y_desc(what.name())
        .draw()?;
    for (series, color) in shown.into_iter().zip(COLORS) {
        let points = series
            .points
            .iter()
            .enumerate()
            .filter_map(|(part, point)| {
                Some(((part as f64 + 0.5) * minutes / PARTS as f64, (*point)?))
            });
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))?
            .label(&series.of)
            .legend(move |(x, y)| Circle::new((x + 8, y), 5, color.filled()));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .label_font(("sans-serif", 13))
        .draw()?;
    Ok(())
}

/// Distinct also for the colour-blind.
const COLORS: [RGBColor; 4] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
];
