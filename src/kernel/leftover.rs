//! What carries our protocol number but is of no plan: left by another version, under another configuration, or by hand.

use std::collections::BTreeMap;

use ipnet::IpNet;
use netlink_packet_core::Emitable;
use netlink_packet_route::route::{RouteAttribute, RouteType};

use super::{
    encode::{gateway_attribute, route_key},
    frame::Request,
    message_type::{RTM_DELNEXTHOP, RTM_DELROUTE, RTM_DELRULE},
    nexthop::NextHopMessage,
    ownership::Ownership,
    seen::Seen,
};
use crate::{domain::NextHop, plan::Via};

/// Most that are remembered of one reading; the rest is found by the next.
pub(super) const LEFTOVERS: usize = 65_536;

/// One such object, with all that the kernel needs to find it and no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Leftover {
    Route(LeftRoute),
    /// A rule, as the kernel described it.
    Rule(Vec<u8>),
    /// A next hop or group.
    NextHop(u32),
}

/// A route of ours in a table that is not, or of a shape that ours do not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LeftRoute {
    pub(super) table: u32,
    pub(super) prefix: IpNet,
    pub(super) metric: u32,
    pub(super) tos: u8,
    pub(super) kind: u8,
    pub(super) next_hop_id: Option<u32>,
    pub(super) way: Option<NextHop>,
}

impl Leftover {
    /// The message that deletes it.
    pub(super) fn deletion(&self, own: Ownership) -> Request {
        match self {
            Self::Route(route) => route.deletion(own),
            // The kernel looks for a rule with the attributes that are given: all of its own, protocol included.
            Self::Rule(body) => Request::new(RTM_DELRULE, 0, &AsRead(body)),
            Self::NextHop(id) => {
                Request::new(RTM_DELNEXTHOP, 0, &NextHopMessage { id: Some(*id), ..NextHopMessage::default() })
            }
        }
    }

    /// Its place in the order of deletion: what leads to routes, the routes, what these refer to.
    pub(super) fn order(&self) -> u8 {
        match self {
            Self::Rule(_) => 0,
            Self::Route(_) => 1,
            Self::NextHop(_) => 2,
        }
    }

    /// What it is, for errors.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Route(route) => format!("route {} of table {}", route.prefix, route.table),
            Self::Rule(_) => "a rule of our protocol number".to_owned(),
            Self::NextHop(id) => format!("next hop {id}"),
        }
    }
}

impl Seen {
    /// Ids of next hops that are left over.
    pub(super) fn leftover_next_hops(&self) -> impl Iterator<Item = u32> + '_ {
        self.leftovers.iter().filter_map(|left| if let Leftover::NextHop(id) = left { Some(*id) } else { None })
    }

    /// Next hops that others need are no leftovers, as far as `judged` tells.
    pub(super) fn spare(&mut self, judged: &BTreeMap<u32, bool>) {
        let needed = |id: &u32| judged.get(id).copied().unwrap_or_default();
        self.leftovers.retain(|left| !matches!(left, Leftover::NextHop(id) if needed(id)));
    }
}

impl LeftRoute {
    /// A route of ours that leads by `via`.
    pub(super) fn standing((table, prefix): (u32, IpNet), metric: u32, via: Via) -> Self {
        let (next_hop_id, way) = match via {
            Via::Group(id) => (Some(id.0), None),
            Via::NextHop(next_hop) => (None, Some(next_hop)),
        };
        Self { table, prefix, metric, tos: 0, kind: RouteType::Unicast.into(), next_hop_id, way }
    }

    pub(super) fn deletion(self, own: Ownership) -> Request {
        let mut message = route_key(own, self.table, self.prefix);
        message.header.tos = self.tos;
        message.header.kind = RouteType::from(self.kind);
        message.attributes.push(RouteAttribute::Priority(self.metric));
        if let Some(id) = self.next_hop_id {
            message.attributes.push(RouteAttribute::NhId(id));
        } else if let Some(way) = self.way {
            message.attributes.push(RouteAttribute::Oif(way.index.0));
            message.attributes.extend(way.gateway.map(|gateway| gateway_attribute(self.prefix, gateway)));
        }
        Request::new(RTM_DELROUTE, 0, &message)
    }
}

/// A message's body as the kernel sent it.
struct AsRead<'a>(&'a [u8]);

impl Emitable for AsRead<'_> {
    fn buffer_len(&self) -> usize {
        self.0.len()
    }

    #[allow(clippy::indexing_slicing, reason = "the trait's contract: the buffer holds at least `buffer_len` bytes")]
    fn emit(&self, buffer: &mut [u8]) {
        buffer[..self.0.len()].copy_from_slice(self.0);
    }
}
