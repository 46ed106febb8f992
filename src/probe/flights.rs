//! Pure: the probes under way, and when each of them is overdue.
//!
//! A probe has one last word. Before it, once, it may be reported as overdue. One that was under way while the machine was
//! suspended has neither: nobody knows what its answer would have been.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::schedule::Assignment;
use crate::domain::BootTime;

/// By how much the clock that counts suspends may get ahead of the one that does not, before a suspend is the reason.
const CLOCKS_APART: Duration = Duration::from_millis(100);

/// A moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// Time since boot.
    pub boot: BootTime,
    /// The part of it in which the machine was awake.
    pub awake: Duration,
}

impl Moment {
    /// Whether the machine slept between `self` and `later`.
    fn slept_until(self, later: Self) -> bool {
        later.boot.since(self.boot) > later.awake.saturating_sub(self.awake) + CLOCKS_APART
    }
}

/// A probe that is not over.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    /// What was to be done.
    pub assignment: Assignment,
    /// When it was sent.
    pub sent: Moment,
    /// Whether it was reported as overdue.
    pub overdue: bool,
    deadline: Option<BootTime>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Flights {
    under_way: BTreeMap<u64, Flight>,
    deadlines: BTreeSet<(BootTime, u64)>,
    next: u64,
}

impl Flights {
    /// Notes that a probe is sent now, and from when on its answer is overdue. Returns its number.
    pub fn depart(&mut self, assignment: Assignment, sent: Moment, overdue_after: Option<Duration>) -> u64 {
        let number = self.next;
        self.next += 1;
        let deadline = overdue_after.map(|wait| sent.boot + wait);
        self.deadlines.extend(deadline.map(|deadline| (deadline, number)));
        self.under_way.insert(number, Flight { assignment, sent, overdue: false, deadline });
        number
    }

    /// When [`Self::pop_overdue`] should be asked next.
    pub fn next_overdue(&self) -> Option<BootTime> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// The next probe that is overdue and was not reported so. To be called until there is none.
    pub fn pop_overdue(&mut self, now: Moment) -> Option<&Flight> {
        while self.next_overdue()? <= now.boot {
            let (_, number) = self.deadlines.pop_first()?;
            let awake = self.under_way.get(&number).is_some_and(|flight| !flight.sent.slept_until(now));
            if awake {
                let flight = self.under_way.get_mut(&number)?;
                flight.overdue = true;
                return Some(flight);
            }
        }
        None
    }

    /// Notes that a probe is over. Returns it, and whether its last word counts.
    pub fn land(&mut self, number: u64, now: Moment) -> Option<(Flight, bool)> {
        let flight = self.under_way.remove(&number)?;
        if let Some(deadline) = flight.deadline {
            self.deadlines.remove(&(deadline, number));
        }
        let counts = !flight.sent.slept_until(now);
        Some((flight, counts))
    }
}

#[cfg(test)]
mod tests;
