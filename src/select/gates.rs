//! The gates before an uplink, in the order in which decisions apply them, each with its numbers.

use std::time::Duration;

use crate::{
    config::{Margin, Sla},
    domain::PathState,
    quality::milliseconds,
};

use super::{
    Standing, Unattached,
    account::Case,
    field::{Runner, is_faster, lead_needed},
    policy::Ranking,
    reason::Seconds,
    turn::Turn,
};

/// What is asked of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GateName {
    /// May it be used at all, and at which place.
    Policy,
    /// Is its ISP a qualified partner in the site's market.
    Qualification,
    /// Does it carry the family.
    Family,
    /// Is its interface there, up, with carrier.
    Link,
    /// Is there a gateway and an address of its own.
    NextHop,
    /// Does its ISP let the sources of the zone through.
    Source,
    /// Do the router's own routes lead by it, where they must.
    Route,
    /// Are there figures.
    Measured,
    /// Does anything answer.
    Alive,
    /// Does the path keep its service level.
    Sla,
    /// Does it come before the one in charge.
    Strategy,
    /// May traffic move to it now.
    Hold,
}

impl GateName {
    /// Name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Qualification => "qualification",
            Self::Family => "family",
            Self::Link => "link",
            Self::NextHop => "next-hop",
            Self::Source => "source",
            Self::Route => "route",
            Self::Measured => "measured",
            Self::Alive => "alive",
            Self::Sla => "sla",
            Self::Strategy => "strategy",
            Self::Hold => "hold",
        }
    }
}

/// A gate and its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// Which one.
    pub name: GateName,
    /// Whether it lets the candidate through. The service level, the strategy, a hold, and the qualification of a
    /// fallback only tell why another one comes first.
    pub passed: bool,
    /// The verdict, with its numbers.
    pub says: String,
}

impl Gate {
    fn new(name: GateName, passed: bool, says: String) -> Self {
        Self { name, passed, says }
    }
}

/// The gates before a candidate, up to the first that lets nothing through.
pub(super) fn of(case: &Case<'_>, runner: &Runner<'_>) -> Vec<Gate> {
    let mut gates = standing(case, runner);
    if runner.excluded() {
        return gates;
    }
    gates.extend(way(case, runner));
    if runner.attached().is_none() {
        return gates;
    }
    gates.push(measured(case, runner));
    if runner.is(PathState::Unknown) {
        return gates;
    }
    gates.push(alive(case, runner));
    if runner.is(PathState::Down) {
        return gates;
    }
    gates.push(service_level(case, runner));
    gates.push(strategy(case, runner));
    gates.extend(hold(case, runner));
    gates
}

fn standing(case: &Case<'_>, runner: &Runner<'_>) -> Vec<Gate> {
    let policy = case.field.policy;
    let place = runner.rank + 1;
    let refused = case.is_refused(runner);
    let says = match runner.standing() {
        _ if refused => "named by the policy".to_owned(),
        Standing::Rule => format!("#{place} by rule {}", policy.rule.as_deref().unwrap_or_default()),
        Standing::MarketOverride => format!("#{place} by the override for {}", policy.market),
        Standing::GlobalPreference => format!("#{place} by the global preference"),
        Standing::Fallback => format!("#{place}, as fallback: not preferred here"),
        Standing::Excluded => {
            return vec![Gate::new(GateName::Policy, false, runner.cause())];
        }
    };
    let mut gates = vec![Gate::new(GateName::Policy, true, says)];
    if let Some(found) = case.qualification(runner) {
        let reason = &found.reason;
        let (passed, says) = match runner.standing() {
            _ if found.qualified => (true, reason.clone()),
            Standing::Excluded => (false, format!("{reason}, and `fallback` is \"none\"")),
            Standing::Fallback if refused => (false, format!("{reason}: fallback only")),
            Standing::Fallback => (true, format!("unqualified, as a fallback may be: {reason}")),
            _ => (true, format!("unqualified, allowed by `allow_unqualified`: {reason}")),
        };
        gates.push(Gate::new(GateName::Qualification, passed, says));
    }
    gates
}

/// The kernel's part, up to the first gate that fails.
fn way(case: &Case<'_>, runner: &Runner<'_>) -> Vec<Gate> {
    let Some(path) = runner.path() else {
        return vec![Gate::new(GateName::Family, false, format!("not used for {}", case.class.family))];
    };
    let failed = path.unattached.as_ref().map(|unattached| (gate_of(unattached), unattached.to_string()));
    let passed = |name| match name {
        GateName::Link => case.way(runner).map(|way| format!("interface {} is up, with carrier", way.interface)),
        GateName::NextHop => case.way(runner).and_then(|way| way.next_hop).map(|next_hop| {
            next_hop.gateway.map_or_else(|| "point-to-point".to_owned(), |gateway| format!("through {gateway}"))
        }),
        GateName::Source => case.class.zone.map(|_| "its ISP lets these IPv6 sources through".to_owned()),
        GateName::Route => case
            .way(runner)
            .filter(|way| way.needs_route)
            .map(|_| "the router's own routes by it lead to all of the class".to_owned()),
        _ => None,
    };
    let mut gates = Vec::new();
    for name in [GateName::Family, GateName::Link, GateName::NextHop, GateName::Source, GateName::Route] {
        if let Some((_, says)) = failed.as_ref().filter(|(at, _)| *at == name) {
            gates.push(Gate::new(name, false, says.clone()));
            break;
        }
        gates.extend(passed(name).map(|says| Gate::new(name, true, says)));
    }
    gates
}

fn gate_of(unattached: &Unattached) -> GateName {
    match unattached {
        Unattached::FamilyDisabled(_) => GateName::Family,
        Unattached::NoInterface(_) | Unattached::AdminDown(_) | Unattached::NoCarrier(_) => GateName::Link,
        Unattached::NoNextHop(_) | Unattached::NoAddress(..) => GateName::NextHop,
        Unattached::ForeignSource => GateName::Source,
        Unattached::NoRoute { .. } => GateName::Route,
    }
}

fn measured(case: &Case<'_>, runner: &Runner<'_>) -> Gate {
    if !runner.is(PathState::Unknown) {
        let probes = runner.attached().map_or(0, |path| path.figures.probes);
        return Gate::new(GateName::Measured, true, format!("{probes} probes in the window"));
    }
    let left = case.field.measured_by(runner).since(case.field.now());
    let says = if case.field.being_measured(runner) {
        format!("{}; waited for, for {} at most", runner.cause(), Seconds(left))
    } else {
        format!("{}; no longer waited for", runner.cause())
    };
    Gate::new(GateName::Measured, false, says)
}

fn alive(case: &Case<'_>, runner: &Runner<'_>) -> Gate {
    let span = Seconds(case.field.now().since(runner.since()));
    if runner.is(PathState::Down) {
        return Gate::new(GateName::Alive, false, format!("down for {span}: {}", runner.cause()));
    }
    Gate::new(GateName::Alive, true, format!("{} for {span}", runner.state()))
}

fn service_level(case: &Case<'_>, runner: &Runner<'_>) -> Gate {
    let span = Seconds(case.field.now().since(runner.since()));
    let cause = runner.cause();
    if runner.is(PathState::Degraded) {
        return Gate::new(GateName::Sla, false, format!("violated for {span}: {cause}"));
    }
    let says = match bounds(&case.field.policy.sla) {
        None => format!("none configured: {cause}"),
        Some(bounds) => format!("within {bounds}: {cause}"),
    };
    Gate::new(GateName::Sla, true, says)
}

/// `RTT 40 ms, loss 2 %`; none where nothing is bounded.
fn bounds(sla: &Sla) -> Option<String> {
    let delay = |bound: Duration| format!("{} ms", bound.as_secs_f64() * 1_000.0);
    let bounds = [
        sla.rtt.map(|bound| format!("{} {}", sla.percentile.name_of_rtt(), delay(bound))),
        sla.jitter.map(|bound| format!("jitter {}", delay(bound))),
        sla.loss.map(|bound| format!("loss {} %", bound * 100.0)),
    ];
    let bounds: Vec<String> = bounds.into_iter().flatten().collect();
    (!bounds.is_empty()).then(|| bounds.join(", "))
}

fn strategy(case: &Case<'_>, runner: &Runner<'_>) -> Gate {
    let (passed, says) = match (case.field.policy.ranking, case.current()) {
        (_, None) => (true, format!("#{} in the order", runner.rank + 1)),
        (Ranking::Balanced, Some(current)) if runner.is_preferred() && current.is_preferred() => share(case, runner),
        (Ranking::Fastest(margin), Some(current)) if runner.is_preferred() && current.is_preferred() => {
            speed(case, runner, &current, margin)
        }
        (_, Some(current)) => place(case, runner, &current),
    };
    Gate::new(GateName::Strategy, passed, says)
}

fn place(case: &Case<'_>, runner: &Runner<'_>, current: &Runner<'_>) -> (bool, String) {
    let on = current.label();
    if case.is_member(runner) {
        return (true, "in charge".to_owned());
    }
    if runner.rank < current.rank {
        return (true, format!("comes before {on}, which is in charge"));
    }
    if current.is(PathState::Up) {
        return (false, format!("comes behind {on}, which is in charge"));
    }
    (true, format!("comes behind {on}, which is in charge and {}", current.state()))
}

fn share(case: &Case<'_>, runner: &Runner<'_>) -> (bool, String) {
    let weight = u32::from(runner.weight());
    let total: u32 = case.members.iter().map(|member| u32::from(member.weight())).sum();
    if case.is_member(runner) {
        return (true, format!("in charge with weight {weight} of {total}"));
    }
    (true, format!("would be in charge with weight {weight} of {}", total + weight))
}

fn speed(case: &Case<'_>, runner: &Runner<'_>, current: &Runner<'_>, margin: Margin) -> (bool, String) {
    let Some(rtt) = runner.rtt() else { return (false, "no RTT to compare".to_owned()) };
    let own = format!("RTT {}", milliseconds(rtt));
    if case.is_member(runner) {
        return (true, format!("{own}, in charge"));
    }
    let Some(than) = current.rtt() else { return (true, format!("{own}; {} has none", current.label())) };
    let on = current.label();
    if rtt < than {
        let gained = milliseconds(than.saturating_sub(rtt));
        let needed = milliseconds(lead_needed(than, margin));
        return (is_faster(rtt, than, margin), format!("{own}: {gained} faster than {on}, {needed} needed"));
    }
    (false, format!("{own}: {} slower than {on}", milliseconds(rtt.saturating_sub(than))))
}

/// What a move to it waits for, if it would be made by time alone.
fn hold(case: &Case<'_>, runner: &Runner<'_>) -> Option<Gate> {
    let turn = Turn::of(case, runner)?;
    let says = match turn.held {
        Some(held) => format!("{turn}; {}", held.hold),
        None => turn.to_string(),
    };
    Some(Gate::new(GateName::Hold, turn.is_due() && turn.held.is_none(), says))
}
