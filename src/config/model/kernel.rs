//! `[kernel]`: what is ours in the kernel, and whether anything is.

use ipnet::IpNet;

use crate::config::defaults;

/// `[kernel]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// Whether the kernel is written to.
    pub mode: Mode,
    /// Table of the chosen paths.
    pub table: u32,
    /// Table of the standing backups.
    pub backup_table: u32,
    /// First of the tables that lead probes out of each uplink, one per uplink.
    pub probe_table: u32,
    /// Preference of the rule for `table`.
    pub rule_preference: u32,
    /// Preference of the rule for `backup_table`.
    pub backup_rule_preference: u32,
    /// Preference of the probe rules; before the other two.
    pub probe_rule_preference: u32,
    /// First of the tables for IPv6 sources that not every ISP lets through, two for each set of uplinks.
    pub source_table: u32,
    /// Prefixes that are never steered, whatever the catalogue says.
    pub never_steer: Vec<IpNet>,
    /// Route protocol number that marks what is ours.
    pub protocol: u8,
    /// First next-hop id of our range of 65,536; a multiple of that.
    pub nexthop_base: u32,
    /// Most routes of classes over all tables; a plan with more is refused as a whole.
    pub max_routes: u32,
    /// What happens to the routes when the agent is stopped.
    pub on_stop: OnStop,
    /// What happens to flows that moved and still leave with the address of the uplink that they left.
    pub moved_flows: MovedFlows,
}

impl Default for Kernel {
    /// An absent `[kernel]`.
    fn default() -> Self {
        Self {
            mode: defaults::MODE,
            table: defaults::TABLE,
            backup_table: defaults::BACKUP_TABLE,
            probe_table: defaults::PROBE_TABLE,
            source_table: defaults::SOURCE_TABLE,
            never_steer: Vec::new(),
            rule_preference: defaults::RULE_PREFERENCE,
            backup_rule_preference: defaults::BACKUP_RULE_PREFERENCE,
            probe_rule_preference: defaults::PROBE_RULE_PREFERENCE,
            protocol: defaults::PROTOCOL,
            nexthop_base: defaults::NEXTHOP_BASE,
            max_routes: defaults::MAX_ROUTES,
            on_stop: defaults::ON_STOP,
            moved_flows: defaults::MOVED_FLOWS,
        }
    }
}

/// Whether the kernel is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything but writing to the kernel.
    Observe,
    /// Selection is installed.
    Enforce,
}

impl Mode {
    /// The word in TOML and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Enforce => "enforce",
        }
    }
}

/// What happens to the routes when the agent is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnStop {
    /// They stay; the next start adopts them.
    Keep,
    /// They are withdrawn.
    Withdraw,
}

/// What happens to flows that moved and still leave with the address of the uplink that they left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MovedFlows {
    /// Their NAT entries are deleted: UDP goes on with the new address, TCP is told to connect anew.
    Reset,
    /// They are counted only.
    Keep,
}

impl MovedFlows {
    /// As in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Keep => "keep",
        }
    }
}
