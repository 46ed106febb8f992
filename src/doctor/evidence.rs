//! What the findings are made from: plain values, gathered elsewhere or made up by a test.

use std::collections::BTreeMap;

use super::{Names, Networkd};
use crate::{
    config::{Config, Ipv6Source, Kernel, Mode, NextHopSpec},
    domain::{Family, Link, PrefixSet, RuleDetail},
    kernel::Inventory,
};

/// One uplink of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Name of the uplink.
    pub name: String,
    /// Name of its ISP.
    pub isp: String,
    /// Interface.
    pub interface: String,
    /// It carries IPv4 and IPv6.
    pub carries: [bool; 2],
    /// Its next hop is learned from a default route, in IPv4 and in IPv6.
    pub auto: [bool; 2],
    /// Its ISP is taken to let every IPv6 source address through (`ipv6_source = "any"`).
    pub any_source: bool,
}

impl Line {
    /// The uplinks of a configuration, in file order.
    pub fn all(config: &Config) -> Vec<Self> {
        let line = |id| {
            let uplink = config.uplink(id);
            Self {
                name: uplink.name.clone(),
                isp: config.isp_name_of(id).to_owned(),
                interface: uplink.interface.clone(),
                carries: Family::BOTH.map(|family| uplink.carries(family)),
                auto: [uplink.ipv4 == NextHopSpec::Auto, uplink.ipv6 == NextHopSpec::Auto],
                any_source: uplink.ipv6_source == Ipv6Source::Any,
            }
        };
        config.uplink_ids().map(line).collect()
    }

    /// Whether it carries a family, and whether its next hop there is learned.
    pub fn in_family(&self, family: Family) -> (bool, bool) {
        let [carries4, carries6] = self.carries;
        let [auto4, auto6] = self.auto;
        match family {
            Family::Ipv4 => (carries4, auto4),
            Family::Ipv6 => (carries6, auto6),
        }
    }
}

/// Kernel settings by their path under `/proc/sys`, such as `net/ipv4/ip_forward`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings(pub BTreeMap<String, String>);

impl Settings {
    /// The value as a number; `None` when the setting does not exist or could not be read.
    pub fn number(&self, key: &str) -> Option<i64> {
        self.0.get(key)?.trim().parse().ok()
    }
}

/// Who answers on the control socket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AgentSocket {
    /// Nobody.
    #[default]
    Silent,
    /// A running agent, of this mode.
    Running(String),
    /// The one that asks.
    Ourselves,
    /// It could not be asked, and why.
    Unknown(String),
}

/// Another process that is an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherAgent {
    /// Process id.
    pub pid: u32,
    /// Whether it is in the same network namespace; `None` where that is not ours to see.
    pub same_network: Option<bool>,
}

/// Everything that was looked at.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// `[kernel]`.
    pub own: Kernel,
    /// Some class may be on several uplinks at once.
    pub balances: bool,
    /// The kernel has no resilient next-hop groups (before Linux 5.13).
    pub rigid: bool,
    /// The uplinks; `None` without a configuration.
    pub uplinks: Option<Vec<Line>>,
    /// What may be steered.
    pub destinations: PrefixSet,
    /// What the kernel holds.
    pub inventory: Inventory,
    /// Kernel settings.
    pub settings: Settings,
    /// Names of tables and protocols.
    pub names: Names,
    /// systemd-networkd; `None` where it does not run.
    pub networkd: Option<Networkd>,
    /// NetworkManager runs.
    pub network_manager: bool,
    /// Who answers on the control socket.
    pub socket: AgentSocket,
    /// Processes that are agents, without this one.
    pub agents: Vec<OtherAgent>,
}

impl Evidence {
    /// The uplinks, none without a configuration.
    pub fn lines(&self) -> &[Line] {
        self.uplinks.as_deref().unwrap_or_default()
    }

    /// The link of that name.
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.inventory.links.values().find(|link| link.name == name)
    }

    /// Whether an interface is an uplink's.
    pub fn is_uplink(&self, interface: &str) -> bool {
        self.lines().iter().any(|line| line.interface == interface)
    }

    /// Whether the configuration has us write to the kernel.
    pub fn enforces(&self) -> bool {
        self.own.mode == Mode::Enforce
    }

    /// Our tables that are in use or may be at any time: chosen paths, backups, a probe table for each uplink, and those
    /// for IPv6 sources where an ISP does not let all of them through.
    pub fn our_tables(&self) -> Vec<u32> {
        let probes = (0_u32..).zip(self.lines()).map(|(number, _)| self.own.probe_table.saturating_add(number));
        let some_sources = self.lines().iter().any(|line| !line.any_source);
        let sources = self.own.source_table..self.own.source_table.saturating_add(SOURCE_TABLES);
        let sources = sources.take_while(|_| some_sources);
        [self.own.table, self.own.backup_table].into_iter().chain(probes).chain(sources).collect()
    }

    /// The preferences of our rules, lowest first: two for probes, eight for IPv6 sources, chosen paths, backups.
    pub fn our_preferences(&self) -> Vec<u32> {
        let (probe, primary) = (self.own.probe_rule_preference, self.own.rule_preference);
        let sources = primary.saturating_sub(SOURCE_PREFERENCES)..primary;
        let probes = [probe, probe.saturating_add(1)];
        probes.into_iter().chain(sources).chain([primary, self.own.backup_rule_preference]).collect()
    }

    /// Whether a rule is one that we would write: our number, at our preference, to our table.
    pub fn is_ours(&self, rule: &RuleDetail) -> bool {
        let own_table = rule.table().is_some_and(|table| table == MAIN || self.our_tables().contains(&table));
        rule.protocol == Some(self.own.protocol) && own_table && self.our_preferences().contains(&rule.preference)
    }
}

/// Preferences of the rules for IPv6 sources, before `rule_preference`.
const SOURCE_PREFERENCES: u32 = 8;

/// Tables from `source_table` on.
const SOURCE_TABLES: u32 = 128;

/// The main table.
pub const MAIN: u32 = 254;

/// A family as people write it.
pub fn written(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "IPv4",
        Family::Ipv6 => "IPv6",
    }
}
