//! One probe in the memory of a path, in as few bytes as are needed: there are dozens for every path.

use std::time::Duration;

use crate::domain::{BootTime, ProbeFailure, ProbeOutcome};

use super::Observation;

/// A moment in nanoseconds since boot: half the size of a [`BootTime`], and good for 584 years.
pub(super) type Moment = u64;

/// The moment of a time.
pub(super) fn moment(time: BootTime) -> Moment {
    nanoseconds(time.0)
}

/// A span in nanoseconds, as long as fits.
pub(super) fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// What is known of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Answered,
    Overdue,
    Failed(ProbeFailure),
}

/// One probe and what came of it; 24 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Probe {
    pub sent: Moment,
    rtt: u64,
    /// In microseconds; 0 when there was none.
    service: u32,
    pub target: u16,
    pub word: Word,
    /// Whether it may turn out to be the target's loss, and not the path's.
    pub doubted: bool,
}

impl Probe {
    /// As it was observed. `target` is within the path's list.
    pub fn of(observed: &Observation, target: u16) -> Self {
        let (word, rtt) = match observed.outcome {
            ProbeOutcome::Answered(rtt) => (Word::Answered, nanoseconds(rtt)),
            ProbeOutcome::Overdue => (Word::Overdue, 0),
            ProbeOutcome::Failed(failure) => (Word::Failed(failure), 0),
        };
        let service = observed.service_time.filter(|_| word == Word::Answered);
        Self {
            sent: moment(observed.sent_at),
            rtt,
            service: service.map_or(0, |span| u32::try_from(span.as_micros()).unwrap_or(u32::MAX)),
            target,
            word,
            doubted: false,
        }
    }

    /// Its RTT, if it was answered.
    pub fn rtt(&self) -> Option<Duration> {
        self.rtt_nanoseconds().map(Duration::from_nanos)
    }

    /// The same, as a number.
    pub fn rtt_nanoseconds(&self) -> Option<u64> {
        (self.word == Word::Answered).then_some(self.rtt)
    }

    /// Time that the service took, if it was measured.
    pub fn service_time(&self) -> Option<Duration> {
        (self.service > 0).then(|| Duration::from_micros(u64::from(self.service)))
    }

    /// Whether it counts as lost, so far at least.
    pub fn is_lost(&self) -> bool {
        self.word != Word::Answered
    }

    /// Why it failed, if it did.
    pub fn failure(&self) -> Option<ProbeFailure> {
        match self.word {
            Word::Failed(failure) => Some(failure),
            Word::Answered | Word::Overdue => None,
        }
    }
}
