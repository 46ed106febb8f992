//! How often what others removed is put back before we yield. Pure: time comes in.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// Rounds of repairs that are made within [`PERIOD`] without a question.
const ROUNDS: usize = 10;
/// Period of that; and of the single attempts afterwards.
const PERIOD: Duration = Duration::from_secs(60);

/// Repairs that are left. New orders are not repairs and cost nothing.
///
/// Two programs that each put their own state back would otherwise do so for ever, at the cost of the router and of all
/// that listens to its events, and each with the other's traffic in its way half of the time.
#[derive(Debug, Default)]
pub(super) struct RestoreBudget {
    /// When the last rounds were made.
    spent: VecDeque<Instant>,
    /// Spent: when the next attempt may be made.
    next: Option<Instant>,
}

impl RestoreBudget {
    /// Asks for one more round of repairs.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        if let Some(next) = self.next {
            let may = now >= next;
            if may {
                self.next = Some(now + PERIOD);
            }
            return may;
        }
        while self.spent.front().is_some_and(|at| now.duration_since(*at) >= PERIOD) {
            self.spent.pop_front();
        }
        if self.spent.len() < ROUNDS {
            self.spent.push_back(now);
            return true;
        }
        self.next = Some(now + PERIOD);
        false
    }

    /// Nothing was found to repair: a whole period after the last attempt the other program has given up.
    pub(super) fn quiet(&mut self, now: Instant) {
        if self.next.is_some_and(|next| now >= next) {
            *self = Self::default();
        }
    }

    /// While it is spent: when to look again.
    pub(super) fn next_attempt(&self) -> Option<Instant> {
        self.next
    }

    /// The words for it.
    pub(super) fn verdict(neighbour: Option<u8>) -> String {
        let who = match neighbour {
            Some(protocol) => format!("a program with route protocol {protocol} has its own in the place of ours"),
            None => "it leaves nothing in the place of ours".to_owned(),
        };
        format!(
            "another program removes or changes what is ours: {ROUNDS} repairs within {} s did not last; {who}. New decisions \
             are still written, but what was removed is put back only once in {} s; `ip monitor route rule nexthop` shows \
             what happens, and [kernel] in the configuration moves our tables and preferences out of its way",
            PERIOD.as_secs(),
            PERIOD.as_secs()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many rounds are made when one is asked for every `step`, `times` times from `begin` on.
    fn rounds(budget: &mut RestoreBudget, begin: Instant, step: Duration, times: u32) -> usize {
        (0..times).filter(|number| budget.take(begin + step * *number)).count()
    }

    #[test]
    fn ten_repairs_in_a_minute_are_made_and_then_one_in_a_minute() {
        let (mut budget, begin) = (RestoreBudget::default(), Instant::now());
        assert_eq!(rounds(&mut budget, begin, Duration::from_secs(1), 60), 10);
        assert_eq!(budget.next_attempt(), Some(begin + Duration::from_secs(70)));
        assert_eq!(rounds(&mut budget, begin + PERIOD, Duration::from_secs(1), 600), 10);
    }

    #[test]
    fn repairs_that_are_rare_never_exhaust_it() {
        let (mut budget, begin) = (RestoreBudget::default(), Instant::now());
        assert_eq!(rounds(&mut budget, begin, Duration::from_secs(7), 1000), 1000);
    }

    #[test]
    fn a_quiet_minute_after_an_attempt_restores_it() {
        let (mut budget, begin) = (RestoreBudget::default(), Instant::now());
        rounds(&mut budget, begin, Duration::ZERO, 11);
        let attempt = begin + PERIOD;
        assert!(budget.take(attempt));
        budget.quiet(attempt + Duration::from_secs(59));
        assert!(budget.next_attempt().is_some(), "not quiet for long enough");
        budget.quiet(attempt + PERIOD);
        assert_eq!(budget.next_attempt(), None);
        assert_eq!(rounds(&mut budget, attempt + PERIOD, Duration::ZERO, 20), 10);
    }
}
