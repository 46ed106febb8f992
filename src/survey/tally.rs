//! Probes, losses and RTTs of some span.

use std::time::Duration;

use crate::{domain::view::rounded_milliseconds, quality::Sketch};

/// Probes of a span, and what became of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub probes: u64,
    pub lost: u64,
    pub rtt: Sketch,
}

impl Tally {
    /// An answer after that time, or a loss.
    pub fn count(&mut self, rtt: Option<Duration>) {
        self.probes += 1;
        match rtt {
            Some(rtt) => self.rtt.record(rtt),
            None => self.lost += 1,
        }
    }

    /// Counts what another one has.
    pub fn merge(&mut self, other: &Self) {
        self.probes += other.probes;
        self.lost += other.lost;
        self.rtt.merge(&other.rtt);
    }

    /// RTT at a share of all answers, in milliseconds.
    pub fn rtt_ms(&self, share: f64) -> Option<f64> {
        self.rtt.quantile(share).map(rounded_milliseconds)
    }

    /// Lost probes, 0 to 1.
    pub fn loss(&self) -> Option<f64> {
        (self.probes > 0).then(|| self.lost as f64 / self.probes as f64)
    }
}
