//! Pure: when to look for moved flows.

use std::time::Duration;

use tokio::time::Instant;

/// When to look after a move: at once, and again because packets that were under way may have brought entries back.
const LOOKS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(10)];
/// How often to look while flows are left behind.
const WATCH: Duration = Duration::from_secs(60);
/// Looking may take a tenth of the time, however large the table is.
const REST_FACTOR: u32 = 10;

/// Looks to come.
#[derive(Debug, Default)]
pub struct Schedule {
    due: Vec<Instant>,
    rest_until: Option<Instant>,
}

impl Schedule {
    /// When the next look is due; `None` when there is nothing to look for.
    pub fn next(&self) -> Option<Instant> {
        self.due.first().map(|due| self.rest_until.map_or(*due, |rest| rest.max(*due)))
    }

    /// Something moved.
    pub fn moved(&mut self, now: Instant) {
        *self = Self { due: LOOKS.map(|after| now + after).to_vec(), rest_until: None };
    }

    /// A look is over: it began then, and found that much to be `unfinished`, or flows that are left behind for good.
    pub fn looked(&mut self, began: Instant, now: Instant, unfinished: bool, left_behind: bool) {
        let cost = now.saturating_duration_since(began);
        self.due.retain(|due| *due > began);
        // Flows that wait to be reset are silent meanwhile: half of the time is for others then.
        self.rest_until = Some(now + if unfinished { cost } else { cost * REST_FACTOR });
        if unfinished {
            self.due.insert(0, now);
        } else if self.due.is_empty() && left_behind {
            self.due.push(now + WATCH);
        }
    }

    /// Nothing is steered any more.
    pub fn clear(&mut self) {
        self.due.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn after_a_move_there_are_three_looks_and_then_none() {
        let start = Instant::now();
        let mut schedule = Schedule::default();
        assert_eq!(schedule.next(), None);
        schedule.moved(start);
        for after in LOOKS {
            assert_eq!(schedule.next(), Some(start + after));
            schedule.looked(start + after, start + after + MS, false, false);
        }
        assert_eq!(schedule.next(), None);
    }

    #[test]
    fn a_costly_look_is_followed_by_a_rest_unless_something_moves() {
        let start = Instant::now();
        let mut schedule = Schedule::default();
        schedule.moved(start);
        schedule.looked(start, start + 500 * MS, false, false);
        assert_eq!(schedule.next(), Some(start + 5500 * MS));
        schedule.moved(start + 600 * MS);
        assert_eq!(schedule.next(), Some(start + 600 * MS));
    }

    #[test]
    fn what_is_unfinished_is_gone_on_with_after_as_long_as_it_took() {
        let start = Instant::now();
        let mut schedule = Schedule::default();
        schedule.moved(start);
        schedule.looked(start, start + 80 * MS, true, true);
        assert_eq!(schedule.next(), Some(start + 160 * MS));
        schedule.looked(start + 160 * MS, start + 200 * MS, false, false);
        assert_eq!(schedule.next(), Some(start + 1000 * MS), "the looks after the move are still to come");
    }

    #[test]
    fn flows_that_are_left_behind_are_counted_once_a_minute() {
        let start = Instant::now();
        let mut schedule = Schedule::default();
        schedule.moved(start);
        let last = start + Duration::from_secs(10);
        schedule.looked(last, last + MS, false, true);
        assert_eq!(schedule.next(), Some(last + MS + WATCH));
        schedule.clear();
        assert_eq!(schedule.next(), None);
    }
}
