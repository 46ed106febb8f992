//! How long to wait before trying again: exponential, capped, with full jitter.
//!
//! Full jitter (a uniform share of the whole ceiling, also after the cap) keeps the agents of a fleet from returning in
//! waves after their common collector was away.

use std::time::Duration;

/// Ceiling of the first wait.
const FIRST: Duration = Duration::from_secs(1);

/// Ceiling of all waits.
const CAP: Duration = Duration::from_secs(60);

/// Longest `Retry-After` that is honoured: a collector's typing error must not silence a branch for a year.
const LONGEST_WISH: Duration = Duration::from_secs(300);

/// Counts failures in a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after another failure. `wish` is the collector's `Retry-After`, `random` is uniform in 0..1.
    pub fn after_failure(&mut self, wish: Option<Duration>, random: f64) -> Duration {
        let ceiling = FIRST.saturating_mul(1 << self.failures.min(16)).min(CAP);
        self.failures = self.failures.saturating_add(1);
        wish.unwrap_or_default().min(LONGEST_WISH) + ceiling.mul_f64(random.clamp(0.0, 1.0))
    }

    /// Something worked: begin anew.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALMOST_ONE: f64 = 1.0;

    #[test]
    fn ceilings_double_from_one_second_to_one_minute() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..9).map(|_| backoff.after_failure(None, ALMOST_ONE).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn jitter_covers_the_whole_range_also_after_the_cap() {
        let mut backoff = Backoff { failures: 1_000_000 };
        assert_eq!(backoff.after_failure(None, 0.0), Duration::ZERO);
        assert_eq!(backoff.after_failure(None, 0.5), Duration::from_secs(30));
    }

    #[test]
    fn failures_without_end_do_not_overflow() {
        let mut backoff = Backoff { failures: u32::MAX };
        assert_eq!(backoff.after_failure(None, ALMOST_ONE), CAP);
    }

    #[test]
    fn success_begins_anew() {
        let mut backoff = Backoff { failures: 5 };
        backoff.reset();
        assert_eq!(backoff.after_failure(None, ALMOST_ONE), FIRST);
    }

    #[test]
    fn retry_after_is_waited_out_with_jitter_on_top_and_bounded() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.after_failure(Some(Duration::from_secs(7)), 0.5), Duration::from_millis(7500));
        let century = Duration::from_secs(3_000_000_000);
        assert_eq!(backoff.after_failure(Some(century), 0.0), LONGEST_WISH);
    }
}
