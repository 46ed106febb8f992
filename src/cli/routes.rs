//! `peerward routes`: every class with its prefixes, its routes after exact aggregation, and where they lead.

use serde_json::json;

use super::{
    arguments::Global,
    asking,
    failure::Failure,
    figures::or_absent,
    output::{Style, print, print_json, visible},
    status::{in_kernel, intended, is_enforcing},
    table::{Align, Cell, Table},
};
use crate::domain::view::Snapshot;

/// Shows the running agent's routes.
pub fn run(global: &Global, style: Style) -> Result<(), Failure> {
    let snapshot = asking::snapshot(global)?;
    if global.json {
        print_json(&json!({ "mode": snapshot.mode, "kernel": snapshot.kernel, "classes": snapshot.classes }))
    } else {
        print(&render(&snapshot, style))
    }
}

/// The routes as people read them.
pub fn render(snapshot: &Snapshot, style: Style) -> String {
    let mut table = Table::new(&[
        ("CLASS", Align::Left),
        ("FAMILY", Align::Left),
        ("REGION", Align::Left),
        ("PREFIXES", Align::Right),
        ("ROUTES", Align::Right),
        ("CHOSEN", Align::Left),
        ("BACKUP", Align::Left),
        ("IN KERNEL", Align::Left),
    ]);
    for class in &snapshot.classes {
        table.row([
            Cell::from(class.id.as_str()),
            Cell::from(class.family.as_str()),
            Cell::from(or_absent(class.region.as_deref())),
            Cell::from(class.prefixes.to_string()),
            Cell::from(class.routes.to_string()),
            Cell::from(intended(class)),
            Cell::from(or_absent(class.backup.as_deref())),
            in_kernel(class, is_enforcing(snapshot)),
        ]);
    }
    let (prefixes, routes) = (snapshot.classes.iter())
        .fold((0, 0), |(prefixes, routes), class| (prefixes + class.prefixes, routes + class.routes));
    let [prefixes, routes] = [prefixes, routes].map(|number: usize| number.to_string());
    table.row(["total", "", "", &prefixes, &routes].map(Cell::from));
    let mut text = table.render(style);
    if snapshot.classes.iter().any(|class| class.kept > 0) {
        text.push_str("\nLeft to the router's own routes:\n");
        text.push_str(&kept(snapshot, style));
    }
    text
}

/// What is not steered although the catalogue names it, and why.
fn kept(snapshot: &Snapshot, style: Style) -> String {
    let mut table = Table::new(&[("CLASS", Align::Left), ("PREFIX", Align::Left), ("KEPT BY", Align::Left)]);
    for class in &snapshot.classes {
        for kept in &class.kept_prefixes {
            table.row([
                Cell::from(class.id.as_str()),
                Cell::from(kept.prefix.to_string()),
                Cell::from(visible(&kept.why)),
            ]);
        }
        if let more @ 1.. = class.kept.saturating_sub(class.kept_prefixes.len()) {
            table.row([Cell::from(class.id.as_str()), Cell::from(format!("and {more} more"))]);
        }
    }
    table.render(style)
}
