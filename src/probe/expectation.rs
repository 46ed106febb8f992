//! Pure: how long an answer usually takes, and from when on its absence means something.
//!
//! Smoothed as TCP smooths its retransmission timer (RFC 6298 section 2), with other bounds: nothing is sent again
//! when it runs out, a wrong alarm costs a few probes and is taken back by the answer.

use std::time::Duration;

/// Answers before anything is expected: the first includes address resolution, two say nothing of the spread.
const LEAST_ANSWERS: u8 = 3;
/// Least margin above the usual time: what a busy access line adds now and then.
pub(super) const LEAST_MARGIN: Duration = Duration::from_millis(50);
/// Least wait in all: the scheduling of this and the other machine.
const LEAST_WAIT: Duration = Duration::from_millis(80);

/// What the answers of one target so far let expect of the next.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Expectation {
    answers: u8,
    smoothed: Duration,
    variation: Duration,
}

impl Expectation {
    /// Takes the time of one answer, late ones included.
    pub fn learn(&mut self, time: Duration) {
        if self.answers == 0 {
            self.smoothed = time;
            self.variation = time / 2;
        } else {
            let deviation = self.smoothed.abs_diff(time);
            self.variation = self.variation * 3 / 4 + deviation / 4;
            self.smoothed = self.smoothed * 7 / 8 + time / 8;
        }
        self.answers = self.answers.saturating_add(1);
    }

    /// The usual time of an answer; none before the first.
    pub fn usual(&self) -> Option<Duration> {
        (self.answers > 0).then_some(self.smoothed)
    }

    /// From when on a missing answer is overdue; none while too little is known, or when the probe is lost by then
    /// anyway.
    pub fn overdue_after(&self, timeout: Duration) -> Option<Duration> {
        let wait = (self.smoothed + LEAST_MARGIN.max(self.variation * 4)).max(LEAST_WAIT);
        (self.answers >= LEAST_ANSWERS && wait < timeout).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(900);

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn after(times: impl IntoIterator<Item = u64>) -> Expectation {
        let mut expectation = Expectation::default();
        times.into_iter().for_each(|time| expectation.learn(ms(time)));
        expectation
    }

    #[test]
    fn two_answers_are_too_few_to_expect_anything() {
        assert_eq!(after([]).usual(), None);
        assert_eq!(after([10, 10]).overdue_after(TIMEOUT), None);
        assert!(after([10, 10, 10]).overdue_after(TIMEOUT).is_some());
    }

    #[test]
    fn a_steady_path_is_given_fifty_milliseconds_and_a_short_one_eighty_in_all() {
        assert_eq!(after([100; 40]).overdue_after(TIMEOUT), Some(ms(150)));
        assert_eq!(after([2; 40]).overdue_after(TIMEOUT), Some(ms(80)));
    }

    #[test]
    fn an_unsteady_path_is_given_four_deviations() {
        let unsteady = after([60, 140].repeat(50)).overdue_after(TIMEOUT).unwrap();
        assert!((ms(230)..ms(310)).contains(&unsteady), "{unsteady:?}");
    }

    #[test]
    fn it_follows_a_path_that_became_longer() {
        let moved = after([20; 30].into_iter().chain([220; 12]));
        assert!(moved.overdue_after(TIMEOUT).is_some_and(|wait| wait > ms(220)));
    }

    #[test]
    fn nothing_is_overdue_when_it_is_lost_by_then() {
        assert_eq!(after([870; 40]).overdue_after(TIMEOUT), None);
    }

    proptest! {
        #[test]
        fn what_is_overdue_is_so_before_the_loss_threshold_and_never_within_the_least_wait(
            times in prop::collection::vec(0_u64..900, 0..50),
        ) {
            if let Some(wait) = after(times).overdue_after(TIMEOUT) {
                prop_assert!(wait >= LEAST_WAIT && wait < TIMEOUT);
            }
        }
    }
}
