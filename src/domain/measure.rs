//! What probes observe and what paths are judged to be.

use std::{fmt, net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};

use super::{BootTime, ClassId, UplinkId};

/// Why a probe could not be counted as a measurement of the path's delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeFailure {
    /// No answer within the loss threshold (RFC 7680 section 2.4).
    Timeout,
    /// The target answered with RST: something is there, but not the service.
    Refused,
    /// The network answered "unreachable" (ICMP).
    Unreachable,
    /// The probe could not be sent: no interface, no address, no route.
    NotSent,
}

impl fmt::Display for ProbeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Timeout => "no answer",
            Self::Refused => "connection refused",
            Self::Unreachable => "unreachable",
            Self::NotSent => "could not be sent",
        })
    }
}

/// Result of one probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// Answered after this round-trip time (RFC 2681).
    Answered(Duration),
    /// Not answered; counts as lost.
    Failed(ProbeFailure),
}

/// One probe on one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeSample {
    /// The uplink that the probe left by.
    pub uplink: UplinkId,
    /// The class whose target was probed.
    pub class: ClassId,
    /// The target.
    pub target: SocketAddr,
    /// When it was sent.
    pub sent_at: BootTime,
    /// What came of it.
    pub outcome: ProbeOutcome,
}

/// State of a path, after hysteresis; ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PathState {
    /// Answers, and meets its SLA.
    Up,
    /// Answers, but violates its SLA.
    Degraded,
    /// Not measured yet.
    Unknown,
    /// Does not answer, or its link is gone.
    Down,
}

impl PathState {
    /// The word that people, JSON and telemetry see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Unknown => "unknown",
            Self::Down => "down",
        }
    }
}

impl fmt::Display for PathState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
