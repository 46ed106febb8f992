//! The share of answers that took no longer than so many milliseconds, by uplink.

use std::fmt::Write;

use super::{
    super::{Destination, SurveyReport},
    COLOURS,
    axis::{Axis, label, level, trace},
    number_of,
    text::escaped,
};

/// Units of the plot.
const WIDTH: f64 = 360.0;
const LEFT: f64 = 44.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 220.0;

/// Writes the figure.
pub(super) fn write(
    to: &mut String,
    report: &SurveyReport,
    destination: &Destination,
    number: usize,
) -> std::fmt::Result {
    let class = escaped(destination.class.as_str());
    let told = destination.paths.iter().filter_map(|path| {
        Some(format!(
            "{}: half within {:.1} ms, 99 % within {:.1} ms",
            path.uplink, path.rtt_median_ms?, path.rtt_p99_ms?
        ))
    });
    let told = told.collect::<Vec<_>>().join("; ");
    writeln!(
        to,
        "<figure><svg viewBox=\"0 0 {WIDTH} 246\" role=\"img\" aria-labelledby=\"e{number} f{number}\">\n\
         <title id=\"e{number}\">Distribution of RTT, {class}</title>\n<desc id=\"f{number}\">{}</desc>",
        escaped(&told)
    )?;
    let low = destination.paths.iter().filter_map(|path| path.rtt_min_ms).fold(f64::INFINITY, f64::min);
    let high = destination.paths.iter().filter_map(|path| path.rtt_p99_ms).fold(0.0, f64::max);
    let x = Axis::new((low * 0.95, high * 1.05), (LEFT, WIDTH - 8.0));
    let y = Axis::new((0.0, 1.0), (BOTTOM, TOP));
    grid(to, &x, &y)?;
    for path in &destination.paths {
        // What lies beyond the axis would pile up at its end.
        let mut shown: Vec<[f64; 2]> =
            path.distribution.iter().copied().take_while(|[_, rtt]| *rtt <= high * 1.05).collect();
        // Of shares that took equally long, as far as is known, the last one counts.
        shown.reverse();
        shown.dedup_by_key(|[_, rtt]| *rtt);
        let shape = trace(shown.iter().rev().map(|[share, rtt]| (x.place(*rtt), y.place(*share))));
        writeln!(to, "<path class=\"line u{}\" d=\"{shape}\"/>", number_of(report, &path.uplink) % COLOURS)?;
    }
    writeln!(to, "</svg><figcaption>Share of answers within so many ms</figcaption></figure>")
}

fn grid(to: &mut String, x: &Axis, y: &Axis) -> std::fmt::Result {
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        level(to, y.place(share), (LEFT, WIDTH - 8.0), &format!("{:.0} %", share * 100.0))?;
    }
    for tick in x.ticks(5.0) {
        let at = x.place(tick);
        writeln!(to, "<path class=\"grid\" d=\"M{at:.1} {TOP}V{BOTTOM}\"/>")?;
        writeln!(to, "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>", BOTTOM + 18.0, label(tick))?;
    }
    Ok(())
}
