//! What was measured in one slice of time.

use std::time::Duration;

use super::{super::Sketch, HistoryFigures, TrendStep, wilson_bounds};

/// Counts and magnitudes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in super::super) struct Slice {
    pub probes: u32,
    pub lost: u32,
    /// Sum of the absolute delay variations, in nanoseconds.
    pub variation: u64,
    /// How many they are.
    pub pairs: u32,
    pub rtts: Sketch,
}

impl Slice {
    /// Counts a last word: an answer with its RTT, or a loss.
    pub fn record(&mut self, rtt: Option<Duration>, variation: Option<Duration>) {
        self.probes = self.probes.saturating_add(1);
        match rtt {
            Some(rtt) => self.rtts.record(rtt),
            None => self.lost = self.lost.saturating_add(1),
        }
        if let Some(variation) = variation {
            self.variation = self.variation.saturating_add(super::super::probe::nanoseconds(variation));
            self.pairs = self.pairs.saturating_add(1);
        }
    }

    /// Counts all that another slice counted.
    pub fn merge(&mut self, other: &Self) {
        self.probes = self.probes.saturating_add(other.probes);
        self.lost = self.lost.saturating_add(other.lost);
        self.variation = self.variation.saturating_add(other.variation);
        self.pairs = self.pairs.saturating_add(other.pairs);
        self.rtts.merge(&other.rtts);
    }

    /// As one step of a trend.
    pub fn trend(&self) -> TrendStep {
        TrendStep {
            rtt_median: self.rtts.quantile(0.5),
            loss: (self.probes > 0).then(|| f64::from(self.lost) / f64::from(self.probes)),
        }
    }

    /// As statistics of a span.
    pub fn figures(&self, span: &'static str, covered: Duration) -> HistoryFigures {
        HistoryFigures {
            span,
            covered,
            probes: u64::from(self.probes),
            lost: u64::from(self.lost),
            loss_bounds: wilson_bounds(u64::from(self.lost), u64::from(self.probes)),
            rtt_min: self.rtts.min(),
            rtt_median: self.rtts.quantile(0.5),
            rtt_p95: self.rtts.quantile(0.95),
            rtt_p99: self.rtts.quantile(0.99),
            relative_errors: [0.5, 0.95, 0.99].map(|share| self.rtts.error_of(share)),
            jitter: self.variation.checked_div(u64::from(self.pairs)).map(Duration::from_nanos),
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.rtts.heap_bytes()
    }
}
