//! What is shown of the routes: the living ways, flat. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    objects::{Objects, Resolved},
    routes::{Held, Key, ROUTES, Routes},
};
use crate::domain::{DefaultRoute, Family, IfIndex, Link, LocalRoute, NextHop, RouteKind};

/// What decides which ways live.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life<'a> {
    pub(super) links: &'a BTreeMap<IfIndex, Link>,
    /// All links were listed: nothing leaves by one that is not known. Before, any may well be up.
    pub(super) links_listed: bool,
    pub(super) objects: &'a Objects,
    pub(super) uplinks: &'a BTreeSet<IfIndex>,
}

impl Life<'_> {
    /// Default routes, best metric first within a family.
    pub(super) fn defaults(self, routes: &Routes) -> Vec<DefaultRoute> {
        let mut shown = Vec::new();
        for (key, held) in routes.defaults.iter().flat_map(|(key, rows)| rows.iter().map(move |held| (key, held))) {
            let (kind, ways) = self.living(held);
            if kind == RouteKind::Unicast {
                shown.extend(ways.into_iter().map(|way| default(key, way)));
            }
        }
        let order = |route: &DefaultRoute| {
            (route.family, route.metric, route.table, route.source, route.index, route.gateway)
        };
        shown.sort_unstable_by_key(order);
        shown.dedup();
        shown
    }

    /// Other routes, sorted, and how many of them found no room.
    pub(super) fn routes(self, routes: &Routes) -> (Vec<LocalRoute>, usize) {
        let (mut shown, mut omitted) = (Vec::new(), routes.omitted);
        for (key, held) in routes.others.iter().flat_map(|(key, rows)| rows.iter().map(move |held| (key, held))) {
            let (kind, ways) = self.standing(held);
            let route = |way| LocalRoute {
                destination: key.destination,
                table: key.table,
                metric: key.metric,
                source: key.source,
                kind,
                protocol: held.protocol,
                way,
            };
            let before = shown.len();
            if kind == RouteKind::Unicast {
                let shows = |way: &NextHop| held.wanted || self.uplinks.contains(&way.index);
                shown.extend(ways.into_iter().filter(shows).map(|way| route(Some(way))));
            } else {
                shown.push(route(None));
            }
            // A few routes by large groups are many ways.
            if shown.len() > ROUTES {
                shown.truncate(before);
                omitted += 1;
            }
        }
        shown.sort_unstable();
        shown.dedup();
        (shown, omitted)
    }

    /// Whether it leaves, or would leave with its link up, by an uplink.
    pub(super) fn is_by_uplink(self, held: &Held) -> bool {
        let (_, ways) = self.resolved(held);
        ways.iter().any(|way| self.uplinks.contains(&way.index))
    }

    fn living(self, held: &Held) -> (RouteKind, Vec<NextHop>) {
        let (kind, mut ways) = self.resolved(held);
        ways.retain(|way| self.links.get(&way.index).map_or(!self.links_listed, Link::is_usable));
        (kind, ways)
    }

    /// As the kernel goes on using it: a route of others by a link without carrier still attracts its packets, unless
    /// `ignore_routes_with_linkdown` is set, and what attracts packets into nowhere was meant to keep them from elsewhere.
    fn standing(self, held: &Held) -> (RouteKind, Vec<NextHop>) {
        let (kind, mut ways) = self.resolved(held);
        let stands = |way: &NextHop| match self.links.get(&way.index) {
            Some(link) if self.uplinks.contains(&way.index) => link.is_usable(),
            Some(link) => link.admin_up,
            None => !self.links_listed,
        };
        ways.retain(stands);
        (kind, ways)
    }

    fn resolved(self, held: &Held) -> (RouteKind, Vec<NextHop>) {
        match held.next_hop_id.and_then(|id| self.objects.resolve(id)) {
            Some(Resolved::Ways(ways)) => (held.kind, ways),
            Some(Resolved::Blackhole) => (RouteKind::Blackhole, Vec::new()),
            None => (held.kind, held.ways.to_vec()),
        }
    }
}

fn default(key: &Key, way: NextHop) -> DefaultRoute {
    DefaultRoute {
        family: Family::of_net(key.destination),
        index: way.index,
        gateway: way.gateway,
        metric: key.metric,
        table: key.table,
        source: key.source,
    }
}
