//! The curve of a run, as an SVG: training loss and validation PSNR over the steps.

use std::error::Error as StdError;
use std::ops::Range;
use std::path::Path;

use plotters::prelude::*;
use serde_json::Value;

use crate::files::write_atomically;
use crate::{Error, Result};

/// Width and height in pixels.
const SIZE: (u32, u32) = (900, 640);

type Points = Vec<(f64, f64)>;

/// Draws the events of a run, the lines of its log, into the file `path`; nothing while there are none.
///
/// # Errors
/// [`Error::Io`] if `path` cannot be written.
pub fn draw(path: &Path, events: &[Value]) -> Result<()> {
    let of = |event: &str, key: &str| -> Points {
        let events = events.iter().filter(|e| e["event"] == event);
        events
            .filter_map(|e| Some((e["step"].as_f64()?, e[key].as_f64()?)))
            .collect()
    };
    let losses = of("step", "loss");
    let scores = of("validation", "psnr");
    if losses.is_empty() {
        return Ok(());
    }
    let mut svg = String::new();
    panels(&mut svg, &losses, &scores).map_err(|e| Error::Internal(format!("the curve cannot be drawn: {e}")))?;
    write_atomically(path, |out| out.write_all(svg.as_bytes()))
}

fn panels(svg: &mut String, losses: &Points, scores: &Points) -> std::result::Result<(), Box<dyn StdError>> {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let last = losses.last().map_or(1.0, |p| p.0).max(1.0);
    let (upper, lower) = root.split_vertically((50).percent());
    // Losses fall by orders of magnitude; only the logarithm shows the end as well as the beginning.
    let logarithms: Points = (losses.iter().filter(|p| p.1 > 0.0))
        .map(|&(x, y)| (x, y.log10()))
        .collect();
    panel(&upper, "training loss (log10)", &logarithms, 0.0..last, &BLUE)?;
    panel(&lower, "validation PSNR, dB", scores, 0.0..last, &RED)?;
    root.present()?;
    drop(root);
    Ok(())
}

fn panel<DB: DrawingBackend>(
    area: &DrawingArea<DB, plotters::coord::Shift>,
    title: &str,
    points: &Points,
    steps: Range<f64>,
    color: &RGBColor,
) -> std::result::Result<(), Box<dyn StdError>>
where
    DB::ErrorType: 'static,
{
    let low = points.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = if low.is_finite() && high.is_finite() {
        let margin = ((high - low) * 0.05).max(1e-3);
        (low - margin, high + margin)
    } else {
        (0.0, 1.0)
    };
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(10)
        .margin_right(30)
        .x_label_area_size(30)
        .y_label_area_size(60)
        .build_cartesian_2d(steps, low..high)?;
    chart
        .configure_mesh()
        .x_desc("step")
        .x_label_formatter(&|step| format!("{step:.0}"))
        .light_line_style(BLACK.mix(0.05))
        .draw()?;
    chart.draw_series(LineSeries::new(points.iter().copied(), color))?;
    Ok(())
}
