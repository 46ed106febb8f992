//! The standing backup: where the kernel sends a class by itself when the uplink in charge loses carrier.

use crate::domain::{BootTime, PathState, UplinkId};

use super::{
    Memory,
    field::{Field, Runner},
};

/// What matters before preference: measured at all, and of an ISP that carries nothing here, whose failure is independent.
type Worth = (bool, bool);

/// Chooses the backup of what is in charge, if anything is. The present one is kept as long as it is worth as much as the best, unless it has
/// been degraded for `leave_after` while the best is up, or the best has been up for `return_after`.
pub(super) fn choose<'a>(
    field: &Field<'a>,
    in_charge: &[Runner<'a>],
    memory: &Memory,
    reviews: &mut Vec<BootTime>,
) -> Option<UplinkId> {
    if in_charge.is_empty() {
        return None;
    }
    let is_apart = |runner: &Runner<'a>| in_charge.iter().all(|other| other.uplink() != runner.uplink());
    let eligible = |runner: &Runner<'a>| is_apart(runner) && runner.open() && !runner.is(PathState::Down);
    let present = memory.backup.and_then(|uplink| field.runner(uplink)).filter(eligible);
    let worth = |runner: &Runner<'a>| -> Worth {
        let held = present.is_some_and(|present| present.uplink() == runner.uplink());
        let measured = runner.usable() || (held && field.being_measured(runner));
        (!measured, in_charge.iter().any(|other| other.isp() == runner.isp()))
    };
    let best = (field.runners().filter(eligible))
        .min_by_key(|runner| (worth(runner), !runner.is(PathState::Up), runner.rank))?;
    let Some(present) = present.filter(|present| worth(present) == worth(&best)) else {
        return Some(best.uplink());
    };
    if present.is(PathState::Unknown) {
        reviews.push(field.measured_by(&present));
    }
    if !best.is(PathState::Up) {
        return Some(present.uplink());
    }
    let policy = field.policy;
    let (moves_at, applies) = if present.is(PathState::Degraded) {
        (present.since() + policy.leave_after, true)
    } else {
        (best.since() + policy.return_after, best.rank < present.rank)
    };
    if applies && moves_at <= field.now() {
        return Some(best.uplink());
    }
    if applies {
        reviews.push(moves_at);
    }
    Some(present.uplink())
}
