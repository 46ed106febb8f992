//! The validated configuration: what the rest of the agent may rely on without checking again.

mod destinations;
mod isps;
mod kernel;
mod policy;
mod probe;
mod report;

use std::{path::PathBuf, sync::Arc};

pub use destinations::{Destinations, Microsoft365, Microsoft365Source, ServiceTags, StaticList};
pub use isps::{Ipv6Source, Isp, NextHopSpec, Uplink};
pub use kernel::{Kernel, Mode, MovedFlows, OnStop};
pub use policy::{
    DayWindow, Fallback, Margin, Match, Order, Percentile, Place, Policy, RegionMatch, Rule, Sla, Strategy, Treatment,
};
pub use probe::{Probe, Profile, TrustSource};
pub use report::{Endpoint, Report};

use crate::{
    domain::{IspId, UplinkId},
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

/// `[recording]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// File that samples are written to; the one before it has `.1` at the end of its name.
    pub file: PathBuf,
    /// Bound of each of the two, in bytes.
    pub max_bytes: u64,
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

    /// The uplink of that name.
    pub fn uplink_named(&self, name: &str) -> Option<UplinkId> {
        self.uplink_ids().find(|id| self.uplink(*id).name == name)
    }

    /// The uplinks of a name as [`Config::names_of`] makes it; those that there are.
    pub fn uplinks_named(&self, names: &str) -> Vec<UplinkId> {
        match self.uplink_named(names) {
            Some(whole) => vec![whole],
            None => names.split('+').filter_map(|name| self.uplink_named(name)).collect(),
        }
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
