//! When a packet passed, on a clock that may be set meanwhile.
//!
//! The kernel stamps packets with the wall clock. It is compared with the time since boot at every reading; when the two
//! drift apart by more than a clock discipline would make them, the wall clock was set, and stamps from before and after
//! say nothing about one another. Nor do those that may be from either side: of the reading at which it is found out, and
//! of those after it until the queue of packets was empty once.

use std::time::Duration;

use crate::domain::BootTime;

/// Difference that comes from reading one clock after the other.
const READING: Duration = Duration::from_micros(200);

/// A clock discipline slews by 500 ppm (adjtimex(2)); twice that is no step yet.
const SLEW: u32 = 1_000;

/// When a packet passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Wall time since 1970.
    pub wall: Duration,
    /// How often the clock was set before; absent when nobody knows whether it was set before or after.
    pub era: Option<u32>,
}

impl Stamp {
    /// From an earlier one to this; absent when the clocks do not tell.
    pub fn since(self, earlier: Self) -> Option<Duration> {
        let same = self.era.is_some() && self.era == earlier.era;
        self.wall.checked_sub(earlier.wall).filter(|_| same)
    }
}

/// Both clocks, read one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// Wall time since 1970.
    pub wall: Duration,
    /// Time since boot.
    pub boot: BootTime,
}

/// Finds out when the wall clock was set.
#[derive(Debug)]
pub struct Eras {
    last: Clocks,
    era: u32,
    /// There may be stamps from before the last step in the queue.
    unsure: bool,
}

impl Eras {
    /// Begins with a reading.
    pub fn new(now: Clocks) -> Self {
        Self { last: now, era: 0, unsure: false }
    }

    /// Takes a reading of the clocks, made after a reading of packets, which left the queue empty or not. Returns the era
    /// of those packets' stamps, absent when nobody can know it.
    pub fn read(&mut self, now: Clocks, emptied: bool) -> Option<u32> {
        let passed = now.boot.since(self.last.boot);
        let expected = self.last.wall.saturating_add(passed);
        self.last = now;
        let stepped = now.wall.abs_diff(expected) > READING + passed / SLEW;
        let sure = !stepped && !self.unsure;
        if stepped {
            self.era = self.era.wrapping_add(1);
        }
        self.unsure = stepped || self.unsure && !emptied;
        sure.then_some(self.era)
    }

    /// How often it was set.
    pub fn steps(&self) -> u32 {
        self.era
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: Duration = Duration::from_secs(31_557_600);

    fn clocks(wall_us: u64, boot_us: u64) -> Clocks {
        Clocks { wall: 50 * YEAR + Duration::from_micros(wall_us), boot: BootTime(Duration::from_micros(boot_us)) }
    }

    #[test]
    fn a_clock_that_is_slewed_stays_in_its_era() {
        let mut eras = Eras::new(clocks(0, 0));
        for second in 1..100 {
            let boot = second * 1_000_000;
            assert_eq!(eras.read(clocks(boot + second * 500, boot), true), Some(0));
        }
    }

    #[test]
    fn a_step_of_any_size_ends_an_era_and_spoils_what_was_queued() {
        for step in [Duration::from_millis(1), 10 * YEAR] {
            for forward in [true, false] {
                let mut eras = Eras::new(clocks(0, 0));
                let mut after = clocks(20_000, 20_000);
                after.wall = if forward { after.wall + step } else { after.wall.saturating_sub(step) };
                assert_eq!(eras.read(after, false), None);
                let later = |ms| {
                    let span = Duration::from_millis(ms);
                    Clocks { wall: after.wall + span, boot: after.boot + span }
                };
                assert_eq!(eras.read(later(1), false), None, "packets from before may be in the queue still");
                assert_eq!(eras.read(later(2), true), None, "the last of them are in this reading");
                assert_eq!(eras.read(later(1_000), false), Some(1));
                assert_eq!(eras.steps(), 1);
            }
        }
    }

    #[test]
    fn only_stamps_of_one_era_tell_a_time() {
        let stamp = |ms, era| Stamp { wall: Duration::from_millis(ms), era };
        assert_eq!(stamp(30, Some(1)).since(stamp(10, Some(1))), Some(Duration::from_millis(20)));
        assert_eq!(stamp(10, Some(1)).since(stamp(30, Some(1))), None);
        assert_eq!(stamp(30, Some(2)).since(stamp(10, Some(1))), None);
        assert_eq!(stamp(30, None).since(stamp(10, None)), None);
    }
}
