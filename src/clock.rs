//! The two clocks of the machine, read at the edges only.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::domain::BootTime;

/// Time since boot, suspend included (`CLOCK_BOOTTIME`).
pub fn boot_time() -> BootTime {
    BootTime(read(ClockId::Boottime))
}

/// Time for which the machine was awake since it booted (`CLOCK_MONOTONIC`).
pub fn awake_time() -> Duration {
    read(ClockId::Monotonic)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanoseconds)
}
