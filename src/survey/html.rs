//! The report as one page: no script, nothing from elsewhere, readable in light, in the dark and on paper. Every plot has a
//! title and a description, and a table beside it that says the same in numbers. All names are escaped: a recording may come
//! from anywhere.

mod axis;
mod distribution;
mod heat;
mod text;
mod timeline;

use std::fmt::Write;

use super::{Destination, PathFigures, Region, SurveyReport};
use text::{escaped, ms, percent};

/// Destinations that get plots, so that a page of hundreds of them can still be opened.
const MOST_PLOTTED: usize = 60;

/// Colours of uplinks; with more uplinks they begin again, and so do the patterns of their lines.
pub(super) const COLOURS: usize = 6;

/// The page.
pub fn page(report: &SurveyReport) -> String {
    let mut to = String::new();
    // Writing to a string cannot fail.
    let _ = write_page(&mut to, report);
    to
}

fn write_page(to: &mut String, report: &SurveyReport) -> std::fmt::Result {
    let title = format!("Survey of {}", report.site);
    let title = escaped(&title);
    writeln!(to, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>")?;
    writeln!(to, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>")?;
    writeln!(
        to,
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>"
    )?;
    writeln!(to, "<title>{title}</title>\n<style>\n{}</style>\n</head>\n<body>", include_str!("html/style.css"))?;
    writeln!(to, "<header>\n<h1>{title}</h1>\n{}</header>\n<main>", facts(report))?;
    legend(to, report)?;
    heat::write(to, report)?;
    verdicts(to, report)?;
    let mut plotted = 0;
    for region in &report.regions {
        writeln!(to, "<section>\n<h2>{}</h2>", escaped(region_name(region)))?;
        for destination in &region.destinations {
            write_destination(to, report, destination, plotted)?;
            plotted += 1;
        }
        writeln!(to, "</section>")?;
    }
    if plotted > MOST_PLOTTED {
        writeln!(
            to,
            "<p>Only the first {MOST_PLOTTED} destinations have plots; report.json has the figures of all.</p>"
        )?;
    }
    writeln!(to, "</main>\n<footer>\n{METHOD}</footer>\n</body>\n</html>")
}

/// How figures and verdicts were made.
const METHOD: &str = "<h2>How to read it</h2>
<p>A probe counts as lost when its last word is a failure of the path; names without an address, and targets that are silent by
every account, are left out. Bounds of loss are Wilson&#8217;s with 95 % confidence. A path is available while it is not down: three
probes in a row lost, or no way through its uplink.</p>
<p>Verdicts compare the medians of two uplinks in each block of time in which both answered: the median of these differences, with
bounds of 99 % confidence by their ranks (sign test). Blocks are taken for independent of one another. Hours are by the
site&#8217;s clock. Bands show the 5th to the 95th percentile of each block; marks under a plot show lost probes. What
few blocks reach lies beyond the frame.</p>
";

fn facts(report: &SurveyReport) -> String {
    let when = match (&report.start, &report.end) {
        (Some(start), Some(end)) => format!("{start} to {end}, "),
        _ => "the site's clock was never set, ".to_owned(),
    };
    let hours = report.recorded_s as f64 / 3_600.0;
    let mut text = format!(
        "<p>{}; {}{hours:.1} h recorded, {} samples, blocks of {} min.</p>\n",
        escaped(&format!("Market {}", report.market)),
        escaped(&when),
        report.samples,
        report.block_s / 60
    );
    for fault in &report.faults {
        let _ = writeln!(text, "<p class=\"fault\">Attention: {}</p>", escaped(fault));
    }
    text
}

/// Uplinks with their colours and patterns.
fn legend(to: &mut String, report: &SurveyReport) -> std::fmt::Result {
    writeln!(to, "<ul class=\"legend\" aria-label=\"Uplinks\">")?;
    for (number, uplink) in report.uplinks.iter().enumerate() {
        let line = format!("<path class=\"u{}\" d=\"M0 6H28\"/>", number % COLOURS);
        writeln!(
            to,
            "<li><svg width=\"28\" height=\"12\" aria-hidden=\"true\">{line}</svg> {}</li>",
            escaped(uplink)
        )?;
    }
    writeln!(to, "</ul>")
}

fn verdicts(to: &mut String, report: &SurveyReport) -> std::fmt::Result {
    writeln!(
        to,
        "<section>\n<h2>Verdicts</h2>\n<table>\n<thead><tr><th>Destination</th><th>Verdict</th></tr></thead>\n<tbody>"
    )?;
    for destination in report.regions.iter().flat_map(|region| &region.destinations) {
        for verdict in &destination.verdicts {
            let class = escaped(destination.class.as_str());
            writeln!(to, "<tr><th scope=\"row\">{class}</th><td>{}</td></tr>", escaped(&verdict.words))?;
        }
    }
    writeln!(to, "</tbody>\n</table>\n</section>")
}

fn write_destination(
    to: &mut String,
    report: &SurveyReport,
    destination: &Destination,
    number: usize,
) -> std::fmt::Result {
    writeln!(to, "<article>\n<h3>{}</h3>", escaped(destination.class.as_str()))?;
    for verdict in &destination.verdicts {
        writeln!(to, "<p>{}.</p>", escaped(&verdict.words))?;
    }
    table(to, &destination.paths)?;
    if number < MOST_PLOTTED && destination.paths.iter().any(|path| path.rtt_min_ms.is_some()) {
        writeln!(to, "<div class=\"plots\">")?;
        timeline::write(to, report, destination, number)?;
        distribution::write(to, report, destination, number)?;
        writeln!(to, "</div>")?;
    }
    writeln!(to, "</article>")
}

fn table(to: &mut String, paths: &[PathFigures]) -> std::fmt::Result {
    writeln!(
        to,
        "<table>\n<thead><tr><th>Uplink</th><th>Probes</th><th>Loss</th><th>95 % bounds</th><th>Min</th><th>Median</th>"
    )?;
    writeln!(
        to,
        "<th>95 %</th><th>99 %</th><th>Jitter</th><th>Available</th><th>Best hour</th><th>Worst hour</th></tr></thead>\n<tbody>"
    )?;
    for path in paths {
        write!(to, "<tr><th scope=\"row\">{}</th><td>{}</td>", escaped(&path.uplink), path.probes)?;
        let bounds = path.loss_bounds.map(|bounds| bounds.map(|bound| format!("{:.2}", bound * 100.0)).join(" to "));
        write!(to, "<td>{}</td><td>{}</td>", percent(path.loss), bounds.as_deref().unwrap_or(text::ABSENT))?;
        for figure in [path.rtt_min_ms, path.rtt_median_ms, path.rtt_p95_ms, path.rtt_p99_ms, path.jitter_ms] {
            write!(to, "<td>{}</td>", ms(figure))?;
        }
        write!(to, "<td>{}</td>", percent(path.availability))?;
        for hour in [path.best_hour, path.worst_hour] {
            let told = hour.map(|hour| format!("{:02}:00 ({:.1} ms)", hour.hour, hour.rtt_median_ms));
            write!(to, "<td>{}</td>", told.as_deref().unwrap_or(text::ABSENT))?;
        }
        writeln!(to, "</tr>")?;
    }
    writeln!(to, "</tbody>\n</table>")
}

/// What destinations without a region are called.
pub(super) fn region_name(region: &Region) -> &str {
    region.region.as_deref().unwrap_or("Without a region")
}

/// Number of an uplink among all, which is that of its colour.
pub(super) fn number_of(report: &SurveyReport, uplink: &str) -> usize {
    report.uplinks.iter().position(|known| known == uplink).unwrap_or_default()
}
