//! One finding: how bad, about what, what was found, what it means, and what to do.

use serde::Serialize;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// As it should be.
    Ok,
    /// It could not be looked at.
    Skipped,
    /// It works; it could be better.
    Advice,
    /// Something works worse than it should, or will stop working on a foreseeable occasion.
    Warning,
    /// Something does not work, or would harm what others do.
    Error,
}

impl Grade {
    /// The word in text and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Advice => "advice",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// The configuration itself.
    Configuration,
    /// Interfaces of `[[isp.uplink]]`.
    Uplinks,
    /// Networks behind this router.
    Lan,
    /// Source addresses of IPv6 with more than one ISP.
    Ipv6Source,
    /// Our routing tables.
    Tables,
    /// Policy rules.
    Rules,
    /// Our route protocol number.
    Protocol,
    /// Our next-hop ids.
    NextHops,
    /// What this kernel can do.
    Kernel,
    /// Forwarding at all.
    Forwarding,
    /// Reverse-path filter.
    RpFilter,
    /// `net.ipv4.nexthop_compat_mode`.
    CompatMode,
    /// How flows are told apart where traffic is balanced.
    HashPolicy,
    /// Router advertisements on a router.
    RouterAdvertisements,
    /// Buffers of sockets.
    Buffers,
    /// systemd-networkd.
    Networkd,
    /// NetworkManager.
    NetworkManager,
    /// Other agents.
    Agents,
}

impl Topic {
    /// The word in text, JSON and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Uplinks => "uplinks",
            Self::Lan => "lan",
            Self::Ipv6Source => "ipv6-source",
            Self::Tables => "tables",
            Self::Rules => "rules",
            Self::Protocol => "protocol",
            Self::NextHops => "next-hops",
            Self::Kernel => "kernel",
            Self::Forwarding => "forwarding",
            Self::RpFilter => "rp-filter",
            Self::CompatMode => "compat-mode",
            Self::HashPolicy => "hash-policy",
            Self::RouterAdvertisements => "router-advertisements",
            Self::Buffers => "buffers",
            Self::Networkd => "networkd",
            Self::NetworkManager => "network-manager",
            Self::Agents => "agents",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Grade,
    /// What it is about.
    pub topic: Topic,
    /// What was found, with names and numbers.
    pub found: String,
    /// What it means for Peerward; absent where all is well.
    pub meaning: Option<String>,
    /// What to do: a command, or a key of the configuration with its value.
    pub remedy: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn ok(topic: Topic, found: impl Into<String>) -> Self {
        Self { severity: Grade::Ok, topic, found: found.into(), meaning: None, remedy: None }
    }

    /// It could not be looked at, and why.
    pub fn skipped(topic: Topic, why: impl Into<String>) -> Self {
        Self { severity: Grade::Skipped, ..Self::ok(topic, why) }
    }

    /// Something to know.
    pub fn new(
        severity: Grade,
        topic: Topic,
        found: impl Into<String>,
        meaning: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { severity, topic, found: found.into(), meaning: Some(meaning.into()), remedy: Some(remedy.into()) }
    }
}
