//! An explanation as people read it: the answer first, then the way to it.

use std::fmt::Write;

use ipnet::IpNet;

use crate::{
    cli::{
        figures::{count, span},
        output::{Colour, Facts, Style, visible},
        status::intended,
        table::{Align, Cell, Table},
    },
    domain::view::{
        CandidateView, ClassView, DestinationView, Explanation, KernelLookup, OutlookView, RulingView, StatementView,
    },
};

/// The explanation as people read it.
pub fn render(explanation: &Explanation, style: Style) -> String {
    let mut text = format!("{}\n\n{}", answer(explanation), facts(explanation));
    let Some(class) = explanation.class.as_ref().filter(|class| !class.candidates.is_empty()) else { return text };
    // Writing to a string cannot fail.
    let _ = write!(text, "\n{}", candidates(&class.candidates, style));
    if class.candidates.iter().any(|candidate| !candidate.gates.is_empty()) {
        let _ = write!(text, "\n{}", gates(&class.candidates, style));
    }
    if !explanation.outlook.is_empty() {
        let _ = write!(text, "\n{}", outlook(&explanation.outlook, style));
    }
    text
}

/// What was asked for, and where it goes.
pub fn answer(explanation: &Explanation) -> String {
    let asked = explanation.asked.clone().unwrap_or_else(|| host_or_prefix(explanation.query));
    format!("{}: {}", visible(&asked), visible(&explanation.conclusion))
}

/// A host without the length of its prefix, as it was typed.
pub fn host_or_prefix(query: IpNet) -> String {
    if query.prefix_len() == query.max_prefix_len() { query.addr().to_string() } else { query.to_string() }
}

fn facts(explanation: &Explanation) -> String {
    let mut facts = Facts::default();
    if explanation.asked.is_some() {
        facts.add("for example", host_or_prefix(explanation.query));
    }
    let found = explanation.destination.as_ref();
    facts.add("destination", visible(&destination(found)));
    for (position, listed) in found.iter().flat_map(|found| listed(found)).enumerate() {
        facts.add(if position == 0 { "listed by" } else { "" }, visible(&listed));
    }
    if let Some(ruling) = &explanation.ruling {
        facts.add("policy", visible(&policy(ruling)));
        if let Some(tie) = &ruling.tie {
            facts.add("tie", visible(&format!("{tie}; the first one is applied")));
        }
    }
    if let Some(class) = &explanation.class {
        decided(&mut facts, class);
    }
    if let Some(kept) = &explanation.kept {
        facts.add("kept", visible(&format!("{}: {}", kept.prefix, kept.why)));
    }
    facts.add("lookup", visible(&lookup(explanation.kernel_lookup.as_ref())));
    facts.render()
}

fn decided(facts: &mut Facts, class: &ClassView) {
    facts.add("class", visible(&class_line(class)));
    facts.add("decision", visible(&format!("{}, for {}: {}", intended(class), span(class.since_s), class.reason)));
    if class.shares.len() > 1 {
        facts.add("shares", visible(&shares(class)));
    }
    facts.add("backup", visible(class.backup.as_deref().unwrap_or("none")));
    facts.add("in kernel", visible(class.in_kernel.as_deref().unwrap_or("not held in peerward's tables")));
}

fn destination(found: Option<&DestinationView>) -> String {
    let Some(found) = found else { return "not known to be Microsoft's".to_owned() };
    let mut words = vec![found.prefix.to_string(), found.service.clone()];
    words.extend(found.category.clone());
    words.extend(found.region.clone());
    if found.statements.is_empty() {
        words.push(format!("listed by {}", found.sources.join(" and ")));
    }
    words.push(if found.steered { "steered" } else { "not steered by this configuration" }.to_owned());
    words.join(", ")
}

/// A line for each source that lists it, and for each prefix around it.
fn listed(found: &DestinationView) -> Vec<String> {
    let line = |said: &StatementView| {
        let mut words = vec![said.service.clone()];
        words.extend(said.category.clone());
        words.extend(said.region.clone());
        let wider = if said.prefix == found.prefix { String::new() } else { format!("{}: ", said.prefix) };
        let version = said.version.as_ref().map(|version| format!(", {version}")).unwrap_or_default();
        let chosen = if said.chosen { "" } else { "; not chosen" };
        let name = if said.name == said.service { String::new() } else { format!(" {}", said.name) };
        format!("{wider}{}{name}: {} ({}{version}){chosen}", said.source, words.join(", "), said.origin)
    };
    let mut lines: Vec<String> = found.statements.iter().map(line).collect();
    if found.statements_omitted > 0 {
        lines.push(format!("and {} more", found.statements_omitted));
    }
    lines
}

/// `rule teams (peerward.toml:31): the ISPs that the rule names`.
fn policy(ruling: &RulingView) -> String {
    let Some(rule) = &ruling.rule else { return format!("no rule: {}", ruling.order) };
    let place = match (&ruling.file, ruling.line) {
        (Some(file), Some(line)) => format!(" ({file}:{line})"),
        (None, Some(line)) => format!(" (line {line})"),
        (_, None) => String::new(),
    };
    format!("rule {rule}{place}: {}", ruling.order)
}

fn class_line(class: &ClassView) -> String {
    let prefixes = count(class.prefixes, "prefix", "prefixes");
    let routes = count(class.routes, "route", "routes");
    let kept =
        if class.kept > 0 { format!("; {} kept by the router's own routes", class.kept) } else { String::new() };
    format!("{}: {prefixes} in {routes}, decided together{kept}", class.id)
}

/// `wan0 (north) 3 of 4, wan1 (south) 1 of 4`.
fn shares(class: &ClassView) -> String {
    let total: u32 = class.shares.iter().map(|share| u32::from(share.weight)).sum();
    let share = |share: &crate::domain::view::ShareView| {
        format!("{} ({}) {} of {total}", share.uplink, share.isp, share.weight)
    };
    class.shares.iter().map(share).collect::<Vec<_>>().join(", ")
}

fn lookup(found: Option<&KernelLookup>) -> String {
    let Some(found) = found else {
        return "no answer from the kernel: no route, or no LAN address to ask for".to_owned();
    };
    let mut text = format!("the kernel answers from table {}", found.table);
    let parts = [
        found.interface.as_ref().map(|interface| format!(": by {interface}")),
        found.gateway.as_ref().map(|gateway| format!(" through {gateway}")),
        found.uplink.as_ref().map(|uplink| format!(" (uplink {uplink})")),
    ];
    text.extend(parts.into_iter().flatten());
    text
}

fn candidates(candidates: &[CandidateView], style: Style) -> String {
    let mut table = Table::new(&[
        ("", Align::Right),
        ("CANDIDATE", Align::Left),
        ("STATE", Align::Left),
        ("USABLE", Align::Left),
        ("VERDICT", Align::Left),
    ]);
    for (rank, candidate) in (1..).zip(candidates) {
        table.row([
            Cell::from(format!("{rank}.")),
            Cell::from(format!("{} ({})", candidate.uplink, candidate.isp)),
            Cell::painted(candidate.state.as_str(), Colour::of_state(candidate.state)),
            Cell::from(if candidate.usable { "yes" } else { "no" }),
            Cell::from(&candidate.verdict),
        ]);
    }
    table.render(style)
}

/// Every gate of every candidate, in the order in which they are applied.
fn gates(candidates: &[CandidateView], style: Style) -> String {
    let mut table = Table::new(&[
        ("", Align::Right),
        ("CANDIDATE", Align::Left),
        ("GATE", Align::Left),
        ("PASSED", Align::Left),
        ("BECAUSE", Align::Left),
    ]);
    for (rank, candidate) in (1..).zip(candidates) {
        for (position, gate) in candidate.gates.iter().enumerate() {
            let first = position == 0;
            let name = if first { candidate.uplink.as_str() } else { "" };
            let passed = if gate.passed { Cell::from("yes") } else { Cell::painted("no", Some(Colour::Yellow)) };
            table.row([
                Cell::from(if first { format!("{rank}.") } else { String::new() }),
                Cell::from(name),
                Cell::from(&gate.name),
                passed,
                Cell::from(&gate.says),
            ]);
        }
    }
    table.render(style)
}

fn outlook(outlook: &[OutlookView], style: Style) -> String {
    let mut table =
        Table::new(&[("OUTLOOK", Align::Left), ("IN", Align::Right), ("WHAT WOULD CHANGE IT", Align::Left)]);
    for entry in outlook {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded up, never negative")]
        let seconds = entry.in_s.map(|seconds| span(seconds.ceil() as u64));
        table.row([
            Cell::from(format!("{} ({})", entry.uplink, entry.isp)),
            Cell::from(seconds.as_deref().unwrap_or("-")),
            Cell::from(&entry.what),
        ]);
    }
    table.render(style)
}
