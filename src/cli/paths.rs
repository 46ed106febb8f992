//! `peerward paths`: every path with its figures.

use serde_json::json;

use super::{
    arguments::Global,
    asking,
    failure::Failure,
    figures::{age, milliseconds, percent, span},
    output::{Colour, Style, print, print_json},
    table::{Align, Cell, Table},
};
use crate::domain::view::{PathView, Snapshot};

/// Shows the running agent's paths.
pub fn run(global: &Global, style: Style) -> Result<(), Failure> {
    let snapshot = asking::snapshot(global)?;
    if global.json {
        print_json(&json!({ "site": snapshot.site, "paths": snapshot.paths }))
    } else {
        print(&render(&snapshot, style))
    }
}

/// The paths as people read them.
pub fn render(snapshot: &Snapshot, style: Style) -> String {
    let mut table = Table::new(&[
        ("CLASS", Align::Left),
        ("UPLINK", Align::Left),
        ("ISP", Align::Left),
        ("USED", Align::Left),
        ("STATE", Align::Left),
        ("FOR", Align::Right),
        ("RTT MIN", Align::Right),
        ("MEDIAN", Align::Right),
        ("P95", Align::Right),
        ("JITTER", Align::Right),
        ("LOSS", Align::Right),
        ("PROBES", Align::Right),
        ("LAST", Align::Right),
        ("EVIDENCE", Align::Left),
    ]);
    for path in &snapshot.paths {
        table.row(row(path));
    }
    table.render(style)
}

fn row(path: &PathView) -> [Cell; 14] {
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
        Cell::from(percent(path.loss_ratio)),
        Cell::from(path.probes.to_string()),
        Cell::from(age(path.age_s)),
        Cell::from(&path.evidence),
    ]
}
