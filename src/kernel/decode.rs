//! Link, address, neighbour and rule messages into domain types.
//!
//! Only what steering needs is read. `None` means "of no interest", an error means "malformed".

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{DecodeError, parse_ip, parse_u8, parse_u32};
use netlink_packet_route::{
    AddressFamily,
    address::{AddressFlags, AddressHeader, AddressScope},
    link::{LinkFlags, LinkHeader},
    neighbour::{NeighbourHeader, NeighbourState as Nud},
    rule::{RuleAction, RuleHeader},
};

use super::{
    fra,
    frame::{attributes, text_of},
};
use crate::domain::{Address, Family, IfIndex, Link, NeighbourState, PolicyRule};

const IFLA_IFNAME: u16 = 3;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_VRF_TABLE: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const NDA_DST: u16 = 1;

const LINK_HEADER: usize = 16;
const ADDRESS_HEADER: usize = 8;
const NEIGHBOUR_HEADER: usize = 12;
const RULE_HEADER: usize = 12;

/// A link. Bridges announce their ports in the same group, under their own family: those say nothing of the link.
pub(super) fn link(payload: &[u8]) -> Result<Option<Link>, DecodeError> {
    let header = LinkHeader::parse(payload)?;
    if header.interface_family != AddressFamily::Unspec {
        return Ok(None);
    }
    let (mut name, mut master, mut vrf_table) = (None, None, None);
    for attribute in attributes(payload, LINK_HEADER) {
        let (kind, value) = attribute?;
        match kind {
            IFLA_IFNAME => name = Some(text_of(value)),
            IFLA_MASTER => master = parse_u32(value).ok().filter(|index| *index > 0).map(IfIndex),
            // Each kind of interface has a format of its own there: what cannot be read is no VRF.
            IFLA_LINKINFO => vrf_table = vrf_table_of(value).unwrap_or_default(),
            _ => {}
        }
    }
    Ok(name.map(|name| Link {
        index: IfIndex(header.index),
        name,
        admin_up: header.flags.contains(LinkFlags::Up),
        carrier: header.flags.contains(LinkFlags::LowerUp),
        master,
        vrf_table,
    }))
}

fn vrf_table_of(info: &[u8]) -> Result<Option<u32>, DecodeError> {
    let (mut is_vrf, mut table) = (false, None);
    for attribute in attributes(info, 0) {
        match attribute? {
            (IFLA_INFO_KIND, kind) => is_vrf = text_of(kind) == "vrf",
            (IFLA_INFO_DATA, data) if is_vrf => {
                for attribute in attributes(data, 0) {
                    if let (IFLA_VRF_TABLE, value) = attribute? {
                        table = Some(parse_u32(value)?);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(table)
}

/// A rule that leads to a table, unless it carries protocol number `own`.
pub(super) fn rule(payload: &[u8], own: u8) -> Result<Option<PolicyRule>, DecodeError> {
    let header = RuleHeader::parse(payload)?;
    let family = match header.family {
        AddressFamily::Inet => Family::Ipv4,
        AddressFamily::Inet6 => Family::Ipv6,
        _ => return Ok(None),
    };
    let (mut table, mut preference, mut protocol) = (u32::from(header.table), 0, None);
    for attribute in attributes(payload, RULE_HEADER) {
        match attribute? {
            (fra::PRIORITY, value) => preference = parse_u32(value)?,
            (fra::TABLE, value) => table = parse_u32(value)?,
            (fra::PROTOCOL, value) => protocol = Some(parse_u8(value)?),
            _ => {}
        }
    }
    // The rule of VRFs (`l3mdev`) names no table.
    let leads = header.action == RuleAction::ToTable && table != 0 && protocol != Some(own);
    Ok(leads.then_some(PolicyRule { family, preference, table }))
}

/// An address of this router.
pub(super) fn address(payload: &[u8]) -> Result<Option<Address>, DecodeError> {
    let header = AddressHeader::parse(payload)?;
    let (mut local, mut peer) = (None, None);
    // Eight flags fit into the header; newer kernels repeat them, with more, in an attribute.
    let mut flags = u32::from(header.flags.bits());
    for attribute in attributes(payload, ADDRESS_HEADER) {
        let (kind, value) = attribute?;
        match kind {
            IFA_ADDRESS => peer = Some(parse_ip(value)?),
            IFA_LOCAL => local = Some(parse_ip(value)?),
            IFA_FLAGS => flags = parse_u32(value)?,
            _ => {}
        }
    }
    // On point-to-point links IFA_ADDRESS is the other end; IPv6 gives IFA_LOCAL on these only.
    let own = local.or(peer);
    let net = own.and_then(|own| IpNet::new(own, header.prefix_len).ok());
    let flags = AddressFlags::from_bits_retain(flags);
    Ok(net.map(|net| Address {
        index: IfIndex(header.index),
        net,
        global: header.scope == AddressScope::Universe,
        ready: is_ready(flags),
    }))
}

fn is_ready(flags: AddressFlags) -> bool {
    let optimistic = flags.contains(AddressFlags::Optimistic);
    !flags.contains(AddressFlags::Dadfailed) && (optimistic || !flags.contains(AddressFlags::Tentative))
}

/// A neighbour; the state is `None` when the kernel knows the address but nothing of its reachability.
pub(super) fn neighbour(payload: &[u8]) -> Result<Option<(IfIndex, IpAddr, Option<NeighbourState>)>, DecodeError> {
    let header = NeighbourHeader::parse(payload)?;
    // Bridges announce their forwarding tables in the same group.
    if !matches!(header.family, AddressFamily::Inet | AddressFamily::Inet6) {
        return Ok(None);
    }
    for attribute in attributes(payload, NEIGHBOUR_HEADER) {
        let (kind, value) = attribute?;
        if kind == NDA_DST {
            let address = parse_ip(value)?;
            let wanted = !address.is_multicast() && !address.is_unspecified();
            return Ok(wanted.then(|| (IfIndex(header.ifindex), address, reachability(header.state))));
        }
    }
    Ok(None)
}

fn reachability(state: Nud) -> Option<NeighbourState> {
    match state {
        Nud::Reachable | Nud::Stale | Nud::Delay | Nud::Probe | Nud::Permanent | Nud::Noarp => {
            Some(NeighbourState::Resolved)
        }
        Nud::Incomplete => Some(NeighbourState::Resolving),
        Nud::Failed => Some(NeighbourState::Failed),
        _ => None,
    }
}
