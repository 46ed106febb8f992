//! What the kernel offers for an uplink: link, next hop, source address.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::{
    config::{NextHopSpec, Uplink},
    domain::{Family, IfIndex, NeighbourState, NextHop, RouterState, UplinkAttachment},
};

/// Why the kernel has no way through an uplink in a family.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unattached {
    /// The uplink does not carry the family, by configuration.
    #[error("not used for {0}")]
    FamilyDisabled(Family),
    /// No interface of that name.
    #[error("interface {0} does not exist")]
    NoInterface(String),
    /// Administratively down.
    #[error("interface {0} is down")]
    AdminDown(String),
    /// No carrier.
    #[error("interface {0} has no carrier")]
    NoCarrier(String),
    /// `auto` and no default route by the interface.
    #[error("no default route by {0}: next hop unknown")]
    NoNextHop(String),
    /// `require_route`, and the router's own routes by the uplink do not lead to all of the class.
    #[error("no route of its own to {missing} of {of} routes of this class, such as {example}")]
    NoRoute {
        /// Routes of the class that no route by the uplink covers.
        missing: usize,
        /// Routes of the class.
        of: usize,
        /// One of those that are missing.
        example: IpNet,
    },
    /// Its ISP drops IPv6 packets from these sources.
    #[error("its ISP does not let these IPv6 sources through (ipv6_source)")]
    ForeignSource,
    /// No usable source address.
    #[error("no {1} address on {0}")]
    NoAddress(String, Family),
}

/// What the kernel offers for an uplink in a family, by the state of link, addresses and routes.
///
/// # Errors
/// When there is no way through it, and why.
pub fn attachment(uplink: &Uplink, family: Family, router: &RouterState) -> Result<UplinkAttachment, Unattached> {
    let interface = || uplink.interface.clone();
    let spec = next_hop_spec(uplink, family).ok_or(Unattached::FamilyDisabled(family))?;
    let link = router.link_named(&uplink.interface).ok_or_else(|| Unattached::NoInterface(interface()))?;
    if !link.admin_up {
        return Err(Unattached::AdminDown(interface()));
    }
    if !link.carrier {
        return Err(Unattached::NoCarrier(interface()));
    }
    let gateway = match spec {
        Some(gateway) => Some(gateway),
        None => learned_gateway(link.index, family, router).ok_or_else(|| Unattached::NoNextHop(interface()))?,
    };
    let source = router.source_on(link.index, family).ok_or_else(|| Unattached::NoAddress(interface(), family))?;
    Ok(UplinkAttachment { next_hop: NextHop { index: link.index, gateway }, source: Some(source) })
}

/// Why nothing can pass though the uplink is attached: its gateway does not answer ARP or neighbour discovery. The
/// kernel knows before probes do.
pub fn silent_gateway(attachment: &UplinkAttachment, router: &RouterState) -> Option<String> {
    let gateway = attachment.next_hop.gateway?;
    let state = router.neighbours.get(&(attachment.next_hop.index, gateway))?;
    (*state == NeighbourState::Failed).then(|| format!("gateway {gateway} does not answer on its link"))
}

/// None: the family is disabled; `Some(None)`: learned from the kernel; `Some(Some(_))`: this gateway.
#[allow(clippy::option_option, reason = "the three cases of a next-hop specification, without its address type")]
fn next_hop_spec(uplink: &Uplink, family: Family) -> Option<Option<IpAddr>> {
    fn erase<A: Into<IpAddr>>(spec: NextHopSpec<A>) -> Option<Option<IpAddr>> {
        match spec {
            NextHopSpec::Disabled => None,
            NextHopSpec::Auto => Some(None),
            NextHopSpec::Gateway(address) => Some(Some(address.into())),
        }
    }
    match family {
        Family::Ipv4 => erase(uplink.ipv4),
        Family::Ipv6 => erase(uplink.ipv6),
    }
}

/// Gateway of the best default route by the interface; `Some(None)` on a point-to-point link.
#[allow(clippy::option_option, reason = "a default route without a gateway is not the absence of one")]
fn learned_gateway(index: IfIndex, family: Family, router: &RouterState) -> Option<Option<IpAddr>> {
    router.default_via(index, family).map(|route| route.gateway)
}
