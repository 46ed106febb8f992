//! Time as a value: the pure core never reads a clock.

use std::{fmt, ops::Add, time::Duration};

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

/// A time of the day, in minutes after midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TimeOfDay(u16);

/// Minutes of a day.
const DAY: u16 = 24 * 60;

impl TimeOfDay {
    /// That hour and minute; nothing beyond 23:59.
    pub fn new(hour: u16, minute: u16) -> Option<Self> {
        (hour < 24 && minute < 60).then_some(Self(hour * 60 + minute))
    }

    /// The time of day at a moment since 1970 in UTC, so many minutes ahead of it.
    pub fn of_unix(since_1970: Duration, ahead_minutes: i16) -> Self {
        let minutes =
            i64::try_from(since_1970.as_secs() / 60).unwrap_or(i64::MAX).saturating_add(ahead_minutes.into());
        Self(u16::try_from(minutes.rem_euclid(DAY.into())).unwrap_or_default())
    }

    /// How long until it is `other`: up to a day, and none when it is.
    pub fn until(self, other: Self) -> Duration {
        Duration::from_secs(60 * u64::from((other.0 + DAY - self.0) % DAY))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}
