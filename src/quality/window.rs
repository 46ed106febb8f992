//! The sliding window: the newest probes of a path in the order in which they were sent.
//!
//! Results arrive out of that order (a loss is known only after its timeout), so each is put where it belongs. An overdue
//! probe stands as a loss until its last word takes its place.

use std::{collections::VecDeque, time::Duration};

use super::probe::{Moment, Probe, Word};

/// At most `capacity` probes, oldest first. 24 bytes for each, and 8 more for an answer; nothing before the first.
#[derive(Debug, Clone)]
pub(super) struct Window {
    probes: VecDeque<Probe>,
    /// RTTs of the answered ones by size, in nanoseconds, so that ranks need no sorting.
    sorted: Vec<u64>,
    capacity: usize,
    /// Probes sent before this moment belong to a past that is no longer judged.
    begins: Moment,
}

impl Window {
    /// An empty window.
    pub fn new(capacity: usize) -> Self {
        Self { probes: VecDeque::new(), sorted: Vec::new(), capacity: capacity.max(1), begins: 0 }
    }

    /// Puts a probe in its place. False when it changes nothing: too old to matter, or its last word was known.
    pub fn insert(&mut self, probe: Probe) -> bool {
        if probe.sent < self.begins {
            return false;
        }
        let mut place = self.probes.partition_point(|other| other.sent <= probe.sent);
        if let Some(known) = self.same(place, &probe) {
            return self.replace(known, probe);
        }
        if self.probes.len() >= self.capacity {
            if place == 0 {
                return false;
            }
            if let Some(oldest) = self.probes.pop_front() {
                self.unsort(&oldest);
            }
            place -= 1;
        }
        self.make_room();
        self.probes.insert(place, probe);
        self.sort_in(&probe);
        true
    }

    /// Empties the window and refuses every probe sent at or before `moment`.
    pub fn restart_after(&mut self, moment: Moment) {
        self.probes.clear();
        self.sorted.clear();
        self.begins = self.begins.max(moment.saturating_add(1));
    }

    /// Empties the window but for what may still be answered among the newest losses. The moment from which on probes
    /// count again.
    pub fn restart_after_losses(&mut self) -> Moment {
        let run = self.losses_in_a_row();
        let newest = self.probes.back().map_or(0, |probe| probe.sent);
        let from = self.probes.len().saturating_sub(run);
        self.probes.drain(..from);
        self.probes.retain(|probe| probe.word == Word::Overdue);
        self.sorted.clear();
        let begins = self.probes.front().map_or(newest.saturating_add(1), |oldest| oldest.sent);
        self.begins = self.begins.max(begins);
        self.begins
    }

    /// Forgets all but the newest `count` probes, and refuses late results from before them.
    pub fn keep_newest(&mut self, count: usize) {
        let forgotten = self.probes.len().saturating_sub(count);
        for probe in self.probes.drain(..forgotten).collect::<Vec<_>>() {
            self.unsort(&probe);
        }
        if let Some(oldest) = self.probes.front() {
            self.begins = self.begins.max(oldest.sent);
        }
    }

    /// Forgets what a target lost: it is silent, and its losses are its own.
    pub fn forget_losses_of(&mut self, target: u16) {
        self.probes.retain(|probe| probe.target != target || !probe.is_lost());
    }

    /// Says which losses of a target may turn out to be its own: those sent at `since` or later, or none.
    pub fn doubt(&mut self, target: u16, since: Option<Moment>) {
        for probe in self.probes.iter_mut().filter(|probe| probe.target == target) {
            probe.doubted = probe.is_lost() && since.is_some_and(|since| probe.sent >= since);
        }
    }

    /// How many of the newest probes were lost without an answer between them.
    pub fn losses_in_a_row(&self) -> usize {
        self.probes.iter().rev().take_while(|probe| probe.is_lost()).count()
    }

    /// How many of the newest probes were answered without a loss between them.
    pub fn answers_in_a_row(&self) -> usize {
        self.probes.iter().rev().take_while(|probe| !probe.is_lost()).count()
    }

    /// All probes, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Probe> {
        self.probes.iter()
    }

    /// Most probes.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Number of probes.
    pub fn len(&self) -> usize {
        self.probes.len()
    }

    /// The smallest RTT that at least `percent` of all answers do not exceed.
    pub fn nearest_rank(&self, percent: usize) -> Option<Duration> {
        nearest_rank(&self.sorted, percent).map(Duration::from_nanos)
    }

    /// RTTs of all answers by size, in nanoseconds.
    pub fn rtts(&self) -> &[u64] {
        &self.sorted
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.probes.capacity() * size_of::<Probe>() + self.sorted.capacity() * size_of::<u64>()
    }

    /// The same probe, if it is here already; `after` is the place behind all that were sent no later.
    fn same(&self, after: usize, probe: &Probe) -> Option<usize> {
        let at_that_moment = (0..after).rev().zip(self.probes.range(..after).rev());
        at_that_moment
            .take_while(|(_, other)| other.sent == probe.sent)
            .find(|(_, other)| other.target == probe.target)
            .map(|(place, _)| place)
    }

    fn replace(&mut self, place: usize, probe: Probe) -> bool {
        let Some(known) = self.probes.get_mut(place) else { return false };
        if known.word != Word::Overdue || probe.word == Word::Overdue {
            return false;
        }
        *known = probe;
        self.sort_in(&probe);
        true
    }

    /// Grows by halves, and never beyond the capacity.
    fn make_room(&mut self) {
        let len = self.probes.len();
        if len == self.probes.capacity() {
            self.probes.reserve_exact((len / 2).max(5).min(self.capacity.saturating_sub(len).max(1)));
        }
    }

    fn sort_in(&mut self, probe: &Probe) {
        let Some(rtt) = probe.rtt_nanoseconds() else { return };
        let len = self.sorted.len();
        if len == self.sorted.capacity() {
            self.sorted.reserve_exact((len / 2).max(5).min(self.capacity.saturating_sub(len).max(1)));
        }
        self.sorted.insert(self.sorted.partition_point(|other| *other < rtt), rtt);
    }

    fn unsort(&mut self, probe: &Probe) {
        let Some(rtt) = probe.rtt_nanoseconds() else { return };
        if let Ok(place) = self.sorted.binary_search(&rtt) {
            self.sorted.remove(place);
        }
    }
}

/// The smallest of sorted values that at least `percent` of all do not exceed.
pub fn nearest_rank<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// The smallest value that at least half of all do not exceed.
pub(super) fn median(mut values: Vec<Duration>) -> Option<Duration> {
    let rank = values.len().div_ceil(2).checked_sub(1)?;
    Some(*values.select_nth_unstable(rank).1)
}
