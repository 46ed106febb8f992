//! One path over the whole recording.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc, time::Duration};

use crate::{
    config::{self, Probe, Sla},
    domain::{BootTime, PathState, ProbeOutcome, Target},
    quality::{Observation, PathQuality, Thresholds, Variation},
    recording::{ClassHead, RecordedSample},
};

use super::tally::Tally;

/// Figures of one path.
#[derive(Debug)]
pub(super) struct Path {
    pub whole: Tally,
    pub blocks: BTreeMap<usize, Tally>,
    pub hours: BTreeMap<usize, Tally>,
    variation: Variation,
    quality: PathQuality,
    since: BootTime,
    /// Time in which it was known to be down, and in which it was known not to be.
    pub down: Duration,
    pub alive: Duration,
}

impl Path {
    pub fn new(class: &ClassHead, now: BootTime) -> Self {
        Self {
            whole: Tally::default(),
            blocks: BTreeMap::new(),
            hours: BTreeMap::new(),
            variation: Variation::default(),
            quality: quality(class, now),
            since: now,
            down: Duration::ZERO,
            alive: Duration::ZERO,
        }
    }

    /// Another run: nothing is known of its state.
    pub fn begin(&mut self, class: &ClassHead, now: BootTime) {
        self.quality = quality(class, now);
        self.since = now;
        self.variation.interrupt();
    }

    /// The run ends.
    pub fn end(&mut self, now: BootTime) {
        self.account(now);
    }

    /// The kernel has no way through the uplink any more.
    pub fn gone(&mut self, why: &str, now: BootTime) {
        self.account(now);
        self.quality.short_cut_down(why, now);
    }

    /// Takes what became of a probe, in a block and an hour of the day.
    pub fn sample(&mut self, sample: &RecordedSample, block: usize, hour: Option<usize>) {
        self.account(sample.at);
        let RecordedSample { sent_at, target, outcome, service_time, at, .. } = *sample;
        self.quality.review(at);
        self.quality.observe(Observation { sent_at, target, outcome, service_time }, at);
        let rtt = match outcome {
            ProbeOutcome::Answered(rtt) => Some(rtt),
            // A target that is silent while others answer: its losses are its own.
            ProbeOutcome::Failed(failure) if failure.is_loss_of_path() && !self.is_silent(target) => None,
            // Not the last word, or none on the path.
            ProbeOutcome::Failed(_) | ProbeOutcome::Overdue => return,
        };
        self.variation.add(target, rtt);
        self.whole.count(rtt);
        self.blocks.entry(block).or_default().count(rtt);
        if let Some(hour) = hour {
            self.hours.entry(hour).or_default().count(rtt);
        }
    }

    /// Mean absolute delay variation of consecutive answers of a target (RFC 3393).
    pub fn jitter(&self) -> Option<Duration> {
        self.variation.mean()
    }

    /// Share of the time in which it was not down.
    pub fn availability(&self) -> Option<f64> {
        let known = self.down.saturating_add(self.alive).as_secs_f64();
        (known > 0.0).then(|| self.alive.as_secs_f64() / known)
    }

    fn account(&mut self, now: BootTime) {
        let passed = now.since(self.since);
        self.since = self.since.max(now);
        match self.quality.state() {
            PathState::Unknown => {}
            PathState::Down => self.down = self.down.saturating_add(passed),
            PathState::Up | PathState::Degraded => self.alive = self.alive.saturating_add(passed),
        }
    }

    fn is_silent(&self, target: usize) -> bool {
        self.quality.targets().nth(target).is_some_and(|figures| figures.silent)
    }
}

/// A path by the defaults, that no SLA is asked of.
fn quality(class: &ClassHead, now: BootTime) -> PathQuality {
    let probe = Probe::default();
    let thresholds = Thresholds { flap_half_life: None, ..Thresholds::of_probe(&probe, Sla::default()) };
    let nowhere = || Target::tcp((Ipv4Addr::UNSPECIFIED, probe.port).into());
    let targets = class.targets.iter().map(|text| config::target(text, probe.port).unwrap_or_else(|_| nowhere()));
    PathQuality::new(thresholds, targets.collect::<Arc<[Target]>>(), now)
}
