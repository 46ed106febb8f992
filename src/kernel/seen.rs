//! What stands around ours, as last read: what writing must know to touch nothing of others.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::{
    leftover::{LEFTOVERS, LeftRoute, Leftover},
    ownership::METRIC_V6,
};
use crate::plan::{Change, Via};

/// Beside what is ours.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Next hops of other protocols in our range of ids, with their protocol.
    pub(super) next_hops: BTreeMap<u32, u8>,
    /// Routes of other protocols in our tables, where they compete with ours, with their protocol.
    pub(super) routes: BTreeMap<(u32, IpNet), u8>,
    /// Metrics of those IPv6 routes of ours that are not at the first metric alone.
    pub(super) metrics: BTreeMap<(u32, IpNet), Vec<u32>>,
    /// Routes of ours that stand behind others of ours since these took their place. No packet is on them.
    pub(super) shadows: Vec<LeftRoute>,
    /// What carries our protocol number and is of no plan.
    pub(super) leftovers: Vec<Leftover>,
}

impl Seen {
    /// Adds what was seen elsewhere.
    pub(super) fn take(&mut self, other: Self) {
        self.next_hops.extend(other.next_hops);
        self.routes.extend(other.routes);
        self.metrics.extend(other.metrics);
        other.shadows.into_iter().for_each(|shadow| self.shade(shadow));
        other.leftovers.into_iter().for_each(|leftover| self.leave(leftover));
    }

    /// Notes a leftover.
    pub(super) fn leave(&mut self, leftover: Leftover) {
        if self.leftovers.len() < LEFTOVERS {
            self.leftovers.push(leftover);
        }
    }

    /// Notes a route that another one stands before.
    pub(super) fn shade(&mut self, shadow: LeftRoute) {
        if self.shadows.len() < LEFTOVERS {
            self.shadows.push(shadow);
        }
    }

    /// Protocol of the program that holds the place of what a change sets, when it may not be written beside it.
    pub(super) fn holder(&self, change: &Change) -> Option<u8> {
        match change {
            Change::SetNextHop(id, ..) => self.next_hops.get(&id.0).copied(),
            // A group with a stranger among its members would lead wherever that one points.
            Change::SetGroup(id, group) => {
                [id].into_iter().chain(group.members.keys()).find_map(|id| self.next_hops.get(&id.0)).copied()
            }
            Change::AddRoute(table, prefix @ IpNet::V6(_), _)
            | Change::MoveRoute { table, prefix: prefix @ IpNet::V6(_), .. } => {
                self.routes.get(&(*table, *prefix)).copied()
            }
            _ => None,
        }
    }

    /// Protocol of any other program that has something where a change would put ours.
    pub(super) fn neighbour(&self, change: &Change) -> Option<u8> {
        match change {
            Change::AddRoute(table, prefix, _) | Change::MoveRoute { table, prefix, .. } => {
                self.routes.get(&(*table, *prefix)).copied()
            }
            _ => self.holder(change),
        }
    }

    /// Metrics of an IPv6 route of ours that stands.
    pub(super) fn metrics(&self, key: (u32, IpNet)) -> Vec<u32> {
        self.metrics.get(&key).cloned().unwrap_or_else(|| vec![METRIC_V6])
    }

    /// The metric by which an IPv6 route of ours comes before what stands; none when there is no better one.
    pub(super) fn better_metric(&self, key: (u32, IpNet)) -> Option<u32> {
        let best = self.metrics(key).into_iter().min().unwrap_or(METRIC_V6);
        best.checked_sub(1).filter(|better| *better > 0)
    }

    /// Takes note of a change that the kernel acknowledged.
    pub(super) fn absorb(&mut self, change: &Change) {
        match change {
            Change::MoveRoute { table, prefix, from, .. } => self.absorb_move((*table, *prefix), *from),
            Change::AddRoute(table, prefix, _) | Change::DeleteRoute(table, prefix) => {
                self.metrics.remove(&(*table, *prefix));
            }
            _ => {}
        }
    }

    fn absorb_move(&mut self, key: (u32, IpNet), from: Via) {
        let mut metrics = if key.1.addr().is_ipv4() { vec![0] } else { self.metrics(key) };
        let better = self.better_metric(key);
        if key.1.addr().is_ipv4() || better.is_some() {
            for metric in &metrics {
                self.shade(LeftRoute::standing(key, *metric, from));
            }
        } else {
            // These were deleted at once.
            metrics.clear();
        }
        if !key.1.addr().is_ipv4() {
            metrics.insert(0, better.unwrap_or(METRIC_V6));
            self.metrics.insert(key, metrics);
        }
    }

    /// A route behind another one is gone.
    pub(super) fn unshade(&mut self, shadow: &LeftRoute) {
        let key = (shadow.table, shadow.prefix);
        if let Some(metrics) = self.metrics.get_mut(&key) {
            metrics.retain(|metric| *metric != shadow.metric);
            if metrics.is_empty() || *metrics == [METRIC_V6] {
                self.metrics.remove(&key);
            }
        }
    }
}
