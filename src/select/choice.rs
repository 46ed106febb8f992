//! Which uplink is in charge.

use crate::domain::{BootTime, PathState};

use super::{
    Hold, Memory, Reason, balance,
    field::{Field, Runner},
    hold::{Occasion, held},
};

/// The uplinks in charge, why, and when to look again.
#[derive(Debug)]
pub(super) struct Choice<'a> {
    /// Most preferred first; several only where the policy balances.
    pub members: Vec<Runner<'a>>,
    pub reason: Reason,
    /// Moments at which the outcome may change though nothing happens; past ones may be among them.
    pub reviews: Vec<BootTime>,
    /// Whether this is a move that no dead path forced.
    pub voluntary: bool,
}

impl<'a> Choice<'a> {
    /// Stays there, or goes there because it must.
    fn on(chosen: Runner<'a>, reason: Reason) -> Self {
        Self { members: vec![chosen], reason, reviews: Vec::new(), voluntary: false }
    }

    /// Goes there by choice.
    fn moved(chosen: Runner<'a>, reason: Reason) -> Self {
        Self { voluntary: true, ..Self::on(chosen, reason) }
    }

    /// Left to the main table.
    fn none(reason: Reason) -> Self {
        Self { members: Vec::new(), reason, reviews: Vec::new(), voluntary: false }
    }

    fn reviewed_at(mut self, at: impl IntoIterator<Item = BootTime>) -> Self {
        self.reviews.extend(at);
        self
    }
}

/// Chooses the uplinks in charge of a class.
pub(super) fn choose<'a>(field: &Field<'a>, memory: &Memory) -> Choice<'a> {
    if field.policy.is_balanced()
        && let Some(choice) = balance::rebalance(field, memory)
    {
        return choice;
    }
    let mut choice = match memory.chosen.and_then(|uplink| field.runner(uplink)) {
        None => first_choice(field, memory),
        Some(current) if current.is(PathState::Down) || !current.open() => leave_lost(field, current, memory),
        Some(current) => keep_or_move(field, current, memory),
    };
    if let [chosen] = choice.members[..] {
        choice.reviews.extend(hold_ends(field, chosen));
        if memory.chosen == Some(chosen.uplink()) {
            choice.members = balance::staying_with(field, memory, chosen);
        } else if let Some((members, reason)) = balance::joined_by(field, chosen) {
            (choice.members, choice.reason) = (members, reason);
        }
    }
    choice
}

/// Nothing is in charge: the best, unless a path whose first measurements are under way may turn out better. Without
/// that wait the first answer of the nearer target would decide, and traffic would move twice at every start.
fn first_choice<'a>(field: &Field<'a>, memory: &Memory) -> Choice<'a> {
    let best = field.best();
    let worth_waiting = |runner: &Runner<'a>| {
        field.being_measured(runner)
            && best.is_none_or(|best| field.could_beat(runner, &best) || !best.is(PathState::Up))
    };
    let awaited: Vec<Runner<'a>> = field.runners().filter(worth_waiting).collect();
    if !awaited.is_empty() {
        let of = awaited.iter().map(|runner| runner.label().clone()).collect();
        return Choice::none(Reason::Awaited { of })
            .reviewed_at(awaited.iter().map(|runner| field.measured_by(runner)));
    }
    match best {
        Some(best) if memory.displaced && main_table_serves(field) => return_from_main(field, memory, best),
        Some(best) => Choice::on(best, standing_reason(field, best)),
        None => nothing_usable(field),
    }
}

/// Whether an uplink answers that policy does not allow: where traffic is left to the main table, that may lead by it.
fn main_table_serves(field: &Field<'_>) -> bool {
    field.runners().any(|runner| runner.excluded() && runner.answers())
}

/// Traffic that went to the main table for want of anything better, and is served there, comes back as to any better
/// uplink: or one that flaps would take it to and fro without end.
fn return_from_main<'a>(field: &Field<'a>, memory: &Memory, best: Runner<'a>) -> Choice<'a> {
    let (to, good_for) = (best.label().clone(), field.now().since(best.since()));
    let return_after = field.policy.return_after;
    if good_for < return_after {
        let reason = Reason::WaitsInMain { to, good_for, return_after };
        return Choice::none(reason).reviewed_at([best.since() + return_after]);
    }
    match held(field, memory, Occasion::Better) {
        Some(held) => Choice::none(Reason::HeldInMain { next: to, hold: held.hold }).reviewed_at(held.until),
        None => Choice::moved(best, Reason::Returned { on: to, up_for: good_for }),
    }
}

/// The one in charge carries nothing any more: the best that is left, at once. The backup counts even before it is
/// measured, because the kernel has put the packets there already when the one in charge lost its link.
fn leave_lost<'a>(field: &Field<'a>, current: Runner<'a>, memory: &Memory) -> Choice<'a> {
    let standing =
        memory.backup.and_then(|uplink| field.runner(uplink)).filter(|backup| backup.is(PathState::Unknown));
    let Some(best) = field.best().or(standing.filter(|_| !current.open())) else {
        return nothing_better(field, current);
    };
    let reason = Reason::LeftLost { from: current.label().clone(), cause: current.cause(), on: best.label().clone() };
    Choice::on(best, reason)
}

/// The one in charge does not answer, and neither does any other. To move the traffic, even to the main table, would cost
/// every connection its way and gain nothing: it stays while the kernel has a way through. An uplink that answers but is
/// excluded by policy may be where the main table leads: then the main table is better.
fn nothing_better<'a>(field: &Field<'a>, current: Runner<'a>) -> Choice<'a> {
    if !current.open() || field.runners().any(|runner| runner.answers()) {
        return nothing_usable(field);
    }
    Choice::on(current, Reason::NothingBetter { on: current.label().clone(), cause: current.cause() })
}

fn keep_or_move<'a>(field: &Field<'a>, current: Runner<'a>, memory: &Memory) -> Choice<'a> {
    let now = field.now();
    let better = field.better_than(current);
    let proven = better.iter().find(|(_, since)| now.at_least_after(*since, field.policy.return_after));
    let mut reviews = Vec::new();
    let mut hold = None;
    if let Some((better, since)) = proven {
        match held(field, memory, Occasion::Better) {
            None => return Choice::moved(*better, moved_to(field, current, *better, *since)),
            Some(held) => {
                reviews.extend(held.until);
                hold = Some((*better, held.hold));
            }
        }
    }
    let Some(up) = field.first_up().filter(|_| !current.is(PathState::Up)) else {
        return Choice::on(current, held_reason(field, current, hold)).reviewed_at(reviews);
    };
    let lasted = now.since(current.since());
    let (from, on) = (current.label().clone(), up.label().clone());
    if current.is(PathState::Unknown) {
        if field.being_measured(&current) {
            return Choice::on(current, held_reason(field, current, hold)).reviewed_at(reviews);
        }
        let cause = format!("not measurable for {} s", lasted.as_secs());
        return Choice::on(up, Reason::LeftLost { from, cause, on });
    }
    let evidence = current.cause();
    if lasted < field.policy.leave_after {
        let leave_after = field.policy.leave_after;
        let reason = Reason::HeldDegraded { on: from, evidence, lasted, leave_after, next: on };
        return Choice::on(current, reason).reviewed_at(reviews);
    }
    match held(field, memory, Occasion::Violation) {
        None => Choice::moved(up, Reason::LeftDegraded { from, evidence, lasted, on }),
        Some(held) => Choice::on(current, held_reason(field, current, Some((up, held.hold)))).reviewed_at(held.until),
    }
}

fn moved_to<'a>(field: &Field<'a>, current: Runner<'a>, better: Runner<'a>, since: BootTime) -> Reason {
    let on = better.label().clone();
    let lasted = field.now().since(since);
    match (better.rtt(), current.rtt()) {
        (Some(rtt), Some(before)) if field.rivals().iter().any(|(rival, _)| *rival == better.uplink()) => {
            Reason::Overtaken { from: current.label().clone(), before, on, rtt, lasted }
        }
        _ => Reason::Returned { on, up_for: lasted },
    }
}

fn held_reason<'a>(field: &Field<'a>, current: Runner<'a>, hold: Option<(Runner<'a>, Hold)>) -> Reason {
    match hold {
        None => standing_reason(field, current),
        Some((next, hold)) => {
            Reason::Held { on: current.label().clone(), evidence: current.cause(), next: next.label().clone(), hold }
        }
    }
}

/// Why an uplink is in charge by the present state of things, when no move explains it.
fn standing_reason<'a>(field: &Field<'a>, chosen: Runner<'a>) -> Reason {
    let on = chosen.label().clone();
    match chosen.state() {
        PathState::Unknown => return Reason::Adopted { on },
        PathState::Degraded => return Reason::LeastBad { on, evidence: chosen.cause() },
        PathState::Up | PathState::Down => {}
    }
    if let Some((to, since)) = field.better_than(chosen).first() {
        let up_for = field.now().since(*since);
        let return_after = field.policy.return_after;
        let to_label = to.label().clone();
        return match (to.rtt(), chosen.rtt()) {
            (Some(rtt), Some(own)) if field.rivals().iter().any(|(rival, _)| *rival == to.uplink()) => {
                Reason::WaitsToOvertake { on, own, to: to_label, rtt, lasted: up_for, return_after }
            }
            _ => Reason::WaitsToReturn { on, to: to_label, up_for, return_after },
        };
    }
    let ahead: Vec<_> = field.preferred_to(chosen).map(|runner| (runner.label().clone(), runner.cause())).collect();
    let standing = chosen.standing();
    if !ahead.is_empty() {
        return Reason::NextBest { on, standing, ahead };
    }
    match chosen.rtt() {
        Some(rtt) if field.is_fastest(&chosen) => Reason::Fastest { on, rtt, others: field.slower_than(&chosen) },
        _ => {
            let (market, rule) = (field.policy.market.clone(), field.policy.rule.clone());
            Reason::Preferred { on, market, rule, standing }
        }
    }
}

fn nothing_usable<'a>(field: &Field<'a>) -> Choice<'a> {
    let why = field.runners().map(|runner| (runner.label().clone(), runner.cause())).collect();
    Choice::none(Reason::NothingUsable { why })
}

/// When the hold times end that keep `chosen` in charge.
fn hold_ends<'a>(field: &Field<'a>, chosen: Runner<'a>) -> Vec<BootTime> {
    let policy = field.policy;
    let better = field.better_than(chosen);
    let mut ends: Vec<BootTime> = better.iter().map(|(_, since)| *since + policy.return_after).collect();
    if field.first_up().is_some() {
        match chosen.state() {
            PathState::Degraded => ends.push(chosen.since() + policy.leave_after),
            PathState::Unknown => ends.push(field.measured_by(&chosen)),
            PathState::Up | PathState::Down => {}
        }
    }
    ends
}
