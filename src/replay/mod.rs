//! Pure: policies over a recording, in virtual time. What a policy would have decided, how long each ISP would have carried
//! what, and where two policies part.
//!
//! May know the agent's engine, the entries of a recording and the configuration, all as values. Reads no clock and no file,
//! writes nothing. Deterministic: the same entries make the same report.
//!
//! | file | its one idea |
//! |---|---|
//! | `matching` | which uplink and class of a configuration is which of the recording |
//! | `attachments` | a router that offers what the recorded one did |
//! | `lane` | one policy's engine, driven through the recording |
//! | `account` | what a class was on, and for how long |
//! | `differences` | when two policies had a class on different uplinks |
//! | `report` | the outcome as data |
//!
//! What a recording does not hold cannot be replayed: routes of the router's own (`require_route`) and learned IPv6 source
//! prefixes (`ipv6_source = "auto"`) are taken for absent, and the report says so.

mod account;
mod attachments;
mod differences;
mod lane;
mod matching;
mod report;

#[cfg(test)]
mod tests;

use std::thread;

use crate::{
    agent::Candidate,
    recording::{Dating, Entry, Faults},
};

use lane::Lane;
pub use report::{
    ClassReport, DecisionReport, Difference, IspShare, MoveKind, Moves, Percentiles, PolicyReport, RecordingReport,
    Report, When,
};

/// Entries that lanes take at once: so many that starting threads does not count.
const AT_ONCE: usize = 16_384;

/// Policies on their way through a recording.
#[derive(Debug)]
pub struct Replay {
    lanes: Vec<Lane>,
    /// Entries that no lane has taken yet.
    waiting: Vec<Entry>,
    dating: Dating,
    samples: u64,
}

impl Replay {
    /// At the beginning.
    pub fn new(policies: Vec<Candidate>) -> Self {
        Self {
            lanes: policies.into_iter().map(Lane::new).collect(),
            waiting: Vec::new(),
            dating: Dating::default(),
            samples: 0,
        }
    }

    /// Takes the next entry of the recording.
    pub fn take(&mut self, entry: &Entry) {
        self.dating.observe(entry);
        self.samples += u64::from(matches!(entry, Entry::Sample(_)));
        self.waiting.push(entry.clone());
        if self.waiting.len() >= AT_ONCE {
            self.go_on();
        }
    }

    /// What came of it.
    pub fn report(mut self, faults: &Faults) -> Report {
        self.go_on();
        for lane in &mut self.lanes {
            lane.end();
        }
        report::report(&self.lanes, &self.dating, self.samples, faults)
    }

    /// Every lane takes what waits, each in a thread of its own: they have nothing in common but what they read.
    fn go_on(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let Some((first, others)) = self.lanes.split_first_mut() else { return };
        thread::scope(|scope| {
            for lane in others {
                scope.spawn(|| lane.take_all(&waiting));
            }
            first.take_all(&waiting);
        });
    }
}
