//! Which uplink is in charge.

use crate::domain::{BootTime, PathState};

use super::{
    Memory, Reason,
    field::{Field, Runner},
};

/// The uplink in charge, why, and when to look again.
#[derive(Debug)]
pub(super) struct Choice<'a> {
    pub chosen: Option<Runner<'a>>,
    pub reason: Reason,
    /// Moments at which the outcome may change though nothing happens; past ones may be among them.
    pub reviews: Vec<BootTime>,
}

impl<'a> Choice<'a> {
    fn on(chosen: Runner<'a>, reason: Reason) -> Self {
        Self { chosen: Some(chosen), reason, reviews: Vec::new() }
    }
}

/// Chooses the uplink in charge of a class.
pub(super) fn choose<'a>(field: &Field<'a>, memory: &Memory) -> Choice<'a> {
    let mut choice = match memory.chosen.and_then(|uplink| field.runner(uplink)) {
        None => first_choice(field),
        Some(current) if current.is(PathState::Down) || !current.open() => leave_lost(field, current, memory),
        Some(current) => keep_or_move(field, current),
    };
    if let Some(chosen) = choice.chosen {
        choice.reviews.extend(hold_ends(field, chosen));
    }
    choice
}

/// Nothing is in charge: the best, unless a path whose first measurements are under way may turn out better. Without
/// that wait the first answer of the nearer target would decide, and traffic would move twice at every start.
fn first_choice<'a>(field: &Field<'a>) -> Choice<'a> {
    let best = field.best();
    let worth_waiting = |runner: &Runner<'a>| {
        field.being_measured(runner) && best.is_none_or(|best| runner.rank < best.rank || !best.is(PathState::Up))
    };
    let awaited: Vec<Runner<'a>> = field.runners().filter(worth_waiting).collect();
    if !awaited.is_empty() {
        return Choice {
            chosen: None,
            reason: Reason::Awaited { of: awaited.iter().map(|runner| runner.label().clone()).collect() },
            reviews: awaited.iter().map(|runner| field.measured_by(runner)).collect(),
        };
    }
    match best {
        Some(best) => Choice::on(best, standing_reason(field, best)),
        None => nothing_usable(field),
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
    let answers = |runner: &Runner<'a>| {
        runner.attached().is_some_and(|path| matches!(path.state, PathState::Up | PathState::Degraded))
    };
    if !current.open() || field.runners().any(|runner| answers(&runner)) {
        return nothing_usable(field);
    }
    Choice::on(current, Reason::NothingBetter { on: current.label().clone(), cause: current.cause() })
}

fn keep_or_move<'a>(field: &Field<'a>, current: Runner<'a>) -> Choice<'a> {
    let now = field.now;
    if let Some(better) = field.ahead_of(current).find(|runner| field.proven(runner)) {
        let up_for = now.since(better.since());
        return Choice::on(better, Reason::Returned { on: better.label().clone(), up_for });
    }
    let Some(up) = field.first_up().filter(|_| !current.is(PathState::Up)) else {
        return Choice::on(current, standing_reason(field, current));
    };
    let lasted = now.since(current.since());
    let on = up.label().clone();
    let from = current.label().clone();
    if current.is(PathState::Unknown) {
        if field.being_measured(&current) {
            return Choice::on(current, standing_reason(field, current));
        }
        let cause = format!("not measurable for {} s", lasted.as_secs());
        return Choice::on(up, Reason::LeftLost { from, cause, on });
    }
    let evidence = current.cause();
    if lasted >= field.policy.leave_after {
        return Choice::on(up, Reason::LeftDegraded { from, evidence, lasted, on });
    }
    let leave_after = field.policy.leave_after;
    Choice::on(current, Reason::HeldDegraded { on: from, evidence, lasted, leave_after, next: on })
}

/// Why an uplink is in charge by the present state of things, when no move explains it.
fn standing_reason<'a>(field: &Field<'a>, chosen: Runner<'a>) -> Reason {
    let on = chosen.label().clone();
    match chosen.state() {
        PathState::Unknown => return Reason::Adopted { on },
        PathState::Degraded => return Reason::LeastBad { on, evidence: chosen.cause() },
        PathState::Up | PathState::Down => {}
    }
    if let Some(to) = field.ahead_of(chosen).find(|runner| runner.is(PathState::Up)) {
        let up_for = field.now.since(to.since());
        let return_after = field.policy.return_after;
        return Reason::WaitsToReturn { on, to: to.label().clone(), up_for, return_after };
    }
    let ahead: Vec<_> = (field.ahead_of(chosen)).map(|runner| (runner.label().clone(), runner.cause())).collect();
    let standing = chosen.standing();
    if ahead.is_empty() {
        Reason::Preferred { on, market: field.policy.market.clone(), standing }
    } else {
        Reason::NextBest { on, standing, ahead }
    }
}

fn nothing_usable<'a>(field: &Field<'a>) -> Choice<'a> {
    let why = field.runners().map(|runner| (runner.label().clone(), runner.cause())).collect();
    Choice { chosen: None, reason: Reason::NothingUsable { why }, reviews: Vec::new() }
}

/// When the hold times end that keep `chosen` in charge.
fn hold_ends<'a>(field: &Field<'a>, chosen: Runner<'a>) -> Vec<BootTime> {
    let policy = field.policy;
    let mut ends: Vec<BootTime> = (field.ahead_of(chosen))
        .filter(|runner| runner.is(PathState::Up))
        .map(|runner| runner.since() + policy.return_after)
        .collect();
    if field.first_up().is_some() {
        match chosen.state() {
            PathState::Degraded => ends.push(chosen.since() + policy.leave_after),
            PathState::Unknown => ends.push(field.measured_by(&chosen)),
            PathState::Up | PathState::Down => {}
        }
    }
    ends
}
