//! Classes with their routes and the ids of their objects.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ipnet::{IpNet, Ipv6Net};

use crate::{
    config::Kernel,
    domain::{Class, ClassId, Family, UplinkId, ZoneId},
};

use super::{
    Hashing, NextHopId, Selector,
    ids::{IdRange, Kind},
    territory::Territories,
};

/// One class as it is laid out.
#[derive(Debug, Clone)]
pub(super) struct Plot {
    pub id: ClassId,
    pub family: Family,
    pub zone: Option<ZoneId>,
    /// Whether several uplinks may be in charge of it.
    pub balanced: bool,
    /// Group of its routes in the primary table.
    pub primary: NextHopId,
    /// Group of its routes in the backup table.
    pub backup: NextHopId,
    /// Its routes when every class is placed.
    pub routes: Arc<[IpNet]>,
}

impl Plot {
    /// Group of its routes on one side.
    pub fn group(&self, side: Side) -> NextHopId {
        match side {
            Side::Primary => self.primary,
            Side::Backup => self.backup,
        }
    }
}

/// Levels of source prefixes inside one another that are told apart; there are two preferences for each.
const NESTED_ZONES: u32 = 4;

/// Which of a zone's two tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Of the paths in charge.
    Primary,
    /// Of the standing backups.
    Backup,
}

/// The numbers of ours that the kernel knows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Numbers {
    pub table: u32,
    pub backup_table: u32,
    pub probe_table: u32,
    pub source_table: u32,
    pub rule_preference: u32,
    pub backup_rule_preference: u32,
    pub probe_rule_preference: u32,
}

/// Classes with their routes after exact aggregation, and the ids of their groups; made once per catalogue.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    pub(super) numbers: Numbers,
    /// By position, as [`Territories`] counts them.
    pub(super) plots: Vec<Plot>,
    /// Of each zone, and of all classes that are of none.
    pub(super) territories: BTreeMap<Option<ZoneId>, Arc<Territories>>,
    /// Prefixes of each zone, as far as they are known.
    pub(super) sources: BTreeMap<ZoneId, Vec<Ipv6Net>>,
    /// Next-hop object of each uplink and family.
    pub(super) next_hops: BTreeMap<(UplinkId, Family), NextHopId>,
    /// A second one of each, for balanced classes that one uplink alone carries.
    pub(super) twins: BTreeMap<(UplinkId, Family), NextHopId>,
    positions: BTreeMap<ClassId, usize>,
    /// The kernel has no resilient groups.
    rigid: bool,
}

impl Layout {
    /// For a kernel without resilient groups: balanced classes have ordinary ones, and flows move when members do.
    #[must_use]
    pub fn without_resilience(self) -> Self {
        Self { rigid: true, ..self }
    }

    /// How the group of one side of a class shares packets out.
    pub(super) fn hashing(&self, plot: &Plot, side: Side) -> Hashing {
        let resilient = plot.balanced && side == Side::Primary && !self.rigid;
        if resilient { Hashing::Resilient } else { Hashing::Threshold }
    }

    /// Aggregates exactly and assigns ids: stable across restarts and catalogue updates, because they follow from the
    /// names of classes and uplinks and not from their positions.
    ///
    /// Classes in `balanced` may be on several uplinks at once; the id of such a class's primary group is another one, since
    /// the kernel refuses to replace a group by one that shares packets out in another way.
    ///
    /// A class is left out when our range of ids is full (more than 8,000 classes of a family).
    pub fn new<'a>(
        kernel: &Kernel,
        classes: &'a [Class],
        uplink_names: &[String],
        balanced: &BTreeSet<ClassId>,
    ) -> Self {
        let mut range = IdRange::new(kernel.nexthop_base);
        let next_hops = uplink_ids(&mut range, uplink_names, "");
        let named = named(&mut range, classes, balanced);
        // After all others, so that these do not move.
        let twins = uplink_ids(&mut range, uplink_names, "/twin");
        let zones: BTreeSet<Option<ZoneId>> = named.iter().map(|(_, plot)| plot.zone).collect();
        let of = |zone, class: &'a Class| if class.zone == zone { &*class.prefixes } else { &[] };
        let territories = (zones.into_iter())
            .map(|zone| (zone, Arc::new(Territories::new(named.iter().map(|(class, _)| of(zone, class))))))
            .collect();
        let plots: Vec<Plot> = named.into_iter().map(|(_, plot)| plot).collect();
        let positions = plots.iter().enumerate().map(|(position, plot)| (plot.id.clone(), position)).collect();
        let sources = BTreeMap::new();
        let numbers = Numbers::from(kernel);
        Self { numbers, plots, territories, sources, next_hops, twins, positions, rigid: false }.with_routes()
    }

    /// Names the prefixes of each zone. The routes of a zone without any are left out, because no packet could come to
    /// them.
    pub fn set_sources(&mut self, sources: BTreeMap<ZoneId, Vec<Ipv6Net>>) {
        self.sources = sources;
    }

    /// The same without some space that belongs to none of the classes: it is left out of both tables, and routes around
    /// it are carved. Ids stay.
    #[must_use]
    pub fn without(&self, set_aside: &[IpNet]) -> Self {
        if set_aside.is_empty() {
            return self.clone();
        }
        let without =
            |(zone, of_zone): (&Option<ZoneId>, &Arc<Territories>)| (*zone, Arc::new(of_zone.without(set_aside)));
        let territories = self.territories.iter().map(without).collect();
        Self { territories, ..self.clone() }.with_routes()
    }

    /// Gives every class its routes when every class is placed.
    fn with_routes(mut self) -> Self {
        let everyone: BTreeSet<usize> = (0..self.plots.len()).collect();
        let mut routes: BTreeMap<usize, Vec<IpNet>> =
            self.territories.values().flat_map(|of_zone| of_zone.routes(&everyone)).collect();
        for (position, plot) in self.plots.iter_mut().enumerate() {
            plot.routes = routes.remove(&position).unwrap_or_default().into();
        }
        self
    }

    /// The table of a zone's primary or backup paths.
    pub(super) fn table(&self, zone: Option<ZoneId>, side: Side) -> u32 {
        let numbers = self.numbers;
        match (zone, side) {
            (None, Side::Primary) => numbers.table,
            (None, Side::Backup) => numbers.backup_table,
            (Some(zone), Side::Primary) => zone_table(numbers, zone),
            (Some(zone), Side::Backup) => zone_table(numbers, zone) + 1,
        }
    }

    /// What leads forwarded packets to the tables of a zone, each with its preference. Zones come before the others: what
    /// they have no way for is for these. A prefix inside that of another zone comes before it, down to
    /// [`NESTED_ZONES`] levels. What the router itself sends from such a source goes there too: any other way would be
    /// closed to it.
    pub(super) fn selectors(&self, zone: Option<ZoneId>, side: Side) -> Vec<(Selector, u32)> {
        let numbers = self.numbers;
        let Some(zone) = zone else {
            let preference =
                if side == Side::Primary { numbers.rule_preference } else { numbers.backup_rule_preference };
            return vec![(Selector::Forwarded, preference)];
        };
        let own = self.sources.get(&zone).into_iter().flatten();
        own.map(|prefix| {
            let around = self.sources.values().flatten().filter(|other| *other != prefix && other.contains(prefix));
            let level = u32::try_from(around.count()).unwrap_or(u32::MAX).min(NESTED_ZONES - 1);
            let first = numbers.rule_preference.saturating_sub(2 * (level + 1));
            (Selector::From(IpNet::V6(*prefix)), if side == Side::Primary { first } else { first + 1 })
        })
        .collect()
    }

    /// All zones, and none.
    pub(super) fn zones(&self) -> impl Iterator<Item = Option<ZoneId>> {
        self.territories.keys().copied()
    }

    /// The tables of one side, of all zones.
    pub fn tables(&self, side: Side) -> BTreeSet<u32> {
        self.zones().map(|zone| self.table(zone, side)).collect()
    }

    /// Routes of a class after exact aggregation, nested prefixes of other classes resolved by longest match.
    pub fn routes(&self, class: &ClassId) -> &[IpNet] {
        self.plot(class).map_or(&[], |(_, plot)| &plot.routes)
    }

    /// The plot of a class, with its position.
    pub(super) fn plot(&self, class: &ClassId) -> Option<(usize, &Plot)> {
        let position = *self.positions.get(class)?;
        self.plots.get(position).map(|plot| (position, plot))
    }

    /// The routes of each class of a zone when those in `placed` alone are in a table.
    pub(super) fn routes_of(&self, zone: Option<ZoneId>, placed: &BTreeSet<usize>) -> BTreeMap<usize, Vec<IpNet>> {
        let of_zone = self.plots.iter().enumerate().filter(|(_, plot)| plot.zone == zone);
        if of_zone.clone().all(|(position, _)| placed.contains(&position)) {
            return of_zone.map(|(position, plot)| (position, plot.routes.to_vec())).collect();
        }
        self.territories.get(&zone).map(|of_zone| of_zone.routes(placed)).unwrap_or_default()
    }
}

fn zone_table(numbers: Numbers, zone: ZoneId) -> u32 {
    numbers.source_table.saturating_add(2 * u32::from(zone.0))
}

/// Each class with its groups, without routes yet.
fn named<'a>(range: &mut IdRange, classes: &'a [Class], balanced: &BTreeSet<ClassId>) -> Vec<(&'a Class, Plot)> {
    let mut sorted: Vec<&'a Class> = classes.iter().collect();
    // Those of no zone first: what a zone adds must not move the ids of what was there.
    sorted.sort_by(|one, other| (one.zone.is_some(), &one.id).cmp(&(other.zone.is_some(), &other.id)));
    let plot = |class: &'a Class| {
        let (id, family, zone) = (class.id.clone(), class.family, class.zone);
        let balanced = balanced.contains(&id);
        let mut group = |side: &str| range.give(Kind::Group, family, &format!("{id}/{side}"));
        let primary = group(if balanced { "balanced" } else { "primary" })?;
        let backup = group("backup")?;
        Some((class, Plot { id, family, zone, balanced, primary, backup, routes: Arc::from([]) }))
    };
    sorted.into_iter().filter_map(plot).collect()
}

fn uplink_ids(range: &mut IdRange, names: &[String], use_of: &str) -> BTreeMap<(UplinkId, Family), NextHopId> {
    let mut sorted: Vec<(&String, UplinkId)> =
        names.iter().zip(0_u16..).map(|(name, position)| (name, UplinkId(position))).collect();
    sorted.sort();
    let mut ids = BTreeMap::new();
    for (name, uplink) in sorted {
        for family in Family::BOTH {
            if let Some(id) = range.give(Kind::NextHop, family, &format!("{name}{use_of}")) {
                ids.insert((uplink, family), id);
            }
        }
    }
    ids
}

impl From<&Kernel> for Numbers {
    fn from(kernel: &Kernel) -> Self {
        Self {
            table: kernel.table,
            backup_table: kernel.backup_table,
            probe_table: kernel.probe_table,
            source_table: kernel.source_table,
            rule_preference: kernel.rule_preference,
            backup_rule_preference: kernel.backup_rule_preference,
            probe_rule_preference: kernel.probe_rule_preference,
        }
    }
}
