//! How large a run is.

use std::time::Duration;

use super::steering::Steered;

/// Sizes and repetitions of all benchmarks.
#[derive(Debug, Clone)]
pub(super) struct Scale {
    /// Routes of the router's own table.
    pub(super) routes: usize,
    /// Repetitions where one takes a second or less.
    pub(super) cheap: usize,
    /// Repetitions where one takes some seconds.
    pub(super) dear: usize,
    /// Routes that are moved at once, ascending.
    pub(super) swaps: Vec<usize>,
    /// Prefixes that are steered when the cable is cut.
    pub(super) carrier_routes: usize,
    /// Between two probes of the agent whose memory is measured.
    pub(super) probe_interval: Duration,
    /// How service tags are made into classes.
    pub(super) steered: &'static [Steered],
}

impl Scale {
    /// What the published figures are made with.
    pub(super) fn full() -> Self {
        Self {
            routes: 1_000_000,
            cheap: 5,
            dear: 3,
            swaps: vec![1_000, 10_000, 50_000, 200_000],
            carrier_routes: 50_000,
            probe_interval: Duration::from_secs(5),
            steered: &[Steered::ByRegion, Steered::EveryTag],
        }
    }

    /// Small enough for a test.
    pub(super) fn quick() -> Self {
        Self {
            routes: 20_000,
            cheap: 1,
            dear: 1,
            swaps: vec![500, 2_000],
            carrier_routes: 1_000,
            probe_interval: Duration::from_millis(500),
            steered: &[Steered::ByRegion],
        }
    }

    /// Stands for 1 k in the summary.
    pub(super) fn smallest_swap(&self) -> usize {
        self.swaps.first().copied().unwrap_or_default()
    }

    /// Stands for 50 k in the summary; the last but one.
    pub(super) fn named_swap(&self) -> usize {
        self.swaps.iter().rev().nth(1).copied().unwrap_or_default()
    }

    /// Stands for 200 k in the summary.
    pub(super) fn largest_swap(&self) -> usize {
        self.swaps.last().copied().unwrap_or_default()
    }
}
