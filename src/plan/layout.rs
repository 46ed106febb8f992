//! Classes with their routes and the ids of their objects.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use crate::{
    config::Kernel,
    domain::{Class, ClassId, Family, UplinkId},
};

use super::{
    NextHopId,
    ids::{IdRange, Kind},
    territory::Territories,
};

/// One class as it is laid out.
#[derive(Debug, Clone)]
pub(super) struct Plot {
    pub id: ClassId,
    pub family: Family,
    /// Group of its routes in the primary table.
    pub primary: NextHopId,
    /// Group of its routes in the backup table.
    pub backup: NextHopId,
    /// Its routes when every class is placed.
    pub routes: Vec<IpNet>,
}

/// The numbers of ours that the kernel knows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Numbers {
    pub table: u32,
    pub backup_table: u32,
    pub probe_table: u32,
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
    pub(super) territories: Territories,
    /// Next-hop object of each uplink and family.
    pub(super) next_hops: BTreeMap<(UplinkId, Family), NextHopId>,
    positions: BTreeMap<ClassId, usize>,
}

impl Layout {
    /// Aggregates exactly and assigns ids: stable across restarts and catalogue updates, because they follow from the
    /// names of classes and uplinks and not from their positions.
    ///
    /// A class is left out when our range of ids is full (more than 8,000 classes of a family).
    pub fn new(kernel: &Kernel, classes: &[Class], uplink_names: &[String]) -> Self {
        let mut range = IdRange::new(kernel.nexthop_base);
        let next_hops = uplink_ids(&mut range, uplink_names);
        let mut sorted: Vec<&Class> = classes.iter().collect();
        sorted.sort_by(|one, other| one.id.cmp(&other.id));
        let named: Vec<(&Class, NextHopId, NextHopId)> = (sorted.into_iter())
            .filter_map(|class| {
                let primary = range.give(Kind::Group, class.family, &format!("{}/primary", class.id))?;
                let backup = range.give(Kind::Group, class.family, &format!("{}/backup", class.id))?;
                Some((class, primary, backup))
            })
            .collect();
        let territories = Territories::new(named.iter().map(|(class, ..)| class.prefixes.as_slice()));
        let mut routes = territories.routes(&everyone(named.len()));
        let plots: Vec<Plot> = (named.into_iter().enumerate())
            .map(|(position, (class, primary, backup))| Plot {
                id: class.id.clone(),
                family: class.family,
                primary,
                backup,
                routes: routes.remove(&position).unwrap_or_default(),
            })
            .collect();
        let positions = plots.iter().enumerate().map(|(position, plot)| (plot.id.clone(), position)).collect();
        Self { numbers: Numbers::from(kernel), plots, territories, next_hops, positions }
    }

    /// The same without some space that belongs to none of the classes: it is left out of both tables, and routes around
    /// it are carved. Ids stay.
    #[must_use]
    pub fn without(&self, set_aside: &[IpNet]) -> Self {
        let territories = self.territories.without(set_aside);
        let mut routes = territories.routes(&everyone(self.plots.len()));
        let plots = (self.plots.iter().enumerate())
            .map(|(position, plot)| Plot { routes: routes.remove(&position).unwrap_or_default(), ..plot.clone() })
            .collect();
        Self { plots, territories, ..self.clone() }
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

    /// The routes of each class when those in `placed` alone are in a table.
    pub(super) fn routes_of(&self, placed: &BTreeSet<usize>) -> BTreeMap<usize, Vec<IpNet>> {
        if placed.len() == self.plots.len() {
            return self.plots.iter().map(|plot| plot.routes.clone()).enumerate().collect();
        }
        self.territories.routes(placed)
    }
}

/// All positions below `count`.
fn everyone(count: usize) -> BTreeSet<usize> {
    (0..count).collect()
}

fn uplink_ids(range: &mut IdRange, names: &[String]) -> BTreeMap<(UplinkId, Family), NextHopId> {
    let mut sorted: Vec<(&String, UplinkId)> =
        names.iter().zip(0_u16..).map(|(name, position)| (name, UplinkId(position))).collect();
    sorted.sort();
    let mut ids = BTreeMap::new();
    for (name, uplink) in sorted {
        for family in Family::BOTH {
            if let Some(id) = range.give(Kind::NextHop, family, name) {
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
            rule_preference: kernel.rule_preference,
            backup_rule_preference: kernel.backup_rule_preference,
            probe_rule_preference: kernel.probe_rule_preference,
        }
    }
}
