//! Rules of others: which of them take forwarded traffic away before ours are looked at, and which would suffer.
//!
//! The kernel walks rules by preference, and among equals in the order in which they were added. A rule takes a packet
//! when its table has a route for it, or when it drops; otherwise the walk goes on.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::{
    Evidence, Finding, Grade, Topic,
    evidence::MAIN,
    owners::{MWAN3_PREFERENCES, Owner},
};
use crate::domain::{Family, RuleDetail, RuleVerdict};

const LOCAL: u32 = 255;
const DEFAULT: u32 = 253;
/// Preferences before ours at which the kernel may have put rules that were added without one.
const CHOSEN_BY_KERNEL: u32 = 32;
/// Rules that are shown of one owner.
const SHOWN: usize = 6;
/// Recommended when somebody stands before ours: before mwan3 (1000), Tailscale (1310 or 5210) and pbr (30000).
const BEFORE_ALL: [u32; 3] = [720, 730, 731];

/// Where a rule stands in the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Before,
    /// At one of our preferences.
    Among,
    /// After the rule for the chosen paths, before that for the backups.
    Between,
    After,
}

/// Which of the packets that we steer it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    None,
    Some,
    All,
}

/// What happens to what it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// Nothing: the walk goes on.
    Passes,
    /// A table without a default route that has this many routes inside steered space.
    Specifics(usize),
    /// It never comes back to our rules: a default route has it, or it is dropped, or the walk goes on after ours.
    Gone,
}

/// How a rule bears upon ours; rules alike in all of this are told together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Bearing {
    place: Place,
    owner: Owner,
    reach: Reach,
    fate: Fate,
}

pub(super) fn examine(evidence: &Evidence) -> Vec<Finding> {
    let mut groups: BTreeMap<Bearing, Vec<&RuleDetail>> = BTreeMap::new();
    let ours = |rule: &&RuleDetail| evidence.is_ours(rule) || is_kernels(rule);
    for rule in evidence.inventory.rules.iter().filter(|rule| !ours(rule)) {
        groups.entry(bearing(rule, evidence)).or_default().push(rule);
    }
    let first = remedy_numbers(&groups);
    let mut findings: Vec<Finding> =
        groups.iter().map(|(bearing, rules)| finding(bearing, rules, evidence, first)).collect();
    findings.extend(mwan3_range(evidence, &groups));
    if findings.iter().all(|finding| finding.severity == Grade::Ok) {
        let (first, last) = (evidence.own.probe_rule_preference, evidence.own.backup_rule_preference);
        let text = format!("nothing takes what is steered before Peerward's rules, {first} to {last}");
        findings.push(Finding::ok(Topic::Rules, text));
    }
    findings
}

/// The three rules that every namespace begins with, where the kernel put them.
fn is_kernels(rule: &RuleDetail) -> bool {
    let bare = RuleDetail { protocol: None, ..rule.clone() };
    [(0, LOCAL), (32_766, MAIN), (32_767, DEFAULT)].into_iter().any(|(preference, table)| {
        bare == RuleDetail { preference, verdict: RuleVerdict::Table(table), ..RuleDetail::new(rule.family) }
    })
}

fn bearing(rule: &RuleDetail, evidence: &Evidence) -> Bearing {
    let own = &evidence.own;
    let place = match rule.preference {
        at if evidence.our_preferences().contains(&at) => Place::Among,
        at if at < own.rule_preference => Place::Before,
        at if at < own.backup_rule_preference => Place::Between,
        _ => Place::After,
    };
    let owner = Owner::of(rule, evidence);
    // Tailscale marks its own sockets' packets and none that is forwarded.
    let own_only = owner == Owner::Tailscale && rule.mark.is_some();
    let reach = if own_only { Reach::None } else { reach(rule, evidence) };
    let (reach, fate) = match (reach, fate(rule, evidence)) {
        // Alike for us, and told together.
        (Reach::None, _) | (_, Fate::Passes | Fate::Specifics(0)) => (Reach::None, Fate::Passes),
        other => other,
    };
    Bearing { place, owner, reach, fate }
}

/// Which forwarded packets to steered destinations a rule matches.
fn reach(rule: &RuleDetail, evidence: &Evidence) -> Reach {
    let bare = rule.tos == 0
        && !rule.other
        && rule.mark.is_none()
        && rule.ip_protocol.is_none()
        && rule.source_ports.is_none()
        && rule.destination_ports.is_none()
        && rule.source.is_none()
        && rule.destination.is_none()
        && rule.uids.is_none();
    if rule.verdict == RuleVerdict::VrfTable {
        return Reach::None;
    }
    if rule.inverted {
        // What it leaves out is the tunnel's own, the router's own, one network: the rest is what we steer.
        return Reach::All;
    }
    // A forwarded packet is bound to no interface, comes from no address of ours, and counts as sent by user 0.
    let own_address = |net: IpNet| {
        net.prefix_len() == net.max_prefix_len()
            && evidence.inventory.addresses.iter().any(|held| held.net.addr() == net.addr())
    };
    let from_us = rule.input.as_deref() == Some("lo")
        || rule.output.is_some()
        || rule.source.is_some_and(own_address)
        || rule.uids.is_some_and(|(first, _)| first > 0);
    // What comes in by an uplink is on its way to the clients.
    let from_outside = rule.input.as_deref().is_some_and(|input| evidence.is_uplink(input));
    let elsewhere =
        rule.destination.is_some_and(|to| !evidence.destinations.is_empty() && !evidence.destinations.touches(to));
    match (from_us || from_outside || elsewhere, bare && rule.input.is_none()) {
        (true, _) => Reach::None,
        (false, true) => Reach::All,
        (false, false) => Reach::Some,
    }
}

fn fate(rule: &RuleDetail, evidence: &Evidence) -> Fate {
    let table = match rule.verdict {
        RuleVerdict::Blackhole | RuleVerdict::Unreachable | RuleVerdict::Prohibit => return Fate::Gone,
        RuleVerdict::Goto(target) if target > evidence.own.rule_preference => return Fate::Gone,
        RuleVerdict::Goto(_) | RuleVerdict::Nop | RuleVerdict::VrfTable | RuleVerdict::Table(LOCAL) => {
            return Fate::Passes;
        }
        RuleVerdict::Table(table) => table,
    };
    let contents = evidence.inventory.tables.get(&(rule.family, table));
    // Main is not looked into: it may have a million routes, and has a default route on any router.
    let default = table == MAIN || contents.is_some_and(|contents| contents.default);
    match contents {
        _ if default && rule.suppress.is_none() => Fate::Gone,
        Some(contents) => Fate::Specifics(contents.touching),
        None => Fate::Passes,
    }
}

/// Preferences that come before every rule that takes packets away from ours.
fn remedy_numbers(groups: &BTreeMap<Bearing, Vec<&RuleDetail>>) -> Option<[u32; 3]> {
    let takes = |bearing: &Bearing| {
        bearing.place == Place::Among || (bearing.place != Place::After && bearing.fate == Fate::Gone)
    };
    let lowest =
        groups.iter().filter(|(bearing, _)| takes(bearing)).flat_map(|(_, rules)| rules).map(|rule| rule.preference);
    match lowest.min()? {
        lowest if lowest > BEFORE_ALL[2] => Some(BEFORE_ALL),
        // Two for probes, two for IPv6 sources, and these two.
        lowest if lowest > 6 => Some([lowest - 6, lowest - 2, lowest - 1]),
        _ => None,
    }
}

fn finding(bearing: &Bearing, rules: &[&RuleDetail], evidence: &Evidence, first: Option<[u32; 3]>) -> Finding {
    let who = bearing.owner.name(evidence);
    let list = listed(rules);
    match (bearing.place, bearing.fate) {
        (Place::Among, _) => among(&who, &list, first),
        (Place::After, _) => after(bearing, &who, &list),
        (_, Fate::Passes) => {
            let note = if bearing.owner == Owner::Tailscale { "; an exit node would take it all" } else { "" };
            Finding::ok(Topic::Rules, format!("{who}: before ours, takes nothing that is steered{note}: {list}"))
        }
        (_, Fate::Specifics(routes)) => specifics(&who, &list, routes),
        (_, Fate::Gone) => taking(bearing, &who, rules, evidence, first),
    }
}

/// The rules as `ip rule` shows them; those that both families have, once.
fn listed(rules: &[&RuleDetail]) -> String {
    let mut lines: Vec<(String, Vec<Family>)> = Vec::new();
    for rule in rules {
        let text = rule.to_string();
        match lines.iter_mut().find(|(held, _)| *held == text) {
            Some((_, families)) => families.push(rule.family),
            None => lines.push((text, vec![rule.family])),
        }
    }
    let more = lines.len().saturating_sub(SHOWN);
    let shown: Vec<String> = (lines.iter().take(SHOWN))
        .map(|(text, families)| match families.as_slice() {
            [Family::Ipv4] => format!("`{text}`"),
            [Family::Ipv6] => format!("`{text}` (IPv6)"),
            _ => format!("`{text}` (both families)"),
        })
        .collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

fn go_first(first: Option<[u32; 3]>) -> String {
    match first {
        Some([probe, primary, backup]) => format!(
            "in [kernel] set probe_rule_preference = {probe}, rule_preference = {primary}, \
             backup_rule_preference = {backup}"
        ),
        None => "give these rules a higher preference: no room is left before them".to_owned(),
    }
}

fn among(who: &str, list: &str, first: Option<[u32; 3]>) -> Finding {
    Finding::new(
        Grade::Warning,
        Topic::Rules,
        format!("{who}: has rules at preferences of Peerward's: {list}"),
        "among rules of one preference the one that was added first is looked at first, so their order changes with \
         every restart; and whoever deletes a rule by its preference alone may delete the other's",
        go_first(first),
    )
}

/// A tunnel for everything is meant to have everything.
fn after(bearing: &Bearing, who: &str, list: &str) -> Finding {
    if bearing.owner != Owner::WireGuard {
        return Finding::ok(Topic::Rules, format!("{who}: after ours, has what is not steered: {list}"));
    }
    Finding::new(
        Grade::Advice,
        Topic::Rules,
        format!("{who}: stands after Peerward's rules: {list}"),
        "what is steered leaves by the uplinks and not through the tunnel, until the tunnel is started anew: the kernel \
         gives a rule without a preference the one before the lowest there is, and then the tunnel has everything",
        "decide who goes first: give the tunnel's rules an explicit preference (wg-quick: `Table = off` and `ip rule add \
         … preference N` in PostUp), N above backup_rule_preference, or below probe_rule_preference to have all in the \
         tunnel",
    )
}

fn specifics(who: &str, list: &str, routes: usize) -> Finding {
    Finding::new(
        Grade::Advice,
        Topic::Rules,
        format!(
            "{who}: stands before Peerward's rules and leads to {routes} route{} inside steered space: {list}",
            if routes == 1 { "" } else { "s" }
        ),
        "what goes to these prefixes is not steered: their routes are found first",
        "nothing, if that is intended (a VPN, a private peering); else remove these routes",
    )
}

fn taking(
    bearing: &Bearing,
    who: &str,
    rules: &[&RuleDetail],
    evidence: &Evidence,
    first: Option<[u32; 3]>,
) -> Finding {
    let (what, grade) = match bearing.reach {
        Reach::All => ("all forwarded traffic", Grade::Error),
        _ => ("the forwarded traffic that they match", Grade::Warning),
    };
    let own = &evidence.own;
    let (stand, meaning) = match bearing.place {
        Place::Between => (
            format!("between Peerward's rules ({} and {})", own.rule_preference, own.backup_rule_preference),
            "the standing backup is not reached: when the chosen line loses its carrier, these rules have the traffic"
                .to_owned(),
        ),
        _ => (
            format!("before Peerward's rules ({})", own.rule_preference),
            format!("{what} never reaches Peerward's tables: it is not steered, whatever `peerward status` decides"),
        ),
    };
    let found = format!("{who}: rules stand {stand} and take {what}: {}", listed(rules));
    if rules.iter().all(|rule| is_chosen_by_kernel(rule, evidence)) {
        let meaning = format!(
            "{meaning}; a rule that is added without a preference gets the one before the lowest there is, and that was \
             Peerward's"
        );
        let above = own.backup_rule_preference;
        let remedy = format!(
            "add these rules with an explicit preference above {above} (`ip rule add … preference {}`; wg-quick: `Table \
             = off`, and the rules in PostUp)",
            above.saturating_add(100)
        );
        return Finding::new(grade, Topic::Rules, found, meaning, remedy);
    }
    Finding::new(grade, Topic::Rules, found, meaning, format!("to let Peerward go first: {}", go_first(first)))
}

fn is_chosen_by_kernel(rule: &RuleDetail, evidence: &Evidence) -> bool {
    let lowest = evidence.own.probe_rule_preference;
    rule.preference < lowest && lowest - rule.preference <= CHOSEN_BY_KERNEL
}

/// mwan3 takes every rule of its range for its own when it stops.
fn mwan3_range(evidence: &Evidence, groups: &BTreeMap<Bearing, Vec<&RuleDetail>>) -> Option<Finding> {
    let present = groups.keys().any(|bearing| bearing.owner == Owner::Mwan3);
    let inside: Vec<String> = (evidence.our_preferences().iter())
        .filter(|preference| MWAN3_PREFERENCES.contains(preference))
        .map(ToString::to_string)
        .collect();
    let [probe, primary, backup] = BEFORE_ALL;
    (present && !inside.is_empty()).then(|| {
        Finding::new(
            Grade::Error,
            Topic::Rules,
            format!("mwan3 is here, and Peerward's preferences {} are in its range, 1000 to 3999", inside.join(", ")),
            "mwan3 deletes every rule of that range when it stops or restarts, Peerward's too",
            format!(
                "in [kernel] set probe_rule_preference = {probe}, rule_preference = {primary}, \
                 backup_rule_preference = {backup}"
            ),
        )
    })
}
