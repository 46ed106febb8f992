//! The answer to `explain`, as people and machines are shown it.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{ClassView, KeptView};

/// Answer to `explain`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// What was asked for; of a class, an address that stands for it.
    pub query: IpNet,
    /// The class that was asked for, if one was.
    #[serde(default)]
    pub asked: Option<String>,
    /// The catalogue's longest match; absent when the address is not Microsoft's, or not known to be.
    pub destination: Option<DestinationView>,
    /// What the policy goes by; absent when the destination is not steered.
    #[serde(default)]
    pub ruling: Option<RulingView>,
    /// The class with its decision; absent when the destination is not steered.
    pub class: Option<ClassView>,
    /// What would change the decision, in the order of preference.
    #[serde(default)]
    pub outlook: Vec<OutlookView>,
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
    /// What they say of it, and of the prefixes around it: the most specific prefix first, then the most trusted source.
    #[serde(default)]
    pub statements: Vec<StatementView>,
    /// How many more there are.
    #[serde(default)]
    pub statements_omitted: usize,
}

/// What one endpoint set, service tag or static list says of a prefix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatementView {
    /// The prefix.
    pub prefix: IpNet,
    /// Kind of source.
    pub source: String,
    /// Where it came from: a file, the name of a static list, or `bundled snapshot`.
    pub origin: String,
    /// Its version, as far as it says.
    pub version: Option<String>,
    /// Name of the tag or list; `endpoint set 1`.
    pub name: String,
    /// Service.
    pub service: String,
    /// Category, for Microsoft 365.
    pub category: Option<String>,
    /// Azure region.
    pub region: Option<String>,
    /// Whether the configuration chooses it.
    pub chosen: bool,
}

/// What the policy goes by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RulingView {
    /// The rule; absent when none is for the class.
    pub rule: Option<String>,
    /// The configuration that it is in.
    pub file: Option<String>,
    /// Its line there, from 1.
    pub line: Option<usize>,
    /// Where the order of the ISPs comes from, in words.
    pub order: String,
    /// Another rule that is as specific, with the remedy.
    pub tie: Option<String>,
}

/// A gate before a candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateView {
    /// `policy`, `qualification`, `family`, `link`, `next-hop`, `source`, `route`, `measured`, `alive`, `sla`,
    /// `strategy` or `hold`.
    pub name: String,
    /// Whether it lets the candidate through.
    pub passed: bool,
    /// The verdict with its numbers.
    pub says: String,
}

/// What would change a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutlookView {
    /// Uplink.
    pub uplink: String,
    /// ISP.
    pub isp: String,
    /// What it does, and when.
    pub what: String,
    /// Seconds until then, where time alone brings it about.
    pub in_s: Option<f64>,
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
