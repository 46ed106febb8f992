//! `[probe]`: what is measured, how often, and what makes a path up or down.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, time::Duration};

use crate::{config::defaults, domain::Target};

/// `[probe]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// How eagerly paths are measured.
    pub profile: Profile,
    /// Mean time between two probes of one path while nothing is amiss.
    pub interval: Duration,
    /// Loss threshold: an answer after it counts as lost. Below one second, the first SYN retransmission.
    pub timeout: Duration,
    /// TCP port probed.
    pub port: u16,
    /// Probes in the sliding window of a path.
    pub window: usize,
    /// Consecutive losses that make a path `down`.
    pub down_after: u32,
    /// Consecutive answers that make it `up` again.
    pub up_after: u32,
    /// Probes in a row that violate the SLA before an `up` path is `degraded`.
    pub degraded_after: u32,
    /// Probes in a row that keep it before a `degraded` path is `up`.
    pub restored_after: u32,
    /// Least time that a path stays `down`.
    pub hold_down: Duration,
    /// Time in which the penalty for flapping halves (RFC 2439); absent: flapping is not damped.
    pub flap_half_life: Option<Duration>,
    /// Targets of a path that must answer for it to be `up`; all when it has fewer.
    pub quorum: u32,
    /// Who may vouch for a target of kind `tls` or `https`.
    pub trust: TrustSource,
    /// Name servers for the names of targets; those of the router when empty.
    pub resolvers: Vec<IpAddr>,
    /// Whether the handshakes of forwarded connections are watched.
    pub passive: bool,
    /// Targets per service, instead of those taken from the catalogue.
    pub targets: BTreeMap<String, Vec<Target>>,
}

impl Default for Probe {
    /// An absent `[probe]`.
    fn default() -> Self {
        Self {
            profile: defaults::PROFILE,
            interval: defaults::probe_interval(defaults::PROFILE),
            timeout: defaults::PROBE_TIMEOUT,
            port: defaults::PROBE_PORT,
            window: usize::from(defaults::PROBE_WINDOW),
            down_after: defaults::DOWN_AFTER,
            up_after: defaults::UP_AFTER,
            degraded_after: defaults::DEGRADED_AFTER,
            restored_after: defaults::RESTORED_AFTER,
            hold_down: defaults::HOLD_DOWN,
            flap_half_life: defaults::FLAP_HALF_LIFE,
            quorum: defaults::QUORUM,
            trust: defaults::TRUST,
            resolvers: Vec::new(),
            passive: defaults::PASSIVE,
            targets: BTreeMap::new(),
        }
    }
}

/// How eagerly paths are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// For sites that must not notice a failure.
    Fast,
    /// For most.
    Normal,
    /// For metered lines.
    Quiet,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 3] = [Self::Fast, Self::Normal, Self::Quiet];

    /// As in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Normal => "normal",
            Self::Quiet => "quiet",
        }
    }
}

/// Trust anchors for targets that must prove their name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustSource {
    /// The system's bundle, wherever it is found.
    System,
    /// A PEM file.
    File(PathBuf),
    /// None: such targets are not probed.
    Off,
}
