//! Pure: which path is probed when, and at which target. Time and randomness are arguments.
//!
//! Every path has one slot an interval, on a grid of its own whose phase is drawn when the path is new, evenly spread
//! among the paths that are new with it. Within its slot a probe is sent at a random moment (RFC 3432: periodic
//! streams must not fall in step with what they measure). So paths keep apart from one another for good, and two
//! probes of one path are 80 % to 120 % of the interval apart.
//!
//! What is missed is missed: after a stall or a suspend every path gets at most one late probe, those are let out at
//! no more than twice the ordinary rate, and then all are back on their grids.

use std::{
    collections::{BTreeMap, btree_map::Entry as MapEntry},
    sync::Arc,
    time::Duration,
};

use super::ProbePath;
use crate::domain::{BootTime, ClassId, Target, UplinkId};

/// Bound of the rate of a path, whatever the settings say.
const MIN_INTERVAL: Duration = Duration::from_millis(10);
/// Part of the interval within which the moment of a probe is drawn.
const JITTER: f64 = 0.2;
/// Part of the interval by which probes may run ahead of the pace: a quarter of all paths may go at once.
const PACE_TOLERANCE: u32 = 8;
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
}

/// One path and its slots.
#[derive(Debug)]
struct Slots {
    path: Arc<ProbePath>,
    /// Start of the next slot.
    slot: BootTime,
    /// Moment within it.
    due: BootTime,
    /// Probes sent so far, to rotate targets.
    turn: usize,
}

/// The running schedule of all paths.
#[derive(Debug)]
pub(super) struct Schedule {
    interval: Duration,
    paths: BTreeMap<Key, Slots>,
    /// Probes under way, also of paths that left the list since.
    in_flight: BTreeMap<Key, usize>,
    /// When the next probe would go if all were sent evenly at twice the ordinary rate (GCRA's theoretical arrival
    /// time).
    pace: BootTime,
    random: fastrand::Rng,
}

impl Schedule {
    /// A schedule without paths.
    pub fn new(interval: Duration, seed: u64) -> Self {
        Self {
            interval: interval.max(MIN_INTERVAL),
            paths: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            pace: BootTime::default(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Takes a new list: paths in both keep slots and turn, new ones get slots spread over the coming interval, the
    /// rest are forgotten.
    pub fn replace(&mut self, list: &[ProbePath], now: BootTime) {
        let mut before = std::mem::take(&mut self.paths);
        let probed = list.iter().filter(|path| !path.targets.is_empty());
        let mut new = BTreeMap::new();
        for path in probed {
            let key = key_of(path);
            let path = Arc::new(path.clone());
            match before.remove(&key) {
                Some(slots) => _ = self.paths.insert(key, Slots { path, ..slots }),
                None => _ = new.insert(key, path),
            }
        }
        self.spread(new, now);
    }

    fn spread(&mut self, new: BTreeMap<Key, Arc<ProbePath>>, now: BootTime) {
        let share = 1.0 / new.len().max(1) as f64;
        for (position, (key, path)) in new.into_iter().enumerate() {
            let phase = (position as f64 + self.random.f64()) * share;
            let slot = now + self.interval.mul_f64(phase);
            let due = moment_in(slot, self.interval, &mut self.random);
            self.paths.insert(key, Slots { path, slot, due, turn: 0 });
        }
    }

    /// The next probe to send, if one is due. To be called until there is none.
    pub fn pop_due(&mut self, now: BootTime) -> Option<Assignment> {
        while self.next_due()? <= now {
            let (key, slots) = self.paths.iter_mut().min_by_key(|(_, slots)| slots.due)?;
            slots.slot = slot_after(slots.slot, now, self.interval);
            slots.due = moment_in(slots.slot, self.interval, &mut self.random);
            let under_way = self.in_flight.get(key).copied().unwrap_or_default();
            let all_under_way: usize = self.in_flight.values().sum();
            if under_way >= MAX_IN_FLIGHT_PER_PATH || all_under_way >= MAX_IN_FLIGHT {
                continue;
            }
            let targets = &slots.path.targets;
            let position = slots.turn.checked_rem(targets.len())?;
            let target = targets.get(position)?.clone();
            slots.turn = slots.turn.wrapping_add(1);
            let assignment = Assignment { path: Arc::clone(&slots.path), position, target };
            self.in_flight.insert(key.clone(), under_way + 1);
            self.pace = self.pace.max(now) + self.pace_gap();
            return Some(assignment);
        }
        None
    }

    /// When [`Self::pop_due`] should be asked next; none without paths.
    pub fn next_due(&self) -> Option<BootTime> {
        let due = self.paths.values().map(|slots| slots.due).min()?;
        let let_out = BootTime(self.pace.0.saturating_sub(self.interval / PACE_TOLERANCE));
        Some(due.max(let_out))
    }

    /// Notes that a probe is over. Tells whether its path is still in the list.
    pub fn finished(&mut self, assignment: &Assignment) -> bool {
        let key = key_of(&assignment.path);
        let listed = self.paths.contains_key(&key);
        if let MapEntry::Occupied(mut under_way) = self.in_flight.entry(key) {
            *under_way.get_mut() -= 1;
            if *under_way.get() == 0 {
                under_way.remove();
            }
        }
        listed
    }

    /// Time between two probes at twice the ordinary rate.
    fn pace_gap(&self) -> Duration {
        self.interval.div_f64(2.0 * self.paths.len().max(1) as f64)
    }
}

fn key_of(path: &ProbePath) -> Key {
    (path.class.clone(), path.uplink)
}

/// Draws the moment of a probe within its slot.
fn moment_in(slot: BootTime, interval: Duration, random: &mut fastrand::Rng) -> BootTime {
    slot + interval.mul_f64(JITTER * random.f64())
}

/// The first slot of the grid through `slot` that is later and starts at least half an interval after `now`: slots
/// missed are left out, and a late probe is not followed by the next one at its heels.
fn slot_after(slot: BootTime, now: BootTime, interval: Duration) -> BootTime {
    let behind = (now + interval / 2).since(slot);
    let slots = behind.as_nanos().div_ceil(interval.as_nanos()).max(1);
    slot + interval.saturating_mul(u32::try_from(slots).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
