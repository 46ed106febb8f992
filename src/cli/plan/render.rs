//! The outcome of a rehearsal as people read it.

use std::fmt::Write;

use crate::{
    cli::{
        figures::{ABSENT, count, or_absent, span},
        output::{Facts, Style, visible},
        table::{Align, Cell, Table},
    },
    rehearsal::{ClassOutcome, KernelOutcome, Outcome, Space},
};

/// The sum of it first, then the classes that move, the kernel, and what should be thought over.
pub fn render(new: &str, outcome: &Outcome, style: Style) -> String {
    let mut text = format!("{}: {}\n", visible(new), summary(outcome));
    // Writing to a string cannot fail.
    if outcome.moving().next().is_some() {
        let _ = write!(text, "\n{}", moving(outcome, style));
    }
    let _ = write!(text, "\n{}", facts(outcome).render());
    text
}

fn summary(outcome: &Outcome) -> String {
    if outcome.is_still() && outcome.concerns.is_empty() {
        return format!("changes nothing against {}", visible(&outcome.against));
    }
    let moving: Vec<&ClassOutcome> = outcome.moving().collect();
    let prefixes: usize = moving.iter().map(|class| class.prefixes).sum();
    let changes = count(outcome.kernel.changes, "kernel change", "kernel changes");
    let concerns = match outcome.concerns.len() {
        0 => "no objection".to_owned(),
        some => count(some, "objection", "objections"),
    };
    format!(
        "{} of {} ({}), {changes}, {concerns}, against {}",
        moving.len(),
        count(outcome.classes.len(), "class moves", "classes move"),
        count(prefixes, "prefix", "prefixes"),
        visible(&outcome.against)
    )
}

fn moving(outcome: &Outcome, style: Style) -> String {
    let mut table = Table::new(&[
        ("CLASS", Align::Left),
        ("PREFIXES", Align::Right),
        ("FROM", Align::Left),
        ("TO", Align::Left),
        ("AFTER", Align::Right),
        ("FLOWS", Align::Right),
        ("WHY", Align::Left),
    ]);
    for class in outcome.moving() {
        let place = |name: &Option<String>| name.clone().unwrap_or_else(|| "main table".to_owned());
        table.row([
            Cell::from(class.class.as_str()),
            Cell::from(class.prefixes.to_string()),
            Cell::from(place(&class.from)),
            Cell::from(place(&class.to)),
            Cell::from(if class.after_s == 0 { "at once".to_owned() } else { span(class.after_s) }),
            Cell::from(class.flows.map_or_else(|| ABSENT.to_owned(), |flows| flows.to_string())),
            Cell::from(&class.reason),
        ]);
    }
    table.render(style)
}

fn facts(outcome: &Outcome) -> Facts {
    let mut facts = Facts::default();
    facts.add("kernel", kernel(&outcome.kernel));
    for (name, space) in [("begins", &outcome.begins), ("ceases", &outcome.ceases)] {
        if space.routes > 0 {
            facts.add(name, steered(space));
        }
    }
    for class in outcome.classes.iter().filter(|class| class.now.is_some()) {
        let now = or_absent(class.now.as_ref().map(crate::domain::ClassId::as_str));
        facts.add("class", visible(&format!("{}, decided as {now} now", class.class)));
    }
    for class in &outcome.vanishing {
        facts.add("class", visible(&format!("{class} would be there no more")));
    }
    for concern in &outcome.concerns {
        facts.add("objection", visible(concern));
    }
    facts
}

fn kernel(outcome: &KernelOutcome) -> String {
    let parts = [
        (outcome.next_hops_set, ["next hop or group", "next hops and groups"], "set"),
        (outcome.next_hops_deleted, ["next hop or group", "next hops and groups"], "deleted"),
        (outcome.routes_added, ["route", "routes"], "added"),
        (outcome.routes_moved, ["route", "routes"], "moved alone"),
        (outcome.routes_deleted, ["route", "routes"], "deleted"),
        (outcome.rules, ["rule", "rules"], "added or deleted"),
    ];
    let told: Vec<String> = (parts.iter())
        .filter(|(number, ..)| *number > 0)
        .map(|(number, [one, many], done)| format!("{} {done}", count(*number, one, many)))
        .collect();
    let mut text = if told.is_empty() { "nothing to write".to_owned() } else { told.join(", ") };
    if !outcome.known {
        text.push_str("; what is there now cannot be read, all of it is counted");
    }
    if !outcome.written {
        text.push_str("; in observe nothing of it is written");
    }
    text
}

fn steered(space: &Space) -> String {
    let examples: Vec<String> = space.examples.iter().map(ToString::to_string).collect();
    format!("{}, such as {}", count(space.routes, "route", "routes"), examples.join(", "))
}
