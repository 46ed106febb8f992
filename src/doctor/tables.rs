//! Our tables, and our route protocol number, in the hands of others.

use std::{collections::BTreeSet, ops::RangeInclusive};

use ipnet::IpNet;

use super::{
    Evidence, Finding, Grade, Topic,
    evidence::written,
    owners::{protocol, well_known},
};
use crate::domain::Family;

/// `default`, `main`, `local`, and the one below them that the kernel sets aside.
const KERNEL_TABLES: RangeInclusive<u32> = 252..=255;

pub(super) fn examine(evidence: &Evidence) -> Vec<Finding> {
    [foreign_routes(evidence), table_names(evidence), under_our_number(evidence), protocol_names(evidence)].concat()
}

fn foreign_routes(evidence: &Evidence) -> Vec<Finding> {
    let ours = evidence.our_tables();
    let mut findings = Vec::new();
    for (&(family, table), contents) in
        evidence.inventory.tables.iter().filter(|((_, table), _)| ours.contains(table))
    {
        let foreign: Vec<String> = (contents.by_protocol.iter())
            .filter(|(number, _)| **number != evidence.own.protocol)
            .map(|(number, (routes, first))| format!("{routes} of {}, such as {first}", protocol(*number, evidence)))
            .collect();
        if foreign.is_empty() {
            continue;
        }
        let steering = table == evidence.own.table || table == evidence.own.backup_table;
        let harm = if steering {
            "forwarded traffic for which Peerward has no route follows them; and where theirs has the very place of one of \
             Peerward's, the class cannot be installed as planned"
        } else {
            "probes of an uplink may leave by another one, and then measure the wrong path"
        };
        let grade = if steering { Grade::Error } else { Grade::Warning };
        let found = format!(
            "table {table}, which is Peerward's, holds {} routes of others: {}",
            written(family),
            foreign.join("; ")
        );
        let look = format!("look at them with `ip {} route show table {table}`", flag(family));
        findings.push(Finding::new(grade, Topic::Tables, found, harm, format!("{look}; {}", other_tables(evidence))));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(Topic::Tables, format!("nobody else has routes in tables {}", list(&ours))));
    }
    findings
}

fn flag(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "-4",
        Family::Ipv6 => "-6",
    }
}

/// The numbers, runs of three and more as a range.
fn list(numbers: &[u32]) -> String {
    let runs = numbers.chunk_by(|one, next| one.checked_add(1) == Some(*next));
    let text = |run: &[u32]| match run {
        [first, _, .., last] => format!("{first} to {last}"),
        few => few.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    runs.map(text).collect::<Vec<_>>().join(", ")
}

/// Numbers that nobody uses or names: two tables, 64 for probes and 128 for IPv6 sources.
fn other_tables(evidence: &Evidence) -> String {
    let mut used: BTreeSet<u32> = evidence.inventory.tables.keys().map(|(_, table)| *table).collect();
    used.extend(evidence.names.tables.iter().map(|name| name.number));
    used.extend(evidence.our_tables());
    let free =
        (80..1000_u32).map(|hundred| hundred * 100).find(|first| used.range(*first..*first + 208).next().is_none());
    match free {
        Some(first) => format!(
            "to leave them alone, set in [kernel] table = {first}, backup_table = {}, probe_table = {}, source_table = {}",
            first + 1,
            first + 10,
            first + 80
        ),
        None => "to leave them alone, set other table numbers in [kernel]".to_owned(),
    }
}

fn table_names(evidence: &Evidence) -> Vec<Finding> {
    let ours = evidence.our_tables();
    let taken = evidence.names.tables.iter().filter(|name| ours.contains(&name.number) && !is_us(&name.name));
    taken
        .map(|name| {
            Finding::new(
                Grade::Warning,
                Topic::Tables,
                format!("{} names table {} `{}`, and it is Peerward's", name.file, name.number, name.name),
                "a program that goes by that name will put its routes among Peerward's, or flush them",
                format!("{}; or remove that line if nobody uses it", other_tables(evidence)),
            )
        })
        .collect()
}

fn is_us(name: &str) -> bool {
    name.to_ascii_lowercase().starts_with("peerward")
}

/// What is under our number although we did not order it. In enforce, all of it is taken for what an earlier run left
/// behind, and removed; but nothing of ours was ever in the kernel's own tables, and there it is left alone.
fn under_our_number(evidence: &Evidence) -> Vec<Finding> {
    let own = &evidence.own;
    // Of 64 probe tables and 128 for sources those beyond what is configured are ours too.
    let probes = own.probe_table..own.probe_table.saturating_add(64);
    let sources = own.source_table..own.source_table.saturating_add(128);
    let ours = |table: u32| {
        table == own.table || table == own.backup_table || probes.contains(&table) || sources.contains(&table)
    };
    let strays = evidence.inventory.under_our_number.iter().filter(|((_, table), _)| !ours(*table));
    let (kernels, others): (Vec<_>, Vec<_>) = strays.partition(|((_, table), _)| KERNEL_TABLES.contains(table));
    let routes = |(of, (routes, first)): &(&(Family, u32), &(usize, IpNet))| {
        format!("{routes} {} routes in table {}, such as {first}", written(of.0), of.1)
    };
    let rules = evidence.inventory.rules.iter();
    let rules = rules.filter(|rule| rule.protocol == Some(own.protocol) && !evidence.is_ours(rule));
    let next_hops = evidence.inventory.stray_next_hops.iter();
    let removed: Vec<String> = (others.iter().map(routes))
        .chain(rules.map(|rule| format!("rule `{rule}`")))
        .chain(next_hops.map(|id| format!("next hop {id}")))
        .collect();
    let kernels: Vec<String> = kernels.iter().map(routes).collect();
    let choose = format!("set [kernel] protocol = {}", free_protocol(evidence));
    let number = own.protocol;
    let mut findings = Vec::new();
    if !kernels.is_empty() {
        findings.push(Finding::new(
            Grade::Error,
            Topic::Protocol,
            format!("another program has protocol number {number}, which is Peerward's: {}", shown(&kernels)),
            "Peerward leaves these alone; but rules, next hops and routes in other tables under that number it takes for \
             its own, and in enforce removes those it did not order",
            &choose,
        ));
    }
    if !removed.is_empty() {
        findings.push(Finding::new(
            Grade::Warning,
            Topic::Protocol,
            format!("protocol number {number}, which is Peerward's, is on what it did not order: {}", shown(&removed)),
            "an earlier configuration of Peerward's left them, or they are another program's: in enforce, Peerward removes \
             them",
            format!("if they are another program's: {choose}; if they were Peerward's, nothing"),
        ));
    }
    findings
}

fn shown(things: &[String]) -> String {
    const SHOWN: usize = 6;
    let more = things.len().saturating_sub(SHOWN);
    let first = things.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{first} and {more} more") } else { first }
}

fn free_protocol(evidence: &Evidence) -> u8 {
    let named = |number: u8| evidence.names.protocols.iter().any(|name| name.number == u32::from(number));
    (78..=98).chain(100..=185).find(|number| well_known(*number).is_none() && !named(*number)).unwrap_or(78)
}

fn protocol_names(evidence: &Evidence) -> Vec<Finding> {
    let number = evidence.own.protocol;
    let named = evidence.names.protocols.iter().find(|name| name.number == u32::from(number) && !is_us(&name.name));
    let owner = match (well_known(number), named) {
        (Some(program), _) => format!("is {program}'s by long custom"),
        (None, Some(name)) => format!("is named `{}` in {}", name.name, name.file),
        (None, None) => {
            return vec![Finding::ok(
                Topic::Protocol,
                format!("nobody else is known to have protocol number {number}"),
            )];
        }
    };
    vec![Finding::new(
        Grade::Error,
        Topic::Protocol,
        format!("protocol number {number} {owner}"),
        "Peerward would take rules of that program for its own and remove them, and that program may flush Peerward's \
         routes",
        format!("set [kernel] protocol = {}", free_protocol(evidence)),
    )]
}
