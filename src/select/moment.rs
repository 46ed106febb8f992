//! When a decision is made.

use crate::domain::{BootTime, TimeOfDay};

/// A moment as decisions know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Time since boot.
    pub at: BootTime,
    /// The site's time of day; none while the clock of the router is not set.
    pub of_day: Option<TimeOfDay>,
}

impl From<BootTime> for Moment {
    /// Without a time of day.
    fn from(at: BootTime) -> Self {
        Self { at, of_day: None }
    }
}
