//! Link, address and neighbour messages into domain types.
//!
//! Only what steering needs is read. `None` means "of no interest", an error means "malformed".

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{DecodeError, parse_ip, parse_u32};
use netlink_packet_route::{
    AddressFamily,
    address::{AddressFlags, AddressHeader, AddressScope},
    link::{LinkFlags, LinkHeader},
    neighbour::{NeighbourHeader, NeighbourState as Nud},
};

use super::frame::{attributes, text_of};
use crate::domain::{Address, IfIndex, Link, NeighbourState};

const IFLA_IFNAME: u16 = 3;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const NDA_DST: u16 = 1;

const LINK_HEADER: usize = 16;
const ADDRESS_HEADER: usize = 8;
const NEIGHBOUR_HEADER: usize = 12;

/// A link. Bridges announce their ports in the same group, under their own family: those say nothing of the link.
pub(super) fn link(payload: &[u8]) -> Result<Option<Link>, DecodeError> {
    let header = LinkHeader::parse(payload)?;
    if header.interface_family != AddressFamily::Unspec {
        return Ok(None);
    }
    let mut name = None;
    for attribute in attributes(payload, LINK_HEADER) {
        let (kind, value) = attribute?;
        if kind == IFLA_IFNAME {
            name = Some(text_of(value));
            break;
        }
    }
    Ok(name.map(|name| Link {
        index: IfIndex(header.index),
        name,
        admin_up: header.flags.contains(LinkFlags::Up),
        carrier: header.flags.contains(LinkFlags::LowerUp),
        master: None,
        vrf_table: None,
    }))
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
