//! What probes observe and what paths are judged to be.

use std::{fmt, net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};

use super::{BootTime, ClassId, ProbeKind, UplinkId};

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
    /// Who answered could not prove to be the target: a captive portal, a transparent proxy.
    Untrusted,
    /// What answered does not speak the protocol, or not as it should: wrong status, no STUN, no TLS.
    Unexpected,
    /// The connection was accepted, and then nothing came over it.
    Stalled,
    /// Small packets pass and large ones do not.
    MtuHole,
    /// The target does not prove its name by any uplink: the fault is its own, and says nothing of this path.
    Unproven,
    /// The target's name has no address that could be probed. Says nothing of the path.
    NotResolved,
}

impl ProbeFailure {
    /// Every failure.
    pub const ALL: [Self; 10] = [
        Self::Timeout,
        Self::Refused,
        Self::Unreachable,
        Self::NotSent,
        Self::Untrusted,
        Self::Unexpected,
        Self::Stalled,
        Self::MtuHole,
        Self::Unproven,
        Self::NotResolved,
    ];

    /// The word that JSON and telemetry see; people are told by [`Display`](fmt::Display).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::NotSent => "not-sent",
            Self::Untrusted => "untrusted",
            Self::Unexpected => "unexpected",
            Self::Stalled => "stalled",
            Self::MtuHole => "mtu-hole",
            Self::Unproven => "unproven",
            Self::NotResolved => "not-resolved",
        }
    }

    /// Whether it is a loss of the path: not the name's fault, not the target's own, and something was sent.
    pub fn is_loss_of_path(self) -> bool {
        !matches!(self, Self::NotResolved | Self::Unproven | Self::NotSent)
    }

    /// Whether something on the way answers in the target's stead, or lets only part of the answer through: such a path
    /// must not pass for a healthy one because a bare handshake works.
    pub fn is_interference(self) -> bool {
        matches!(self, Self::Untrusted | Self::Unexpected | Self::Stalled | Self::MtuHole)
    }
}

impl fmt::Display for ProbeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Timeout => "no answer",
            Self::Refused => "connection refused",
            Self::Unreachable => "unreachable",
            Self::NotSent => "could not be sent",
            Self::Untrusted => "answered by someone who is not the target (captive portal or proxy)",
            Self::Unexpected => "answered with something else than the target would",
            Self::Stalled => "connected, then silence",
            Self::MtuHole => "small packets pass, large ones do not (MTU)",
            Self::Unproven => "does not prove its name by any uplink",
            Self::NotResolved => "name has no usable address",
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
    /// Not answered yet, though answers on this path usually come sooner. Counts as lost until the last word on the same
    /// probe comes: an answer, or a failure.
    Overdue,
}

impl ProbeOutcome {
    /// Its round-trip time, if it was answered.
    pub fn rtt(self) -> Option<Duration> {
        match self {
            Self::Answered(rtt) => Some(rtt),
            Self::Failed(_) | Self::Overdue => None,
        }
    }
}

/// What became of one probe on one path. A probe has one last word, and may have an [`ProbeOutcome::Overdue`] before it,
/// with the same path, target and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeSample {
    /// The uplink that the probe left by.
    pub uplink: UplinkId,
    /// The class whose target was probed.
    pub class: ClassId,
    /// Position of the target in the path's list.
    pub target: usize,
    /// How it was probed.
    pub kind: ProbeKind,
    /// The address probed; absent when the target's name has none.
    pub address: Option<SocketAddr>,
    /// When it was sent.
    pub sent_at: BootTime,
    /// What came of it.
    pub outcome: ProbeOutcome,
    /// From the first packet to the end of the TLS handshake, or to the first byte of the HTTP answer: what the service
    /// took, round trips included. Absent for other kinds.
    pub service_time: Option<Duration>,
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
