//! Lists what is ours: next hops, groups, routes, rules; and what stands around it.

use std::collections::BTreeSet;

use ipnet::IpNet;
use netlink_packet_core::DecodeError;
use netlink_packet_route::{
    AddressFamily,
    route::{RouteAttribute, RouteMessage},
};

use super::{
    KernelError, clear,
    frame::{Message, Request},
    leftover::{LeftRoute, Leftover},
    message_type::{RTM_GETNEXTHOP, RTM_GETROUTE, RTM_NEWNEXTHOP, RTM_NEWROUTE},
    nexthop::{GroupMember, NEXTHOP_GRP_TYPE_RES, NextHopMessage},
    ownership::{METRIC_V6, Ownership},
    route::{RouteHead, RouteRecord},
    seen::Seen,
    socket::RequestSocket,
};
use crate::{
    domain::{Family, IfIndex, NextHop},
    plan::{Fib, Group, Hashing, NextHopId, Via},
};

/// Everything of ours, and what stands around it.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) fib: Fib,
    pub(super) seen: Seen,
}

/// Tables that hold routes of our protocol, by family.
pub(super) type Holding = BTreeSet<(Family, u32)>;

type Row = ((u32, IpNet), Via);

/// Reads everything of ours. Routes are listed table by table: those of the classes, and those of `holding`.
pub(super) async fn fib(socket: &mut RequestSocket, own: Ownership, holding: &Holding) -> Result<Found, KernelError> {
    let mut found = next_hops(socket, own).await?;
    let mut rows: Vec<Row> = Vec::new();
    for family in Family::BOTH {
        let classes = own.class_tables().into_iter();
        let others = holding.iter().filter(|(of, table)| *of == family && !own.class_tables().contains(table));
        let others = others.filter(|(_, table)| Ownership::may_have_owned(*table));
        for table in classes.chain(others.map(|(_, table)| *table)) {
            let listed = routes(socket, own, family, table).await?;
            rows.extend(listed.rows);
            found.seen.take(listed.seen);
            tokio::task::yield_now().await;
        }
        for listed in clear::rules(socket, own, family).await? {
            match listed.rule {
                Some(rule) => _ = found.fib.rules.insert(rule),
                None => found.seen.leave(Leftover::Rule(listed.body)),
            }
        }
    }
    // In one go: the kernel lists in order, and a sorted list becomes a map much faster than entry by entry.
    found.fib.routes = rows.into_iter().collect();
    Ok(found)
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
    let Some(id) = message.id else { return };
    let (ours, claimed) = (message.protocol == own.protocol, own.claims_next_hop(id));
    match (ours, claimed, &message.group, message.interface) {
        (false, true, ..) => _ = found.seen.next_hops.insert(id, message.protocol),
        (false, false, ..) => {}
        (true, true, Some(members), _) => {
            found.fib.groups.insert(NextHopId(id), group(members, message.group_type));
        }
        (true, true, None, Some(index)) => {
            let next_hop = NextHop { index: IfIndex(index), gateway: message.gateway };
            found.fib.next_hops.insert(NextHopId(id), next_hop);
        }
        // A black hole, or one out of our range.
        (true, ..) => found.seen.leave(Leftover::NextHop(id)),
    }
}

/// Members that are listed twice count as one: such a group is not as we would set it, and is set anew.
fn group(members: &[GroupMember], group_type: Option<u16>) -> Group {
    let resilient = group_type == Some(NEXTHOP_GRP_TYPE_RES);
    Group {
        members: members.iter().map(|member| (NextHopId(member.id), member.weight.saturating_add(1))).collect(),
        hashing: if resilient { Hashing::Resilient } else { Hashing::Threshold },
    }
}

/// The tables in which there are routes of our protocol, whatever tables these are. The kernel walks all routes of the
/// router for it: rarely to be asked.
pub(super) async fn holding(socket: &mut RequestSocket, own: Ownership) -> Result<Holding, KernelError> {
    let mut holding = Holding::new();
    for family in Family::BOTH {
        let request = routes_request(own, family, None);
        let what = format!("list the tables with {family} routes of ours");
        let listed = socket.dump(&what, request, |tables: &mut BTreeSet<u32>, message| {
            if let Some(head) = head_of(message, family)?.filter(|head| head.protocol == own.protocol) {
                tables.insert(RouteRecord::parse(head, message.payload)?.table);
            }
            Ok(())
        });
        holding.extend(absent_is_empty(listed.await)?.into_iter().map(|table| (family, table)));
    }
    Ok(holding)
}

fn routes_request(own: Ownership, family: Family, table: Option<u32>) -> Request {
    let mut filter = RouteMessage::default();
    filter.header.address_family = address_family(family);
    match table {
        // Of all protocols: what others have there is not to be overwritten.
        Some(table) => filter.attributes.push(RouteAttribute::Table(table)),
        None => filter.header.protocol = own.protocol.into(),
    }
    Request::new(RTM_GETROUTE, 0, &filter)
}

/// The filter is the kernel's to apply, but a kernel without IPv6 answers for all families.
pub(super) fn head_of(message: &Message<'_>, family: Family) -> Result<Option<RouteHead>, DecodeError> {
    if message.kind != RTM_NEWROUTE {
        return Ok(None);
    }
    Ok(RouteHead::parse(message.payload)?.filter(|head| head.family == family))
}

#[derive(Debug, Default)]
pub(super) struct Routes {
    pub(super) rows: Vec<Row>,
    pub(super) seen: Seen,
}

async fn routes(
    socket: &mut RequestSocket,
    own: Ownership,
    family: Family,
    table: u32,
) -> Result<Routes, KernelError> {
    let request = routes_request(own, family, Some(table));
    let what = format!("list {family} routes of table {table}");
    let listed = socket.dump(&what, request, |routes: &mut Routes, message| {
        if let Some(head) = head_of(message, family)? {
            let record = RouteRecord::parse(head.dead_or_alive(), message.payload)?;
            if let (true, Some([_, _, _, tos, _, _, _, kind])) =
                (record.table == table, message.payload.first_chunk())
            {
                routes.take(own, &record, *tos, *kind);
            }
        }
        Ok(())
    });
    absent_is_empty(listed.await)
}

impl Routes {
    /// Takes a route of one of our tables for what it is: ours, a leftover of ours, or in the way of ours.
    pub(super) fn take(&mut self, own: Ownership, record: &RouteRecord, tos: u8, kind: u8) {
        let key = (record.table, record.destination);
        let in_place =
            tos == 0 && own.owns_table(record.table) && Ownership::is_our_metric(record.family, record.metric);
        if record.protocol != own.protocol {
            if in_place {
                self.seen.routes.insert(key, record.protocol);
            }
            return;
        }
        match via(record).filter(|_| in_place && record.unicast) {
            Some(via) => self.take_in_place(key, via, record, tos, kind),
            None => self.seen.leave(Leftover::Route(left_route(record, tos, kind))),
        }
    }

    /// Of several in one place the first is the one that the kernel looks at; it lists them in that order.
    fn take_in_place(&mut self, key: (u32, IpNet), via: Via, record: &RouteRecord, tos: u8, kind: u8) {
        let v6 = record.family == Family::Ipv6;
        let Some((_, held)) = self.rows.last().filter(|(last, _)| *last == key) else {
            self.rows.push((key, via));
            if v6 && record.metric != METRIC_V6 {
                self.seen.metrics.insert(key, vec![record.metric]);
            }
            return;
        };
        let mut metrics = self.seen.metrics(key);
        if *held == via && (!v6 || metrics.contains(&record.metric)) {
            // The very same again is a list that was cut in two, not a second route.
            return;
        }
        if v6 {
            metrics.push(record.metric);
            self.seen.metrics.insert(key, metrics);
        }
        self.seen.shade(left_route(record, tos, kind));
    }
}

fn left_route(record: &RouteRecord, tos: u8, kind: u8) -> LeftRoute {
    LeftRoute {
        table: record.table,
        prefix: record.destination,
        metric: record.metric,
        tos,
        kind,
        next_hop_id: record.next_hop_id,
        way: record.way,
    }
}

fn via(route: &RouteRecord) -> Option<Via> {
    match route.next_hop_id {
        Some(id) => Some(Via::Group(NextHopId(id))),
        None => route.ways().next().map(Via::NextHop),
    }
}

/// A table without routes, or a family that this kernel was built or started without, holds nothing.
pub(super) fn absent_is_empty<T: Default>(listed: Result<T, KernelError>) -> Result<T, KernelError> {
    match listed {
        Err(error) if matches!(error.errno(), Some(libc::ENOENT | libc::EAFNOSUPPORT | libc::EOPNOTSUPP)) => {
            Ok(T::default())
        }
        listed => listed,
    }
}
