//! What became of the handshakes of one path lately: aggregates, and nothing of any single one.

use std::{collections::VecDeque, time::Duration};

use super::table::Outcome;
use crate::{
    domain::{
        BootTime,
        view::{HandshakeView, milliseconds},
    },
    quality::Sketch,
};

/// The past moves on in steps of this length.
const STEP: Duration = Duration::from_secs(180);

/// Steps that are shown: a quarter of an hour.
const STEPS: u32 = 5;

/// Outcomes of the last quarter of an hour. At most 1.7 kB.
#[derive(Debug, Default)]
pub struct Tally {
    steps: VecDeque<Step>,
}

#[derive(Debug)]
struct Step {
    began: BootTime,
    completed: u32,
    repeated: u32,
    unanswered: u32,
    refused: u32,
    times: Sketch,
}

impl Tally {
    /// Counts one.
    pub fn count(&mut self, outcome: Outcome, now: BootTime) {
        self.forget(now);
        if self.steps.back().is_none_or(|newest| now.at_least_after(newest.began, STEP)) {
            self.steps.push_back(Step {
                began: now,
                completed: 0,
                repeated: 0,
                unanswered: 0,
                refused: 0,
                times: Sketch::new(),
            });
        }
        let Some(step) = self.steps.back_mut() else { return };
        match outcome {
            Outcome::Completed(time) => {
                step.completed = step.completed.saturating_add(1);
                if let Some(time) = time {
                    step.times.record(time);
                }
            }
            Outcome::Repeated => {
                step.completed = step.completed.saturating_add(1);
                step.repeated = step.repeated.saturating_add(1);
            }
            Outcome::Refused => step.refused = step.refused.saturating_add(1),
            Outcome::Unanswered => step.unanswered = step.unanswered.saturating_add(1),
        }
    }

    /// Forgets what is too long ago. True when nothing is left.
    pub fn forget(&mut self, now: BootTime) -> bool {
        while self.steps.front().is_some_and(|oldest| now.at_least_after(oldest.began, STEP * STEPS)) {
            self.steps.pop_front();
        }
        self.steps.is_empty()
    }

    /// What is known; one connection in `one_in` is looked at.
    pub fn view(&self, now: BootTime, one_in: u32) -> HandshakeView {
        let mut times = Sketch::new();
        for step in &self.steps {
            times.merge(&step.times);
        }
        let sum = |count: fn(&Step) -> u32| self.steps.iter().map(|step| u64::from(count(step))).sum();
        HandshakeView {
            span_s: self.steps.front().map_or(0, |oldest| now.since(oldest.began).as_secs()),
            completed: sum(|step| step.completed),
            repeated: sum(|step| step.repeated),
            unanswered: sum(|step| step.unanswered),
            refused: sum(|step| step.refused),
            rtt_min_ms: times.min().map(milliseconds),
            rtt_ms: times.quantile(0.5).map(milliseconds),
            rtt_p95_ms: times.quantile(0.95).map(milliseconds),
            one_in,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> BootTime {
        BootTime(Duration::from_secs(seconds))
    }

    #[test]
    fn outcomes_are_told_apart() {
        let mut tally = Tally::default();
        for milliseconds in 1..=99 {
            tally.count(Outcome::Completed(Some(Duration::from_millis(milliseconds))), at(10));
        }
        tally.count(Outcome::Completed(None), at(11));
        tally.count(Outcome::Repeated, at(12));
        tally.count(Outcome::Refused, at(13));
        tally.count(Outcome::Unanswered, at(14));
        let view = tally.view(at(70), 4);
        assert_eq!((view.completed, view.repeated, view.refused, view.unanswered), (101, 1, 1, 1));
        assert_eq!((view.span_s, view.one_in, view.rtt_min_ms), (60, 4, Some(1.0)));
        assert!((45.0..55.0).contains(&view.rtt_ms.unwrap()), "{view:?}");
        assert!((85.0..=99.0).contains(&view.rtt_p95_ms.unwrap()), "{view:?}");
    }

    #[test]
    fn the_past_is_a_quarter_of_an_hour_long_and_its_memory_bounded() {
        let mut tally = Tally::default();
        for second in 0..3_600 {
            tally.count(Outcome::Completed(Some(Duration::from_millis(20))), at(second));
            assert!(tally.steps.len() <= STEPS as usize);
        }
        let view = tally.view(at(3_600), 1);
        assert!((720..=900).contains(&view.span_s) && view.span_s == view.completed, "{view:?}");
        assert!(tally.forget(at(4_600)));
        assert_eq!(tally.view(at(4_600), 1).completed, 0);
        assert_eq!(tally.view(at(4_600), 1).rtt_ms, None);
    }
}
