//! Several uplinks in charge at once: all that are preferred and good, by weight.

use crate::domain::{BootTime, PathState, UplinkId};

use super::{
    Memory, Reason,
    choice::Choice,
    field::{Field, Runner},
    hold::{Occasion, held},
};

/// All preferred uplinks that are up, when `chosen` is newly one of them and not the only one.
pub(super) fn joined_by<'a>(field: &Field<'a>, chosen: Runner<'a>) -> Option<(Vec<Runner<'a>>, Reason)> {
    let good = |runner: &Runner<'a>| runner.is_preferred() && runner.is(PathState::Up);
    if !field.policy.is_balanced() || !good(&chosen) {
        return None;
    }
    let members: Vec<Runner<'a>> = field.runners().filter(good).collect();
    let reason = Reason::Balanced { over: shares(&members), apart: Vec::new() };
    (members.len() > 1).then_some((members, reason))
}

/// Where none of those in charge is good and nothing better takes over: all that are as bad as the first stay with it.
pub(super) fn staying_with<'a>(field: &Field<'a>, memory: &Memory, chosen: Runner<'a>) -> Vec<Runner<'a>> {
    let stays = |runner: &Runner<'a>| {
        runner.uplink() == chosen.uplink()
            || (field.policy.is_balanced()
                && chosen.is_preferred()
                && memory.also.contains(&runner.uplink())
                && runner.is_preferred()
                && runner.is(chosen.state()))
    };
    field.runners().filter(stays).collect()
}

/// The members that stay, and those that join. None when none of those before can stay: then a first one is chosen as ever.
pub(super) fn rebalance<'a>(field: &Field<'a>, memory: &Memory) -> Option<Choice<'a>> {
    let preferred: Vec<Runner<'a>> = field.runners().filter(Runner::is_preferred).collect();
    let (prior, others): (Vec<_>, Vec<_>) =
        preferred.into_iter().partition(|runner| memory.was_in_charge(runner.uplink()));
    let good = |runner: &Runner<'a>| runner.is(PathState::Up) || field.being_measured(runner);
    let (firm, doubtful): (Vec<_>, Vec<_>) = prior.into_iter().partition(good);
    if firm.is_empty() {
        return None;
    }
    let measured = firm.iter().filter(|runner| field.being_measured(runner)).map(|runner| field.measured_by(runner));
    let mut change = Change { reviews: measured.collect(), voluntary: false };
    // One that answers is not left to those of which nothing is known yet.
    let proven = firm.iter().any(|runner| runner.is(PathState::Up));
    let mut goes = |runner: &Runner<'a>| proven && change.due(field, memory, runner, Occasion::Violation);
    let staying: Vec<Runner<'a>> =
        doubtful.into_iter().filter(|runner| runner.is(PathState::Degraded) && !goes(runner)).collect();
    let joining: Vec<Runner<'a>> = others
        .into_iter()
        .filter(|runner| runner.is(PathState::Up) && change.due(field, memory, runner, Occasion::Better))
        .collect();
    let mut members: Vec<Runner<'a>> = firm.into_iter().chain(staying).chain(joining).collect();
    members.sort_by_key(|runner| runner.rank);
    let reason = reason(field, memory, &members);
    Some(Choice { members, reason, reviews: change.reviews, voluntary: change.voluntary })
}

/// What becomes due among the members.
struct Change {
    reviews: Vec<BootTime>,
    voluntary: bool,
}

impl Change {
    /// Whether a member that violates its SLA goes now, or another uplink joins now.
    fn due(&mut self, field: &Field<'_>, memory: &Memory, runner: &Runner<'_>, occasion: Occasion) -> bool {
        let hold_time = match occasion {
            Occasion::Violation => field.policy.leave_after,
            Occasion::Better => field.policy.return_after,
        };
        let at = runner.since() + hold_time;
        if at > field.now() {
            self.reviews.push(at);
            return false;
        }
        if let Some(held) = held(field, memory, occasion) {
            self.reviews.extend(held.until);
            return false;
        }
        self.voluntary = true;
        true
    }
}

fn reason<'a>(field: &Field<'a>, memory: &Memory, members: &[Runner<'a>]) -> Reason {
    let over = shares(members);
    let is_member = |uplink: UplinkId| members.iter().any(|member| member.uplink() == uplink);
    let apart = |runner: &Runner<'a>| (runner.label().clone(), runner.cause());
    let left: Vec<_> =
        field.runners().filter(|it| memory.was_in_charge(it.uplink()) && !is_member(it.uplink())).collect();
    let joined: Vec<_> = members.iter().filter(|member| !memory.was_in_charge(member.uplink())).collect();
    if left.is_empty() && joined.is_empty() {
        let others = field.runners().filter(|runner| runner.is_preferred() && !is_member(runner.uplink()));
        return Reason::Balanced { over, apart: others.map(|runner| apart(&runner)).collect() };
    }
    Reason::Rebalanced {
        over,
        left: left.iter().map(apart).collect(),
        joined: joined.into_iter().map(|runner| runner.label().clone()).collect(),
    }
}

/// Members with their weights.
fn shares(members: &[Runner<'_>]) -> Vec<(super::Label, u8)> {
    members.iter().map(|member| (member.label().clone(), member.weight())).collect()
}
