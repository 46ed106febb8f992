//! What would change a decision, and how far it is.

use crate::{
    domain::{BootTime, PathState, UplinkId},
    quality::milliseconds,
};

use super::{
    Unattached,
    account::Case,
    field::{Runner, lead_needed},
    hold::{Occasion, held},
    policy::Ranking,
    reason::Seconds,
    turn::{Ground, Turn},
};

/// Entries at most: nobody reads more.
const MOST: usize = 16;

/// What would change the decision about one uplink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// Uplink.
    pub uplink: UplinkId,
    /// What it does, and when: `returns when it has been up for 10 s (return_after): 3 s so far`.
    pub what: String,
    /// The moment, where time alone brings it about.
    pub when: Option<BootTime>,
}

/// What would change the decision, in the order of preference.
pub(super) fn of(case: &Case<'_>) -> Vec<Outlook> {
    let outlook = |runner: Runner<'_>| {
        let (what, when) = if case.is_member(&runner) { leaving(case, &runner)? } else { coming(case, &runner)? };
        Some(Outlook { uplink: runner.uplink(), what, when })
    };
    case.field.runners().filter_map(outlook).take(MOST).collect()
}

type Prospect = (String, Option<BootTime>);

/// Of one of several in charge that violates its SLA: when it is left.
fn leaving(case: &Case<'_>, runner: &Runner<'_>) -> Option<Prospect> {
    let others_are_good = case.members.iter().any(|member| member.is(PathState::Up));
    if !runner.is(PathState::Degraded) || !others_are_good {
        return None;
    }
    let leave_after = case.field.policy.leave_after;
    let lasted = case.field.now().since(runner.since());
    let due = runner.since() + leave_after;
    let held = held(case.field, case.memory, Occasion::Violation);
    let note = held.map(|held| format!("; {}", held.hold)).unwrap_or_default();
    let what = format!(
        "is left when it has violated its SLA for {} (leave_after): {} so far{note}",
        Seconds(leave_after),
        Seconds(lasted)
    );
    Some((what, Some(held.and_then(|held| held.until).map_or(due, |until| until.max(due)))))
}

/// Of one that is not in charge: what brings it there.
fn coming(case: &Case<'_>, runner: &Runner<'_>) -> Option<Prospect> {
    if let Some(turn) = Turn::of(case, runner) {
        return Some((waiting(case, runner, &turn), turn.at()));
    }
    if case.is_refused(runner) {
        let market = &case.field.policy.market;
        return Some((
            format!("is preferred once it is a qualified partner in {market}, or with `allow_unqualified`"),
            None,
        ));
    }
    if runner.excluded() {
        return None;
    }
    if !could_win(case, runner) {
        return next_in_line(case, runner).map(|what| (what, None));
    }
    let condition = match runner.state() {
        _ if runner.attached().is_none() => {
            format!("{} and the path is good", remedy(runner.path()?.unattached.as_ref()?)?)
        }
        PathState::Down => "it answers again and is good".to_owned(),
        PathState::Degraded => "it keeps its SLA".to_owned(),
        PathState::Unknown => "it is measured and good".to_owned(),
        PathState::Up => return faster(case, runner).map(|what| (what, None)),
    };
    let what = format!("{} when {condition}{}{}", verb(case, runner), span(case, runner), so_far(case, runner));
    let by = case.field.being_measured(runner).then(|| case.field.measured_by(runner));
    Some((what, by.filter(|_| case.current().is_none())))
}

/// Whether it would be in charge, or have a part, if its own path were good.
fn could_win(case: &Case<'_>, runner: &Runner<'_>) -> bool {
    let shares = case.field.policy.is_balanced() && runner.is_preferred();
    case.current()
        .is_none_or(|current| shares || !current.is(PathState::Up) || case.field.could_beat(runner, &current))
}

/// What it does when its turn comes.
fn verb(case: &Case<'_>, runner: &Runner<'_>) -> &'static str {
    match case.current() {
        None => "is used",
        Some(current) if case.field.policy.is_balanced() && runner.is_preferred() && current.is_preferred() => {
            "joins"
        }
        Some(current) if case.field.preferred_to(current).any(|other| other.uplink() == runner.uplink()) => "returns",
        Some(_) => "takes over",
    }
}

/// For how long its path must be good; at once where the one in charge has been bad for long enough.
fn span(case: &Case<'_>, runner: &Runner<'_>) -> String {
    let policy = case.field.policy;
    let Some(current) = case.current() else { return String::new() };
    let is_bad = match current.state() {
        PathState::Up | PathState::Unknown => false,
        PathState::Degraded => case.field.now().at_least_after(current.since(), policy.leave_after),
        PathState::Down => true,
    };
    if is_bad {
        return String::new();
    }
    let by_margin = if case.field.is_fastest(&current) && runner.is_preferred() {
        format!(", and faster than {} by the margin,", current.label())
    } else {
        String::new()
    };
    let hold = held(case.field, case.memory, Occasion::Better).map(|held| format!("; {}", held.hold));
    format!("{by_margin} for {} (return_after){}", Seconds(policy.return_after), hold.unwrap_or_default())
}

/// What the path lacks at the moment, where it answers or did.
fn so_far(case: &Case<'_>, runner: &Runner<'_>) -> String {
    if runner.attached().is_none() {
        return String::new();
    }
    let lacks = case.way(runner).and_then(|way| way.recovery.clone()).unwrap_or_else(|| runner.cause());
    format!("; now: {lacks}")
}

/// Of one whose turn comes by time alone.
fn waiting(case: &Case<'_>, runner: &Runner<'_>, turn: &Turn) -> String {
    let verb = verb(case, runner);
    if let Some(held) = turn.held.filter(|_| turn.is_due()) {
        return format!("{verb} as soon as traffic may move: {}", held.hold);
    }
    let (condition, key) = match turn.ground {
        Ground::Preferred | Ground::Share => ("it has been up".to_owned(), "return_after"),
        Ground::Faster => {
            let lead = lead(case, runner).map(|lead| format!(" ({lead})")).unwrap_or_default();
            (format!("it has been faster by the margin{lead}"), "return_after")
        }
        Ground::Relief => {
            let on = case.current().map(|current| current.label().to_string()).unwrap_or_default();
            (format!("{on} has violated its SLA"), "leave_after")
        }
    };
    let note = turn.held.map(|held| format!("; {}", held.hold)).unwrap_or_default();
    let (needed, lasted) = (Seconds(turn.needed), Seconds(turn.lasted));
    format!("{verb} when {condition} for {needed} ({key}): {lasted} so far{note}")
}

/// Of one that is up and not fast enough.
fn faster(case: &Case<'_>, runner: &Runner<'_>) -> Option<String> {
    let return_after = Seconds(case.field.policy.return_after);
    Some(format!(
        "takes over when it is faster by the margin ({}) for {return_after} (return_after)",
        lead(case, runner)?
    ))
}

/// `1.2 ms faster than NTT, 5.0 ms needed`.
fn lead(case: &Case<'_>, runner: &Runner<'_>) -> Option<String> {
    let Ranking::Fastest(margin) = case.field.policy.ranking else { return None };
    let current = case.current()?;
    let (rtt, than) = (runner.rtt()?, current.rtt()?);
    let needed = milliseconds(lead_needed(than, margin));
    let on = current.label();
    Some(if rtt <= than {
        format!("{} faster than {on}, {needed} needed", milliseconds(than.saturating_sub(rtt)))
    } else {
        format!("{} slower than {on}, {needed} faster needed", milliseconds(rtt.saturating_sub(than)))
    })
}

/// Of the best one that is good and behind all in charge.
fn next_in_line(case: &Case<'_>, runner: &Runner<'_>) -> Option<String> {
    let current = case.current()?;
    let members: Vec<UplinkId> = case.members.iter().map(Runner::uplink).collect();
    let next = case.field.best_besides(&members)?;
    if next.uplink() != runner.uplink() {
        return None;
    }
    if members.len() > 1 {
        return Some("takes over when none of those in charge is good".to_owned());
    }
    let on = current.label();
    let leave_after = Seconds(case.field.policy.leave_after);
    Some(if runner.is(PathState::Up) {
        format!("takes over when {on} is down, or violates its SLA for {leave_after} (leave_after)")
    } else {
        format!("takes over when {on} is down")
    })
}

/// What has to happen for the kernel to have a way through it.
fn remedy(unattached: &Unattached) -> Option<String> {
    Some(match unattached {
        Unattached::NoInterface(name) => format!("there is an interface {name}"),
        Unattached::AdminDown(name) => format!("interface {name} is set up"),
        Unattached::NoCarrier(name) => format!("interface {name} has carrier"),
        Unattached::NoNextHop(name) => format!("there is a default route by {name}"),
        Unattached::NoAddress(name, family) => format!("{name} has an {family} address"),
        Unattached::NoRoute { missing, of, .. } => {
            format!("the router's own routes by it lead to all of the class ({missing} of {of} are missing)")
        }
        Unattached::ForeignSource | Unattached::FamilyDisabled(_) => return None,
    })
}
