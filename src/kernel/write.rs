//! Changes into messages, verdicts into results.

use std::{collections::BTreeMap, net::IpAddr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::{
    AddressFamily,
    route::{RouteAttribute, RouteFlags, RouteMessage, RouteScope, RouteType, RouteVia},
};

use super::{
    Applied, KernelError,
    error::Refusal,
    frame::Request,
    message_type::{RTM_DELNEXTHOP, RTM_DELROUTE, RTM_DELRULE, RTM_NEWNEXTHOP, RTM_NEWROUTE, RTM_NEWRULE},
    nexthop::{GroupMember, NextHopMessage, RTNH_F_ONLINK},
    ownership::Ownership,
    read::address_family,
    rule,
    socket::RequestSocket,
};
use crate::{
    domain::{Family, NextHop},
    plan::{Change, NextHopId, Via},
};

const SET: u16 = NLM_F_CREATE | NLM_F_REPLACE;

/// Messages in one datagram. Each is acknowledged by a datagram of its own, and the acknowledgements of a batch must
/// fit into the receive queue of a process that may not enlarge it (212,992 bytes, near 1 KiB each).
const BATCH: usize = 64;

/// Whether a gateway is taken to be on the link although no connected prefix covers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnLink {
    /// The kernel must find it in a connected prefix: a typing error in a gateway is refused.
    Proven,
    /// It is on the link because the configuration or the router's own default route says so.
    Asserted,
}

/// Applies changes in order.
///
/// Deletions are held back once an addition was refused: by the kernel, or before (`refused_before`).
pub(super) async fn apply(
    socket: &mut RequestSocket,
    own: Ownership,
    changes: &[Change],
    refused_before: bool,
) -> Result<Applied, KernelError> {
    let mut applied = Applied::default();
    // Of one kind only, so that a next hop is there, with its second attempt, before a group that refers to it.
    for alike in changes.chunk_by(|a, b| std::mem::discriminant(a) == std::mem::discriminant(b)) {
        if (refused_before || !applied.failed.is_empty()) && alike.iter().all(is_deletion) {
            // What was to take the place of these is not there.
            applied.held_back += alike.len();
            continue;
        }
        for batch in alike.chunks(BATCH) {
            tokio::task::yield_now().await;
            for (change, refusal) in attempt(socket, own, batch, OnLink::Proven, &mut applied).await? {
                if !is_gateway_unreachable(&change, &refusal) {
                    applied.failed.push(failure(change, refusal));
                    continue;
                }
                let again = std::slice::from_ref(&change);
                let refused = attempt(socket, own, again, OnLink::Asserted, &mut applied).await?;
                applied.failed.extend(refused.into_iter().map(|(change, refusal)| failure(change, refusal)));
            }
        }
    }
    Ok(applied)
}

/// Sends one batch, counts what is done and returns what was refused.
async fn attempt(
    socket: &mut RequestSocket,
    own: Ownership,
    batch: &[Change],
    on_link: OnLink,
    applied: &mut Applied,
) -> Result<Vec<(Change, Refusal)>, KernelError> {
    let requests = batch.iter().map(|change| request(own, change, on_link)).collect();
    let verdicts = socket.execute("write next hops, routes and rules", requests).await?;
    let mut refused = Vec::new();
    for (change, verdict) in batch.iter().zip(verdicts) {
        match verdict {
            Err(refusal) if !is_already_so(change, &refusal) => refused.push((change.clone(), refusal)),
            _ => applied.done += 1,
        }
    }
    Ok(refused)
}

/// Sets aside the changes that would overwrite a next hop of another program.
pub(super) fn split_taken(
    changes: &[Change],
    strangers: &BTreeMap<u32, u8>,
) -> (Vec<(Change, KernelError)>, Vec<Change>) {
    let (mut refused, mut free) = (Vec::new(), Vec::with_capacity(changes.len()));
    for change in changes {
        let holder = match change {
            Change::SetNextHop(id, ..) | Change::SetGroup(id, _) => strangers.get(&id.0),
            _ => None,
        };
        match holder {
            Some(protocol) => {
                refused.push((
                    change.clone(),
                    KernelError::Taken { what: describe_change(change), protocol: *protocol },
                ));
            }
            None => free.push(change.clone()),
        }
    }
    (refused, free)
}

fn is_deletion(change: &Change) -> bool {
    matches!(change, Change::DeleteRoute(..) | Change::DeleteRule(_) | Change::DeleteNextHop(_))
}

/// What was to be there is there, or what was to go is gone.
fn is_already_so(change: &Change, refusal: &Refusal) -> bool {
    match change {
        Change::AddRule(_) => refusal.errno == libc::EEXIST,
        _ => is_deletion(change) && matches!(refusal.errno, libc::ENOENT | libc::ESRCH),
    }
}

/// The kernel found no connected prefix for the gateway (`ENETUNREACH` for IPv4, `EHOSTUNREACH` for IPv6).
fn is_gateway_unreachable(change: &Change, refusal: &Refusal) -> bool {
    let gateway = match change {
        Change::SetNextHop(_, _, next_hop) | Change::SetRoute(_, _, Via::NextHop(next_hop)) => next_hop.gateway,
        _ => None,
    };
    gateway.is_some() && matches!(refusal.errno, libc::ENETUNREACH | libc::EHOSTUNREACH)
}

fn failure(change: Change, refusal: Refusal) -> (Change, KernelError) {
    let error = KernelError::refused(describe_change(&change), refusal);
    (change, error)
}

fn describe_change(change: &Change) -> String {
    match change {
        Change::SetNextHop(id, _, next_hop) => format!("set next hop {} to {}", id.0, describe(next_hop)),
        Change::SetGroup(id, members) => {
            format!("set next-hop group {} to {:?}", id.0, members.iter().map(|member| member.0).collect::<Vec<_>>())
        }
        Change::SetRoute(table, prefix, Via::Group(id)) => {
            format!("set route {prefix} of table {table} to next-hop group {}", id.0)
        }
        Change::SetRoute(table, prefix, Via::NextHop(next_hop)) => {
            format!("set route {prefix} of table {table} to {}", describe(next_hop))
        }
        Change::DeleteRoute(table, prefix) => format!("delete route {prefix} of table {table}"),
        Change::AddRule(rule) => format!("add {} rule {} to table {}", rule.family, rule.preference, rule.table),
        Change::DeleteRule(rule) => {
            format!("delete {} rule {} to table {}", rule.family, rule.preference, rule.table)
        }
        Change::DeleteNextHop(id) => format!("delete next hop {}", id.0),
    }
}

fn describe(next_hop: &NextHop) -> String {
    match next_hop.gateway {
        Some(gateway) => format!("{gateway} by interface {}", next_hop.index.0),
        None => format!("interface {}", next_hop.index.0),
    }
}

fn request(own: Ownership, change: &Change, on_link: OnLink) -> Request {
    match change {
        Change::SetNextHop(id, family, next_hop) => {
            Request::new(RTM_NEWNEXTHOP, SET, &next_hop_message(own, *id, *family, next_hop, on_link))
        }
        Change::SetGroup(id, members) => Request::new(RTM_NEWNEXTHOP, SET, &group_message(own, *id, members)),
        Change::SetRoute(table, prefix, via) => {
            Request::new(RTM_NEWROUTE, SET, &route_message(own, *table, *prefix, via, on_link))
        }
        Change::DeleteRoute(table, prefix) => Request::new(RTM_DELROUTE, 0, &route_key(own, *table, *prefix)),
        Change::AddRule(rule) => Request::new(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, &rule::message(own, rule)),
        Change::DeleteRule(rule) => Request::new(RTM_DELRULE, 0, &rule::message(own, rule)),
        Change::DeleteNextHop(id) => {
            Request::new(RTM_DELNEXTHOP, 0, &NextHopMessage { id: Some(id.0), ..NextHopMessage::default() })
        }
    }
}

fn next_hop_message(
    own: Ownership,
    id: NextHopId,
    family: Family,
    next_hop: &NextHop,
    on_link: OnLink,
) -> NextHopMessage {
    NextHopMessage {
        // The object is of its gateway's family; IPv4 routes may refer to one with an IPv6 gateway.
        family: address_family(next_hop.gateway.map_or(family, Family::of)),
        protocol: own.protocol,
        flags: if on_link == OnLink::Asserted { RTNH_F_ONLINK } else { 0 },
        id: Some(id.0),
        interface: Some(next_hop.index.0),
        gateway: next_hop.gateway,
        ..NextHopMessage::default()
    }
}

fn group_message(own: Ownership, id: NextHopId, members: &[NextHopId]) -> NextHopMessage {
    NextHopMessage {
        family: AddressFamily::Unspec,
        protocol: own.protocol,
        id: Some(id.0),
        group: Some(members.iter().map(|member| GroupMember { id: member.0, weight: 0 }).collect()),
        ..NextHopMessage::default()
    }
}

/// What names a route of ours; the protocol keeps those of others out of it.
fn route_key(own: Ownership, table: u32, prefix: ipnet::IpNet) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = address_family(Family::of_net(prefix));
    message.header.destination_prefix_length = prefix.prefix_len();
    message.header.protocol = own.protocol.into();
    message.header.scope = RouteScope::NoWhere;
    message.attributes = vec![RouteAttribute::Destination(prefix.network().into()), RouteAttribute::Table(table)];
    message
}

fn route_message(own: Ownership, table: u32, prefix: ipnet::IpNet, via: &Via, on_link: OnLink) -> RouteMessage {
    let mut message = route_key(own, table, prefix);
    message.header.kind = RouteType::Unicast;
    message.header.scope = RouteScope::Universe;
    match via {
        Via::Group(id) => message.attributes.push(RouteAttribute::NhId(id.0)),
        Via::NextHop(next_hop) => {
            message.attributes.push(RouteAttribute::Oif(next_hop.index.0));
            match next_hop.gateway {
                Some(gateway) => message.attributes.push(gateway_attribute(prefix, gateway)),
                None if prefix.addr().is_ipv4() => message.header.scope = RouteScope::Link,
                None => {}
            }
            if on_link == OnLink::Asserted {
                message.header.flags = RouteFlags::Onlink;
            }
        }
    }
    message
}

fn gateway_attribute(prefix: ipnet::IpNet, gateway: IpAddr) -> RouteAttribute {
    if Family::of(gateway) == Family::of_net(prefix) {
        RouteAttribute::Gateway(gateway.into())
    } else {
        RouteAttribute::Via(RouteVia::from(gateway))
    }
}
