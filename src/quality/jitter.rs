//! Variation of delay among the probes of a window (RFC 3393).

use std::time::Duration;

use super::probe::Probe;

/// Sum of absolute variations (IPDV) over pairs of probes.
///
/// Variation is defined between two packets of one pair of hosts that both arrived (RFC 3393 section 4.2): another target
/// makes no pair, and a lost probe breaks the pair on either side of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variation {
    sum: Duration,
    pairs: u32,
    /// The probe before of each target. Few, so that looking through them is cheaper than an index.
    before: Vec<(usize, Option<Duration>)>,
}

impl Variation {
    /// That of probes in the order of sending, or backwards: it is the same.
    pub(super) fn of<'a>(probes: impl Iterator<Item = &'a Probe>) -> Self {
        let mut variation = Self::default();
        probes.for_each(|probe| variation.add(usize::from(probe.target), probe.rtt()));
        variation
    }

    /// Takes the next probe: its target, and its RTT unless it was lost.
    pub fn add(&mut self, target: usize, rtt: Option<Duration>) {
        let Some((_, before)) = self.before.iter_mut().find(|(of, _)| *of == target) else {
            self.before.push((target, rtt));
            return;
        };
        if let (Some(one), Some(other)) = (*before, rtt) {
            self.sum = self.sum.saturating_add(one.abs_diff(other));
            self.pairs = self.pairs.saturating_add(1);
        }
        *before = rtt;
    }

    /// Breaks the pair of every target: what came before is another run.
    pub fn interrupt(&mut self) {
        self.before.clear();
    }

    /// Number of pairs.
    pub fn pairs(&self) -> u32 {
        self.pairs
    }

    /// Mean absolute variation; absent without a pair.
    pub fn mean(&self) -> Option<Duration> {
        self.sum.checked_div(self.pairs)
    }
}
