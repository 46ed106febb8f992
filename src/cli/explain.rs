//! `peerward explain`: where an address or prefix goes, and why; the answer first, then the way to it.

use std::{fmt::Write, net::IpAddr};

use ipnet::IpNet;

use super::{
    arguments::Global,
    asking,
    failure::Failure,
    figures::{count, span},
    output::{Colour, Facts, Style, print, print_json, visible},
    status::intended,
    table::{Align, Cell, Table},
};
use crate::{
    domain::view::{CandidateView, ClassView, DestinationView, Explanation, KernelLookup},
    local::{Answer, Request},
};

/// Asks the running agent to explain.
pub fn run(global: &Global, query: IpNet, from: Option<IpAddr>, style: Style) -> Result<(), Failure> {
    match asking::ask(global, &Request::Explain { query, from })? {
        Answer::Explanation(explanation) if global.json => print_json(&*explanation),
        Answer::Explanation(explanation) => print(&render(&explanation, style)),
        _ => Err(asking::mismatch()),
    }
}

/// The explanation as people read it.
pub fn render(explanation: &Explanation, style: Style) -> String {
    let mut facts = Facts::default();
    facts.add("destination", visible(&destination(explanation.destination.as_ref())));
    if let Some(class) = &explanation.class {
        facts.add("class", visible(&class_line(class)));
        facts
            .add("decision", visible(&format!("{}, for {}: {}", intended(class), span(class.since_s), class.reason)));
        facts.add("backup", visible(class.backup.as_deref().unwrap_or("none")));
        facts.add("in kernel", visible(class.in_kernel.as_deref().unwrap_or("not held in peerward's tables")));
    }
    if let Some(kept) = &explanation.kept {
        facts.add("kept", visible(&format!("{}: {}", kept.prefix, kept.why)));
    }
    facts.add("lookup", visible(&lookup(explanation.kernel_lookup.as_ref())));
    let mut text =
        format!("{}: {}\n\n{}", asked(explanation.query), visible(&explanation.conclusion), facts.render());
    if let Some(class) = explanation.class.as_ref().filter(|class| !class.candidates.is_empty()) {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{}", candidates(&class.candidates, style));
    }
    text
}

/// A host without the length of its prefix, as it was typed.
fn asked(query: IpNet) -> String {
    if query.prefix_len() == query.max_prefix_len() { query.addr().to_string() } else { query.to_string() }
}

fn destination(found: Option<&DestinationView>) -> String {
    let Some(found) = found else { return "not known to be Microsoft's".to_owned() };
    let mut words = vec![found.prefix.to_string(), found.service.clone()];
    words.extend(found.category.clone());
    words.extend(found.region.clone());
    words.push(format!("listed by {}", found.sources.join(" and ")));
    words.push(if found.steered { "steered" } else { "not steered by this configuration" }.to_owned());
    words.join(", ")
}

fn class_line(class: &ClassView) -> String {
    let prefixes = count(class.prefixes, "prefix", "prefixes");
    let routes = count(class.routes, "route", "routes");
    format!("{}: {prefixes} in {routes}, decided together", class.id)
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
