//! Whether who answers on a path is who should: what the targets that prove their identity say.
//!
//! A captive portal or a transparent proxy answers every TCP handshake. Where a path has targets that prove who they are
//! (TLS, HTTPS), those decide: the path does not come up before one of them did, and goes down when each of them that
//! answers at all is answered by something else `down_after` times in a row.

use super::{
    probe::{Moment, nanoseconds},
    targets::{Standing, Targets},
    uplink::DENIAL_LASTS,
};

/// What one target that proves its identity says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Witness {
    /// Its newest answer was its own, or interference is not certain yet.
    Vouches,
    /// Something else answered in its stead, again and again.
    Denies,
    /// It was not reached: nothing is learned.
    Mute,
}

/// What is asked about: one life of a path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    /// When it began.
    pub since: Moment,
    /// First answer in it.
    pub first: Moment,
    /// Whether the one before ended by a denial.
    pub denied: bool,
    /// Now.
    pub seen: Moment,
}

/// Position of the target whose denial takes the path down, if every target that answers at all denies.
pub(super) fn denied_by(targets: &Targets, down_after: usize) -> Option<usize> {
    let mut denying = None;
    for (position, standing) in witnesses(targets) {
        match testimony(standing, down_after) {
            Witness::Vouches => return None,
            Witness::Denies if newer(standing, denying) => denying = Some((position, standing)),
            Witness::Denies | Witness::Mute => {}
        }
    }
    denying.map(|(position, _)| position)
}

/// Whether a path may come up as far as identity goes: it has no target that proves its own, one of them did for a probe
/// sent at `since` or later, or each failed `down_after` times since the path first answered, and not by interference.
///
/// After a denial (`denied`) only proof counts: who just passed for someone else is not believed because the proof is
/// not asked for any more. Unless that was long before `seen`: a target that is gone does not keep a path down for ever.
pub(super) fn vouched(targets: &Targets, down_after: usize, life: &Life) -> bool {
    let Life { since, first, denied, seen } = *life;
    let mut mute = true;
    let mut any = false;
    for (_, standing) in witnesses(targets) {
        any = true;
        if standing.answered.is_some_and(|sent| sent >= since) {
            return true;
        }
        let tries = standing.failing.iter().filter(|attempt| attempt.sent >= first && attempt.is_certain());
        mute &= tries.filter(|attempt| !attempt.is_interference()).count() >= down_after;
    }
    let newest = witnesses(targets).filter_map(|(_, standing)| standing.interfered.last()).max();
    let over = newest.is_none_or(|newest| seen.saturating_sub(*newest) >= nanoseconds(DENIAL_LASTS));
    !any || (mute && (!denied || over))
}

fn witnesses(targets: &Targets) -> impl Iterator<Item = (usize, &Standing)> {
    targets.iter().filter(|(_, standing)| standing.proves_identity)
}

fn testimony(standing: &Standing, down_after: usize) -> Witness {
    let certain = standing.failing.iter().rev().filter(|attempt| attempt.is_certain());
    let unreached = certain.take(down_after).filter(|attempt| !attempt.is_interference());
    if unreached.count() >= down_after {
        return Witness::Mute;
    }
    match standing.interfered.len() {
        0 if standing.answered.is_none() => Witness::Mute,
        count if count >= down_after => Witness::Denies,
        _ => Witness::Vouches,
    }
}

fn newer(standing: &Standing, than: Option<(usize, &Standing)>) -> bool {
    than.is_none_or(|(_, other)| standing.interfered.last() > other.interfered.last())
}
