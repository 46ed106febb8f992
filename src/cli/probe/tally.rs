//! Pure: what the probes so far come to.

use std::{collections::VecDeque, time::Duration};

use crate::{
    domain::{ProbeFailure, ProbeOutcome},
    probe::Measured,
    quality::{Variation, nearest_rank},
};

/// Answers of which each is remembered: a day of them. Percentiles are of the newest so many.
const MOST_REMEMBERED: usize = 86_400;

/// What the probes so far come to, in bounded memory.
#[derive(Debug, Default)]
pub struct Tally {
    sent: u64,
    answered: u64,
    failures: Vec<(ProbeFailure, u64)>,
    newest: VecDeque<Duration>,
    range: Option<(Duration, Duration)>,
    /// All probes are of one target, number 0.
    variation: Variation,
}

impl Tally {
    /// Counts one.
    pub fn add(&mut self, measured: Measured) {
        self.sent += 1;
        let rtt = measured.outcome.rtt();
        self.variation.add(0, rtt);
        if let Some(rtt) = rtt {
            self.answer(rtt);
        }
        if let ProbeOutcome::Failed(failure) = measured.outcome {
            match self.failures.iter_mut().find(|(known, _)| *known == failure) {
                Some((_, times)) => *times += 1,
                None => self.failures.push((failure, 1)),
            }
        }
    }

    fn answer(&mut self, rtt: Duration) {
        self.answered += 1;
        let (least, most) = self.range.unwrap_or((rtt, rtt));
        self.range = Some((least.min(rtt), most.max(rtt)));
        if self.newest.len() == MOST_REMEMBERED {
            self.newest.pop_front();
        }
        self.newest.push_back(rtt);
    }

    /// Probes with an end.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Answered ones.
    pub fn answered(&self) -> u64 {
        self.answered
    }

    /// Share of lost ones, 0 to 1; none before the first probe.
    pub fn loss(&self) -> Option<f64> {
        (self.sent > 0).then(|| (self.sent - self.answered) as f64 / self.sent as f64)
    }

    /// Why the others were not answered, and how often, in the order in which it was first seen.
    pub fn failures(&self) -> &[(ProbeFailure, u64)] {
        &self.failures
    }

    /// Smallest RTT.
    pub fn min(&self) -> Option<Duration> {
        self.range.map(|(least, _)| least)
    }

    /// Largest RTT.
    pub fn max(&self) -> Option<Duration> {
        self.range.map(|(_, most)| most)
    }

    /// The smallest RTT that at least so many percent do not exceed.
    pub fn percentile(&self, percent: usize) -> Option<Duration> {
        let mut sorted: Vec<Duration> = self.newest.iter().copied().collect();
        sorted.sort_unstable();
        nearest_rank(&sorted, percent)
    }

    /// Mean absolute delay variation between consecutive answers (RFC 3393).
    pub fn jitter(&self) -> Option<Duration> {
        self.variation.mean()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(outcomes: &[Result<u64, ProbeFailure>]) -> Tally {
        let mut tally = Tally::default();
        for outcome in outcomes {
            let outcome = match outcome {
                Ok(milliseconds) => ProbeOutcome::Answered(Duration::from_millis(*milliseconds)),
                Err(failure) => ProbeOutcome::Failed(*failure),
            };
            tally.add(Measured { outcome, service_time: None });
        }
        tally
    }

    #[test]
    fn figures_are_those_of_the_answers_and_loss_that_of_all() {
        let timeout = Err(ProbeFailure::Timeout);
        let tally = tally(&[Ok(10), Ok(14), timeout, Ok(30), Err(ProbeFailure::Refused), timeout, Ok(12), Ok(11)]);
        assert_eq!((tally.sent(), tally.answered(), tally.loss()), (8, 5, Some(0.375)));
        assert_eq!(tally.failures(), [(ProbeFailure::Timeout, 2), (ProbeFailure::Refused, 1)]);
        let ms = |milliseconds| Some(Duration::from_millis(milliseconds));
        assert_eq!(
            (tally.min(), tally.percentile(50), tally.percentile(95), tally.max()),
            (ms(10), ms(12), ms(30), ms(30))
        );
        // 10 and 14, 12 and 11; nothing reaches over a loss.
        assert_eq!(tally.jitter(), Some(Duration::from_micros(2500)));
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        let tally = tally(&[]);
        assert_eq!((tally.loss(), tally.min(), tally.percentile(50), tally.jitter()), (None, None, None, None));
    }

    #[test]
    fn memory_is_bounded_and_the_range_is_that_of_all() {
        let mut tally = tally(&[Ok(1)]);
        let later = Measured { outcome: ProbeOutcome::Answered(Duration::from_millis(5)), service_time: None };
        (0..MOST_REMEMBERED).for_each(|_| tally.add(later));
        assert_eq!(tally.newest.len(), MOST_REMEMBERED);
        assert_eq!(tally.min(), Some(Duration::from_millis(1)));
        assert_eq!(tally.percentile(1), Some(Duration::from_millis(5)));
    }
}
