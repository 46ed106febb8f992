//! What a class was on, and for how long.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    agent::Engine,
    domain::{BootTime, ClassId, PathState, ProbeOutcome, Share, UplinkId},
    quality::Sketch,
};

/// What a class is on at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Charge {
    shares: Vec<Share>,
    /// Weights of those whose path is down or degraded.
    bad: u32,
    /// On none, though one is up.
    idle: bool,
}

impl Charge {
    /// As an engine has decided; nothing before it did.
    pub fn of(engine: &Engine, class: &ClassId) -> Option<Self> {
        let decision = engine.decision(class)?;
        let is_bad = |uplink| matches!(engine.path_state(class, uplink), Some(PathState::Down | PathState::Degraded));
        let shares = decision.shares.clone();
        Some(Self {
            bad: shares.iter().filter(|share| is_bad(share.uplink)).map(|share| u32::from(share.weight)).sum(),
            idle: shares.is_empty() && decision.candidates.iter().any(|one| one.usable && one.state == PathState::Up),
            shares,
        })
    }

    /// Whether an uplink is in charge.
    pub fn has(&self, uplink: UplinkId) -> bool {
        self.shares.iter().any(|share| share.uplink == uplink)
    }

    fn weight(&self) -> u32 {
        self.shares.iter().map(|share| u32::from(share.weight)).sum()
    }
}

/// What a class was on so far.
#[derive(Debug, Default)]
pub(super) struct Account {
    charge: Option<Charge>,
    since: BootTime,
    /// Time that is accounted for.
    pub total: Duration,
    /// Time on each uplink; by weight, where there were several at once.
    pub on: BTreeMap<UplinkId, Duration>,
    /// Time on none: left to the main table.
    pub unsteered: Duration,
    /// Time on a path that was down or degraded by the policy's own SLA, or on none though one was up.
    pub out_of_sla: Duration,
    /// RTTs of the paths that it was on.
    pub rtt: Sketch,
    /// Probes of the paths that it was on, ...
    pub probes: u64,
    /// ... and those of them that were lost.
    pub lost: u64,
    /// Moves from one uplink to another that were forced, ...
    pub forced: u64,
    /// ... and those that were not.
    pub voluntary: u64,
}

impl Account {
    /// What it is on from now on; nothing where that is not known.
    pub fn charge(&mut self, charge: Option<Charge>, now: BootTime) {
        self.settle(now);
        self.charge = charge;
    }

    /// Takes what became of a probe, if the path is one that it is on.
    pub fn sample(&mut self, uplink: UplinkId, outcome: ProbeOutcome) {
        if !self.charge.as_ref().is_some_and(|charge| charge.has(uplink)) {
            return;
        }
        match outcome {
            ProbeOutcome::Answered(rtt) => {
                self.probes += 1;
                self.rtt.record(rtt);
            }
            ProbeOutcome::Failed(failure) if failure.is_loss_of_path() => {
                self.probes += 1;
                self.lost += 1;
            }
            ProbeOutcome::Failed(_) | ProbeOutcome::Overdue => {}
        }
    }

    fn settle(&mut self, now: BootTime) {
        let passed = now.since(self.since);
        self.since = now;
        let Some(charge) = &self.charge else { return };
        self.total += passed;
        let weight = charge.weight();
        if weight == 0 {
            self.unsteered += passed;
            self.out_of_sla += if charge.idle { passed } else { Duration::ZERO };
            return;
        }
        for share in &charge.shares {
            *self.on.entry(share.uplink).or_default() += part(passed, share.weight.into(), weight);
        }
        self.out_of_sla += part(passed, charge.bad, weight);
    }
}

fn part(whole: Duration, weight: u32, of: u32) -> Duration {
    if weight == of { whole } else { whole.saturating_mul(weight) / of.max(1) }
}
