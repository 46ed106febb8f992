//! Pure: whose turn it is among the targets of one path.
//!
//! In calm the target that was not asked for longest is next. Two kinds are asked less: **costly** ones (TLS, HTTP: many
//! packets, a handshake of the far side's processor time) once in ten seconds while there is a cheaper one, and
//! **silent** ones (lost five times in a row while others answered) once in thirty. When nothing of the path answers,
//! silence says nothing and all take part again.
//!
//! In doubt it is the one least asked about this doubt, then the one that answered last: who answered a moment ago is
//! the best witness of what changed since.

use std::{cmp::Reverse, time::Duration};

use super::expectation::{Expectation, LEAST_MARGIN};
use crate::domain::{BootTime, Check, Target};

/// Losses in a row that make a target silent while others answer.
const SILENT_AFTER: u8 = 5;
/// Between two turns of a silent target.
const SILENT_TURN: Duration = Duration::from_secs(30);
/// Between two turns of costly targets of a path that has cheaper ones.
const COSTLY_TURN: Duration = Duration::from_secs(10);
/// Between two notes that the name of a target has no address.
const UNRESOLVED_TURN: Duration = Duration::from_secs(10);

/// What the next probe is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To go on knowing.
    Watch,
    /// To go on knowing of a path that does not answer.
    WatchLost,
    /// To find out whether the path is lost, or is back.
    Confirm,
    /// To find out who answers: whoever can prove it is asked.
    Prove,
}

/// One target and what came of its turns.
#[derive(Debug, Clone, Default)]
struct Turn {
    costly: bool,
    proves: bool,
    asked_at: Option<BootTime>,
    answered_at: Option<BootTime>,
    losses: u8,
    silent: bool,
    /// Times it was asked about the present doubt.
    asked_in_doubt: u8,
    /// Times it was asked at all, to rotate the addresses of its name.
    asked: usize,
    unresolved_at: Option<BootTime>,
    expectation: Expectation,
}

impl Turn {
    fn of(target: &Target) -> Self {
        let costly = matches!(target.check, Check::Tls { .. } | Check::Http { .. });
        Self { costly, proves: target.check.proves_identity(), ..Self::default() }
    }
}

/// The turns of all targets of a path.
#[derive(Debug, Clone)]
pub(super) struct Turns {
    turns: Vec<Turn>,
    /// What is expected of any target, cheap ones and costly ones apart, until more is known of each.
    of_any: [Expectation; 2],
}

impl Turns {
    /// For targets that were never asked.
    pub fn new(targets: &[Target]) -> Self {
        Self { turns: targets.iter().map(Turn::of).collect(), of_any: [Expectation::default(); 2] }
    }

    /// For a new list; targets that stay keep what is known of them.
    pub fn follow(&self, before: &[Target], targets: &[Target]) -> Self {
        let kept = |target: &Target| {
            let position = before.iter().position(|old| old == target)?;
            self.turns.get(position).cloned()
        };
        let turns = targets.iter().map(|target| kept(target).unwrap_or_else(|| Turn::of(target))).collect();
        Self { turns, of_any: self.of_any }
    }

    /// Whether some target can prove who answers.
    pub fn can_prove(&self) -> bool {
        self.turns.iter().any(|turn| turn.proves)
    }

    /// Whether this one can.
    pub fn proves(&self, position: usize) -> bool {
        self.turns.get(position).is_some_and(|turn| turn.proves)
    }

    /// Whether it is silent while others answer.
    pub fn is_silent(&self, position: usize) -> bool {
        self.turns.get(position).is_some_and(|turn| turn.silent)
    }

    /// The targets that may be asked now, the best first. Never empty while there are targets.
    pub fn order(&self, purpose: Purpose, now: BootTime) -> Vec<usize> {
        let all = || self.turns.iter().enumerate();
        match purpose {
            Purpose::Watch | Purpose::WatchLost => {
                let rested = self.rested(purpose, now);
                let mut order: Vec<_> = all()
                    .filter(|(_, turn)| rested(turn))
                    .map(|(position, turn)| (turn.asked_at, position))
                    .collect();
                if order.is_empty() {
                    order = all().map(|(position, turn)| (turn.asked_at, position)).collect();
                }
                order.sort_unstable();
                order.into_iter().map(|(_, position)| position).collect()
            }
            Purpose::Confirm | Purpose::Prove => {
                let provers_only = purpose == Purpose::Prove && self.can_prove();
                let mut order: Vec<_> = all()
                    .filter(|(_, turn)| turn.proves || !provers_only)
                    .map(|(position, turn)| {
                        (turn.asked_in_doubt, turn.silent, turn.costly, Reverse(turn.answered_at), position)
                    })
                    .collect();
                order.sort_unstable();
                order.into_iter().map(|(.., position)| position).collect()
            }
        }
    }

    /// Which targets have rested long enough to have an ordinary turn.
    fn rested(&self, purpose: Purpose, now: BootTime) -> impl Fn(&Turn) -> bool {
        let since = move |at: Option<BootTime>, rest| at.is_none_or(|at| now.at_least_after(at, rest));
        let cheap = self.turns.iter().any(|turn| !turn.costly && !turn.silent);
        let costly_at = self.turns.iter().filter(|turn| turn.costly).filter_map(|turn| turn.asked_at).max();
        let costly_may = !cheap || since(costly_at, COSTLY_TURN);
        move |turn| {
            let heard = !turn.silent || purpose == Purpose::WatchLost || since(turn.asked_at, SILENT_TURN);
            heard && (!turn.costly || costly_may)
        }
    }

    /// Notes that a target is asked now, about a doubt if there is one.
    pub fn asked(&mut self, position: usize, in_doubt: bool, now: BootTime) {
        if let Some(turn) = self.turns.get_mut(position) {
            turn.asked_at = Some(now);
            turn.asked = turn.asked.wrapping_add(1);
            turn.asked_in_doubt = turn.asked_in_doubt.saturating_add(u8::from(in_doubt));
        }
    }

    /// Begins a doubt, about which the target at `cause` has been asked already.
    pub fn doubt(&mut self, cause: usize) {
        for (position, turn) in self.turns.iter_mut().enumerate() {
            turn.asked_in_doubt = u8::from(position == cause);
        }
    }

    /// How often a target was asked: says which address of its name is next.
    pub fn rotation(&self, position: usize) -> usize {
        self.turns.get(position).map_or(0, |turn| turn.asked)
    }

    /// Whether it should be said now that the name of a target has no address; notes that it is.
    pub fn note_unresolved(&mut self, position: usize, now: BootTime) -> bool {
        let Some(turn) = self.turns.get_mut(position) else { return false };
        let due = turn.unresolved_at.is_none_or(|at| now.at_least_after(at, UNRESOLVED_TURN));
        if due {
            turn.unresolved_at = Some(now);
        }
        due
    }

    /// Takes an answer and the time that it took, service included where the kind has one.
    pub fn answered(&mut self, position: usize, took: Duration, now: BootTime) {
        if let Some(turn) = self.turns.get_mut(position) {
            turn.answered_at = Some(now);
            turn.losses = 0;
            turn.silent = false;
            turn.expectation.learn(took);
            let [cheap, costly] = &mut self.of_any;
            (if turn.costly { costly } else { cheap }).learn(took);
        }
    }

    /// Takes a loss.
    pub fn lost(&mut self, position: usize) {
        let others_answer = self
            .turns
            .iter()
            .enumerate()
            .any(|(other, turn)| other != position && turn.losses == 0 && turn.answered_at.is_some());
        if let Some(turn) = self.turns.get_mut(position) {
            turn.losses = turn.losses.saturating_add(1);
            turn.silent |= turn.losses >= SILENT_AFTER && others_answer;
        }
    }

    /// From when on an answer of a target is overdue; none when nothing can be expected. While it has answered once or
    /// twice, the others of the path say what is usual: a failure soon after the start must not cost whole time-outs.
    pub fn overdue_after(&self, position: usize, timeout: Duration) -> Option<Duration> {
        let turn = self.turns.get(position)?;
        turn.expectation.overdue_after(timeout).or_else(|| {
            let [cheap, costly] = &self.of_any;
            let of_any = if turn.costly { costly } else { cheap };
            let wait = of_any.overdue_after(timeout)?.max(turn.expectation.usual()? + LEAST_MARGIN);
            Some(wait).filter(|wait| *wait < timeout)
        })
    }

    /// What is expected of a target.
    pub fn expectation(&self, position: usize) -> Expectation {
        self.turns.get(position).map(|turn| turn.expectation).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
