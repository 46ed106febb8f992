//! What the kernel holds, in the words of placements.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use crate::domain::{ClassId, UplinkId, ZoneId};

use super::{Fib, Layout, NextHopId, Side, Via, layout::Plot};

/// Of each class the uplinks that are in charge, and the backup.
pub type Holdings = BTreeMap<ClassId, (BTreeSet<UplinkId>, Option<UplinkId>)>;

impl Layout {
    /// Which uplinks the kernel holds each class on: (primary, backup), by the groups and routes in `observed`. A class
    /// counts as held only when all of its routes are there. Every class of the layout is in the answer.
    pub fn held(&self, observed: &Fib) -> Holdings {
        self.holdings(observed, |present, expected| expected.iter().all(|route| present.contains(route)))
    }

    /// As [`Layout::held`], but a class counts as soon as one of its routes is there: what a starting agent goes on
    /// from, so that a catalogue that changed meanwhile does not move what the old one steered.
    pub fn adoptable(&self, observed: &Fib) -> Holdings {
        self.holdings(observed, |present, _| !present.is_empty())
    }

    /// Class and uplinks of each group that routes of the primary table may refer to.
    pub fn primaries(&self, observed: &Fib) -> BTreeMap<NextHopId, (ClassId, BTreeSet<UplinkId>)> {
        let on = |plot: &Plot| self.members(observed, plot.primary);
        let held = self.plots.iter().map(|plot| (plot.primary, (plot.id.clone(), on(plot))));
        held.filter(|(_, (_, uplinks))| !uplinks.is_empty()).collect()
    }

    fn holdings(&self, observed: &Fib, holds: impl Fn(&BTreeSet<IpNet>, &[IpNet]) -> bool) -> Holdings {
        let [primary, backup] = [Side::Primary, Side::Backup].map(|side| {
            let of_zone = |zone| self.holders(observed, zone, side, &holds);
            self.zones().flat_map(of_zone).collect::<BTreeMap<usize, BTreeSet<UplinkId>>>()
        });
        (self.plots.iter().enumerate())
            .map(|(position, plot)| {
                let on =
                    |side: &BTreeMap<usize, BTreeSet<UplinkId>>| side.get(&position).cloned().unwrap_or_default();
                let held = (on(&primary), on(&backup).first().copied());
                (plot.id.clone(), held)
            })
            .collect()
    }

    /// The uplinks of each class that a table of its zone holds.
    fn holders(
        &self,
        observed: &Fib,
        zone: Option<ZoneId>,
        side: Side,
        holds: impl Fn(&BTreeSet<IpNet>, &[IpNet]) -> bool,
    ) -> BTreeMap<usize, BTreeSet<UplinkId>> {
        let by_group = routes_by_group(observed, self.table(zone, side));
        let present: BTreeMap<usize, &BTreeSet<IpNet>> = (self.plots.iter().enumerate())
            .filter(|(_, plot)| plot.zone == zone)
            .filter_map(|(position, plot)| Some((position, by_group.get(&plot.group(side))?)))
            .collect();
        let expected = self.routes_of(zone, &present.keys().copied().collect());
        present
            .into_iter()
            .filter(|(position, routes)| expected.get(position).is_some_and(|expected| holds(routes, expected)))
            .filter_map(|(position, _)| {
                Some((position, self.members(observed, self.plots.get(position)?.group(side))))
            })
            .filter(|(_, uplinks)| !uplinks.is_empty())
            .collect()
    }

    /// The uplinks in a group.
    fn members(&self, observed: &Fib, group: NextHopId) -> BTreeSet<UplinkId> {
        let members = observed.groups.get(&group).into_iter().flat_map(|group| group.members.keys());
        members.filter_map(|next_hop| self.owner(*next_hop)).collect()
    }

    /// The uplink of a next-hop object.
    fn owner(&self, id: NextHopId) -> Option<UplinkId> {
        let mut of_uplinks = self.next_hops.iter().chain(&self.twins);
        of_uplinks.find(|(_, own)| **own == id).map(|((uplink, _), _)| *uplink)
    }
}

fn routes_by_group(observed: &Fib, table: u32) -> BTreeMap<NextHopId, BTreeSet<IpNet>> {
    let mut routes: BTreeMap<NextHopId, BTreeSet<IpNet>> = BTreeMap::new();
    for (prefix, via) in observed.in_table(table) {
        if let Via::Group(group) = via {
            routes.entry(group).or_default().insert(prefix);
        }
    }
    routes
}
