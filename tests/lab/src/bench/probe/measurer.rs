//! Whoever measures a path.

use std::time::Duration;

use peerward::domain::ProbeKind;

use super::{others, ours};
use crate::Namespace;

/// Whoever measures a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measurer {
    /// A kind of the agent's probes.
    Peerward(ProbeKind),
    /// `ping` of iputils.
    Ping,
    /// `fping`.
    Fping,
}

/// Probes to send.
#[derive(Debug, Clone, Copy)]
pub(super) struct Series {
    /// How many.
    pub(super) count: usize,
    /// From one to the next.
    pub(super) pace: Duration,
    /// After which one is lost.
    pub(super) timeout: Duration,
}

/// What came of a series, as the measurer tells it.
#[derive(Debug, Clone, Default)]
pub(super) struct Estimate {
    /// Of the answered ones.
    pub(super) rtts: Vec<Duration>,
    /// All of them.
    pub(super) sent: usize,
    /// Processor time that it took, the kernel's part included.
    pub(super) cpu: Duration,
}

impl Measurer {
    /// All that are compared.
    pub(super) const ALL: [Self; 5] = [
        Self::Peerward(ProbeKind::Tcp),
        Self::Peerward(ProbeKind::Icmp),
        Self::Peerward(ProbeKind::Stun),
        Self::Ping,
        Self::Fping,
    ];

    /// As people call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Peerward(kind) => kind.as_str(),
            Self::Ping => "ping",
            Self::Fping => "fping",
        }
    }

    /// Whether it is the agent's.
    pub(super) fn is_ours(self) -> bool {
        matches!(self, Self::Peerward(_))
    }

    /// Key of its error in the summary.
    pub(super) fn error_figure(self) -> Option<&'static str> {
        match self {
            Self::Peerward(ProbeKind::Tcp) => Some("median_error_ms_tcp"),
            Self::Peerward(ProbeKind::Icmp) => Some("median_error_ms_icmp"),
            Self::Peerward(ProbeKind::Stun) => Some("median_error_ms_stun"),
            Self::Peerward(_) => None,
            Self::Ping => Some("median_error_ms_ping"),
            Self::Fping => Some("median_error_ms_fping"),
        }
    }

    /// Measures from a router; the reason when it cannot.
    pub(super) fn measure(self, router: &Namespace, series: Series) -> Result<Estimate, String> {
        let estimate = match self {
            Self::Peerward(kind) => ours::measure(router, kind, series)?,
            Self::Ping => others::ping(router, series)?,
            Self::Fping => others::fping(router, series)?,
        };
        if estimate.rtts.is_empty() { Err("nothing was answered".to_owned()) } else { Ok(estimate) }
    }
}

impl Estimate {
    /// Lost share, 0 to 1.
    pub(super) fn loss(&self) -> f64 {
        lost_share(self.sent, self.rtts.len())
    }
}

/// Lost share, 0 to 1.
pub(super) fn lost_share(sent: usize, answered: usize) -> f64 {
    sent.saturating_sub(answered) as f64 / sent.max(1) as f64
}
