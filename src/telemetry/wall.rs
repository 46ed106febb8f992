//! Wall time for records that carry time since boot.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::domain::BootTime;

/// Smaller corrections of the wall clock are ignored, so that the start of a cumulative series does not wander.
const TOLERANCE: Duration = Duration::from_millis(500);

/// Wall time as an offset from time since boot, followed when the wall clock is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WallClock {
    /// Time between 1970 and the boot.
    boot: Duration,
}

impl WallClock {
    /// The offset at a moment when both clocks were read.
    pub fn new(boot_time: BootTime, system: SystemTime) -> Self {
        Self { boot: boot(boot_time, system) }
    }

    /// Follows the wall clock if it was set since.
    pub fn observe(&mut self, boot_time: BootTime, system: SystemTime) {
        let boot = boot(boot_time, system);
        if boot.abs_diff(self.boot) > TOLERANCE {
            self.boot = boot;
        }
    }

    /// Nanoseconds between 1970 and `at`.
    pub fn unix_nanos(&self, at: BootTime) -> u64 {
        u64::try_from((self.boot + at.0).as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A wall clock before the boot, as on a router without a battery, counts as 1970 plus the time since boot.
fn boot(boot_time: BootTime, system: SystemTime) -> Duration {
    system.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(boot_time.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot_s(seconds: u64) -> BootTime {
        BootTime(Duration::from_secs(seconds))
    }

    fn unix_ms(milliseconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(milliseconds)
    }

    #[test]
    fn past_moments_get_the_time_they_had() {
        let wall = WallClock::new(boot_s(100), unix_ms(1_000_000));
        assert_eq!(wall.unix_nanos(boot_s(90)), 990_000_000_000);
    }

    #[test]
    fn a_clock_that_is_set_is_followed_also_for_what_came_before() {
        let mut wall = WallClock::new(boot_s(10), unix_ms(10_000));
        wall.observe(boot_s(20), unix_ms(1_700_000_020_000));
        assert_eq!(wall.unix_nanos(boot_s(10)), 1_700_000_010_000_000_000);
    }

    #[test]
    fn slewing_does_not_move_the_past() {
        let mut wall = WallClock::new(boot_s(10), unix_ms(50_000));
        wall.observe(boot_s(20), unix_ms(60_400));
        assert_eq!(wall.unix_nanos(boot_s(0)), 40_000_000_000);
    }

    #[test]
    fn a_clock_before_the_boot_counts_from_1970() {
        let wall = WallClock::new(boot_s(100), unix_ms(3_000));
        assert_eq!(wall.unix_nanos(boot_s(100)), 100_000_000_000);
    }
}
