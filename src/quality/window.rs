//! The sliding window: the newest probes of a path in the order in which they were sent.
//!
//! Results arrive out of that order (a loss is known only after its timeout), so each is put where it belongs.

use std::{collections::VecDeque, time::Duration};

use crate::domain::{BootTime, ProbeFailure, ProbeOutcome};

/// One probe and what came of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe {
    pub sent_at: BootTime,
    pub outcome: ProbeOutcome,
}

impl Probe {
    /// Its RTT, if it was answered.
    pub fn rtt(&self) -> Option<Duration> {
        self.outcome.rtt()
    }

    fn is_lost(&self) -> bool {
        self.rtt().is_none()
    }
}

/// At most `capacity` probes, oldest first.
#[derive(Debug, Clone)]
pub(super) struct Window {
    probes: VecDeque<Probe>,
    capacity: usize,
    /// Probes sent before this moment belong to a past that is no longer judged.
    begins: BootTime,
}

impl Window {
    /// An empty window.
    pub fn new(capacity: usize) -> Self {
        Self { probes: VecDeque::with_capacity(capacity), capacity, begins: BootTime::default() }
    }

    /// Puts a probe in its place. False when it is too old to matter.
    pub fn insert(&mut self, probe: Probe) -> bool {
        if probe.sent_at < self.begins {
            return false;
        }
        let place = self.probes.partition_point(|other| other.sent_at <= probe.sent_at);
        if self.probes.len() >= self.capacity {
            if place == 0 {
                return false;
            }
            self.probes.pop_front();
            self.probes.insert(place - 1, probe);
        } else {
            self.probes.insert(place, probe);
        }
        true
    }

    /// Empties the window and refuses every probe sent at or before `moment`.
    pub fn restart_after(&mut self, moment: BootTime) {
        self.probes.clear();
        self.begins = self.begins.max(moment + Duration::from_nanos(1));
    }

    /// Forgets all but the newest `count` probes, and refuses late results from before them.
    pub fn keep_newest(&mut self, count: usize) {
        let forgotten = self.probes.len().saturating_sub(count);
        self.probes.drain(..forgotten);
        if let Some(oldest) = self.probes.front() {
            self.begins = self.begins.max(oldest.sent_at);
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

    /// Why the newest probe failed, if it did.
    pub fn newest_failure(&self) -> Option<ProbeFailure> {
        match self.probes.back()?.outcome {
            ProbeOutcome::Failed(failure) => Some(failure),
            ProbeOutcome::Answered(_) | ProbeOutcome::Overdue => None,
        }
    }

    /// When the newest probe was sent.
    pub fn newest_sent(&self) -> Option<BootTime> {
        self.probes.back().map(|probe| probe.sent_at)
    }

    /// All probes, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Probe> {
        self.probes.iter()
    }

    /// Number of probes.
    pub fn len(&self) -> usize {
        self.probes.len()
    }

    /// Number of lost probes.
    pub fn lost(&self) -> usize {
        self.iter().filter(|probe| probe.is_lost()).count()
    }

    /// Share of lost probes, once there is evidence enough.
    pub fn loss(&self) -> Option<f64> {
        let needed = super::LOSS_EVIDENCE_PROBES.min(self.capacity);
        (self.len() >= needed).then(|| self.lost() as f64 / self.len() as f64)
    }

    /// Median RTT of the newest half, which sees a change of level before the whole window does.
    pub fn recent_median(&self) -> Option<Duration> {
        let half = self.capacity.div_ceil(2).max(5);
        let rtts: Vec<Duration> = self.iter().rev().take(half).filter_map(Probe::rtt).collect();
        if rtts.len() < super::RTT_EVIDENCE_ANSWERS {
            return None;
        }
        super::figures::nearest_rank(rtts, 50)
    }
}
