//! Pure: the courses of all paths, how far apart their probes are, and the order in which they want to be probed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::{
    ProbePath,
    ceiling::{CALM_GAP, Urgency},
    course::Course,
};
use crate::domain::{BootTime, ClassId, UplinkId};

/// Bound of the rate of a path, whatever the settings say.
const MIN_INTERVAL: Duration = Duration::from_millis(10);
/// Time over which the first probes of new paths are spread, if the interval is not shorter.
const FIRST_ROUND: Duration = Duration::from_secs(1);

/// What makes a path the same path in the next list. In this order, so that neighbours in the map, and with them in
/// phase, are different uplinks.
pub(super) type Key = (ClassId, UplinkId);

/// Moments at which paths want to be probed, the earliest first; of equal ones the path that was probed longest ago, or a
/// path could be passed over for ever at a ceiling that it shares.
type Queue = BTreeSet<(BootTime, BootTime, Key)>;

/// All paths.
#[derive(Debug)]
pub(super) struct Courses {
    interval: Duration,
    paths: BTreeMap<Key, Course>,
    calm: Queue,
    quick: Queue,
    /// Paths that were seen to be stable when they were probed last.
    stable: BTreeSet<Key>,
}

impl Courses {
    /// No paths, each of which is probed once in `interval` while nothing is amiss.
    pub fn new(interval: Duration) -> Self {
        Self {
            interval: interval.max(MIN_INTERVAL),
            paths: BTreeMap::new(),
            calm: Queue::new(),
            quick: Queue::new(),
            stable: BTreeSet::new(),
        }
    }

    /// Takes a new list: paths in both go on, new ones get slots spread over the coming interval, the rest are forgotten.
    pub fn replace(&mut self, list: &[ProbePath], now: BootTime, random: &mut fastrand::Rng) {
        let mut before = std::mem::take(&mut self.paths);
        let mut new = BTreeMap::new();
        for path in list.iter().filter(|path| !path.targets.is_empty()) {
            let key = (path.class.clone(), path.uplink);
            match before.remove(&key) {
                Some(mut course) => {
                    course.follow(path);
                    self.paths.insert(key, course);
                }
                None => _ = new.insert(key, Arc::new(path.clone())),
            }
        }
        self.stable.retain(|key| self.paths.contains_key(key));
        self.spread(new, now, random);
        self.calm = self.paths.iter().map(|(key, course)| (course.due, course.sent_at, key.clone())).collect();
        let quick = |(key, course): (&Key, &Course)| Some((course.doubt.next()?, course.sent_at, key.clone()));
        self.quick = self.paths.iter().filter_map(quick).collect();
    }

    fn spread(&mut self, new: BTreeMap<Key, Arc<ProbePath>>, now: BootTime, random: &mut fastrand::Rng) {
        let interval = self.stretched(self.paths.len() + new.len());
        for (key, course) in &mut self.paths {
            let own = if self.stable.contains(key) { interval * 2 } else { interval };
            course.keep_within(now, own, random.f64());
        }
        let share = 1.0 / new.len().max(1) as f64;
        let crowd = CALM_GAP.saturating_mul(u32::try_from(new.len()).unwrap_or(u32::MAX));
        let first_round = interval.min(FIRST_ROUND.max(crowd));
        for (position, (key, path)) in new.into_iter().enumerate() {
            let phase = (position as f64 + random.f64()) * share;
            let course = Course::new(path, now + interval.mul_f64(phase), now + first_round.mul_f64(phase), now);
            self.paths.insert(key, course);
        }
    }

    /// The interval of a path that is not stable, with so many paths in all.
    fn stretched(&self, paths: usize) -> Duration {
        let halves = u32::try_from((2 * paths).saturating_sub(self.stable.len())).unwrap_or(u32::MAX);
        self.interval.max(CALM_GAP.saturating_mul(halves) / 2)
    }

    /// The present interval of a path.
    pub fn interval_of(&self, key: &Key) -> Duration {
        let interval = self.stretched(self.paths.len());
        if self.stable.contains(key) { interval * 2 } else { interval }
    }

    /// Looks whether a path is stable now: it and all others are measured less, or more, from then on.
    pub fn note_stability(&mut self, key: &Key, now: BootTime) {
        if self.paths.get(key).is_some_and(|course| course.is_stable(now)) {
            self.stable.insert(key.clone());
        } else {
            self.stable.remove(key);
        }
    }

    /// One path.
    pub fn get(&self, key: &Key) -> Option<&Course> {
        self.paths.get(key)
    }

    /// Every path.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Course)> {
        self.paths.iter()
    }

    /// Changes a path and queues it anew.
    pub fn change<T>(&mut self, key: &Key, change: impl FnOnce(&mut Course) -> T) -> Option<T> {
        let course = self.paths.get_mut(key)?;
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

    /// The path that wants to be probed first, and when.
    pub fn first(&self, urgency: Urgency) -> Option<(BootTime, &Key)> {
        let queue = match urgency {
            Urgency::Calm => &self.calm,
            Urgency::Doubt => &self.quick,
        };
        queue.first().map(|(due, _, key)| (*due, key))
    }
}
