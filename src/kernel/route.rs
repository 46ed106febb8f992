//! Route messages: one parsed route, whatever it is for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_core::{DecodeError, parse_ip, parse_u16, parse_u32};

use super::frame::attributes;
use crate::domain::{Family, IfIndex, NextHop};

const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
const RTA_NH_ID: u16 = 30;

const ROUTE_HEADER: usize = 12;
const RTNEXTHOP: usize = 8;

const RTN_UNICAST: u8 = 1;
const RTNH_F_DEAD: u8 = 1;

/// A route as far as steering looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RouteRecord {
    pub(super) family: Family,
    pub(super) table: u32,
    pub(super) protocol: u8,
    pub(super) unicast: bool,
    pub(super) destination: IpNet,
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
    /// Low table number; `RT_TABLE_COMPAT` (252) for those above 255.
    pub(super) table: u8,
    pub(super) protocol: u8,
    kind: u8,
    dead: bool,
}

impl RouteHead {
    /// `None` for families that are not routed by IP.
    pub(super) fn parse(payload: &[u8]) -> Result<Option<Self>, DecodeError> {
        let [family, prefix_len, _source_len, _tos, table, protocol, _scope, kind, flags @ ..] = payload
            .first_chunk::<ROUTE_HEADER>()
            .ok_or_else(|| DecodeError::buffer_too_small(payload.len(), ROUTE_HEADER))?;
        let family = match i32::from(*family) {
            libc::AF_INET => Family::Ipv4,
            libc::AF_INET6 => Family::Ipv6,
            _ => return Ok(None),
        };
        let dead = u32::from_ne_bytes(*flags) & u32::from(RTNH_F_DEAD) != 0;
        Ok(Some(Self { family, prefix_len: *prefix_len, table: *table, protocol: *protocol, kind: *kind, dead }))
    }
}

impl RouteHead {
    /// The same, with its way out told even while that is dead: a route of ours on a line without carrier is still ours
    /// to keep or to withdraw.
    pub(super) fn dead_or_alive(self) -> Self {
        Self { dead: false, ..self }
    }
}

impl RouteRecord {
    /// Reads the attributes of a route whose head was read.
    pub(super) fn parse(head: RouteHead, payload: &[u8]) -> Result<Self, DecodeError> {
        let mut destination = match head.family {
            Family::Ipv4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Family::Ipv6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let (mut table, mut metric, mut next_hop_id, mut multipath) = (u32::from(head.table), 0, None, Vec::new());
        let (mut interface, mut gateway) = (None, None);
        for attribute in attributes(payload, ROUTE_HEADER) {
            let (kind, value) = attribute?;
            match kind {
                RTA_DST => destination = parse_ip(value)?,
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
        let way = interface.filter(|_| !head.dead).map(|index| NextHop { index, gateway });
        let destination = IpNet::new(destination, head.prefix_len)
            .map_err(|_| DecodeError::from("a prefix length beyond the address family's"))?;
        let (family, protocol, unicast) = (head.family, head.protocol, head.kind == RTN_UNICAST);
        Ok(Self { family, table, protocol, unicast, destination, metric, next_hop_id, way, multipath })
    }

    /// Every way out that is alive.
    pub(super) fn ways(&self) -> impl Iterator<Item = NextHop> + '_ {
        self.way.iter().chain(&self.multipath).copied()
    }
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
        if flags & RTNH_F_DEAD == 0 {
            ways.push(NextHop { index: IfIndex(u32::from_ne_bytes(*index)), gateway });
        }
        value = value.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(ways)
}
