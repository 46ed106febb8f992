//! Route messages: one parsed route, whatever it is for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_core::{DecodeError, parse_ip, parse_u16, parse_u32};

use super::frame::attributes;
use crate::domain::{Family, IfIndex, NextHop, RouteKind};

const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
const RTA_NH_ID: u16 = 30;

const ROUTE_HEADER: usize = 12;
const ATTRIBUTE_HEADER: usize = 4;
const RTNEXTHOP: usize = 8;

/// `RTN_*`: those kinds that forwarding meets; the others are this router's own addresses, broadcast and multicast.
const RTN_UNICAST: u8 = 1;
const RTN_BLACKHOLE: u8 = 6;
const RTN_UNREACHABLE: u8 = 7;
const RTN_PROHIBIT: u8 = 8;
const RTN_THROW: u8 = 9;

const RTNH_F_DEAD: u8 = 1;
const RTNH_F_LINKDOWN: u8 = 16;
/// `RTM_F_CLONED`: an entry of the route cache, not of a table.
const RTM_F_CLONED: u32 = 0x200;

/// A route as far as steering looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RouteRecord {
    pub(super) family: Family,
    pub(super) table: u32,
    pub(super) protocol: u8,
    pub(super) unicast: bool,
    pub(super) destination: IpNet,
    /// `RTA_SRC`: the source addresses that it is for alone.
    pub(super) source: Option<IpNet>,
    /// `rtm_tos`, part of the name of an IPv4 route.
    pub(super) tos: u8,
    pub(super) metric: u32,
    /// `RTA_NH_ID`: the next hop or group that it refers to.
    pub(super) next_hop_id: Option<u32>,
    /// The way out; absent when it is dead, when there are several, or when only an id is given
    /// (`net.ipv4.nexthop_compat_mode=0`).
    pub(super) way: Option<NextHop>,
    /// Those ways of a multipath route that are alive.
    pub(super) multipath: Vec<NextHop>,
}

/// The fixed part, for streams in which few routes are of interest.
#[derive(Debug, Clone, Copy)]
pub(super) struct RouteHead {
    pub(super) family: Family,
    pub(super) prefix_len: u8,
    source_len: u8,
    tos: u8,
    /// Low table number; `RT_TABLE_COMPAT` (252) for those above 255.
    pub(super) table: u8,
    pub(super) protocol: u8,
    kind: u8,
    dead: bool,
    cloned: bool,
}

impl RouteHead {
    /// `None` for families that are not routed by IP.
    pub(super) fn parse(payload: &[u8]) -> Result<Option<Self>, DecodeError> {
        let [family, prefix_len, source_len, tos, table, protocol, _scope, kind, flags @ ..] = payload
            .first_chunk::<ROUTE_HEADER>()
            .ok_or_else(|| DecodeError::buffer_too_small(payload.len(), ROUTE_HEADER))?;
        let family = match i32::from(*family) {
            libc::AF_INET => Family::Ipv4,
            libc::AF_INET6 => Family::Ipv6,
            _ => return Ok(None),
        };
        let flags = u32::from_ne_bytes(*flags);
        Ok(Some(Self {
            family,
            prefix_len: *prefix_len,
            source_len: *source_len,
            tos: *tos,
            table: *table,
            protocol: *protocol,
            kind: *kind,
            dead: is_dead(flags.to_le_bytes()[0]),
            cloned: flags & RTM_F_CLONED != 0,
        }))
    }

    /// The same, with its way out told even while that is dead: a route of ours on a line without carrier is still ours
    /// to keep or to withdraw.
    pub(super) fn dead_or_alive(self) -> Self {
        Self { dead: false, ..self }
    }

    /// What it does with packets that pass; `None` for what is no route of a table, or not one of forwarding.
    pub(super) fn kind(&self) -> Option<RouteKind> {
        match self.kind {
            _ if self.cloned => None,
            RTN_UNICAST => Some(RouteKind::Unicast),
            RTN_BLACKHOLE => Some(RouteKind::Blackhole),
            RTN_UNREACHABLE => Some(RouteKind::Unreachable),
            RTN_PROHIBIT => Some(RouteKind::Prohibit),
            RTN_THROW => Some(RouteKind::Throw),
            _ => None,
        }
    }

    /// `RTA_DST`, without a look at the rest; empty for a default route, and where the message is malformed. A million
    /// routes pass here in a row: nothing is checked that a whole reading would find anyway.
    pub(super) fn destination(payload: &[u8]) -> &[u8] {
        let mut rest = payload.get(ROUTE_HEADER..).unwrap_or_default();
        while let Some([low, high, kind_low, kind_high]) = rest.first_chunk() {
            let length = usize::from(u16::from_ne_bytes([*low, *high]));
            if u16::from_ne_bytes([*kind_low, *kind_high]) == RTA_DST {
                return rest.get(ATTRIBUTE_HEADER..length).unwrap_or_default();
            }
            // Never stands still, whatever the length says.
            rest = rest.get(length.max(ATTRIBUTE_HEADER).next_multiple_of(4)..).unwrap_or_default();
        }
        &[]
    }
}

impl RouteRecord {
    /// Reads the attributes of a route whose head was read.
    pub(super) fn parse(head: RouteHead, payload: &[u8]) -> Result<Self, DecodeError> {
        let mut destination = unspecified(head.family);
        let (mut source, mut table, mut metric) = (None, u32::from(head.table), 0);
        let (mut next_hop_id, mut multipath, mut interface, mut gateway) = (None, Vec::new(), None, None);
        for attribute in attributes(payload, ROUTE_HEADER) {
            let (kind, value) = attribute?;
            match kind {
                RTA_DST => destination = parse_ip(value)?,
                RTA_SRC => source = Some(parse_ip(value)?),
                RTA_TABLE => table = parse_u32(value)?,
                RTA_PRIORITY => metric = parse_u32(value)?,
                RTA_NH_ID => next_hop_id = Some(parse_u32(value)?),
                RTA_OIF => interface = Some(IfIndex(parse_u32(value)?)),
                RTA_GATEWAY => gateway = Some(parse_ip(value)?),
                RTA_VIA => gateway = via(value)?,
                RTA_MULTIPATH => multipath = living_ways(value)?,
                _ => {}
            }
        }
        let source = source.filter(|_| head.source_len > 0).map(|source| prefix(source, head.source_len));
        Ok(Self {
            family: head.family,
            table,
            protocol: head.protocol,
            unicast: head.kind == RTN_UNICAST,
            destination: prefix(destination, head.prefix_len)?,
            source: source.transpose()?,
            tos: head.tos,
            metric,
            next_hop_id,
            way: interface.filter(|_| !head.dead).map(|index| NextHop { index, gateway }),
            multipath,
        })
    }

    /// Every way out that is alive.
    pub(super) fn ways(&self) -> impl Iterator<Item = NextHop> + '_ {
        self.way.iter().chain(&self.multipath).copied()
    }
}

fn unspecified(family: Family) -> IpAddr {
    match family {
        Family::Ipv4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::Ipv6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

fn prefix(address: IpAddr, length: u8) -> Result<IpNet, DecodeError> {
    IpNet::new(address, length).map_err(|_| DecodeError::from("a prefix length beyond the address family's"))
}

/// Dead for another reason than its link, whose state is known better from the link itself: with
/// `ignore_routes_with_linkdown` the kernel calls the ways of a line without carrier dead too, and revives them without
/// a word.
fn is_dead(flags: u8) -> bool {
    flags & RTNH_F_DEAD != 0 && flags & RTNH_F_LINKDOWN == 0
}

/// `struct rtvia`: a gateway of the other family.
fn via(value: &[u8]) -> Result<Option<IpAddr>, DecodeError> {
    let Some((family, address)) = value.split_at_checked(2) else {
        return Err(DecodeError::buffer_too_small(value.len(), 2));
    };
    match i32::from(parse_u16(family)?) {
        libc::AF_INET | libc::AF_INET6 => parse_ip(address).map(Some),
        _ => Ok(None),
    }
}

/// A sequence of `struct rtnexthop`, each with its attributes.
fn living_ways(mut value: &[u8]) -> Result<Vec<NextHop>, DecodeError> {
    let mut ways = Vec::new();
    while let Some([low, high, flags, _weight, index @ ..]) = value.first_chunk::<RTNEXTHOP>() {
        let length = usize::from(u16::from_ne_bytes([*low, *high]));
        let entry = value
            .get(..length)
            .filter(|entry| entry.len() >= RTNEXTHOP)
            .ok_or_else(|| DecodeError::buffer_too_small(value.len(), length.max(RTNEXTHOP)))?;
        let mut gateway = None;
        for attribute in attributes(entry, RTNEXTHOP) {
            match attribute? {
                (RTA_GATEWAY, address) => gateway = Some(parse_ip(address)?),
                (RTA_VIA, address) => gateway = via(address)?,
                _ => {}
            }
        }
        if !is_dead(*flags) {
            ways.push(NextHop { index: IfIndex(u32::from_ne_bytes(*index)), gateway });
        }
        value = value.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(ways)
}
