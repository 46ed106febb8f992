//! Which routes a table needs for the classes that are in it.
//!
//! Aggregated routes of different classes nest: the longest match tells them apart. When a class is left out of a
//! table (left to the main table, or without a backup), a shorter route of another class would swallow its addresses.
//! Our tables hold no throw routes, so such a route is carved into the parts around what is left out.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use crate::domain::PrefixSet;

/// Stands for space that is set aside: no class is at this position.
const NOBODY: u32 = u32::MAX;

/// The aggregated routes of all classes, each with the position of its class.
#[derive(Debug, Clone, Default)]
pub(super) struct Territories {
    /// Sorted: a prefix before those inside it.
    routes: Vec<(IpNet, usize)>,
    /// Position of the route directly around each.
    parents: Vec<Option<usize>>,
}

impl Territories {
    /// Aggregates the prefixes of the classes.
    pub fn new<'a>(classes: impl Iterator<Item = &'a [IpNet]>) -> Self {
        let entries: Vec<(IpNet, u32)> = (0_u32..)
            .zip(classes)
            .flat_map(|(position, prefixes)| prefixes.iter().map(move |prefix| (prefix.trunc(), position)))
            .collect();
        Self::of(&entries)
    }

    /// The same without the space of `set_aside`, whatever lies inside or around it.
    pub fn without(&self, set_aside: &[IpNet]) -> Self {
        let gone: PrefixSet = set_aside.iter().copied().collect();
        let left = self.routes.iter().filter(|(prefix, _)| !gone.covers(*prefix));
        let mut entries: Vec<(IpNet, u32)> =
            left.map(|(prefix, position)| (*prefix, u32::try_from(*position).unwrap_or(NOBODY))).collect();
        let standing: PrefixSet = entries.iter().map(|(prefix, _)| *prefix).collect();
        entries.extend(set_aside.iter().filter(|prefix| standing.touches(**prefix)).map(|prefix| (*prefix, NOBODY)));
        Self::of(&entries)
    }

    fn of(entries: &[(IpNet, u32)]) -> Self {
        let mut routes: Vec<(IpNet, usize)> =
            super::aggregate(entries).into_iter().map(|(prefix, position)| (prefix, position as usize)).collect();
        routes.sort_unstable();
        Self { parents: parents(&routes), routes }
    }

    /// The routes of each class in `placed`, sorted, exact when these classes alone are in a table.
    pub fn routes(&self, placed: &BTreeSet<usize>) -> BTreeMap<usize, Vec<IpNet>> {
        let mut result: BTreeMap<usize, Vec<IpNet>> = BTreeMap::new();
        for ((prefix, class), cuts) in self.routes.iter().zip(self.cuts(placed)) {
            if !placed.contains(class) {
                continue;
            }
            let routes = result.entry(*class).or_default();
            if cuts.is_empty() {
                routes.push(*prefix);
            } else {
                routes.extend(carve(*prefix, &cuts).into_iter().filter(|part| self.is_free(part, prefix)));
            }
        }
        for routes in result.values_mut() {
            routes.sort_unstable();
        }
        result
    }

    /// What must be cut out of each route: the routes directly inside it that do not stand in the table as they are,
    /// because their class is left out or because they are cut themselves.
    fn cuts(&self, placed: &BTreeSet<usize>) -> Vec<Vec<IpNet>> {
        let mut cuts: Vec<Vec<IpNet>> = vec![Vec::new(); self.routes.len()];
        for (position, ((prefix, class), parent)) in self.routes.iter().zip(&self.parents).enumerate().rev() {
            let stands = placed.contains(class) && cuts.get(position).is_none_or(Vec::is_empty);
            if let (false, Some(around)) = (stands, parent.and_then(|parent| cuts.get_mut(parent))) {
                around.push(*prefix);
            }
        }
        cuts
    }

    /// Whether a part of `whole` is not itself the route of a class.
    fn is_free(&self, part: &IpNet, whole: &IpNet) -> bool {
        part == whole || self.routes.binary_search_by_key(part, |(prefix, _)| *prefix).is_err()
    }
}

/// The fewest prefixes that hold exactly what longest match gives to `prefixes` and not to `others`; where both hold
/// the same prefix it is of `prefixes`.
pub fn space_of(prefixes: &[IpNet], others: &[IpNet]) -> Vec<IpNet> {
    let territories = Territories::new([prefixes, others].into_iter());
    territories.routes(&BTreeSet::from([0])).remove(&0).unwrap_or_default()
}

/// Position of the route directly around each of `routes`, which are sorted.
fn parents(routes: &[(IpNet, usize)]) -> Vec<Option<usize>> {
    let mut around: Vec<(IpNet, usize)> = Vec::new();
    let mut parents = Vec::with_capacity(routes.len());
    for (position, (prefix, _)) in routes.iter().enumerate() {
        while around.last().is_some_and(|(outer, _)| !outer.contains(prefix)) {
            around.pop();
        }
        parents.push(around.last().map(|(_, parent)| *parent));
        around.push((*prefix, position));
    }
    parents
}

/// The fewest prefixes that cover `whole` without `cuts`, which are inside it.
fn carve(whole: IpNet, cuts: &[IpNet]) -> Vec<IpNet> {
    if cuts.is_empty() {
        return vec![whole];
    }
    if cuts.contains(&whole) {
        return Vec::new();
    }
    let Ok(halves) = whole.subnets(whole.prefix_len() + 1) else { return Vec::new() };
    halves
        .flat_map(|half| {
            let inside: Vec<IpNet> = cuts.iter().filter(|cut| half.contains(*cut)).copied().collect();
            carve(half, &inside)
        })
        .collect()
}
