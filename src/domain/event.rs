//! What happened, as data: for the log, the upstream log records and the people who read them.

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

use super::{BootTime, ClassId, Family, PathState};

/// How much an event matters, in the words of Peering Service's own telemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Information,
    /// Service continues with less protection, or worse.
    Warning,
    /// Something that should work does not.
    Error,
}

/// An event with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it was noticed.
    pub at: BootTime,
    /// What it is.
    pub kind: EventKind,
}

/// What can happen. Names, not numbers: events leave the process and outlive a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EventKind {
    /// The agent is running.
    AgentStarted {
        /// Version of the agent.
        version: String,
        /// `observe` or `enforce`.
        mode: String,
    },
    /// An uplink became usable or stopped being so, by what the kernel says of it.
    UplinkChanged {
        /// Uplink.
        uplink: String,
        /// ISP of the uplink.
        isp: String,
        /// Usable now.
        usable: bool,
        /// What the kernel says.
        reason: String,
    },
    /// An uplink has another next hop than before.
    NextHopChanged {
        /// Uplink.
        uplink: String,
        /// ISP of the uplink.
        isp: String,
        /// Family.
        family: Family,
        /// Gateway before; none on a point-to-point link.
        from: Option<IpAddr>,
        /// Gateway now.
        to: Option<IpAddr>,
    },
    /// What the router's own routes and protections keep of a class changed.
    LocalRoutesKeep {
        /// Class.
        class: ClassId,
        /// How many of them keep prefixes of the class now.
        kept: usize,
        /// One of them, and why.
        example: Option<String>,
    },
    /// A path changed state.
    PathStateChanged {
        /// Uplink of the path.
        uplink: String,
        /// ISP of the uplink.
        isp: String,
        /// Class of the path.
        class: ClassId,
        /// State before.
        from: PathState,
        /// State now.
        to: PathState,
        /// The figures behind it.
        evidence: String,
    },
    /// A class is on another uplink than before; Peering Service calls the new one the active path.
    PrefixActivePath {
        /// Class.
        class: ClassId,
        /// How many prefixes moved.
        prefixes: usize,
        /// Uplink before, none if it was left to the main table.
        from: Option<String>,
        /// Uplink now, none if it is left to the main table.
        to: Option<String>,
        /// ISP now.
        isp: Option<String>,
        /// Why.
        reason: String,
    },
    /// The second choice of a class changed.
    PrefixBackupPath {
        /// Class.
        class: ClassId,
        /// Backup uplink, if there is one.
        uplink: Option<String>,
        /// ISP of the backup uplink.
        isp: Option<String>,
    },
    /// Routes of a class were put into the kernel.
    PrefixAnnouncement {
        /// Class.
        class: ClassId,
        /// Routes after exact aggregation.
        routes: usize,
    },
    /// Routes of a class were taken out of the kernel.
    PrefixWithdrawal {
        /// Class.
        class: ClassId,
    },
    /// Routes of a class were put into the table of standing backups.
    PrefixBackupRouteAnnouncement {
        /// Class.
        class: ClassId,
        /// Routes after exact aggregation.
        routes: usize,
    },
    /// Routes of a class were taken out of the table of standing backups.
    PrefixBackupRouteWithdrawal {
        /// Class.
        class: ClassId,
    },
    /// NAT entries of flows that moved were deleted, so that they go on with the address of the uplink that they are on.
    FlowsReset {
        /// Class.
        class: ClassId,
        /// Uplink that the class is on.
        uplink: String,
        /// How many flows.
        flows: u64,
    },
    /// What the kernel held differed from the plan and was repaired.
    KernelRepaired {
        /// Objects added or changed.
        added: usize,
        /// Objects removed.
        removed: usize,
    },
    /// Something on this router stands in the way; looked for at start.
    ConflictFound {
        /// What it is about, in the doctor's words.
        topic: String,
        /// What was found, with names and numbers.
        finding: String,
        /// What it means.
        meaning: String,
        /// What to do.
        remedy: String,
        /// How much it matters; the record has it as its own.
        #[serde(skip)]
        severity: Severity,
    },
    /// Another program undoes what is repaired; it is fought no longer.
    KernelContested {
        /// Who, and what is done about it.
        reason: String,
    },
    /// The kernel refused a change, or could not be read.
    KernelFailed {
        /// What was tried and what the kernel said.
        reason: String,
    },
    /// Samples could not be kept and were dropped, oldest first.
    SamplesDropped {
        /// How many batches since the last such event.
        batches: u64,
    },
}

impl EventKind {
    /// Name as OpenTelemetry event name and in `events`; Peering Service's word where it has one.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AgentStarted { .. } => "AgentStarted",
            Self::UplinkChanged { .. } => "UplinkChanged",
            Self::NextHopChanged { .. } => "NextHopChanged",
            Self::LocalRoutesKeep { .. } => "LocalRoutesKeep",
            Self::PathStateChanged { .. } => "PathStateChanged",
            Self::PrefixActivePath { .. } => "PrefixActivePath",
            Self::PrefixBackupPath { .. } => "PrefixBackupPath",
            Self::PrefixAnnouncement { .. } => "PrefixAnnouncementEvent",
            Self::PrefixWithdrawal { .. } => "PrefixWithdrawalEvent",
            Self::PrefixBackupRouteAnnouncement { .. } => "PrefixBackupRouteAnnouncementEvent",
            Self::PrefixBackupRouteWithdrawal { .. } => "PrefixBackupRouteWithdrawalEvent",
            Self::FlowsReset { .. } => "FlowsReset",
            Self::KernelRepaired { .. } => "KernelRepaired",
            Self::ConflictFound { .. } => "ConflictFound",
            Self::KernelContested { .. } => "KernelContested",
            Self::KernelFailed { .. } => "KernelFailed",
            Self::SamplesDropped { .. } => "SamplesDropped",
        }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::UplinkChanged { usable: false, .. }
            | Self::PathStateChanged { to: PathState::Down | PathState::Degraded, .. }
            | Self::PrefixActivePath { to: None, .. }
            | Self::PrefixBackupPath { uplink: None, .. }
            | Self::PrefixWithdrawal { .. }
            | Self::PrefixBackupRouteWithdrawal { .. }
            | Self::KernelRepaired { .. }
            | Self::SamplesDropped { .. } => Severity::Warning,
            Self::KernelContested { .. } | Self::KernelFailed { .. } => Severity::Error,
            Self::ConflictFound { severity, .. } => *severity,
            _ => Severity::Information,
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name_of = |uplink: &Option<String>| uplink.clone().unwrap_or_else(|| "the main table".to_owned());
        match self {
            Self::AgentStarted { version, mode } => write!(f, "peerward {version} started, mode {mode}"),
            Self::UplinkChanged { uplink, isp, usable, reason } => {
                write!(f, "uplink {uplink} ({isp}) {}: {reason}", if *usable { "usable" } else { "not usable" })
            }
            Self::NextHopChanged { uplink, isp, family, from, to } => {
                let name =
                    |gateway: &Option<IpAddr>| gateway.map_or("the link itself".to_owned(), |to| to.to_string());
                write!(f, "uplink {uplink} ({isp}): {family} next hop is {} instead of {}", name(to), name(from))
            }
            Self::LocalRoutesKeep { class, kept: 0, .. } => {
                write!(f, "{class}: nothing is left to the router's own routes any more")
            }
            Self::LocalRoutesKeep { class, kept, example } => {
                let example = example.as_deref().unwrap_or_default();
                write!(f, "{class}: {kept} prefixes are left to the router's own routes, among them {example}")
            }
            Self::PathStateChanged { uplink, class, from, to, evidence, .. } => {
                write!(f, "path {class} by {uplink}: {from} -> {to}, {evidence}")
            }
            Self::PrefixActivePath { class, prefixes, from, to, reason, .. } => {
                write!(f, "{class}: {prefixes} prefixes moved from {} to {}: {reason}", name_of(from), name_of(to))
            }
            Self::PrefixBackupPath { class, uplink, .. } => write!(f, "{class}: backup is {}", name_of(uplink)),
            Self::PrefixAnnouncement { class, routes } => write!(f, "{class}: {routes} routes in the kernel"),
            Self::PrefixWithdrawal { class } => write!(f, "{class}: routes withdrawn from the kernel"),
            Self::PrefixBackupRouteAnnouncement { class, routes } => {
                write!(f, "{class}: {routes} backup routes in the kernel")
            }
            Self::PrefixBackupRouteWithdrawal { class } => {
                write!(f, "{class}: backup routes withdrawn from the kernel")
            }
            Self::FlowsReset { class, uplink, flows } => {
                write!(f, "{class}: {flows} moved flows reset, so that they go on by {uplink}")
            }
            Self::KernelRepaired { added, removed } => {
                write!(f, "kernel differed from the plan: {added} objects added, {removed} removed")
            }
            Self::ConflictFound { topic, finding, meaning, remedy, .. } => {
                write!(f, "conflict ({topic}): {finding}; that means: {meaning}; remedy: {remedy}")
            }
            Self::KernelContested { reason } | Self::KernelFailed { reason } => write!(f, "kernel: {reason}"),
            Self::SamplesDropped { batches } => write!(f, "{batches} batches of samples dropped, oldest first"),
        }
    }
}
