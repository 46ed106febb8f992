//! Lists what is ours: next hops, groups, routes, rules.

use std::collections::BTreeMap;

use netlink_packet_route::{
    AddressFamily,
    route::{RouteAttribute, RouteMessage},
    rule::RuleMessage,
};

use super::{
    KernelError,
    frame::Request,
    message_type::{RTM_GETNEXTHOP, RTM_GETROUTE, RTM_GETRULE, RTM_NEWNEXTHOP, RTM_NEWROUTE, RTM_NEWRULE},
    nexthop::NextHopMessage,
    ownership::Ownership,
    route::{RouteHead, RouteRecord},
    rule,
    socket::RequestSocket,
};
use crate::{
    domain::{Family, IfIndex, NextHop},
    plan::{Fib, NextHopId, Rule, Via},
};

/// Everything of ours, and what stands in its way.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) fib: Fib,
    /// Next hops of other protocols in our range of ids, with their protocol.
    pub(super) strangers: BTreeMap<u32, u8>,
}

/// Reads everything of ours.
pub(super) async fn fib(socket: &mut RequestSocket, own: Ownership) -> Result<Found, KernelError> {
    let Found { mut fib, strangers } = next_hops(socket, own).await?;
    let mut listed = Routes::new();
    for family in Family::BOTH {
        for table in own.tables() {
            listed.extend(routes(socket, own, family, table).await?);
            tokio::task::yield_now().await;
        }
        fib.rules.extend(rules(socket, own, family).await?);
    }
    // In one go: the kernel lists in order, and a sorted list becomes a map much faster than entry by entry.
    fib.routes = listed.into_iter().collect();
    Ok(Found { fib, strangers })
}

/// The number of a family in netlink headers.
pub(super) fn address_family(family: Family) -> AddressFamily {
    match family {
        Family::Ipv4 => AddressFamily::Inet,
        Family::Ipv6 => AddressFamily::Inet6,
    }
}

async fn next_hops(socket: &mut RequestSocket, own: Ownership) -> Result<Found, KernelError> {
    const WHAT: &str = "list next-hop objects";
    let request = Request::new(RTM_GETNEXTHOP, 0, &NextHopMessage::default());
    let listed = socket.dump(WHAT, request, |found: &mut Found, message| {
        if message.kind == RTM_NEWNEXTHOP {
            take_next_hop(found, own, &NextHopMessage::parse(message.payload)?);
        }
        Ok(())
    });
    listed.await.map_err(|error| match error.errno() {
        Some(libc::EOPNOTSUPP | libc::EINVAL) => KernelError::NoNextHopObjects { what: WHAT.to_owned() },
        _ => error,
    })
}

fn take_next_hop(found: &mut Found, own: Ownership, message: &NextHopMessage) {
    let Some(id) = message.id.filter(|id| own.claims_next_hop(*id)) else {
        return;
    };
    let fib = &mut found.fib;
    if message.protocol != own.protocol {
        found.strangers.insert(id, message.protocol);
    } else if let Some(members) = &message.group {
        fib.groups.insert(NextHopId(id), members.iter().map(|member| NextHopId(member.id)).collect());
    } else if let Some(index) = message.interface {
        fib.next_hops.insert(NextHopId(id), NextHop { index: IfIndex(index), gateway: message.gateway });
    }
}

type Routes = Vec<((u32, ipnet::IpNet), Via)>;

async fn routes(
    socket: &mut RequestSocket,
    own: Ownership,
    family: Family,
    table: u32,
) -> Result<Routes, KernelError> {
    let mut filter = RouteMessage::default();
    filter.header.address_family = address_family(family);
    filter.header.protocol = own.protocol.into();
    filter.attributes.push(RouteAttribute::Table(table));
    let request = Request::new(RTM_GETROUTE, 0, &filter);
    let what = format!("list {family} routes of table {table}");
    let listed = socket.dump(&what, request, |routes: &mut Routes, message| {
        // The filter is the kernel's to apply, but a kernel without IPv6 answers for all families.
        if message.kind == RTM_NEWROUTE
            && let Some(head) = RouteHead::parse(message.payload)?
            && (head.family, head.protocol) == (family, own.protocol)
        {
            let route = RouteRecord::parse(head.dead_or_alive(), message.payload)?;
            if let Some(via) = via(&route).filter(|_| route.table == table && route.unicast) {
                routes.push(((table, route.destination), via));
            }
        }
        Ok(())
    });
    absent_is_empty(listed.await)
}

fn via(route: &RouteRecord) -> Option<Via> {
    match route.next_hop_id {
        Some(id) => Some(Via::Group(NextHopId(id))),
        None => route.ways().next().map(Via::NextHop),
    }
}

/// A table without routes, or a family that this kernel was built or started without, holds nothing.
fn absent_is_empty<T: Default>(listed: Result<T, KernelError>) -> Result<T, KernelError> {
    match listed {
        Err(error) if matches!(error.errno(), Some(libc::ENOENT | libc::EAFNOSUPPORT | libc::EOPNOTSUPP)) => {
            Ok(T::default())
        }
        listed => listed,
    }
}

async fn rules(socket: &mut RequestSocket, own: Ownership, family: Family) -> Result<Vec<Rule>, KernelError> {
    let mut filter = RuleMessage::default();
    filter.header.family = address_family(family);
    let request = Request::new(RTM_GETRULE, 0, &filter);
    let what = format!("list {family} rules");
    let listed = socket.dump(&what, request, |rules: &mut Vec<Rule>, message| {
        if message.kind == RTM_NEWRULE {
            let record = rule::parse(message.payload, family)?.filter(|record| record.protocol == own.protocol);
            rules.extend(record.and_then(|record| record.rule));
        }
        Ok(())
    });
    absent_is_empty(listed.await)
}
