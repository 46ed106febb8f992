//! What people and machines are shown: the vocabulary of `status`, `paths`, `routes` and `--json`.
//!
//! The agent publishes one [`Snapshot`] after every change; the control socket, the status commands and telemetry
//! read it. Field names are stable: they may be added to, never renamed.

mod explanation;

use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{ClassId, Family, PathState};

pub use explanation::{DestinationView, Explanation, GateView, KernelLookup, OutlookView, RulingView, StatementView};

/// A time as views carry it: in milliseconds.
pub fn milliseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

/// The same to the microsecond, which is as fine as is measured.
pub fn rounded_milliseconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e6).round() / 1e3
}

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
    /// The watch over users' handshakes; absent when not configured.
    #[serde(default)]
    pub passive: Option<WatchView>,
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
    /// Uplink chosen, or several in the order of the configuration (`wan0+wan1`); absent when left to the main table.
    pub uplink: Option<String>,
    /// ISP of the chosen uplink, or of each of them (`ntt+kddi`).
    pub isp: Option<String>,
    /// Every uplink chosen with its weight; several only where the class is balanced.
    #[serde(default)]
    pub shares: Vec<ShareView>,
    /// Uplink of the standing backup.
    pub backup: Option<String>,
    /// Why this uplink.
    pub reason: String,
    /// Seconds since this uplink was chosen.
    pub since_s: u64,
    /// Every uplink considered, best first, with the verdict.
    pub candidates: Vec<CandidateView>,
    /// Uplink on which the kernel holds the class, or several as there; equal to `uplink` when all is well.
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

/// An uplink in charge of a class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareView {
    /// Uplink.
    pub uplink: String,
    /// ISP.
    pub isp: String,
    /// Its part in relation to the others', from 1 on.
    pub weight: u8,
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
    /// Whether its ISP is a qualified Peering Service partner in the site's market.
    #[serde(default = "assumed")]
    pub qualified: bool,
    /// Whether traffic may be put on it at all.
    pub usable: bool,
    /// The verdict in words.
    pub verdict: String,
    /// The gates before it, up to the first that lets nothing through; only in the answer to `explain`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<GateView>,
}

/// What an older agent did not say is taken to be well.
fn assumed() -> bool {
    true
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
    /// 99th percentile of the window, milliseconds.
    #[serde(default)]
    pub rtt_p99_ms: Option<f64>,
    /// Mean absolute delay variation between consecutive answers of one target (RFC 3393), milliseconds.
    pub jitter_ms: Option<f64>,
    /// The same, smoothed exponentially (RFC 3550 section 6.4.1), milliseconds.
    #[serde(default)]
    pub jitter_smoothed_ms: Option<f64>,
    /// Lost probes of the window, 0 to 1 (RFC 7680).
    pub loss_ratio: Option<f64>,
    /// Bounds between which the loss of the path lies with 95 % confidence, 0 to 1.
    #[serde(default)]
    pub loss_bounds: Option<[f64; 2]>,
    /// Median time to the end of a TLS handshake or the first byte of an HTTP answer, milliseconds.
    #[serde(default)]
    pub service_ms: Option<f64>,
    /// Probes in the window.
    pub probes: usize,
    /// Seconds since the last probe was sent.
    pub age_s: Option<f64>,
    /// Seconds in this state.
    pub since_s: u64,
    /// The figures behind the state.
    pub evidence: String,
}

/// One path with all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PathReport {
    /// The path, as in the snapshot.
    #[serde(flatten)]
    pub path: PathView,
    /// Its targets, in the order in which they are probed.
    pub targets: Vec<TargetView>,
    /// Spans of the past, shortest first; those of which nothing is known are left out.
    pub windows: Vec<WindowView>,
    /// The last hour in steps of two minutes, oldest first.
    pub trend: Vec<TrendPoint>,
    /// Handshakes of forwarded connections, where they are watched.
    pub handshakes: Option<HandshakeView>,
}

/// One target of a path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetView {
    /// As in the configuration: `tcp:13.107.6.152:443`.
    pub target: String,
    /// Median RTT of its answers in the window, milliseconds.
    pub rtt_ms: Option<f64>,
    /// What came of its last probe, in words; absent before the first.
    pub last: Option<String>,
    /// Seconds since then.
    pub age_s: Option<f64>,
    /// Whether it is left out of the path's figures because it is silent while others answer.
    pub silent: bool,
}

/// Statistics over a span of the past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowView {
    /// Name: `5m`, `15m`, `1h`, `6h`, `12h`, `1d`, `7d`, `30d`.
    pub span: String,
    /// Seconds that it really covers: less while the agent is young, up to one step of its memory more.
    pub covered_s: u64,
    /// Probes with a last word.
    pub probes: u64,
    /// Lost ones.
    pub lost: u64,
    /// Their share, 0 to 1.
    pub loss_ratio: Option<f64>,
    /// Bounds between which the loss of the path lies with 95 % confidence.
    pub loss_bounds: Option<[f64; 2]>,
    /// Smallest RTT, milliseconds.
    pub rtt_min_ms: Option<f64>,
    /// Median RTT, milliseconds.
    pub rtt_ms: Option<f64>,
    /// 95th percentile, milliseconds.
    pub rtt_p95_ms: Option<f64>,
    /// 99th percentile, milliseconds.
    pub rtt_p99_ms: Option<f64>,
    /// Mean absolute delay variation (RFC 3393), milliseconds.
    pub jitter_ms: Option<f64>,
}

/// One step of a trend.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrendPoint {
    /// Median RTT, milliseconds; absent when nothing was answered.
    pub rtt_ms: Option<f64>,
    /// Lost probes, 0 to 1; absent when nothing was sent.
    pub loss_ratio: Option<f64>,
}

/// Handshakes of connections that users made through the router, as seen on the uplink.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HandshakeView {
    /// Seconds that the figures cover.
    pub span_s: u64,
    /// Handshakes completed.
    pub completed: u64,
    /// Handshakes completed only after the SYN was sent again, counted in `completed` too: something was lost. They
    /// have no part in the times, because nobody can tell which SYN was answered (Karn's algorithm).
    #[serde(default)]
    pub repeated: u64,
    /// Handshakes that nobody answered.
    pub unanswered: u64,
    /// Handshakes that were answered with RST: something is there, but not the service.
    #[serde(default)]
    pub refused: u64,
    /// Smallest time from SYN to SYN-ACK, milliseconds.
    pub rtt_min_ms: Option<f64>,
    /// Median, milliseconds.
    pub rtt_ms: Option<f64>,
    /// 95th percentile, milliseconds.
    pub rtt_p95_ms: Option<f64>,
    /// One connection in so many is looked at; 1 unless there are very many.
    pub one_in: u32,
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

/// The watch over handshakes of connections that users make.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchView {
    /// Each uplink.
    pub uplinks: Vec<WatchedView>,
    /// Packets looked at since start.
    pub packets: u64,
    /// Packets for which the kernel had no room.
    pub dropped: u64,
    /// One connection in so many is looked at.
    pub one_in: u32,
}

/// Whether an uplink is watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedView {
    /// Uplink.
    pub uplink: String,
    /// Whether it is.
    pub watching: bool,
    /// The same in words, with the reason and the remedy when it is not.
    pub state: String,
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
