//! Time as a value: the pure core never reads a clock.

use std::{ops::Add, time::Duration};

/// Time since the machine booted, suspend included (`CLOCK_BOOTTIME`): right when the wall clock is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct BootTime(pub Duration);

impl BootTime {
    /// Time since `earlier`, zero when `earlier` is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// Whether at least `span` has passed since `earlier`.
    pub fn at_least_after(self, earlier: Self, span: Duration) -> bool {
        self.since(earlier) >= span
    }
}

impl Add<Duration> for BootTime {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }
}
