//! What the agent would write for a whole catalogue: every class on one ISP, with the other as its standing backup.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
};

use peerward::{
    catalogue::Catalogue,
    config::{Destinations, Kernel, Microsoft365, Microsoft365Source, ServiceTags},
    domain::{Family, IfIndex, NextHop, Share, UplinkAttachment, UplinkId},
    plan::{Fib, Layout, Placement},
};

use super::{data, site::UPLINKS, wire::Way};
use crate::LabError;

/// What the name of a region's tag begins with.
const REGION: &str = "AzureCloud.";

/// Which service tags have a class of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Steered {
    /// The 69 regions, and `AzureCloud` for what no region lists: together they hold the space of all but 321 of the
    /// 50,625 prefixes. What a router would be told.
    ByRegion,
    /// Every tag, the regions first: nested prefixes of services become routes of their own. The worst case.
    EveryTag,
}

impl Steered {
    /// Names of these tags.
    pub(super) fn tags(self) -> Result<Vec<String>, LabError> {
        let names = data::tag_names()?;
        let is_region = |name: &String| name.starts_with(REGION);
        let mut tags: Vec<String> = names.iter().filter(|name| is_region(name)).cloned().collect();
        match self {
            Self::ByRegion => tags.push("AzureCloud".to_owned()),
            Self::EveryTag => tags.extend(names.into_iter().filter(|name| !is_region(name))),
        }
        Ok(tags)
    }

    pub(super) fn catalogue(self) -> Result<Catalogue, LabError> {
        let destinations = Destinations {
            microsoft365: Microsoft365 { source: Microsoft365Source::Off, services: vec![], categories: vec![] },
            service_tags: Some(ServiceTags { file: data::service_tags(), tags: self.tags()?, by_region: false }),
            static_lists: vec![],
        };
        let refused = |error| LabError::system("read the service tags", io::Error::other(error));
        Catalogue::load(&destinations).map_err(refused)
    }
}

impl fmt::Display for Steered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByRegion => "a class for each region",
            Self::EveryTag => "a class for each tag",
        })
    }
}

/// All classes on the first uplink, backed up by the second; `way` says where an uplink leads in each family.
pub(super) fn everything_on_first(catalogue: &Catalogue, way: impl Fn(u8, Family) -> Way) -> Fib {
    let names = UPLINKS.map(str::to_owned);
    let layout = Layout::new(&Kernel::default(), catalogue.classes(), &names, &BTreeSet::new());
    let mut attachments = BTreeMap::new();
    for uplink in [0_u8, 1] {
        for family in Family::BOTH {
            let Way { interface, gateway } = way(uplink, family);
            let next_hop = NextHop { index: IfIndex(interface), gateway: Some(gateway) };
            let attachment = UplinkAttachment { next_hop, source: None };
            attachments.insert((UplinkId(uplink.into()), family), attachment);
        }
    }
    let placements: Vec<Placement> = (catalogue.classes().iter())
        .map(|class| Placement {
            class: class.id.clone(),
            on: vec![Share { uplink: UplinkId(0), weight: 1 }],
            backup: Some(UplinkId(1)),
        })
        .collect();
    layout.desired(&placements, &attachments, &names)
}
