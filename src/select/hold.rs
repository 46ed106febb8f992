//! What keeps traffic where it is although another uplink is better: a cap on moves, times of the day, a least stay. Nothing
//! keeps it on a path that is dead.

use std::{fmt, time::Duration};

use crate::domain::{BootTime, TimeOfDay};

use super::{Memory, field::Field, reason::Seconds};

/// The span over which moves are counted.
const HOUR: Duration = Duration::from_secs(3600);

/// What keeps traffic where it is for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It has not been there for `stay_at_least`.
    Stay(Duration),
    /// It is outside of `move_windows`; the next one opens then.
    Window(TimeOfDay),
    /// There are `move_windows`, and the clock of the router is not set.
    NoClock,
    /// `moves_per_hour` is used up.
    Moves(u32),
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stay(span) => write!(f, "it stays for {} at least (stay_at_least)", Seconds(*span)),
            Self::Window(opens) => write!(f, "traffic moves from {opens} on (move_windows)"),
            Self::NoClock => write!(f, "the clock of the router is not set, and move_windows needs it"),
            Self::Moves(1) => f.write_str("it moved once within an hour (moves_per_hour)"),
            Self::Moves(moves) => write!(f, "it moved {moves} times within an hour (moves_per_hour)"),
        }
    }
}

/// Why traffic would move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// Something better is there.
    Better,
    /// What it is on violates its SLA.
    Violation,
}

/// A hold, and when it ends; never by time alone where that is missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub hold: Hold,
    pub until: Option<BootTime>,
}

/// What forbids a move now that no dead path forces.
pub(super) fn held(field: &Field<'_>, memory: &Memory, occasion: Occasion) -> Option<Held> {
    if occasion == Occasion::Better
        && let Some(held) = stay(field, memory).or_else(|| window(field))
    {
        return Some(held);
    }
    let cap = field.policy.moves_per_hour as usize;
    let oldest = memory.moves.len().checked_sub(cap).and_then(|first| memory.moves.get(first)).copied()?;
    let until = oldest + HOUR;
    (until > field.now()).then_some(Held { hold: Hold::Moves(field.policy.moves_per_hour), until: Some(until) })
}

fn stay(field: &Field<'_>, memory: &Memory) -> Option<Held> {
    let span = field.policy.stay_at_least;
    let until = memory.since + span;
    (until > field.now()).then_some(Held { hold: Hold::Stay(span), until: Some(until) })
}

fn window(field: &Field<'_>) -> Option<Held> {
    let windows = &field.policy.move_windows;
    if windows.is_empty() {
        return None;
    }
    let Some(of_day) = field.moment.of_day else { return Some(Held { hold: Hold::NoClock, until: None }) };
    if windows.iter().any(|window| window.contains(of_day)) {
        return None;
    }
    let next = windows.iter().min_by_key(|window| of_day.until(window.from))?;
    Some(Held { hold: Hold::Window(next.from), until: Some(field.now() + of_day.until(next.from)) })
}

/// The newest moves, with one more now: as many as the cap asks for, however old.
pub(super) fn remembered(moves: &[BootTime], cap: u32, now: BootTime) -> Vec<BootTime> {
    let skip = (moves.len() + 1).saturating_sub(cap as usize);
    moves.iter().skip(skip).copied().chain([now]).collect()
}
