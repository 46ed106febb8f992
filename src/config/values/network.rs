//! Interfaces, gateways, addresses and prefixes.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use ipnet::{IpNet, Ipv6Net};

use super::{Item, OFF, Wrong, quoted, text};
use crate::{
    config::model::NextHopSpec,
    domain::{Family, reserved},
};

/// Name of a network interface.
pub(in super::super) fn interface(item: &Item<'_>) -> Result<String, Wrong> {
    let name = text(item)?;
    if name == "lo" {
        return Err(Wrong::new("the loopback interface leads nowhere", "name the interface towards the ISP"));
    }
    // The kernel's IFNAMSIZ is 16 with the closing zero; it refuses these characters (dev_valid_name).
    let bad = name.len() > 15
        || name == "."
        || name == ".."
        || name.contains(|letter: char| "/:".contains(letter) || letter.is_whitespace());
    if bad {
        return Err(Wrong::new(
            format!("{} cannot be the name of an interface", quoted(&name)),
            "use a name as `ip link` shows it: at most 15 bytes, no space, slash or colon",
        ));
    }
    Ok(name)
}

/// `"auto"`, `"off"`, or a gateway of the family.
pub(in super::super) fn next_hop<A: Gateway>(item: &Item<'_>) -> Result<NextHopSpec<A>, Wrong> {
    let written = text(item)?;
    match written.as_str() {
        "auto" => return Ok(NextHopSpec::Auto),
        OFF => return Ok(NextHopSpec::Disabled),
        _ => {}
    }
    let said = quoted(&written);
    match (written.parse::<A>(), written.parse::<IpAddr>()) {
        (Ok(gateway), _) if gateway.can_be_one() => Ok(NextHopSpec::Gateway(gateway)),
        (Ok(_), _) => Err(Wrong::new(
            format!("{said} cannot be a gateway"),
            "use the address of the ISP's router on this link, or \"auto\"",
        )),
        (Err(_), Ok(other)) => Err(Wrong::new(
            format!("{said} is an {} address", label(Family::of(other))),
            format!("move it to the key {}", Family::of(other)),
        )),
        (Err(_), Err(_)) => Err(Wrong::new(
            format!("{said} is not an {} address", label(A::FAMILY)),
            "use \"auto\", \"off\", or the address of the gateway",
        )),
    }
}

/// What an address must be to be a gateway.
pub(in super::super) trait Gateway: FromStr {
    /// Its family.
    const FAMILY: Family;
    /// Whether it is the address of one host that can be on a link.
    fn can_be_one(&self) -> bool;
}

impl Gateway for Ipv4Addr {
    const FAMILY: Family = Family::Ipv4;
    fn can_be_one(&self) -> bool {
        // 0.0.0.0/8 is "this network" (RFC 6890).
        let [first, ..] = self.octets();
        first != 0 && !self.is_multicast() && !self.is_broadcast() && !self.is_loopback()
    }
}

impl Gateway for Ipv6Addr {
    const FAMILY: Family = Family::Ipv6;
    fn can_be_one(&self) -> bool {
        let mapped = self.to_ipv4_mapped().is_some();
        !self.is_unspecified() && !self.is_multicast() && !self.is_loopback() && !mapped
    }
}

/// An address of the internet.
pub(in super::super) fn address(item: &Item<'_>) -> Result<IpAddr, Wrong> {
    let written = text(item)?;
    let said = quoted(&written);
    let address: IpAddr = written
        .parse()
        .map_err(|_| Wrong::new(format!("{said} is not an address"), "use an IPv4 or IPv6 address"))?;
    public(address).map(|()| address)
}

/// Whether an address is one of the internet.
pub(super) fn public(address: IpAddr) -> Result<(), Wrong> {
    match reserved(IpNet::from(address)) {
        None => Ok(()),
        Some(what) => {
            let said = quoted(&address.to_string());
            Err(Wrong::new(format!("{said} is {what}"), "use an address of the public internet"))
        }
    }
}

/// A prefix of the internet.
pub(in super::super) fn prefix(item: &Item<'_>) -> Result<IpNet, Wrong> {
    let written = text(item)?;
    let said = quoted(&written);
    let net: IpNet = written.parse().or_else(|_| written.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
        Wrong::new(format!("{said} is not a prefix"), "write ADDRESS/LENGTH, such as 13.107.6.152/31")
    })?;
    if net.trunc() != net {
        return Err(Wrong::new(format!("{said} has bits beyond its length"), format!("write \"{}\"", net.trunc())));
    }
    if let Some(what) = reserved(net) {
        return Err(Wrong::new(format!("{said} is {what}, which is never steered"), "remove it"));
    }
    let (family, widest) = match net {
        IpNet::V4(_) => (Family::Ipv4, WIDEST_IPV4),
        IpNet::V6(_) => (Family::Ipv6, WIDEST_IPV6),
    };
    if net.prefix_len() < widest {
        return Err(Wrong::new(
            format!("{said} is wider than anything of Microsoft's"),
            format!("use prefixes of /{widest} or longer for {}", label(family)),
        ));
    }
    Ok(net)
}

/// The widest that Microsoft's AS8075 announces, after merging, are of length 10 (20.64.0.0/10) ...
const WIDEST_IPV4: u8 = 8;
/// ... and 26 (2603:1000::/26). Both bounds leave room, and keep a slip of the pen from steering half the internet.
const WIDEST_IPV6: u8 = 20;

/// A prefix, of whatever space, without bits beyond its length.
pub(in super::super) fn any_prefix(item: &Item<'_>) -> Result<IpNet, Wrong> {
    let written = text(item)?;
    let said = quoted(&written);
    let net: IpNet = written
        .parse()
        .or_else(|_| written.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| Wrong::new(format!("{said} is not a prefix"), "write an address, or ADDRESS/LENGTH"))?;
    if net.trunc() != net {
        return Err(Wrong::new(format!("{said} has bits beyond its length"), format!("write \"{}\"", net.trunc())));
    }
    Ok(net)
}

/// An IPv6 prefix that clients can have addresses of.
pub(in super::super) fn source_prefix(item: &Item<'_>) -> Result<Ipv6Net, Wrong> {
    const FIX: &str = "list the prefixes that the ISP has delegated, such as [\"2001:db8:100::/48\"]";
    match any_prefix(item)? {
        IpNet::V6(net) if (SHORTEST_SOURCE..=64).contains(&net.prefix_len()) => Ok(net),
        IpNet::V6(net) => {
            Err(Wrong::new(format!("\"{net}\" is no network of clients: not /{SHORTEST_SOURCE} to /64"), FIX))
        }
        IpNet::V4(net) => Err(Wrong::new(format!("\"{net}\" is an IPv4 prefix"), FIX)),
    }
}

/// Registries give providers /32s, some as much as /20; customers get /48 to /64.
const SHORTEST_SOURCE: u8 = 20;

/// A family as people write it.
fn label(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "IPv4",
        Family::Ipv6 => "IPv6",
    }
}
