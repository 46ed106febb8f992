//! A recording as its readers see it: entries with everything that their numbers stand for.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use super::{attachment::Attached, head::Head};
use crate::domain::{BootTime, Family, ProbeOutcome};

/// A piece of a recording.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A run of the agent begins.
    Began(Arc<Head>),
    /// What the wall clock said.
    Clock {
        /// When, since boot.
        at: BootTime,
        /// Time since 1970.
        wall: Duration,
    },
    /// What the kernel offers for an uplink from now on. May be told again without a change.
    Attachment {
        /// When.
        at: BootTime,
        /// Position of the uplink in the head.
        uplink: usize,
        /// Family.
        family: Family,
        /// What it offers.
        state: Attached,
    },
    /// What became of a probe.
    Sample(RecordedSample),
}

/// What became of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedSample {
    /// When it became known.
    pub at: BootTime,
    /// Position of the uplink in the head.
    pub uplink: usize,
    /// Position of the class in the head.
    pub class: usize,
    /// Position of the target in the list of the class.
    pub target: usize,
    /// The address probed.
    pub address: Option<SocketAddr>,
    /// When it was sent.
    pub sent_at: BootTime,
    /// What came of it.
    pub outcome: ProbeOutcome,
    /// What the service took.
    pub service_time: Option<Duration>,
}

impl Entry {
    /// When it became known.
    pub fn at(&self) -> BootTime {
        match self {
            Self::Began(head) => head.header.start(),
            Self::Clock { at, .. } | Self::Attachment { at, .. } => *at,
            Self::Sample(sample) => sample.at,
        }
    }
}
