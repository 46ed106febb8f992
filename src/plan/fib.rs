//! What is ours in the kernel, as values.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::{IpNet, Ipv4Net};

use crate::domain::{Family, NextHop};

/// Id of a next-hop object or group (`NHA_ID`), in our own range. Even ids are of IPv4, odd ones of IPv6: the kernel
/// refuses to change the family of an object in place, so no id may ever be of the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextHopId(pub u32);

impl NextHopId {
    /// The family that an object of this id has.
    pub fn family(self) -> Family {
        if self.0.is_multiple_of(2) { Family::Ipv4 } else { Family::Ipv6 }
    }
}

/// A next-hop group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its next hops with their weights, from 1 on.
    pub members: BTreeMap<NextHopId, u8>,
    /// How packets are shared out among them.
    pub hashing: Hashing,
}

/// How a group shares packets out among its members. The kernel refuses to replace a group by one of the other kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hashing {
    /// By hash thresholds (RFC 2992): when a member comes or goes, many flows move (`NEXTHOP_GRP_TYPE_MPATH`).
    Threshold,
    /// By buckets: flows of the members that stay keep their way (`NEXTHOP_GRP_TYPE_RES`, Linux 5.13).
    Resilient,
}

impl Group {
    /// A group of one.
    pub fn of_one(next_hop: NextHopId) -> Self {
        Self::from_iter([next_hop])
    }
}

impl FromIterator<NextHopId> for Group {
    /// A group of equals.
    fn from_iter<I: IntoIterator<Item = NextHopId>>(members: I) -> Self {
        Self { members: members.into_iter().map(|member| (member, 1)).collect(), hashing: Hashing::Threshold }
    }
}

/// Where a route of ours leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// A next-hop group of ours: routes of classes.
    Group(NextHopId),
    /// Straight to a next hop: default routes of the probe tables.
    NextHop(NextHop),
}

/// What a rule of ours matches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Selector {
    /// `not iif lo`: forwarded traffic only; the router's own stays out of steering.
    Forwarded,
    /// `oif NAME`: sockets bound to an uplink (probes).
    OutputInterface(String),
    /// `from ADDRESS`: packets from an uplink's own address; makes strict reverse-path filters accept probe answers.
    Source(IpAddr),
    /// `from PREFIX`: what comes from the hosts of a prefix that is shorter than a whole address.
    From(IpNet),
    /// `iif lo … suppress_prefixlength 0`: the router's own traffic, and a default route of the table does not count.
    /// What it sends to networks that it knows goes there before any rule for probes is looked at.
    OwnUnlessDefault,
}

/// A policy rule of ours (`FRA_PROTOCOL` is our protocol number).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// Family.
    pub family: Family,
    /// Preference (`FRA_PRIORITY`).
    pub preference: u32,
    /// What it matches.
    pub selector: Selector,
    /// Table it leads to.
    pub table: u32,
}

/// Everything of ours in the kernel: desired, or as observed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fib {
    /// Next-hop objects.
    pub next_hops: BTreeMap<NextHopId, NextHop>,
    /// Next-hop groups.
    pub groups: BTreeMap<NextHopId, Group>,
    /// Routes by table and prefix.
    pub routes: BTreeMap<(u32, IpNet), Via>,
    /// Rules.
    pub rules: BTreeSet<Rule>,
}

impl Fib {
    /// Routes of a table, in order.
    pub fn in_table(&self, table: u32) -> impl Iterator<Item = (IpNet, Via)> {
        let first = IpNet::V4(Ipv4Net::default());
        let from_there = self.routes.range((table, first)..);
        from_there.take_while(move |((own, _), _)| *own == table).map(|((_, prefix), via)| (*prefix, *via))
    }

    /// How many objects of ours these are.
    pub fn objects(&self) -> usize {
        self.next_hops.len() + self.groups.len() + self.routes.len() + self.rules.len()
    }

    /// Where the route of `table` leads that the kernel takes to `address`: the one with the longest prefix.
    pub fn longest_match(&self, table: u32, address: IpAddr) -> Option<Via> {
        let first = IpNet::new(address, 0).ok()?.trunc();
        let mut at_most = IpNet::from(address);
        loop {
            // Every prefix that holds the address is at or before it in this order. If the nearest does not hold it, one
            // that does also holds the nearest, and is no longer than what the two have in common.
            let ((_, nearest), via) = self.routes.range((table, first)..=(table, at_most)).next_back()?;
            if nearest.contains(&address) {
                return Some(*via);
            }
            at_most = IpNet::new(address, bits_in_common(address, nearest.network())).ok()?.trunc();
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "an address has at most 128 bits")]
fn bits_in_common(one: IpAddr, other: IpAddr) -> u8 {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros() as u8,
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros() as u8,
        _ => 0,
    }
}

/// One kernel message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Create or replace in place a next-hop object; the family is that of its routes.
    SetNextHop(NextHopId, Family, NextHop),
    /// Create or replace in place a group.
    SetGroup(NextHopId, Group),
    /// Create a route where there is none of ours.
    AddRoute(u32, IpNet, Via),
    /// Lead a route of ours elsewhere.
    MoveRoute {
        /// Its table.
        table: u32,
        /// Its prefix.
        prefix: IpNet,
        /// Where it leads.
        from: Via,
        /// Where it is to lead.
        to: Via,
    },
    /// Delete a route.
    DeleteRoute(u32, IpNet),
    /// Add a rule.
    AddRule(Rule),
    /// Delete a rule.
    DeleteRule(Rule),
    /// Delete a next-hop object or group.
    DeleteNextHop(NextHopId),
}
