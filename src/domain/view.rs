//! What people and machines are shown: the vocabulary of `status`, `paths`, `routes` and `--json`.
//!
//! The agent publishes one [`Snapshot`] after every change; the control socket, the status commands and telemetry
//! read it. Field names are stable: they may be added to, never renamed.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{ClassId, Family, PathState};

/// The whole picture at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Version of the agent.
    pub version: String,
    /// Name of the site.
    pub site: String,
    /// Market of the site.
    pub market: String,
    /// `observe` or `enforce`.
    pub mode: String,
    /// Seconds since the agent started.
    pub uptime_s: u64,
    /// ISPs in configured order.
    pub isps: Vec<IspView>,
    /// Classes, by id.
    pub classes: Vec<ClassView>,
    /// Paths, by class and uplink.
    pub paths: Vec<PathView>,
    /// The kernel edge.
    pub kernel: KernelView,
    /// Reporting upstream; absent when not configured.
    pub reporting: Option<ReportingView>,
}

/// One ISP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IspView {
    /// Name in the configuration.
    pub name: String,
    /// Name in Microsoft's partner list, if it is a partner.
    pub partner: Option<String>,
    /// Whether it is a qualified Peering Service partner in the site's market.
    pub qualified: bool,
    /// Why it is, or is not.
    pub qualification: String,
    /// Its uplinks.
    pub uplinks: Vec<UplinkView>,
}

/// One uplink.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UplinkView {
    /// Name in the configuration.
    pub name: String,
    /// Interface.
    pub interface: String,
    /// Best state among its paths; `down` when the kernel has no way through it.
    pub state: PathState,
    /// What the kernel says of it.
    pub reason: String,
    /// IPv4 next hop: an address, or `point-to-point`; absent when there is none.
    pub next_hop_ipv4: Option<String>,
    /// IPv6 next hop.
    pub next_hop_ipv6: Option<String>,
    /// Median RTT over its paths, in milliseconds.
    pub rtt_ms: Option<f64>,
    /// Loss over its paths, 0 to 1.
    pub loss_ratio: Option<f64>,
}

/// One class and its decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassView {
    /// Class.
    pub id: ClassId,
    /// Family.
    pub family: Family,
    /// Service.
    pub service: String,
    /// Azure region, if the class has one.
    pub region: Option<String>,
    /// Prefixes as the catalogue lists them.
    pub prefixes: usize,
    /// Routes after exact aggregation.
    pub routes: usize,
    /// Uplink chosen; absent when left to the main table.
    pub uplink: Option<String>,
    /// ISP of the chosen uplink.
    pub isp: Option<String>,
    /// Uplink of the standing backup.
    pub backup: Option<String>,
    /// Why this uplink.
    pub reason: String,
    /// Seconds since this uplink was chosen.
    pub since_s: u64,
    /// Every uplink considered, best first, with the verdict.
    pub candidates: Vec<CandidateView>,
    /// Uplink on which the kernel holds the class; equal to `uplink` when all is well.
    pub in_kernel: Option<String>,
    /// Prefixes of the class, or around or inside them, that the router's own routes and protections keep.
    #[serde(default)]
    pub kept: usize,
    /// The first sixteen of them.
    #[serde(default)]
    pub kept_prefixes: Vec<KeptView>,
}

/// A prefix that is not steered although the catalogue names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptView {
    /// Prefix.
    pub prefix: IpNet,
    /// What keeps it.
    pub why: String,
}

/// One uplink as a candidate for a class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CandidateView {
    /// Uplink.
    pub uplink: String,
    /// ISP.
    pub isp: String,
    /// State of the path.
    pub state: PathState,
    /// Whether traffic may be put on it at all.
    pub usable: bool,
    /// The verdict in words.
    pub verdict: String,
}

/// One path with its figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PathView {
    /// Uplink.
    pub uplink: String,
    /// ISP.
    pub isp: String,
    /// Class.
    pub class: ClassId,
    /// State.
    pub state: PathState,
    /// Whether the class is on this uplink.
    pub selected: bool,
    /// Smallest RTT of the window, milliseconds.
    pub rtt_min_ms: Option<f64>,
    /// Median RTT of the window, milliseconds.
    pub rtt_ms: Option<f64>,
    /// 95th percentile of the window, milliseconds.
    pub rtt_p95_ms: Option<f64>,
    /// Mean absolute delay variation between consecutive answers (RFC 3393), milliseconds.
    pub jitter_ms: Option<f64>,
    /// Lost probes of the window, 0 to 1 (RFC 7680).
    pub loss_ratio: Option<f64>,
    /// Probes in the window.
    pub probes: usize,
    /// Seconds since the last probe was sent.
    pub age_s: Option<f64>,
    /// Seconds in this state.
    pub since_s: u64,
    /// The figures behind the state.
    pub evidence: String,
}

/// State of the kernel edge.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct KernelView {
    /// Whether the picture of the router is complete.
    pub fresh: bool,
    /// Whether what the kernel holds is what was planned.
    pub in_step: bool,
    /// Whether everything of ours was withdrawn on request, until restart.
    #[serde(default)]
    pub withdrawn: bool,
    /// Routes of ours in the primary table.
    pub routes_primary: usize,
    /// Routes of ours in the backup table.
    pub routes_backup: usize,
    /// Changes written since start.
    pub writes: u64,
    /// Routes of the router's own that touch steered prefixes.
    #[serde(default)]
    pub local_routes: usize,
    /// Such routes beyond what is kept in memory; they are not respected.
    #[serde(default)]
    pub local_routes_omitted: usize,
    /// Repairs of what others removed or changed, since start.
    pub repairs: u64,
    /// Times that netlink events were lost and everything was read again.
    pub overruns: u64,
    /// Last error, if the last attempt failed.
    pub error: Option<String>,
    /// Flows that moved but still leave with the address of the uplink that they left.
    #[serde(default)]
    pub flows: FlowsView,
}

/// What became of flows whose source the router translates (NAT) when their class moved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowsView {
    /// `reset` or `keep`, as configured.
    pub moved: String,
    /// NAT entries deleted since start.
    pub deleted: u64,
    /// Flows left behind at the last look, by class.
    pub left: Vec<FlowsLeft>,
    /// Why flows cannot be looked at, if they cannot.
    pub unavailable: Option<String>,
    /// Last error, if the last look failed.
    pub error: Option<String>,
}

/// Flows of one class that still leave with the address of an uplink that they are not on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowsLeft {
    /// Class.
    pub class: ClassId,
    /// How many.
    pub flows: u64,
}

/// State of reporting upstream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReportingView {
    /// Endpoint.
    pub endpoint: String,
    /// `ok`, `starting` or `failing`.
    pub state: String,
    /// Data points and log records that the collector acknowledged.
    pub acknowledged: u64,
    /// Batches waiting.
    pub queued_batches: usize,
    /// Bytes waiting.
    pub queued_bytes: usize,
    /// Batches dropped because the queue was full.
    pub dropped_batches: u64,
    /// Samples and events dropped because reporting did not keep up with them.
    #[serde(default)]
    pub dropped_records: u64,
    /// Records that the collector refused for good.
    pub rejected: u64,
    /// Last error, if the last attempt failed.
    pub error: Option<String>,
}

/// Answer to `explain`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// What was asked for.
    pub query: IpNet,
    /// The catalogue's longest match; absent when the address is not Microsoft's, or not known to be.
    pub destination: Option<DestinationView>,
    /// The class with its decision; absent when the destination is not steered.
    pub class: Option<ClassView>,
    /// What keeps it from being steered: a route of the router's own, or a protection; absent when nothing does.
    #[serde(default)]
    pub kept: Option<KeptView>,
    /// One sentence that answers "where does it go, and why".
    pub conclusion: String,
    /// What the kernel does with a forwarded packet to it, by a route lookup; absent when it could not be asked.
    pub kernel_lookup: Option<KernelLookup>,
}

/// A catalogue match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DestinationView {
    /// The matching prefix.
    pub prefix: IpNet,
    /// Service.
    pub service: String,
    /// Category, for Microsoft 365.
    pub category: Option<String>,
    /// Azure region.
    pub region: Option<String>,
    /// Sources that list it.
    pub sources: Vec<String>,
    /// Whether the configuration steers it.
    pub steered: bool,
}

/// Result of a kernel route lookup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KernelLookup {
    /// Table that answered.
    pub table: u32,
    /// Interface.
    pub interface: Option<String>,
    /// Gateway.
    pub gateway: Option<String>,
    /// Uplink of that interface, if it is one.
    pub uplink: Option<String>,
}
