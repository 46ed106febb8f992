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
    collections::{BTreeMap, BTreeSet, btree_map::Entry as MapEntry},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use super::{
    ProbePath,
    addresses::{Addresses, Question, Whereabouts},
    ceiling::{CALM_GAP, Ceiling, Urgency},
    course::Course,
    turns::Purpose,
};
use crate::domain::{BootTime, ClassId, Target, UplinkId};

/// Bound of the rate of a path, whatever the settings say.
const MIN_INTERVAL: Duration = Duration::from_millis(10);
/// Time over which the first probes of new paths are spread, if the interval is not shorter.
const FIRST_ROUND: Duration = Duration::from_secs(1);
/// Probes of one path that may be under way at once; more are needed only when the loss threshold is many intervals.
const MAX_IN_FLIGHT_PER_PATH: usize = 8;
/// Probes that may be under way at once, of all paths: bounds open descriptors and memory.
const MAX_IN_FLIGHT: usize = 256;

/// What makes a path the same path in the next list. In this order, so that neighbours in the map, and with them in
/// phase, are different uplinks.
type Key = (ClassId, UplinkId);

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

/// Moments at which paths want to be probed, the earliest first; of equal ones the path that was probed longest ago, or a
/// path could be passed over for ever at a ceiling that it shares.
type Queue = BTreeSet<(BootTime, BootTime, Key)>;

/// The running schedule of all paths.
#[derive(Debug)]
pub(super) struct Schedule {
    interval: Duration,
    courses: BTreeMap<Key, Course>,
    calm: Queue,
    quick: Queue,
    ceiling: Ceiling,
    /// Probes under way, also of paths that left the list since.
    in_flight: BTreeMap<Key, usize>,
    all_in_flight: usize,
    /// Paths that were seen to be stable when they were probed last.
    stable: BTreeSet<Key>,
    random: fastrand::Rng,
}

impl Schedule {
    /// A schedule without paths, for paths that are probed once in `interval` while nothing is amiss.
    pub fn new(interval: Duration, seed: u64) -> Self {
        Self {
            interval: interval.max(MIN_INTERVAL),
            courses: BTreeMap::new(),
            calm: Queue::new(),
            quick: Queue::new(),
            ceiling: Ceiling::default(),
            in_flight: BTreeMap::new(),
            all_in_flight: 0,
            stable: BTreeSet::new(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Takes a new list: paths in both go on, new ones get slots spread over the coming interval, the rest are forgotten.
    pub fn replace(&mut self, list: &[ProbePath], now: BootTime) {
        let mut before = std::mem::take(&mut self.courses);
        let mut new = BTreeMap::new();
        for path in list.iter().filter(|path| !path.targets.is_empty()) {
            let key = (path.class.clone(), path.uplink);
            match before.remove(&key) {
                Some(mut course) => {
                    course.follow(path);
                    self.courses.insert(key, course);
                }
                None => _ = new.insert(key, Arc::new(path.clone())),
            }
        }
        self.stable.retain(|key| self.courses.contains_key(key));
        self.spread(new, now);
        self.enqueue_all();
    }

    fn spread(&mut self, new: BTreeMap<Key, Arc<ProbePath>>, now: BootTime) {
        let total = self.courses.len() + new.len();
        let interval = self.stretched(total);
        for (key, course) in &mut self.courses {
            let own = if self.stable.contains(key) { interval * 2 } else { interval };
            course.keep_within(now, own, self.random.f64());
        }
        let share = 1.0 / new.len().max(1) as f64;
        let crowd = CALM_GAP.saturating_mul(u32::try_from(new.len()).unwrap_or(u32::MAX));
        let first_round = interval.min(FIRST_ROUND.max(crowd));
        for (position, (key, path)) in new.into_iter().enumerate() {
            let phase = (position as f64 + self.random.f64()) * share;
            let course = Course::new(path, now + interval.mul_f64(phase), now + first_round.mul_f64(phase), now);
            self.courses.insert(key, course);
        }
    }

    /// The interval of a path that is not stable, with so many paths in all.
    fn stretched(&self, paths: usize) -> Duration {
        let halves = u32::try_from((2 * paths).saturating_sub(self.stable.len())).unwrap_or(u32::MAX);
        self.interval.max(CALM_GAP.saturating_mul(halves) / 2)
    }

    /// The present interval of a path.
    fn interval_of(&self, key: &Key) -> Duration {
        let interval = self.stretched(self.courses.len());
        if self.stable.contains(key) { interval * 2 } else { interval }
    }

    fn enqueue_all(&mut self) {
        let entries = self.courses.iter().map(|(key, course)| (course.due, course.sent_at, key.clone()));
        self.calm = entries.collect();
        let quick = |(key, course): (&Key, &Course)| Some((course.doubt.next()?, course.sent_at, key.clone()));
        self.quick = self.courses.iter().filter_map(quick).collect();
    }

    /// Changes a course and queues it anew.
    fn change<T>(&mut self, key: &Key, change: impl FnOnce(&mut Course) -> T) -> Option<T> {
        let course = self.courses.get_mut(key)?;
        self.calm.remove(&(course.due, course.sent_at, key.clone()));
        if let Some(next) = course.doubt.next() {
            self.quick.remove(&(next, course.sent_at, key.clone()));
        }
        let result = change(course);
        self.calm.insert((course.due, course.sent_at, key.clone()));
        if let Some(next) = course.doubt.next() {
            self.quick.insert((next, course.sent_at, key.clone()));
        }
        Some(result)
    }

    /// The next probe to send, if one is due. To be called until there is none.
    pub fn pop_due(&mut self, now: BootTime, addresses: &Addresses) -> Option<Assignment> {
        while let Some((urgency, key)) = self.first_due(now) {
            let interval = self.interval_of(&key);
            if urgency == Urgency::Doubt
                && self.change(&key, |course| course.doubt.may_spend(interval, now)) != Some(true)
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
        [(Urgency::Doubt, &self.quick), (Urgency::Calm, &self.calm)].into_iter().find_map(|(urgency, queue)| {
            let (due, _, key) = queue.first()?;
            (*due <= now && self.ceiling.opens(urgency) <= now).then(|| (urgency, key.clone()))
        })
    }

    /// The best target that may be asked now.
    fn pick(&mut self, key: &Key, urgency: Urgency, now: BootTime, addresses: &Addresses) -> Found {
        let Some(course) = self.courses.get_mut(key) else { return Found::Nothing };
        let mut order = match urgency {
            Urgency::Calm => course.turns.order(course.purpose(), now),
            Urgency::Doubt => course.turns.order(Purpose::Confirm, now),
        };
        if course.wants_proof() {
            order.splice(0..0, course.turns.order(Purpose::Prove, now));
        }
        let mut found = Found::Nothing;
        for position in order {
            let Some(target) = course.path.targets.get(position) else { continue };
            match addresses.find(&course.path, target, course.turns.rotation(position)) {
                Whereabouts::At(address) => match self.ceiling.take(urgency, course.path.uplink, address.ip(), now) {
                    Ok(()) => return Found::Target(position, Some(address)),
                    Err(opens) => found = found.or_wait(opens),
                },
                Whereabouts::Awaited => course.awaits_name = true,
                Whereabouts::Nowhere if urgency == Urgency::Calm => {
                    if course.turns.note_unresolved(position, now) {
                        return Found::Target(position, None);
                    }
                }
                Whereabouts::Nowhere => {}
            }
        }
        found
    }

    /// Takes a path on from the moment at which it was due.
    fn settle(&mut self, key: &Key, urgency: Urgency, found: Found, now: BootTime) -> Option<Assignment> {
        let stable = self.courses.get(key)?.is_stable(now);
        if stable {
            self.stable.insert(key.clone());
        } else {
            self.stable.remove(key);
        }
        let interval = self.interval_of(key);
        let luck = self.random.f64();
        let assignment = self.change(key, |course| match found {
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
        let next = |urgency, queue: &Queue| queue.first().map(|(due, ..)| (*due).max(self.ceiling.opens(urgency)));
        [next(Urgency::Doubt, &self.quick), next(Urgency::Calm, &self.calm)].into_iter().flatten().min()
    }

    /// From when on an answer to this assignment would be overdue; none when nothing can be expected.
    pub fn overdue_after(&self, assignment: &Assignment, timeout: Duration) -> Option<Duration> {
        let course = self.listed(assignment)?;
        course.turns.expectation(assignment.position).overdue_after(timeout)
    }

    /// Takes what became of a probe. May be told twice of one: that it is overdue, and what came of it in the end.
    pub fn heard(&mut self, assignment: &Assignment, news: News, now: BootTime) {
        if self.listed(assignment).is_none() {
            return;
        }
        let key = key_of(assignment);
        let uplink_in_doubt = self.change(&key, |course| course.heard(assignment.position, news, now));
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
            let interval = self.interval_of(&key);
            self.change(&key, |course| course.bring_forward(now, interval));
        }
    }

    /// Notes that addresses have become known: paths that waited for them go on.
    pub fn resolved(&mut self, question: &Question, now: BootTime) {
        let waiting =
            self.courses.iter().filter(|(_, course)| course.awaits_name && question.is_asked_by(&course.path));
        for key in waiting.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.change(&key, |course| {
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
