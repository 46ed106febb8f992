//! Lists what others hold: links, addresses, neighbours, rules, next hops, routes.

use std::collections::{BTreeMap, BTreeSet};

use netlink_packet_route::{
    address::AddressMessage, link::LinkMessage, neighbour::NeighbourMessage, route::RouteMessage, rule::RuleMessage,
};

use super::{
    KernelError, decode,
    frame::Request,
    message_type::{
        RTM_GETADDR, RTM_GETLINK, RTM_GETNEIGH, RTM_GETNEXTHOP, RTM_GETROUTE, RTM_GETRULE, RTM_NEWROUTE, RTM_NEWRULE,
    },
    neighbours::{self, Neighbours},
    nexthop::NextHopMessage,
    objects::Objects,
    ownership::Ownership,
    read::address_family,
    routes::{How, Routes},
    sieve::Sieve,
    socket::RequestSocket,
};
use crate::domain::{Address, Family, IfIndex, Link, PolicyRule};

/// Rules that are kept.
const RULES: usize = 4096;

pub(super) type Links = BTreeMap<IfIndex, Link>;

/// What is listed quickly, whatever the size of the routing tables.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub(super) links: Links,
    pub(super) addresses: Vec<Address>,
    pub(super) neighbours: Neighbours,
    pub(super) rules: Vec<PolicyRule>,
    /// Absent when they changed under every attempt to list them: what was followed meanwhile is better then.
    pub(super) objects: Option<Objects>,
}

pub(super) async fn surroundings(
    socket: &mut RequestSocket,
    own: Ownership,
    sieve: &Sieve,
) -> Result<Surroundings, KernelError> {
    let request = Request::new(RTM_GETLINK, 0, &LinkMessage::default());
    let links = socket.dump("list links", request, |links: &mut Links, message| {
        links.extend(decode::link(message.payload)?.map(|link| (link.index, link)));
        Ok(())
    });
    let links = links.await?;
    let request = Request::new(RTM_GETADDR, 0, &AddressMessage::default());
    let addresses = socket.dump("list addresses", request, |addresses: &mut Vec<Address>, message| {
        addresses.extend(decode::address(message.payload)?);
        Ok(())
    });
    let addresses = addresses.await?;
    let uplinks = uplinks(&links, sieve);
    let request = Request::new(RTM_GETNEIGH, 0, &NeighbourMessage::default());
    let neighbours = socket.dump("list neighbours", request, |neighbours: &mut Neighbours, message| {
        if let Some((index, address, Some(state))) = decode::neighbour(message.payload)? {
            neighbours::take(neighbours, (index, address), state, &uplinks);
        }
        Ok(())
    });
    let neighbours = neighbours.await?;
    let rules = rules(socket, own).await?;
    let objects = objects(socket, own).await?;
    Ok(Surroundings { links, addresses, neighbours, rules, objects })
}

/// Those links that belong to uplinks.
pub(super) fn uplinks(links: &Links, sieve: &Sieve) -> BTreeSet<IfIndex> {
    links.values().filter(|link| sieve.is_uplink(&link.name)).map(|link| link.index).collect()
}

/// Rules of others that lead to tables.
pub(super) async fn rules(socket: &mut RequestSocket, own: Ownership) -> Result<Vec<PolicyRule>, KernelError> {
    let mut rules = BTreeSet::new();
    for family in Family::BOTH {
        let mut filter = RuleMessage::default();
        filter.header.family = address_family(family);
        let request = Request::new(RTM_GETRULE, 0, &filter);
        let what = format!("list {family} rules");
        let listed = socket.dump(&what, request, |rules: &mut BTreeSet<PolicyRule>, message| {
            if message.kind == RTM_NEWRULE && rules.len() < RULES {
                rules.extend(decode::rule(message.payload, own.protocol)?.filter(|rule| rule.family == family));
            }
            Ok(())
        });
        rules.append(&mut empty_where_unknown(listed.await)?);
    }
    Ok(rules.into_iter().collect())
}

/// Next-hop objects of others.
async fn objects(socket: &mut RequestSocket, own: Ownership) -> Result<Option<Objects>, KernelError> {
    let request = Request::new(RTM_GETNEXTHOP, 0, &NextHopMessage::default());
    let listed = socket.dump("list next-hop objects", request, |objects: &mut Objects, message| {
        objects.set(own, &NextHopMessage::parse(message.payload)?);
        Ok(())
    });
    match listed.await {
        // Kernels without such objects say so one way or the other; routes tell their ways themselves there.
        Err(error) if error.errno() == Some(libc::EINVAL) => Ok(Some(Objects::default())),
        Err(KernelError::Interrupted { .. }) => Ok(None),
        listed => empty_where_unknown(listed).map(Some),
    }
}

/// Routes of all tables but ours that can matter. All routes of the router stream through: the kernel has no filter by
/// prefix.
pub(super) async fn routes(socket: &mut RequestSocket, sieve: &Sieve) -> Result<Routes, KernelError> {
    let mut all = Routes::default();
    for family in Family::BOTH {
        let mut filter = RouteMessage::default();
        filter.header.address_family = address_family(family);
        let request = Request::new(RTM_GETROUTE, 0, &filter);
        let what = format!("list {family} routes");
        let listed = socket.dump(&what, request, |routes: &mut Routes, message| {
            if message.kind == RTM_NEWROUTE
                && let Some(row) = sieve.row(message.payload)?
                && Family::of_net(row.key.destination) == family
            {
                routes.take(&row, How::Listed);
            }
            Ok(())
        });
        all.join(empty_where_unknown(listed.await)?);
    }
    Ok(all)
}

/// A family that this kernel was built or started without holds nothing.
fn empty_where_unknown<T: Default>(listed: Result<T, KernelError>) -> Result<T, KernelError> {
    match listed {
        Err(error) if matches!(error.errno(), Some(libc::EAFNOSUPPORT | libc::EOPNOTSUPP)) => Ok(T::default()),
        listed => listed,
    }
}
