//! When the turn of an uplink comes that is up and not in charge.

use std::{fmt, time::Duration};

use crate::domain::{BootTime, PathState};

use super::{
    account::Case,
    field::Runner,
    hold::{Held, Occasion, held},
    reason::Seconds,
};

/// Why traffic would move to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    /// It is preferred to the one in charge.
    Preferred,
    /// It is faster than the one in charge, by the margin.
    Faster,
    /// It belongs to those over which the class is balanced.
    Share,
    /// The one in charge violates its SLA.
    Relief,
}

/// What a move waits for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    pub ground: Ground,
    /// How long the ground has lasted.
    pub lasted: Duration,
    /// How long it must have.
    pub needed: Duration,
    /// When it will have.
    due: BootTime,
    /// What forbids the move besides.
    pub held: Option<Held>,
}

impl Turn {
    /// The turn of `runner`, if it is up and would take over from the one in charge by time alone.
    pub fn of(case: &Case<'_>, runner: &Runner<'_>) -> Option<Self> {
        let current = case.current()?;
        if case.is_member(runner) || !runner.is(PathState::Up) {
            return None;
        }
        let policy = case.field.policy;
        let at = |ground, since: BootTime, needed: Duration| {
            let occasion = if ground == Ground::Relief { Occasion::Violation } else { Occasion::Better };
            let lasted = case.field.now().since(since);
            Self { ground, lasted, needed, due: since + needed, held: held(case.field, case.memory, occasion) }
        };
        if policy.is_balanced() && runner.is_preferred() && current.is_preferred() {
            return Some(at(Ground::Share, runner.since(), policy.return_after));
        }
        let better = case.field.better_than(current).into_iter();
        let since = better.into_iter().find(|(better, _)| better.uplink() == runner.uplink()).map(|(_, since)| since);
        let is_rival = case.field.rivals().iter().any(|(rival, _)| *rival == runner.uplink());
        let ground = if is_rival { Ground::Faster } else { Ground::Preferred };
        let better = since.map(|since| at(ground, since, policy.return_after));
        let relieves = current.is(PathState::Degraded)
            && case.field.first_up().is_some_and(|first| first.uplink() == runner.uplink());
        let relief = relieves.then(|| at(Ground::Relief, current.since(), policy.leave_after));
        better.into_iter().chain(relief).min_by_key(Self::when)
    }

    /// Whether only what forbids the move is in the way.
    pub fn is_due(&self) -> bool {
        self.lasted >= self.needed
    }

    /// When traffic moves if nothing changes; not known where it is forbidden for a time that nobody knows.
    pub fn at(&self) -> Option<BootTime> {
        match self.held {
            None => Some(self.due),
            Some(Held { until, .. }) => until.map(|until| until.max(self.due)),
        }
    }

    /// The same, such that what is not known comes last.
    fn when(&self) -> (bool, Option<BootTime>) {
        (self.at().is_none(), self.at())
    }
}

impl fmt::Display for Turn {
    /// `up for 3 s of 10 s (return_after)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, key) = match self.ground {
            Ground::Preferred | Ground::Share => ("up for", "return_after"),
            Ground::Faster => ("faster by the margin for", "return_after"),
            Ground::Relief => ("the one in charge violated its SLA for", "leave_after"),
        };
        if self.is_due() {
            write!(f, "{what} {}, {} needed ({key})", Seconds(self.lasted), Seconds(self.needed))
        } else {
            write!(f, "{what} {} of {} ({key})", Seconds(self.lasted), Seconds(self.needed))
        }
    }
}
