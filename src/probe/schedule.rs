//! Pure: which path is probed when, and at which target. Time and randomness are arguments.
//!
//! Three things decide. The **course** of each path: its slots, spread evenly among the paths that are new with it;
//! twice as far apart once it was well for five minutes. Its **doubt**: quick probes that go before all ordinary ones
//! and bring forward the next one of every path of the same uplink. And the **ceiling** above all of them: what is wished
//! beyond it stretches all ordinary intervals evenly.
//!
//! Ordinary probes that had to wait go in the order in which they were due, so that every path has its turn. There is no
//! catching up: after a stall or a suspend every path gets one late probe, as the ceiling lets them out, and is back on
//! its grid.

use std::{
    collections::{BTreeMap, btree_map::Entry as MapEntry},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use super::{
    ProbePath,
    addresses::{Addresses, Question, Whereabouts},
    ceiling::{Ceiling, Urgency},
    course::Course,
    courses::{Courses, Key},
};
use crate::domain::{BootTime, Target};

/// Probes of one path that may be under way at once; more are needed only when the loss threshold is many intervals.
const MAX_IN_FLIGHT_PER_PATH: usize = 8;
/// Probes that may be under way at once, of all paths: bounds open descriptors and memory.
const MAX_IN_FLIGHT: usize = 256;

/// One probe to send now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assignment {
    /// The path, as in the newest list.
    pub path: Arc<ProbePath>,
    /// Position of the target whose turn it is.
    pub position: usize,
    /// The target.
    pub target: Target,
    /// Where it is; nowhere when its name has no usable address, and nothing is to be sent.
    pub address: Option<SocketAddr>,
}

/// What became of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// It was answered, and took so long, service included where the kind has one.
    Answered(Duration),
    /// It was not, or not yet.
    Lost {
        /// Whether it was reported as overdue before.
        known: bool,
        /// Whether someone else answered, or only in part.
        interference: bool,
    },
}

/// The running schedule of all paths.
#[derive(Debug)]
pub(super) struct Schedule {
    courses: Courses,
    ceiling: Ceiling,
    /// Probes under way, also of paths that left the list since.
    in_flight: BTreeMap<Key, usize>,
    all_in_flight: usize,
    random: fastrand::Rng,
}

impl Schedule {
    /// A schedule without paths, for paths that are probed once in `interval` while nothing is amiss.
    pub fn new(interval: Duration, seed: u64) -> Self {
        Self {
            courses: Courses::new(interval),
            ceiling: Ceiling::default(),
            in_flight: BTreeMap::new(),
            all_in_flight: 0,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Takes a new list: paths in both go on, new ones get slots spread over the coming interval, the rest are forgotten.
    pub fn replace(&mut self, list: &[ProbePath], now: BootTime) {
        self.courses.replace(list, now, &mut self.random);
    }

    /// The next probe to send, if one is due. To be called until there is none.
    pub fn pop_due(&mut self, now: BootTime, addresses: &Addresses) -> Option<Assignment> {
        while let Some((urgency, key)) = self.first_due(now) {
            let interval = self.courses.interval_of(&key);
            if urgency == Urgency::Doubt
                && self.courses.change(&key, |course| course.doubt.may_spend(interval, now)) != Some(true)
            {
                continue;
            }
            let under_way = self.in_flight.get(&key).copied().unwrap_or_default();
            let full = under_way >= MAX_IN_FLIGHT_PER_PATH || self.all_in_flight >= MAX_IN_FLIGHT;
            let found = if full { Found::Nothing } else { self.pick(&key, urgency, now, addresses) };
            if let Some(assignment) = self.settle(&key, urgency, found, now) {
                return Some(assignment);
            }
        }
        None
    }

    /// Which path comes next, and why.
    fn first_due(&self, now: BootTime) -> Option<(Urgency, Key)> {
        [Urgency::Doubt, Urgency::Calm].into_iter().find_map(|urgency| {
            let (due, key) = self.courses.first(urgency)?;
            (due.max(self.ceiling.opens(urgency)) <= now).then(|| (urgency, key.clone()))
        })
    }

    /// The best target that may be asked now.
    fn pick(&mut self, key: &Key, urgency: Urgency, now: BootTime, addresses: &Addresses) -> Found {
        let ceiling = &mut self.ceiling;
        let picked = self.courses.change(key, |course| {
            let mut found = Found::Nothing;
            for position in course.order(urgency, now) {
                let Some(target) = course.path.targets.get(position) else { continue };
                match addresses.find(&course.path, target, course.turns.rotation(position)) {
                    Whereabouts::At(address) => match ceiling.take(urgency, course.path.uplink, address.ip(), now) {
                        Ok(()) => return Found::Target(position, Some(address)),
                        Err(opens) => found = found.or_wait(opens),
                    },
                    Whereabouts::Awaited => course.awaits_name = true,
                    Whereabouts::Nowhere => {
                        if urgency == Urgency::Calm && course.turns.note_unresolved(position, now) {
                            return Found::Target(position, None);
                        }
                    }
                }
            }
            found
        });
        picked.unwrap_or(Found::Nothing)
    }

    /// Takes a path on from the moment at which it was due.
    fn settle(&mut self, key: &Key, urgency: Urgency, found: Found, now: BootTime) -> Option<Assignment> {
        self.courses.note_stability(key, now);
        let interval = self.courses.interval_of(key);
        let luck = self.random.f64();
        let assignment = self.courses.change(key, |course| match found {
            Found::Target(position, address) => {
                course.advance(now, interval, luck);
                if address.is_some() {
                    course.send(position, urgency, interval, now);
                }
                let target = course.path.targets.get(position)?.clone();
                Some(Assignment { path: Arc::clone(&course.path), position, target, address })
            }
            Found::NotBefore(opens) => {
                match urgency {
                    Urgency::Calm => course.due = opens,
                    Urgency::Doubt => course.doubt.wait_until(opens),
                }
                None
            }
            Found::Nothing => {
                match urgency {
                    Urgency::Calm => course.advance(now, interval, luck),
                    Urgency::Doubt => course.doubt.wait_until(now + interval),
                }
                None
            }
        })??;
        if assignment.address.is_some() {
            *self.in_flight.entry(key.clone()).or_default() += 1;
            self.all_in_flight += 1;
        }
        Some(assignment)
    }

    /// When [`Self::pop_due`] should be asked next; none without paths.
    pub fn next_due(&self) -> Option<BootTime> {
        let next = |urgency| self.courses.first(urgency).map(|(due, _)| due.max(self.ceiling.opens(urgency)));
        [Urgency::Doubt, Urgency::Calm].into_iter().filter_map(next).min()
    }

    /// From when on an answer to this assignment would be overdue; none when nothing can be expected.
    pub fn overdue_after(&self, assignment: &Assignment, timeout: Duration) -> Option<Duration> {
        let course = self.listed(assignment)?;
        course.turns.overdue_after(assignment.position, timeout)
    }

    /// Takes what became of a probe. May be told twice of one: that it is overdue, and what came of it in the end.
    pub fn heard(&mut self, assignment: &Assignment, news: News, now: BootTime) {
        if self.listed(assignment).is_none() {
            return;
        }
        let key = key_of(assignment);
        let uplink_in_doubt = self.courses.change(&key, |course| course.heard(assignment.position, news, now));
        if uplink_in_doubt == Some(true) {
            self.bring_forward(&key, now);
        }
    }

    /// Lets every other path of an uplink use up its next slot at once.
    fn bring_forward(&mut self, cause: &Key, now: BootTime) {
        let others = self.courses.iter().filter(|(key, course)| {
            key.1 == cause.1 && *key != cause && course.doubt.next().is_none() && !course.doubt.is_lost()
        });
        for key in others.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            let interval = self.courses.interval_of(&key);
            self.courses.change(&key, |course| course.bring_forward(now, interval));
        }
    }

    /// Notes that addresses have become known: paths that waited for them go on.
    pub fn resolved(&mut self, question: &Question, now: BootTime) {
        let waiting =
            self.courses.iter().filter(|(_, course)| course.awaits_name && question.is_asked_by(&course.path));
        for key in waiting.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.courses.change(&key, |course| {
                course.awaits_name = false;
                course.due = course.due.min(now);
            });
        }
    }

    /// Notes that a probe is over. Tells whether its target is still in the list.
    pub fn finished(&mut self, assignment: &Assignment) -> bool {
        if let MapEntry::Occupied(mut under_way) = self.in_flight.entry(key_of(assignment)) {
            self.all_in_flight = self.all_in_flight.saturating_sub(1);
            *under_way.get_mut() -= 1;
            if *under_way.get() == 0 {
                under_way.remove();
            }
        }
        self.listed(assignment).is_some()
    }

    /// The course of an assignment, if its target still is what it was.
    pub fn listed(&self, assignment: &Assignment) -> Option<&Course> {
        let course = self.courses.get(&key_of(assignment))?;
        (course.path.targets.get(assignment.position) == Some(&assignment.target)).then_some(course)
    }
}

/// What may be done for a path whose time has come.
#[derive(Debug, Clone, Copy)]
enum Found {
    /// Ask the target at this position, here; or say that it is nowhere.
    Target(usize, Option<SocketAddr>),
    /// Not before this moment.
    NotBefore(BootTime),
    /// There is nobody to ask.
    Nothing,
}

impl Found {
    /// The same, or that something can be done at `opens`.
    fn or_wait(self, opens: BootTime) -> Self {
        match self {
            Self::NotBefore(earlier) => Self::NotBefore(earlier.min(opens)),
            Self::Nothing => Self::NotBefore(opens),
            found @ Self::Target(..) => found,
        }
    }
}

fn key_of(assignment: &Assignment) -> Key {
    (assignment.path.class.clone(), assignment.path.uplink)
}

#[cfg(test)]
mod tests;
