//! RTT over time: the median of each block by uplink, with a band from the 5th to the 95th percentile, and lost probes under it.

use std::fmt::Write;

use super::{
    super::{Destination, PathFigures, Point, SurveyReport},
    COLOURS,
    axis::{Axis, label, level, trace},
    number_of,
    text::escaped,
};

/// Units of the plot: its width, the part above the losses, and the margins for words.
const WIDTH: f64 = 720.0;
const LEFT: f64 = 48.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 220.0;
/// Height of a row of losses.
const ROW: f64 = 12.0;

/// Writes the figure.
pub(super) fn write(
    to: &mut String,
    report: &SurveyReport,
    destination: &Destination,
    number: usize,
) -> std::fmt::Result {
    let paths: Vec<(usize, &PathFigures)> =
        destination.paths.iter().map(|path| (number_of(report, &path.uplink), path)).collect();
    let rows = BOTTOM + ROW * paths.len() as f64;
    let height = rows + 26.0;
    let class = escaped(destination.class.as_str());
    writeln!(
        to,
        "<figure><svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"t{number} d{number}\">\n\
         <title id=\"t{number}\">RTT over time, {class}</title>\n<desc id=\"d{number}\">{}</desc>",
        escaped(&description(&paths))
    )?;
    let x = Axis::new((0.0, report.blocks as f64), (LEFT, WIDTH - 8.0));
    let y = Axis::new(range(&paths), (BOTTOM - 6.0, TOP));
    grid(to, report, &x, &y, rows)?;
    for (uplink, path) in &paths {
        band(to, *uplink, path, &x, &y)?;
    }
    for (row, (uplink, path)) in paths.iter().enumerate() {
        line(to, *uplink, path, &x, &y)?;
        losses(to, *uplink, path, &x, BOTTOM + ROW * (row as f64 + 1.0))?;
    }
    writeln!(to, "</svg><figcaption>RTT over time in ms, and lost probes</figcaption></figure>")
}

fn description(paths: &[(usize, &PathFigures)]) -> String {
    let told = paths.iter().filter_map(|(_, path)| {
        let (median, p95) = (path.rtt_median_ms?, path.rtt_p95_ms?);
        Some(format!(
            "{}: median {median:.1} ms, 95 % below {p95:.1} ms, {} of {} probes lost",
            path.uplink, path.lost, path.probes
        ))
    });
    told.collect::<Vec<_>>().join("; ")
}

/// From the smallest band's begin to what nearly all bands reach: one block of an outage must not flatten the rest.
fn range(paths: &[(usize, &PathFigures)]) -> (f64, f64) {
    let points = || paths.iter().flat_map(|(_, path)| &path.series);
    let low = points().filter_map(|point| point.rtt_p5_ms).fold(f64::INFINITY, f64::min);
    let mut highs: Vec<f64> = points().filter_map(|point| point.rtt_p95_ms).collect();
    highs.sort_by(f64::total_cmp);
    let high = crate::quality::nearest_rank(&highs, 99).unwrap_or(1.0);
    if low.is_finite() { ((low * 0.95).min(high), high * 1.05) } else { (0.0, 1.0) }
}

fn grid(to: &mut String, report: &SurveyReport, x: &Axis, y: &Axis, rows: f64) -> std::fmt::Result {
    for tick in y.ticks(5.0) {
        level(to, y.place(tick), (LEFT, WIDTH - 8.0), &label(tick))?;
    }
    for seconds in moments(report) {
        let at = x.place(seconds.saturating_sub(begin(report)) as f64 / report.block_s.max(1) as f64);
        writeln!(to, "<path class=\"grid\" d=\"M{at:.1} {TOP}V{rows:.1}\"/>")?;
        let when = moment(report, seconds);
        writeln!(to, "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{when}</text>", rows + 18.0)?;
    }
    Ok(())
}

/// Begin of the axis in seconds: of the site's clock, or none.
fn begin(report: &SurveyReport) -> u64 {
    report.axis_s.unwrap_or_default()
}

/// Round times on the axis, at most seven.
fn moments(report: &SurveyReport) -> Vec<u64> {
    let length = report.block_s.saturating_mul(report.blocks as u64);
    let days = || (0_u32..20).map(|doubled| 86_400_u64 << doubled);
    let steps = [5, 10, 20, 30, 60, 120, 180, 360, 720].map(|minutes| 60 * minutes).into_iter().chain(days());
    let Some(step) = steps.into_iter().find(|step| length / step <= 6) else { return Vec::new() };
    let first = begin(report).div_ceil(step).saturating_mul(step);
    let end = begin(report).saturating_add(length);
    (0..7).map(|number| first.saturating_add(number * step)).take_while(|at| *at <= end).collect()
}

/// `20:15`, with month and day where the recording has several; time since its begin without a clock.
fn moment(report: &SurveyReport, seconds: u64) -> String {
    let clock = format!("{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60);
    if report.block_s.saturating_mul(report.blocks as u64) <= 86_400 {
        return clock;
    }
    if report.axis_s.is_none() {
        return format!("{} d {clock}", seconds / 86_400);
    }
    let (_, month, day) = crate::domain::calendar::civil(seconds / 86_400);
    format!("{month}-{day:02} {clock}")
}

/// Runs of neighbouring blocks with answers.
fn runs(path: &PathFigures) -> Vec<Vec<&Point>> {
    let mut runs: Vec<Vec<&Point>> = Vec::new();
    for point in path.series.iter().filter(|point| point.rtt_median_ms.is_some()) {
        match runs.last_mut() {
            Some(run) if run.last().is_some_and(|last| last.block + 1 == point.block) => run.push(point),
            _ => runs.push(vec![point]),
        }
    }
    runs
}

/// Where a value of a block stands: in its middle.
fn spot(point: &Point, value: Option<f64>, x: &Axis, y: &Axis) -> (f64, f64) {
    (x.place(point.block as f64 + 0.5), y.place(value.unwrap_or_default()))
}

fn band(to: &mut String, uplink: usize, path: &PathFigures, x: &Axis, y: &Axis) -> std::fmt::Result {
    let mut shape = String::new();
    for run in runs(path) {
        let upper = run.iter().map(|point| spot(point, point.rtt_p95_ms, x, y));
        let lower = run.iter().rev().map(|point| spot(point, point.rtt_p5_ms, x, y));
        shape.push_str(&trace(upper.chain(lower)));
        shape.push('Z');
    }
    writeln!(to, "<path class=\"band b{}\" d=\"{shape}\"/>", uplink % COLOURS)
}

fn line(to: &mut String, uplink: usize, path: &PathFigures, x: &Axis, y: &Axis) -> std::fmt::Result {
    let mut shape = String::new();
    for run in runs(path) {
        shape.push_str(&trace(run.iter().map(|point| spot(point, point.rtt_median_ms, x, y))));
        if run.len() == 1 {
            // A block alone is a dash, or it would not be seen.
            shape.push_str("h1.5");
        }
    }
    writeln!(to, "<path class=\"line u{}\" d=\"{shape}\"/>", uplink % COLOURS)
}

/// A mark for each block with losses, the higher the more.
fn losses(to: &mut String, uplink: usize, path: &PathFigures, x: &Axis, base: f64) -> std::fmt::Result {
    let mut shape = String::new();
    for point in path.series.iter().filter(|point| point.lost > 0) {
        let share = point.lost as f64 / point.probes.max(1) as f64;
        // One lost probe must be seen as well.
        let height = (share.sqrt() * (ROW - 2.0)).max(2.0);
        write!(shape, "M{:.1} {base:.1}v-{height:.1}", x.place(point.block as f64 + 0.5))?;
    }
    writeln!(to, "<path class=\"loss u{}\" d=\"{shape}\"/>", uplink % COLOURS)
}
