//! The validated configuration: what the rest of the agent may rely on without checking again.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use ipnet::{IpNet, Ipv6Net};

mod policy;

pub use policy::{
    DayWindow, Fallback, Margin, Match, Order, Percentile, Place, Policy, RegionMatch, Rule, Sla, Strategy, Treatment,
};

use super::defaults;
use crate::{
    domain::{Category, Family, IspId, Target, UplinkId},
    partners::Registry,
};

/// A whole, consistent configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `[site]`.
    pub site: Site,
    /// Markets and partners: Microsoft's, and what `[[market]]` adds.
    pub registry: Arc<Registry>,
    /// `[[isp]]`, in file order; never empty.
    pub isps: Vec<Isp>,
    /// `[[isp.uplink]]` of all ISPs, in file order; never empty; interfaces are distinct.
    pub uplinks: Vec<Uplink>,
    /// `[policy]`.
    pub policy: Policy,
    /// `[destinations]`.
    pub destinations: Destinations,
    /// `[probe]`.
    pub probe: Probe,
    /// `[report]`; absent means nothing is reported upstream.
    pub report: Option<Report>,
    /// `[recording]`; absent means nothing is recorded.
    pub recording: Option<Recording>,
    /// `[kernel]`.
    pub kernel: Kernel,
    /// `[control]`.
    pub control: Control,
}

/// The branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Name, as in reports.
    pub name: String,
    /// Market as Microsoft lists markets for Peering Service: a country or a region; known to the registry.
    pub market: String,
    /// Minutes by which its time of day is ahead of UTC.
    pub utc_offset: i16,
}

/// One internet provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Isp {
    /// Unique name.
    pub name: String,
    /// Name in the partner registry; known to it unless `qualified_in` says more.
    pub partner: Option<String>,
    /// Markets in which the owner says it is qualified, beyond the registry.
    pub qualified_in: Vec<String>,
    /// Its uplinks, in order of preference.
    pub uplinks: Vec<UplinkId>,
}

/// One attachment to an ISP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uplink {
    /// Unique name; the interface's name by default.
    pub name: String,
    /// ISP it belongs to.
    pub isp: IspId,
    /// Interface.
    pub interface: String,
    /// IPv4 next hop.
    pub ipv4: NextHopSpec<Ipv4Addr>,
    /// IPv6 next hop.
    pub ipv6: NextHopSpec<Ipv6Addr>,
    /// A candidate for a class only while the router's own routes lead to all of it by this uplink.
    pub require_route: bool,
    /// IPv6 source addresses that the ISP lets through.
    pub ipv6_source: Ipv6Source,
}

/// How the next hop of an uplink is found in one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextHopSpec<A> {
    /// Learned from the kernel's default route by the interface.
    Auto,
    /// This gateway.
    Gateway(A),
    /// The uplink does not carry this family.
    Disabled,
}

/// IPv6 source addresses that an ISP lets through (BCP 38).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ipv6Source {
    /// All: provider-independent space, or prefixes are translated (NPTv6, NAT66).
    Any,
    /// Those that the router's own default routes by the uplink are for, as DHCPv6 prefix delegation sets them.
    Auto,
    /// These.
    Prefixes(Vec<Ipv6Net>),
}

/// Which Microsoft prefixes are known and which of them are steered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destinations {
    /// Microsoft 365 endpoints.
    pub microsoft365: Microsoft365,
    /// Azure service tags.
    pub service_tags: Option<ServiceTags>,
    /// Own lists.
    pub static_lists: Vec<StaticList>,
}

/// `[destinations.microsoft365]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Microsoft365 {
    /// Where the endpoints come from.
    pub source: Microsoft365Source,
    /// Service areas that are steered, lower case; all when empty.
    pub services: Vec<String>,
    /// Categories that are steered.
    pub categories: Vec<Category>,
}

/// Where Microsoft 365 endpoints come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Microsoft365Source {
    /// The snapshot inside the binary.
    Bundled,
    /// A file with an answer of the endpoints web service.
    File(PathBuf),
    /// None are used.
    Off,
}

/// `[destinations.service_tags]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceTags {
    /// A "Service Tags – Public" file.
    pub file: PathBuf,
    /// Tags that are steered, as named in the file (`AzureCloud.japaneast`), case-insensitive.
    pub tags: Vec<String>,
    /// Whether what a tag lists is decided for each Azure region apart.
    pub by_region: bool,
}

/// One `[[destinations.static]]` list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticList {
    /// Name; becomes the service of its destinations.
    pub name: String,
    /// Prefixes, host bits zero.
    pub prefixes: Vec<IpNet>,
}

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

/// `[report]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Base of the collector: `https://HOST[:PORT][/PATH]`; `/v1/metrics` and `/v1/logs` are appended.
    pub endpoint: Endpoint,
    /// PEM file of the trust anchors for the collector.
    pub ca: PathBuf,
    /// PEM file of the client certificate chain.
    pub cert: PathBuf,
    /// PEM file of the client key; not readable by others.
    pub key: PathBuf,
    /// Time between two reports.
    pub interval: Duration,
    /// Bound of the queue of reports that wait, in bytes.
    pub queue_bytes: usize,
}

/// An `https://` address, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path before `/v1/…`, without a slash at its end.
    pub path: String,
}

/// `[recording]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// File that samples are written to; the one before it has `.1` at the end of its name.
    pub file: PathBuf,
    /// Bound of each of the two, in bytes.
    pub max_bytes: u64,
}

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

/// `[control]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Unix socket for the command line, readable by the group only.
    pub socket: PathBuf,
}

impl Config {
    /// The ISP with that id.
    ///
    /// # Panics
    /// Never for an id taken from this configuration.
    #[allow(clippy::indexing_slicing, reason = "ids are positions in this very list")]
    pub fn isp(&self, id: IspId) -> &Isp {
        &self.isps[usize::from(id.0)]
    }

    /// The uplink with that id.
    ///
    /// # Panics
    /// Never for an id taken from this configuration.
    #[allow(clippy::indexing_slicing, reason = "ids are positions in this very list")]
    pub fn uplink(&self, id: UplinkId) -> &Uplink {
        &self.uplinks[usize::from(id.0)]
    }

    /// Ids of all uplinks, in file order.
    #[allow(clippy::cast_possible_truncation, reason = "validation bounds the number of uplinks to 64")]
    pub fn uplink_ids(&self) -> impl Iterator<Item = UplinkId> + use<> {
        (0..self.uplinks.len() as u16).map(UplinkId)
    }

    /// Names of several uplinks that are one thing together, in file order: `wan0+wan1`; nothing when there is none.
    pub fn names_of(&self, ids: &[UplinkId]) -> Option<String> {
        joined(ids, |id| &self.uplink(id).name)
    }

    /// Names of the ISPs of several uplinks, each once: `ntt+kddi`; nothing when there is none.
    pub fn isp_names_of(&self, ids: &[UplinkId]) -> Option<String> {
        joined(ids, |id| self.isp_name_of(id))
    }

    /// Name of the ISP of an uplink.
    pub fn isp_name_of(&self, id: UplinkId) -> &str {
        &self.isp(self.uplink(id).isp).name
    }
}

fn joined<'a>(ids: &[UplinkId], name: impl Fn(UplinkId) -> &'a str) -> Option<String> {
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    let mut names: Vec<&str> = Vec::new();
    for name in sorted.into_iter().map(name) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    (!names.is_empty()).then(|| names.join("+"))
}

impl Uplink {
    /// Whether the uplink carries a family at all.
    pub fn carries(&self, family: Family) -> bool {
        match family {
            Family::Ipv4 => self.ipv4 != NextHopSpec::Disabled,
            Family::Ipv6 => self.ipv6 != NextHopSpec::Disabled,
        }
    }
}
