//! How large a run is.

use std::time::Duration;

use super::{condition::Condition, measurer::Series, settled::Profile};

/// Between two probes. More than the jitter, so that no packet is held up by the one before it.
const PACE: Duration = Duration::from_millis(10);

/// An answer after it is lost. Less than the second after which TCP sends its SYN again, and far more than any path here
/// takes.
const TIMEOUT: Duration = Duration::from_millis(800);

/// Sizes and repetitions of all parts.
#[derive(Debug, Clone)]
pub(super) struct Extent {
    /// Paths that are measured.
    pub(super) conditions: Vec<Condition>,
    /// Probes of one path by one measurer.
    pub(super) probes: usize,
    /// Probes whose processor time is measured.
    pub(super) counted: usize,
    /// Repetitions where one takes some seconds.
    pub(super) repetitions: usize,
    /// How long an agent is left alone before something goes wrong.
    pub(super) calm: Duration,
    /// Repetitions where one takes minutes.
    pub(super) losses: usize,
    /// Days that a path's history covers.
    pub(super) days: u32,
    /// How long the whole agent is looked at.
    pub(super) idle: Duration,
    /// Profiles whose detection times are measured.
    pub(super) profiles: Vec<Profile>,
}

impl Extent {
    /// What the published figures are made with.
    pub(super) fn full() -> Self {
        Self {
            conditions: Condition::all(),
            probes: 200,
            counted: 1000,
            repetitions: 5,
            calm: Duration::from_secs(60),
            losses: 3,
            days: 30,
            idle: Duration::from_secs(40),
            profiles: Profile::ALL.to_vec(),
        }
    }

    /// Small enough for a test.
    pub(super) fn quick() -> Self {
        Self {
            conditions: Condition::some(),
            probes: 20,
            counted: 50,
            repetitions: 1,
            calm: Duration::from_secs(3),
            losses: 0,
            days: 1,
            idle: Duration::from_secs(4),
            profiles: vec![Profile::Fast],
        }
    }

    /// A series of that many probes.
    #[allow(clippy::unused_self, reason = "the pace is part of the extent, though it is always the same")]
    pub(super) fn series(&self, count: usize) -> Series {
        Series { count, pace: PACE, timeout: TIMEOUT }
    }
}
