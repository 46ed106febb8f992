//! `peerward status`: the whole picture on one screen, and first of all what is wrong in it.

use super::{
    arguments::Global,
    asking,
    failure::Failure,
    figures::{ABSENT, count, milliseconds, or_absent, percent, span},
    output::{Colour, Facts, Style, print, print_json, visible},
    qualification,
    table::{Align, Cell, Table},
};
use crate::{
    config::Mode,
    domain::{
        PathState,
        view::{ClassView, FlowsView, KernelView, ReportingView, Snapshot, WatchView},
    },
};

/// Shows the running agent's status.
pub fn run(global: &Global, style: Style) -> Result<(), Failure> {
    let snapshot = asking::snapshot(global)?;
    if global.json { print_json(&snapshot) } else { print(&render(&snapshot, style)) }
}

/// The status as people read it.
pub fn render(snapshot: &Snapshot, style: Style) -> String {
    let parts =
        [facts(snapshot, style), uplinks(snapshot, style), qualifications(snapshot, style), steered(snapshot, style)];
    parts.join("\n")
}

fn facts(snapshot: &Snapshot, style: Style) -> String {
    let mut facts = Facts::default();
    facts.add("site", visible(&format!("{}, market {}", snapshot.site, snapshot.market)));
    let meaning = if snapshot.mode == Mode::Observe.as_str() { " (nothing is written to the kernel)" } else { "" };
    let up = span(snapshot.uptime_s);
    let agent = format!("peerward {}, up {up}, mode {}{meaning}", snapshot.version, snapshot.mode);
    facts.add("agent", visible(&agent));
    facts.add("kernel", kernel(snapshot, style));
    if is_enforcing(snapshot) && !snapshot.kernel.flows.moved.is_empty() {
        facts.add("flows", visible(&flows(&snapshot.kernel.flows)));
    }
    facts.add(
        "reporting",
        snapshot.reporting.as_ref().map_or("not configured".to_owned(), |view| reporting(view, style)),
    );
    for problem in problems(snapshot) {
        facts.add("attention", style.paint(Some(Colour::Yellow), &visible(&problem)));
    }
    facts.render()
}

fn kernel(snapshot: &Snapshot, style: Style) -> String {
    let KernelView { routes_primary, routes_backup, writes, repairs, overruns, .. } = snapshot.kernel;
    let (word, colour) = match &snapshot.kernel {
        KernelView { error: Some(_), .. } => ("failing", Some(Colour::Red)),
        KernelView { fresh: false, .. } => ("reading", Some(Colour::Yellow)),
        KernelView { withdrawn: true, .. } => ("withdrawn", Some(Colour::Yellow)),
        _ if !is_enforcing(snapshot) => ("read", Some(Colour::Green)),
        KernelView { in_step: true, .. } => ("in step", Some(Colour::Green)),
        _ => ("out of step", Some(Colour::Yellow)),
    };
    format!(
        "{}: {}, {} for backup; {}, {}, events lost {}",
        style.paint(colour, word),
        count(routes_primary, "route", "routes"),
        routes_backup,
        count(writes, "write", "writes"),
        count(repairs, "repair", "repairs"),
        count(overruns, "time", "times"),
    )
}

/// Flows that moved, by what the router tracks of them.
fn flows(view: &FlowsView) -> String {
    if let Some(reason) = &view.unavailable {
        return format!("not looked at: {reason}");
    }
    let left: u64 = view.left.iter().map(|left| left.flows).sum();
    format!("{} reset, {left} left behind", count(view.deleted, "moved flow", "moved flows"))
}

fn reporting(view: &ReportingView, style: Style) -> String {
    let colour = match view.state.as_str() {
        "ok" => Some(Colour::Green),
        "failing" => Some(Colour::Red),
        _ => None,
    };
    format!(
        "{}: {}; {} records acknowledged, {} rejected; {} waiting ({} bytes), {} dropped",
        style.paint(colour, &visible(&view.state)),
        visible(&view.endpoint),
        view.acknowledged,
        view.rejected,
        count(view.queued_batches, "batch", "batches"),
        view.queued_bytes,
        view.dropped_batches,
    )
}

/// What a person should look at, most urgent first; empty when all is well.
fn problems(snapshot: &Snapshot) -> Vec<String> {
    let mut problems = Vec::new();
    let mut uplinks = snapshot.isps.iter().flat_map(|isp| &isp.uplinks).peekable();
    if uplinks.peek().is_some() && uplinks.all(|uplink| uplink.state == PathState::Down) {
        problems.push("every uplink is down".to_owned());
    }
    let kernel = &snapshot.kernel;
    if let Some(error) = &kernel.error {
        problems.push(format!("kernel: {error}"));
    }
    if kernel.local_routes_omitted > 0 {
        problems.push(format!(
            "{} of the router's own into steered space are too many to keep: they are not respected",
            count(kernel.local_routes_omitted, "route", "routes")
        ));
    }
    if kernel.withdrawn {
        problems.push("everything was withdrawn on request; restart the agent to steer again".to_owned());
    } else if is_enforcing(snapshot) && kernel.fresh {
        problems.extend(misplaced(&snapshot.classes));
    }
    problems.extend(left_behind(&kernel.flows));
    problems.extend(snapshot.passive.iter().flat_map(unwatched));
    if let Some(view) = &snapshot.reporting {
        if let Some(error) = &view.error {
            problems.push(format!("reporting: {error}"));
        }
        if view.dropped_batches > 0 {
            let batches = count(view.dropped_batches, "batch", "batches");
            problems.push(format!("reporting: {batches} dropped, oldest first, because the queue was full"));
        }
    }
    problems
}

/// Flows that go on with the address of an uplink that they are not on: no answer reaches them.
fn left_behind(view: &FlowsView) -> impl Iterator<Item = String> {
    let error = view.error.iter().map(|error| format!("moved flows: {error}"));
    error.chain(view.left.iter().map(|left| {
        let flows = count(left.flows, "flow", "flows");
        format!("{flows} of {} left behind: translated to the address of another uplink", left.class)
    }))
}

/// Uplinks whose users' handshakes are asked for and not seen.
fn unwatched(view: &WatchView) -> impl Iterator<Item = String> {
    let unwatched = view.uplinks.iter().filter(|uplink| !uplink.watching);
    unwatched.map(|uplink| format!("handshakes of users on {}: {}", uplink.uplink, uplink.state))
}

/// Intended against in the kernel: disagreement is an alarm.
fn misplaced(classes: &[ClassView]) -> impl Iterator<Item = String> {
    classes.iter().filter(|class| is_misplaced(class)).map(|class| {
        let place = |uplink: &Option<String>| uplink.clone().unwrap_or_else(|| "the main table".to_owned());
        format!(
            "{} should be on {}, the kernel has it on {}",
            class.id,
            place(&class.uplink),
            place(&class.in_kernel)
        )
    })
}

fn uplinks(snapshot: &Snapshot, style: Style) -> String {
    let mut table = Table::new(&[
        ("ISP", Align::Left),
        ("UPLINK", Align::Left),
        ("INTERFACE", Align::Left),
        ("STATE", Align::Left),
        ("RTT", Align::Right),
        ("LOSS", Align::Right),
        ("IPV4 BY", Align::Left),
        ("IPV6 BY", Align::Left),
        ("KERNEL SAYS", Align::Left),
    ]);
    for isp in &snapshot.isps {
        for uplink in &isp.uplinks {
            table.row([
                Cell::from(&isp.name),
                Cell::from(&uplink.name),
                Cell::from(&uplink.interface),
                Cell::painted(uplink.state.as_str(), Colour::of_state(uplink.state)),
                Cell::from(milliseconds(uplink.rtt_ms)),
                Cell::from(percent(uplink.loss_ratio)),
                Cell::from(or_absent(uplink.next_hop_ipv4.as_deref())),
                Cell::from(or_absent(uplink.next_hop_ipv6.as_deref())),
                Cell::from(&uplink.reason),
            ]);
        }
    }
    table.render(style)
}

fn qualifications(snapshot: &Snapshot, style: Style) -> String {
    let rows = snapshot.isps.iter().map(|isp| qualification::Row {
        name: &isp.name,
        partner: isp.partner.as_deref(),
        qualified: isp.qualified,
        why: &isp.qualification,
    });
    qualification::render(rows, style)
}

fn steered(snapshot: &Snapshot, style: Style) -> String {
    let mut table = Table::new(&[
        ("CLASS", Align::Left),
        ("PREFIXES", Align::Right),
        ("INTENDED", Align::Left),
        ("IN KERNEL", Align::Left),
        ("BACKUP", Align::Left),
        ("FOR", Align::Right),
        ("REASON", Align::Left),
    ]);
    for class in &snapshot.classes {
        table.row([
            Cell::from(class.id.as_str()),
            Cell::from(class.prefixes.to_string()),
            Cell::from(intended(class)),
            in_kernel(class, is_enforcing(snapshot)),
            Cell::from(or_absent(class.backup.as_deref())),
            Cell::from(span(class.since_s)),
            Cell::from(&class.reason),
        ]);
    }
    table.render(style)
}

/// Whether the kernel has a class elsewhere than it should be; one of which nothing is left to steer has no place.
fn is_misplaced(class: &ClassView) -> bool {
    class.uplink != class.in_kernel && (class.routes > 0 || class.in_kernel.is_some())
}

/// Where a class should go: `wan0 (north)`; and whether it does so without a qualified partner.
pub fn intended(class: &ClassView) -> String {
    let unqualified = unqualified(class);
    match (&class.uplink, &class.isp) {
        (Some(uplink), Some(isp)) => format!("{uplink} ({isp}){unqualified}"),
        (Some(uplink), None) => format!("{uplink}{unqualified}"),
        (None, _) => "main table".to_owned(),
    }
}

/// Which of the uplinks in charge is none of a qualified partner.
fn unqualified(class: &ClassView) -> String {
    let in_charge = |uplink: &str| {
        class.uplink.as_deref() == Some(uplink) || class.shares.iter().any(|share| share.uplink == uplink)
    };
    let here = class.candidates.iter().filter(|it| !it.qualified && in_charge(&it.uplink));
    let names: Vec<&str> = here.map(|candidate| candidate.uplink.as_str()).collect();
    match names.len() {
        0 => String::new(),
        some if some >= class.shares.len() => ", unqualified".to_owned(),
        _ => format!(", {} unqualified", names.join(" and ")),
    }
}

/// Where the kernel has a class; a colour only where it is asked to hold it.
pub fn in_kernel(class: &ClassView, enforcing: bool) -> Cell {
    let colour = match (enforcing, is_misplaced(class)) {
        (false, _) => None,
        (true, false) => Some(Colour::Green),
        (true, true) => Some(Colour::Red),
    };
    Cell::painted(class.in_kernel.as_deref().unwrap_or(ABSENT), colour)
}

/// Whether the agent writes to the kernel.
pub fn is_enforcing(snapshot: &Snapshot) -> bool {
    snapshot.mode == Mode::Enforce.as_str()
}
