//! Pure: when to look for moved flows.

use std::time::Duration;

use tokio::time::Instant;

/// When to look after a move: at once, and again because packets that were under way may have brought entries back.
const LOOKS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(10)];
/// How often to look while flows are left behind.
const WATCH: Duration = Duration::from_secs(60);
/// Looking may take a tenth of the time, however large the table is.
const REST_FACTOR: u32 = 10;
/// Looks without a pause at most; the next of those that follow a move anyway goes on.
const UNFINISHED: u32 = 16;
/// When to look again after the picture of the router was not certain.
const RETRY: Duration = Duration::from_secs(1);

/// How a look ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ending {
    /// Nothing is left to delete.
    #[default]
    Finished,
    /// There is more to delete.
    Unfinished,
    /// Nothing could be judged.
    Blind,
}

/// Looks to come.
#[derive(Debug, Default)]
pub struct Schedule {
    due: Vec<Instant>,
    rest_until: Option<Instant>,
    /// Consecutive looks that were not finished.
    unfinished: u32,
}

impl Schedule {
    /// When the next look is due; `None` when there is nothing to look for.
    pub fn next(&self) -> Option<Instant> {
        self.due.first().map(|due| self.rest_until.map_or(*due, |rest| rest.max(*due)))
    }

    /// Something moved.
    pub fn moved(&mut self, now: Instant) {
        *self = Self { due: LOOKS.map(|after| now + after).to_vec(), ..Self::default() };
    }

    /// A look is over: it began then, and how it ended, and whether flows are left behind.
    pub fn looked(&mut self, began: Instant, now: Instant, ending: Ending, left_behind: bool) {
        let cost = now.saturating_duration_since(began);
        self.due.retain(|due| *due > began);
        let ending = if self.unfinished < UNFINISHED { ending } else { Ending::Finished };
        self.unfinished = if ending == Ending::Finished { 0 } else { self.unfinished + 1 };
        let unfinished = ending == Ending::Unfinished;
        // Flows that wait to be reset are silent meanwhile: half of the time is for others then.
        self.rest_until = Some(now + if unfinished { cost } else { cost * REST_FACTOR });
        if unfinished {
            self.due.insert(0, now);
        } else if ending == Ending::Blind {
            self.due.push(now + RETRY);
            self.due.sort();
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
            schedule.looked(start + after, start + after + MS, Ending::Finished, false);
        }
        assert_eq!(schedule.next(), None);
    }

    #[test]
    fn a_costly_look_is_followed_by_a_rest_unless_something_moves() {
        let start = Instant::now();
        let mut schedule = Schedule::default();
        schedule.moved(start);
        schedule.looked(start, start + 500 * MS, Ending::Finished, false);
        assert_eq!(schedule.next(), Some(start + 5500 * MS));
        schedule.moved(start + 600 * MS);
        assert_eq!(schedule.next(), Some(start + 600 * MS));
    }

    #[test]
    fn what_is_unfinished_is_gone_on_with_after_as_long_as_it_took() {
        let start = Instant::now();
        let mut schedule = Schedule::default();
        schedule.moved(start);
        schedule.looked(start, start + 80 * MS, Ending::Unfinished, true);
        assert_eq!(schedule.next(), Some(start + 160 * MS));
        schedule.looked(start + 160 * MS, start + 200 * MS, Ending::Finished, false);
        assert_eq!(schedule.next(), Some(start + 1000 * MS), "the looks after the move are still to come");
    }

    #[test]
    fn flows_that_are_left_behind_are_counted_once_a_minute() {
        let start = Instant::now();
        let mut schedule = Schedule::default();
        schedule.moved(start);
        let last = start + Duration::from_secs(10);
        schedule.looked(last, last + MS, Ending::Finished, true);
        assert_eq!(schedule.next(), Some(last + MS + WATCH));
        schedule.clear();
        assert_eq!(schedule.next(), None);
    }

    #[test]
    fn sixteen_unfinished_looks_are_followed_by_a_pause() {
        let start = Instant::now();
        let mut schedule = Schedule::default();
        schedule.moved(start);
        let late = start + Duration::from_secs(60);
        for _ in 0..16 {
            schedule.looked(late, late, Ending::Unfinished, true);
            assert_eq!(schedule.next(), Some(late));
        }
        schedule.looked(late, late, Ending::Unfinished, true);
        assert_eq!(schedule.next(), Some(late + WATCH));
    }

    #[test]
    fn a_blind_look_is_made_again_within_a_second() {
        let start = Instant::now();
        let mut schedule = Schedule::default();
        schedule.moved(start);
        schedule.looked(start + 5 * RETRY, start + 5 * RETRY, Ending::Blind, false);
        assert_eq!(schedule.next(), Some(start + 6 * RETRY));
    }
}
