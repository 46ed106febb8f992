//! `peerward paths`: every path with its figures; some of them, when asked for, with all that is known.

mod choice;
mod detail;

use serde_json::json;

pub use choice::Choice;

use super::{
    arguments::Global,
    asking,
    failure::{Code, Failure},
    figures::{loss_with_bounds, milliseconds, span},
    output::{Colour, Style, print, print_json},
    sparkline::{halved, sparkline},
    table::{Align, Cell, Table},
};
use crate::{
    domain::view::{HandshakeView, PathReport},
    local::{Answer, Request},
};

/// What is shown where there is room for it, the worthiest first.
const EXPENDABLE: [&str; 8] = ["USED", "EVIDENCE", "LAST HOUR", "JITTER", "FOR", "P95", "ISP", "MIN"];

/// Shows the running agent's paths.
pub fn run(global: &Global, choice: &Choice, style: Style) -> Result<(), Failure> {
    let Answer::Paths(reports) = asking::ask(global, &Request::Paths)? else { return Err(asking::mismatch()) };
    let chosen = choice.of(&reports).map_err(|reason| Failure::new(Code::Usage, reason))?;
    if global.json {
        let site = asking::snapshot(global)?.site;
        print_json(&json!({ "site": site, "paths": chosen }))
    } else if choice.is_everything() {
        print(&render(&chosen, style))
    } else {
        print(&render_with_details(&chosen, style))
    }
}

/// The paths as people read them.
pub fn render(reports: &[&PathReport], style: Style) -> String {
    if reports.is_empty() {
        return "There are no paths: no class of destinations has an uplink of its family, or the agent has just \
                started.\n"
            .to_owned();
    }
    let mut text = overview(reports, style);
    let users = handshakes(reports);
    if !users.is_empty() {
        text.push_str("\nHandshakes of users (nothing was sent for these):\n");
        text.push_str(&users.render(style));
    }
    text
}

/// The same, and below it everything that is known of each.
pub fn render_with_details(reports: &[&PathReport], style: Style) -> String {
    let details = reports.iter().map(|report| detail::render(report, style));
    [overview(reports, style)].into_iter().chain(details).collect::<Vec<_>>().join("\n")
}

fn overview(reports: &[&PathReport], style: Style) -> String {
    let mut table = Table::new(&[
        ("CLASS", Align::Left),
        ("UPLINK", Align::Left),
        ("ISP", Align::Left),
        ("USED", Align::Left),
        ("STATE", Align::Left),
        ("FOR", Align::Right),
        ("MIN", Align::Right),
        ("MEDIAN", Align::Right),
        ("P95", Align::Right),
        ("JITTER", Align::Right),
        ("LOSS", Align::Right),
        ("LAST HOUR", Align::Left),
        ("EVIDENCE", Align::Left),
    ]);
    for report in reports {
        table.row(row(report, style));
    }
    table.fitted(&EXPENDABLE, style).render(style)
}

fn row(report: &PathReport, style: Style) -> [Cell; 13] {
    let path = &report.path;
    // Where nothing was lost, the bounds say only how many probes there were.
    let bounds = path.loss_bounds.filter(|_| path.loss_ratio.is_some_and(|loss| loss > 0.0));
    [
        Cell::from(path.class.as_str()),
        Cell::from(&path.uplink),
        Cell::from(&path.isp),
        Cell::from(if path.selected { "*" } else { "" }),
        Cell::painted(path.state.as_str(), Colour::of_state(path.state)),
        Cell::from(span(path.since_s)),
        Cell::from(milliseconds(path.rtt_min_ms)),
        Cell::from(milliseconds(path.rtt_ms)),
        Cell::from(milliseconds(path.rtt_p95_ms)),
        Cell::from(milliseconds(path.jitter_ms)),
        Cell::from(loss_with_bounds(path.loss_ratio, bounds)),
        sparkline(&halved(&report.trend), style),
        Cell::from(&path.evidence),
    ]
}

/// What users felt, apart from what probes measured.
fn handshakes(reports: &[&PathReport]) -> Table {
    let mut table = Table::new(&[
        ("CLASS", Align::Left),
        ("UPLINK", Align::Left),
        ("IN THE LAST", Align::Right),
        ("COMPLETED", Align::Right),
        ("REPEATED", Align::Right),
        ("UNANSWERED", Align::Right),
        ("REFUSED", Align::Right),
        ("MIN", Align::Right),
        ("MEDIAN", Align::Right),
        ("P95", Align::Right),
    ]);
    for report in reports {
        if let Some(seen) = &report.handshakes {
            let HandshakeView { completed, repeated, unanswered, refused, .. } = seen;
            let counts = [completed, repeated, unanswered, refused].map(|count| Cell::from(count.to_string()));
            let times = [seen.rtt_min_ms, seen.rtt_ms, seen.rtt_p95_ms].map(|time| Cell::from(milliseconds(time)));
            let path = [report.path.class.as_str(), &report.path.uplink, &span(seen.span_s)].map(Cell::from);
            table.row(path.into_iter().chain(counts).chain(times));
        }
    }
    table
}
