//! What a recording begins with: where it was made, and what its numbers stand for.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    catalogue::Catalogue,
    config::Config,
    domain::{BootTime, Category, Class, ClassId, Family, Target},
};

/// First line of a recording, and of each file and run in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the format.
    #[serde(rename = "peerward-recording")]
    pub version: u32,
    /// Version of the agent.
    pub agent: String,
    /// Name of the site.
    pub site: String,
    /// Market of the site.
    pub market: String,
    /// Minutes by which the site's time of day is ahead of UTC.
    pub utc_offset: i16,
    /// The kernel's name for this boot (`/proc/sys/kernel/random/boot_id`).
    pub boot: String,
    /// Start of the agent, milliseconds since boot.
    #[serde(rename = "start")]
    pub start_ms: u64,
    /// The same moment by the wall clock, milliseconds since 1970. May be wrong at boot; later `clock` lines correct it.
    #[serde(rename = "wall")]
    pub wall_ms: u64,
}

impl Header {
    /// Start of the agent.
    pub fn start(&self) -> BootTime {
        BootTime(Duration::from_millis(self.start_ms))
    }

    /// Whether the other one tells of the same run of the agent.
    pub fn same_run(&self, other: &Self) -> bool {
        (&self.boot, self.start_ms, &self.site) == (&other.boot, other.start_ms, &other.site)
    }
}

/// An uplink of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UplinkHead {
    /// Name.
    pub name: String,
    /// ISP of the uplink.
    pub isp: String,
}

/// A class of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassHead {
    /// Its id.
    pub id: ClassId,
    /// Family.
    pub family: Family,
    /// Service.
    pub service: String,
    /// Azure region, if it has one.
    pub region: Option<String>,
    /// Microsoft 365 category, if its destinations share one.
    pub category: Option<Category>,
    /// What was probed, as in the configuration; samples name targets by their position.
    pub targets: Vec<String>,
}

/// All that a recording begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// First line.
    pub header: Header,
    /// Uplinks, by number.
    pub uplinks: Vec<UplinkHead>,
    /// Classes, by number.
    pub classes: Vec<ClassHead>,
}

impl Head {
    /// That of an agent. `targets` tells what is probed for a class.
    pub fn new(
        header: Header,
        config: &Config,
        catalogue: &Catalogue,
        targets: impl Fn(&ClassId) -> Option<Arc<[Target]>>,
    ) -> Self {
        let uplinks = config
            .uplink_ids()
            .map(|id| UplinkHead { name: config.uplink(id).name.clone(), isp: config.isp_name_of(id).to_owned() });
        let classes = catalogue.classes().iter().map(|class| ClassHead {
            id: class.id.clone(),
            family: class.family,
            service: class.service.clone(),
            region: class.region.clone(),
            category: category(class, catalogue),
            targets: targets(&class.id).iter().flat_map(|all| all.iter()).map(ToString::to_string).collect(),
        });
        Self { uplinks: uplinks.collect(), classes: classes.collect(), header }
    }
}

/// The category that all prefixes of a class share.
fn category(class: &Class, catalogue: &Catalogue) -> Option<Category> {
    let of = |prefix: &ipnet::IpNet| catalogue.lookup(*prefix).and_then(|found| found.destination.category);
    let first = of(class.prefixes.first()?)?;
    class.prefixes.iter().all(|prefix| of(prefix) == Some(first)).then_some(first)
}
