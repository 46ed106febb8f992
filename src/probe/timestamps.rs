//! How long a packet was on its way, by the kernel's stamps where they can be believed.
//!
//! The stamps leave out how long this process took to be woken up, but they are of the wall clock (`CLOCK_REALTIME`), which
//! may be set at any moment, by years at boot. The monotonic clock is never set, but sees the wake-up. So both clocks are
//! read before and after: only when they agree on the time between, no step fell into it, and the stamps count.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How far the two clocks may drift apart during one probe: slewing (at most 500 ppm) touches both alike, so this is the
/// time between the two readings of a moment. Above it, the wall clock was set.
const LEAST_STEP: Duration = Duration::from_micros(500);

/// Time since 1970, by the wall clock.
pub(super) type Wall = Duration;

/// One moment by both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub monotonic: Instant,
    pub wall: Wall,
}

impl Moment {
    pub fn now() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { monotonic: Instant::now(), wall }
    }
}

/// A packet and its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Journey {
    /// Just before the packet was handed to the kernel.
    pub before: Moment,
    /// Just after the answer was taken from it.
    pub after: Moment,
    /// When the kernel handed the packet to the device, by its stamp.
    pub sent: Option<Wall>,
    /// When the kernel took the answer from the device, by its stamp.
    pub received: Option<Wall>,
}

impl Journey {
    /// Its round-trip time: by the kernel's stamps if they are plausible, else by the monotonic clock. Never more than that
    /// clock says.
    pub fn rtt(&self) -> Duration {
        let elapsed = self.after.monotonic.saturating_duration_since(self.before.monotonic);
        self.by_stamps(elapsed).unwrap_or(elapsed)
    }

    fn by_stamps(&self, elapsed: Duration) -> Option<Duration> {
        let by_wall = self.after.wall.checked_sub(self.before.wall)?;
        if by_wall.abs_diff(elapsed) > LEAST_STEP {
            return None;
        }
        // Without the stamp of sending, the time before it: sending takes a few microseconds, waking up milliseconds.
        let sent = self.sent.filter(|sent| self.encloses(*sent)).unwrap_or(self.before.wall);
        let received = self.received.filter(|received| self.encloses(*received))?;
        received.checked_sub(sent).filter(|rtt| !rtt.is_zero() && *rtt <= elapsed)
    }

    fn encloses(&self, stamp: Wall) -> bool {
        (self.before.wall..=self.after.wall).contains(&stamp)
    }
}

#[cfg(test)]
mod tests;
