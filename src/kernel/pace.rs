//! When to look and when to show: soon, but never so often that it fills the time, and later after failures.

use std::time::Duration;

use tokio::time::Instant;

/// Events come in swarms: one survey for each swarm.
const SETTLE: Duration = Duration::from_millis(30);
/// The share of time that each kind of work may take: at most a tenth, however large the routing tables.
const REST_FACTOR: u32 = 10;
const LONGEST_REST: Duration = Duration::from_secs(5);
/// The kernel does not tell everything.
const PERIOD: Duration = Duration::from_secs(60);
/// Neighbours and routes change often, and each publication copies the picture.
const PUBLISH_DELAY: Duration = Duration::from_millis(10);
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// What is due when.
#[derive(Debug)]
pub(super) struct Pace {
    survey: Instant,
    glance: Option<Instant>,
    /// Not before, because it failed. What is listed quickly does not wait for the routes, whatever keeps these.
    survey_not_before: Instant,
    glance_not_before: Instant,
    survey_backoff: Backoff,
    glance_backoff: Backoff,
    /// When each kind of work may be done again.
    survey_rested: Instant,
    glance_rested: Instant,
    publish_rested: Instant,
}

impl Pace {
    /// Everything is due.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            survey: now,
            glance: None,
            survey_not_before: now,
            glance_not_before: now,
            survey_backoff: Backoff::default(),
            glance_backoff: Backoff::default(),
            survey_rested: now,
            glance_rested: now,
            publish_rested: now,
        }
    }

    /// When the next survey begins; its first part is a glance.
    pub(super) fn survey(&self) -> Instant {
        self.survey.max(self.survey_not_before).max(self.glance_not_before)
    }

    /// When that which is listed quickly is listed without the routes, if it is wanted.
    pub(super) fn glance(&self) -> Option<Instant> {
        self.glance.map(|due| due.max(self.glance_not_before))
    }

    /// The earliest time for what changed to be shown, together with what else changes until then.
    pub(super) fn publication(&self) -> Instant {
        (Instant::now() + PUBLISH_DELAY).max(self.publish_rested)
    }

    pub(super) fn want_survey(&mut self, now: Instant) {
        self.survey = self.survey.min((now + SETTLE).max(self.survey_rested));
    }

    pub(super) fn want_glance(&mut self, now: Instant) {
        let due = now.max(self.glance_rested);
        self.glance = Some(self.glance.map_or(due, |wanted| wanted.min(due)));
    }

    pub(super) fn glanced(&mut self, began: Instant, now: Instant) {
        self.glance = None;
        self.glance_backoff = Backoff::default();
        self.glance_rested = now + rest(now - began);
    }

    pub(super) fn surveyed(&mut self, began: Instant, now: Instant) {
        self.survey_backoff = Backoff::default();
        self.survey_rested = now + rest(now - began);
        self.survey = now + PERIOD;
    }

    pub(super) fn published(&mut self, began: Instant, now: Instant) {
        self.publish_rested = now + rest(now - began);
    }

    /// The routes could not be listed. Returns when to try again.
    pub(super) fn survey_failed(&mut self, now: Instant) -> Instant {
        self.survey_not_before = now + self.survey_backoff.next();
        self.survey_not_before
    }

    /// Not even what is quick could be listed. Returns when to try again.
    pub(super) fn glance_failed(&mut self, now: Instant) -> Instant {
        self.glance_not_before = now + self.glance_backoff.next();
        self.glance_not_before
    }
}

/// How long to wait after each failure in a row.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(FIRST_RETRY)
    }
}

impl Backoff {
    /// How long to wait now.
    pub(super) fn next(&mut self) -> Duration {
        let wait = self.0.mul_f64(0.5 + fastrand::f64());
        self.0 = (self.0 * 2).min(LONGEST_RETRY);
        wait
    }
}

fn rest(cost: Duration) -> Duration {
    (cost * REST_FACTOR).min(LONGEST_REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COST: Duration = Duration::from_millis(50);

    #[tokio::test(start_paused = true)]
    async fn events_do_not_bring_the_next_attempt_forward_after_a_failure() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        let again = pace.glance_failed(now);
        pace.want_survey(now);
        pace.want_glance(now);
        assert_eq!((pace.survey(), pace.glance()), (again, Some(again)));
        assert!(again - now >= FIRST_RETRY / 2);
        let longest = (0..20).map(|_| pace.glance_failed(now) - now).max();
        assert!(longest < Some(LONGEST_RETRY * 2), "{longest:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_glance_does_not_wait_for_routes_that_cannot_be_listed_and_its_success_does_not_hurry_these() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        let again = (0..20).map(|_| pace.survey_failed(now)).last().unwrap();
        pace.want_survey(now);
        pace.want_glance(now);
        assert_eq!((pace.survey(), pace.glance()), (again, Some(now)));
        pace.glanced(now, now);
        assert_eq!(pace.survey(), again);
        assert!(pace.survey_failed(now) - now >= LONGEST_RETRY / 2, "it goes on where it was");
    }

    #[tokio::test(start_paused = true)]
    async fn a_survey_takes_a_tenth_of_the_time_at_most_and_a_glance_does_not_wait_for_it() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        pace.surveyed(now, now + COST);
        assert_eq!(pace.survey(), now + COST + PERIOD, "at least now and then");
        pace.want_survey(now + COST);
        assert_eq!(pace.survey(), now + COST * 11);
        pace.want_glance(now + COST);
        assert_eq!(pace.glance(), Some(now + COST));
        pace.glanced(now + COST, now + COST * 2);
        assert_eq!(pace.glance(), None);
        pace.want_glance(now + COST * 2);
        assert_eq!(pace.glance(), Some(now + COST * 12));
        pace.surveyed(now, now + PERIOD);
        pace.want_survey(now + PERIOD);
        assert_eq!(pace.survey(), now + PERIOD + LONGEST_REST);
    }
}
