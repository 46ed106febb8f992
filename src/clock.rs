//! The two clocks of the machine, read at the edges only.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::domain::BootTime;

/// The start of 2025, since 1970: a wall clock that shows less was never set.
pub const OLDEST: Duration = Duration::from_secs(1_735_689_600);

/// Time since boot, suspend included (`CLOCK_BOOTTIME`).
pub fn boot_time() -> BootTime {
    BootTime(read(ClockId::Boottime))
}

/// Time for which the machine was awake since it booted (`CLOCK_MONOTONIC`).
pub fn awake_time() -> Duration {
    read(ClockId::Monotonic)
}

/// Time between 1970 and the boot, by the wall clock; none while that is not set: it shows a time before this program was.
pub fn wall_time_of_boot() -> Option<Duration> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    (now > OLDEST).then(|| now.saturating_sub(boot_time().0))
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanoseconds)
}
