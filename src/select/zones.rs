//! Zones: which IPv6 sources may leave by which uplinks.
//!
//! Without address translation a client's packet carries an address of one ISP, and another ISP drops it (BCP 38,
//! RFC 2827). Sources that the same uplinks let through are a zone: its classes are decided among those uplinks alone.
//! Every other source is in no zone, and is decided among the uplinks that let all sources through.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::{IpNet, Ipv6Net};

use crate::{
    config::{Ipv6Source, Uplink},
    domain::{Family, RouterState, UplinkId, ZoneId},
};

/// Zones that are told apart: each has two tables, and there are 128 of those.
const MOST_ZONES: u16 = 64;

/// Prefixes of a zone that a router may have learned at a time.
const MOST_LEARNED: usize = 16;

/// IPv6 sources that the same uplinks let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Number.
    pub id: ZoneId,
    /// Names of the uplinks that are for these sources: `wan0`, `wan0+wan1`.
    pub name: String,
    uplinks: BTreeSet<UplinkId>,
    /// As configured; none where they are learned.
    prefixes: Vec<Ipv6Net>,
    /// Interface by whose default routes they are learned.
    learned_by: Option<String>,
}

/// All zones of a configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zones {
    list: Vec<Zone>,
    /// Uplinks that do not let all sources through.
    selective: BTreeSet<UplinkId>,
}

impl Zones {
    /// The zones of the uplinks, which are by position.
    pub fn resolve(uplinks: &[Uplink]) -> Self {
        let numbered = || (0_u16..).map(UplinkId).zip(uplinks).filter(|(_, uplink)| uplink.carries(Family::Ipv6));
        let mut lists: Vec<(UplinkId, &Uplink, &[Ipv6Net])> = Vec::new();
        let mut drafts: BTreeMap<Vec<&str>, Zone> = BTreeMap::new();
        for (id, uplink) in numbered() {
            match &uplink.ipv6_source {
                Ipv6Source::Any => {}
                Ipv6Source::Prefixes(prefixes) => lists.push((id, uplink, prefixes)),
                Ipv6Source::Auto => {
                    let learned_by = Some(uplink.interface.clone());
                    drafts.insert(vec![&uplink.name], Zone { learned_by, ..Zone::of([id].into()) });
                }
            }
        }
        let prefixes: BTreeSet<Ipv6Net> = lists.iter().flat_map(|(.., own)| own.iter().copied()).collect();
        for prefix in prefixes {
            let letting = || lists.iter().filter(|(.., own)| own.iter().any(|own| own.contains(&prefix)));
            let names = letting().map(|(_, uplink, _)| uplink.name.as_str()).collect();
            let zone = drafts.entry(names).or_insert_with(|| Zone::of(letting().map(|(id, ..)| *id).collect()));
            zone.prefixes.push(prefix);
        }
        let mut slots = Slots::default();
        let list = drafts.into_iter().filter_map(|(names, zone)| {
            let name = names.join("+");
            Some(Zone { id: slots.give(&name)?, name, ..zone })
        });
        let list: Vec<Zone> = list.collect();
        let selective = numbered().filter(|(_, uplink)| uplink.ipv6_source != Ipv6Source::Any).map(|(id, _)| id);
        Self { list, selective: selective.collect() }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Zone> {
        self.list.iter()
    }

    /// Whether an uplink may carry IPv6 packets from a zone, or from outside all of them.
    pub fn admits(&self, zone: Option<ZoneId>, uplink: UplinkId) -> bool {
        let of_zone = zone.and_then(|id| self.list.iter().find(|zone| zone.id == id));
        !self.selective.contains(&uplink) || of_zone.is_some_and(|zone| zone.uplinks.contains(&uplink))
    }

    /// The prefixes of each zone at the moment; zones of which none is known are left out.
    pub fn prefixes(&self, router: &RouterState) -> BTreeMap<ZoneId, Vec<Ipv6Net>> {
        let mut seen = BTreeSet::new();
        let known = self.list.iter().map(|zone| {
            let mut prefixes = zone.prefixes_now(router);
            // What two uplinks have learned, or one has learned and another lists, is the first one's.
            prefixes.retain(|prefix| seen.insert(*prefix));
            (zone.id, prefixes)
        });
        known.filter(|(_, prefixes)| !prefixes.is_empty()).collect()
    }
}

/// Numbers that follow from names: the same after a restart with other zones beside them, because their tables do too.
#[derive(Debug, Default)]
struct Slots {
    given: BTreeSet<u16>,
}

impl Slots {
    /// The number of a name: its hash (FNV-1a), or the next free one; none when all are given.
    fn give(&mut self, name: &str) -> Option<ZoneId> {
        let hash =
            name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let first = u16::try_from(hash % u32::from(MOST_ZONES)).ok()?;
        let number =
            (0..MOST_ZONES).map(|step| (first + step) % MOST_ZONES).find(|slot| !self.given.contains(slot))?;
        self.given.insert(number);
        Some(ZoneId(number))
    }
}

impl Zone {
    fn of(uplinks: BTreeSet<UplinkId>) -> Self {
        Self { id: ZoneId(0), name: String::new(), uplinks, prefixes: Vec::new(), learned_by: None }
    }

    fn prefixes_now(&self, router: &RouterState) -> Vec<Ipv6Net> {
        let Some(interface) = &self.learned_by else { return self.prefixes.clone() };
        let Some(link) = router.link_named(interface) else { return Vec::new() };
        let by_it = router.defaults.iter().filter(|route| route.index == link.index);
        let learned: BTreeSet<Ipv6Net> = by_it
            .filter_map(|route| match route.source {
                Some(IpNet::V6(net)) if net.prefix_len() < 128 => Some(net.trunc()),
                _ => None,
            })
            .collect();
        learned.into_iter().take(MOST_LEARNED).collect()
    }
}

/// The zone that an address is in: the one with the longest prefix around it.
pub fn zone_of(prefixes: &BTreeMap<ZoneId, Vec<Ipv6Net>>, source: IpAddr) -> Option<ZoneId> {
    let IpAddr::V6(source) = source else { return None };
    let all = prefixes.iter().flat_map(|(zone, prefixes)| prefixes.iter().map(move |prefix| (prefix, *zone)));
    all.filter(|(prefix, _)| prefix.contains(&source)).max_by_key(|(prefix, _)| prefix.prefix_len()).map(|(_, id)| id)
}
