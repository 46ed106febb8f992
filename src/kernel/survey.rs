//! Lists what others hold: links, addresses, neighbours, default routes.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use netlink_packet_route::{
    AddressFamily, address::AddressMessage, link::LinkMessage, neighbour::NeighbourMessage, route::RouteMessage,
};

use super::{
    KernelError, decode,
    frame::Request,
    message_type::{RTM_GETADDR, RTM_GETLINK, RTM_GETNEIGH, RTM_GETNEXTHOP, RTM_GETROUTE, RTM_NEWROUTE},
    nexthop::NextHopMessage,
    ownership::Ownership,
    read::address_family,
    route::{RouteHead, RouteRecord},
    socket::RequestSocket,
};
use crate::domain::{Address, DefaultRoute, Family, IfIndex, Link, NeighbourState, NextHop};

/// Neighbours that are kept: those of uplinks are few, and a client network of any size must not fill the memory.
pub(super) const NEIGHBOURS: usize = 4096;

/// Default routes that are kept, for the same reason.
const DEFAULTS: usize = 1024;

pub(super) type Links = BTreeMap<IfIndex, Link>;
pub(super) type Neighbours = BTreeMap<(IfIndex, IpAddr), NeighbourState>;

/// What is listed quickly, whatever the size of the routing tables.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub(super) links: Links,
    pub(super) addresses: Vec<Address>,
    pub(super) neighbours: Neighbours,
}

pub(super) async fn surroundings(socket: &mut RequestSocket) -> Result<Surroundings, KernelError> {
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
    let request = Request::new(RTM_GETNEIGH, 0, &NeighbourMessage::default());
    let neighbours = socket.dump("list neighbours", request, |neighbours: &mut Neighbours, message| {
        if let Some((index, address, Some(state))) = decode::neighbour(message.payload)?
            && neighbours.len() < NEIGHBOURS
        {
            neighbours.insert((index, address), state);
        }
        Ok(())
    });
    Ok(Surroundings { links, addresses, neighbours: neighbours.await? })
}

/// Default routes of all tables but ours, best metric first within a family. All routes of the router stream through:
/// the kernel has no filter by prefix length.
pub(super) async fn default_routes(
    socket: &mut RequestSocket,
    own: Ownership,
) -> Result<Vec<DefaultRoute>, KernelError> {
    let mut defaults = BTreeSet::new();
    for family in Family::BOTH {
        for route in default_records(socket, own, family).await? {
            let mut ways: Vec<_> = route.ways().collect();
            if let Some(id) = route.next_hop_id.filter(|_| ways.is_empty()) {
                ways = ways_of(socket, id).await?;
            }
            let at = |way: NextHop| (family, route.metric, route.table, way);
            defaults.extend(ways.into_iter().map(at));
        }
    }
    let default = |(family, metric, table, way): (_, _, _, NextHop)| DefaultRoute {
        family,
        index: way.index,
        gateway: way.gateway,
        metric,
        table,
        source: None,
    };
    Ok(defaults.into_iter().map(default).collect())
}

async fn default_records(
    socket: &mut RequestSocket,
    own: Ownership,
    family: Family,
) -> Result<Vec<RouteRecord>, KernelError> {
    let mut filter = RouteMessage::default();
    filter.header.address_family = address_family(family);
    let request = Request::new(RTM_GETROUTE, 0, &filter);
    let what = format!("list {family} default routes");
    let listed = socket.dump(&what, request, |defaults: &mut Vec<RouteRecord>, message| {
        if message.kind == RTM_NEWROUTE
            && let Some(head) = RouteHead::parse(message.payload)?
            && (head.family, head.prefix_len) == (family, 0)
        {
            let route = RouteRecord::parse(head, message.payload)?;
            if route.unicast && !own.owns_table(route.table) && defaults.len() < DEFAULTS {
                defaults.push(route);
            }
        }
        Ok(())
    });
    match listed.await {
        // IPv6 is not built in, or switched off at boot.
        Err(error) if matches!(error.errno(), Some(libc::EAFNOSUPPORT | libc::EOPNOTSUPP)) => Ok(Vec::new()),
        listed => listed,
    }
}

/// The next hops behind an id: of the object, or of the members of the group. One that is gone meanwhile has none.
async fn ways_of(socket: &mut RequestSocket, id: u32) -> Result<Vec<NextHop>, KernelError> {
    let Some(object) = next_hop(socket, id).await? else {
        return Ok(Vec::new());
    };
    let mut ways: Vec<_> = way(&object).into_iter().collect();
    for member in object.group.unwrap_or_default() {
        ways.extend(next_hop(socket, member.id).await?.as_ref().and_then(way));
    }
    Ok(ways)
}

fn way(object: &NextHopMessage) -> Option<NextHop> {
    object.interface.map(|index| NextHop { index: IfIndex(index), gateway: object.gateway })
}

async fn next_hop(socket: &mut RequestSocket, id: u32) -> Result<Option<NextHopMessage>, KernelError> {
    let question = NextHopMessage { family: AddressFamily::Unspec, id: Some(id), ..NextHopMessage::default() };
    let request = Request::new(RTM_GETNEXTHOP, 0, &question);
    match socket.get(&format!("read next hop {id}"), &request, |message| NextHopMessage::parse(message.payload)).await
    {
        Ok(object) => Ok(Some(object)),
        Err(error) if error.errno() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}
