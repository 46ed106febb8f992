//! Which routes a table needs for the classes that are in it.
//!
//! Aggregated routes of different classes nest: the longest match tells them apart. When a class is left out of a
//! table (left to the main table, or without a backup), a shorter route of another class would swallow its addresses.
//! Our tables hold no throw routes, so such a route is carved into the parts around what is left out.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

/// The aggregated routes of all classes, each with the position of its class.
#[derive(Debug, Clone, Default)]
pub(super) struct Territories {
    /// Sorted: a prefix before those inside it.
    routes: Vec<(IpNet, usize)>,
}

impl Territories {
    /// Aggregates the prefixes of the classes.
    pub fn new<'a>(classes: impl Iterator<Item = &'a [IpNet]>) -> Self {
        let entries: Vec<(IpNet, u32)> = (0_u32..)
            .zip(classes)
            .flat_map(|(position, prefixes)| prefixes.iter().map(move |prefix| (prefix.trunc(), position)))
            .collect();
        let mut routes: Vec<(IpNet, usize)> =
            super::aggregate(&entries).into_iter().map(|(prefix, position)| (prefix, position as usize)).collect();
        routes.sort_unstable();
        Self { routes }
    }

    /// The routes of each class in `placed`, sorted, exact when these classes alone are in a table.
    pub fn routes(&self, placed: &BTreeSet<usize>) -> BTreeMap<usize, Vec<IpNet>> {
        let mut result: BTreeMap<usize, Vec<IpNet>> = BTreeMap::new();
        for (prefix, class, holes) in self.with_holes(placed) {
            let routes = result.entry(class).or_default();
            if holes.is_empty() {
                routes.push(prefix);
            } else {
                let parts = carve(prefix, &holes);
                routes.extend(parts.into_iter().filter(|part| self.is_free(part, &prefix)));
            }
        }
        for routes in result.values_mut() {
            routes.sort_unstable();
        }
        result
    }

    /// Every route of a placed class, with the routes of left-out classes directly inside it.
    fn with_holes(&self, placed: &BTreeSet<usize>) -> Vec<(IpNet, usize, Vec<IpNet>)> {
        let mut found: Vec<(IpNet, usize, Vec<IpNet>)> = Vec::new();
        // Prefixes around the present one, outermost first, with the position in `found` if their class is placed.
        let mut around: Vec<(IpNet, Option<usize>)> = Vec::new();
        for &(prefix, class) in &self.routes {
            while around.last().is_some_and(|(outer, _)| !outer.contains(&prefix)) {
                around.pop();
            }
            if placed.contains(&class) {
                around.push((prefix, Some(found.len())));
                found.push((prefix, class, Vec::new()));
            } else {
                let direct = around.last().and_then(|(_, position)| *position);
                if let Some((_, _, holes)) = direct.and_then(|position| found.get_mut(position)) {
                    holes.push(prefix);
                }
                around.push((prefix, None));
            }
        }
        found
    }

    /// Whether a part of `whole` is not itself the route of a class.
    fn is_free(&self, part: &IpNet, whole: &IpNet) -> bool {
        part == whole || self.routes.binary_search_by_key(part, |(prefix, _)| *prefix).is_err()
    }
}

/// The fewest prefixes that cover `whole` without `holes`, which are inside it.
fn carve(whole: IpNet, holes: &[IpNet]) -> Vec<IpNet> {
    if holes.is_empty() {
        return vec![whole];
    }
    if holes.contains(&whole) {
        return Vec::new();
    }
    let Ok(halves) = whole.subnets(whole.prefix_len() + 1) else { return Vec::new() };
    halves
        .flat_map(|half| {
            let inside: Vec<IpNet> = holes.iter().filter(|hole| half.contains(*hole)).copied().collect();
            carve(half, &inside)
        })
        .collect()
}
