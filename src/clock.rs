//! The two clocks of the machine, read at the edges only.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::domain::BootTime;

/// Time since boot, suspend included (`CLOCK_BOOTTIME`).
pub fn boot_time() -> BootTime {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    BootTime(Duration::new(seconds, nanoseconds))
}
