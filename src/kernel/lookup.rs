//! Asks the kernel where a packet goes.

use std::net::IpAddr;

use netlink_packet_core::DecodeError;
use netlink_packet_route::route::{RouteAttribute, RouteFlags, RouteMessage};

use super::{
    KernelError, Lookup,
    frame::{Message, Request},
    message_type::RTM_GETROUTE,
    read::address_family,
    route::{RouteHead, RouteRecord},
    socket::RequestSocket,
};
use crate::domain::{Family, IfIndex};

/// One lookup; see [`super::FibSocket::lookup`].
pub(super) async fn lookup(
    socket: &mut RequestSocket,
    destination: IpAddr,
    from: Option<(IfIndex, IpAddr)>,
) -> Result<Lookup, KernelError> {
    let mut question = RouteMessage::default();
    question.header.address_family = address_family(Family::of(destination));
    question.header.destination_prefix_length = host_len(destination);
    if destination.is_ipv4() {
        // Without it IPv4 reports the main table whatever table answered; IPv6 always tells, and refuses the flag.
        question.header.flags = RouteFlags::LookupTable;
    }
    question.attributes.push(RouteAttribute::Destination(destination.into()));
    if let Some((interface, source)) = from {
        question.header.source_prefix_length = host_len(source);
        question.attributes.push(RouteAttribute::Source(source.into()));
        question.attributes.push(RouteAttribute::Iif(interface.0));
    }
    let what = match from {
        Some((interface, source)) => {
            format!("look up the way of a packet from {source} on interface {} to {destination}", interface.0)
        }
        None => format!("look up this router's own way to {destination}"),
    };
    let request = Request::new(RTM_GETROUTE, 0, &question);
    socket.get(&what, &request, answer).await
}

fn host_len(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn answer(message: &Message<'_>) -> Result<Lookup, DecodeError> {
    let head = RouteHead::parse(message.payload)?.ok_or_else(|| DecodeError::from("a route of another family"))?;
    let route = RouteRecord::parse(head, message.payload)?;
    let way = route.ways().next();
    Ok(Lookup { table: route.table, interface: way.map(|way| way.index), gateway: way.and_then(|way| way.gateway) })
}
