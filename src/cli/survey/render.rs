//! A survey as people read it.

use crate::{
    cli::{
        figures::{ABSENT, count, loss_with_bounds, milliseconds, span},
        output::{Facts, Style, visible},
        table::{Align, Cell, Table},
    },
    survey::{Hour, PathFigures, Region, SurveyReport},
};

/// The whole report.
pub fn render(report: &SurveyReport, style: Style) -> String {
    let mut parts = vec![facts(report)];
    parts.extend(report.regions.iter().map(|region| figures(region, style)));
    parts.push(verdicts(report, style));
    parts.join("\n")
}

fn facts(report: &SurveyReport) -> String {
    let mut facts = Facts::default();
    facts.add("site", visible(&format!("{}, market {}", report.site, report.market)));
    let recorded = format!("{} in {}", span(report.recorded_s), count(report.runs, "run", "runs"));
    match (&report.start, &report.end) {
        (Some(start), Some(end)) => facts.add("recorded", format!("{start} to {end}: {recorded}")),
        _ => facts.add("recorded", format!("{recorded}; the clock was never set")),
    };
    facts.add("samples", report.samples.to_string());
    for fault in &report.faults {
        facts.add("attention", visible(fault));
    }
    facts.render()
}

fn figures(region: &Region, style: Style) -> String {
    let mut table = Table::new(&[
        ("CLASS", Align::Left),
        ("UPLINK", Align::Left),
        ("PROBES", Align::Right),
        ("LOSS", Align::Right),
        ("MIN", Align::Right),
        ("MEDIAN", Align::Right),
        ("95 %", Align::Right),
        ("99 %", Align::Right),
        ("JITTER", Align::Right),
        ("AVAILABLE", Align::Right),
        ("BEST HOUR", Align::Right),
        ("WORST HOUR", Align::Right),
    ]);
    for destination in &region.destinations {
        for path in &destination.paths {
            table.row(row(destination.class.as_str(), path));
        }
    }
    let name = region.region.as_deref().unwrap_or("Without a region");
    let table = table.fitted(&["JITTER", "MIN", "BEST HOUR", "WORST HOUR"], style);
    format!("{}\n{}", visible(name), table.render(style))
}

fn row(class: &str, path: &PathFigures) -> [Cell; 12] {
    let hour = |hour: Option<Hour>| {
        hour.map_or_else(|| ABSENT.to_owned(), |it| format!("{:02}:00 {:.1} ms", it.hour, it.rtt_median_ms))
    };
    let available = path.availability.map_or_else(|| ABSENT.to_owned(), |share| format!("{:.2} %", share * 100.0));
    [
        Cell::from(class),
        Cell::from(&path.uplink),
        Cell::from(path.probes.to_string()),
        Cell::from(loss_with_bounds(path.loss, path.loss_bounds)),
        Cell::from(milliseconds(path.rtt_min_ms)),
        Cell::from(milliseconds(path.rtt_median_ms)),
        Cell::from(milliseconds(path.rtt_p95_ms)),
        Cell::from(milliseconds(path.rtt_p99_ms)),
        Cell::from(milliseconds(path.jitter_ms)),
        Cell::from(available),
        Cell::from(hour(path.best_hour)),
        Cell::from(hour(path.worst_hour)),
    ]
}

fn verdicts(report: &SurveyReport, style: Style) -> String {
    let mut table = Table::new(&[("CLASS", Align::Left), ("VERDICT", Align::Left)]);
    for destination in report.regions.iter().flat_map(|region| &region.destinations) {
        for verdict in &destination.verdicts {
            table.row([Cell::from(destination.class.as_str()), Cell::from(&verdict.words)]);
        }
    }
    if table.is_empty() {
        return "No verdict: no destination was reached by any uplink, or there is only one.\n".to_owned();
    }
    table.render(style)
}
