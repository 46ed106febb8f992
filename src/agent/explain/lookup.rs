//! What the kernel really does with a packet: a route lookup, as one that arrives from the LAN.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::{
    config::Kernel,
    domain::{Family, IfIndex, RouterState, view::KernelLookup},
    kernel::FibSocket,
};

/// Asks the kernel what it does with a packet to `destination` that arrives from the LAN. `None` when it has no route,
/// cannot be asked, or this router has no LAN address of that family to ask for.
pub async fn kernel_lookup(
    own: &Kernel,
    destination: IpAddr,
    source: Option<IpAddr>,
    router: &RouterState,
    uplinks: &[(String, String)],
) -> Option<KernelLookup> {
    let from = match source {
        Some(source) => (lan_of(router, source, uplinks)?, source),
        None => lan_host(router, Family::of(destination), uplinks)?,
    };
    let lookup = FibSocket::open(own).ok()?.lookup(destination, Some(from)).await.ok()?;
    let interface = lookup.interface.and_then(|index| router.links.get(&index)).map(|link| link.name.clone());
    let uplink = uplinks.iter().find(|(of, _)| Some(of) == interface.as_ref()).map(|(_, name)| name.clone());
    Some(KernelLookup {
        table: lookup.table,
        interface,
        gateway: lookup.gateway.map(|gateway| gateway.to_string()),
        uplink,
    })
}

/// The interface that a packet from `source` comes by: the one whose network it is in, or any of the LAN.
fn lan_of(router: &RouterState, source: IpAddr, uplinks: &[(String, String)]) -> Option<IfIndex> {
    let on_link = router.addresses.iter().filter(|address| address.net.contains(&source));
    let nearest = on_link.max_by_key(|address| address.net.prefix_len()).map(|address| address.index);
    nearest.or_else(|| Some(lan_host(router, Family::of(source), uplinks)?.0))
}

/// A host that could stand behind this router: on an interface that is no uplink, next to the router's own address.
fn lan_host(router: &RouterState, family: Family, uplinks: &[(String, String)]) -> Option<(IfIndex, IpAddr)> {
    router
        .addresses
        .iter()
        .filter(|address| address.global && address.ready && Family::of_net(address.net) == family)
        .filter(|address| {
            router.links.get(&address.index).is_some_and(|link| {
                link.is_usable() && link.name != "lo" && uplinks.iter().all(|(interface, _)| *interface != link.name)
            })
        })
        .find_map(|address| neighbour_of(address.net).map(|host| (address.index, host)))
}

/// Another host address inside the prefix of `net`: the next one, or the one before.
fn neighbour_of(net: IpNet) -> Option<IpAddr> {
    let step = |by: i8| match net.addr() {
        IpAddr::V4(own) => own.to_bits().checked_add_signed(i32::from(by)).map(|bits| IpAddr::V4(bits.into())),
        IpAddr::V6(own) => own.to_bits().checked_add_signed(i128::from(by)).map(|bits| IpAddr::V6(bits.into())),
    };
    [1, -1].into_iter().filter_map(step).find(|host| {
        net.contains(host) && *host != net.network() && (net.prefix_len() > 30 || *host != net.broadcast())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lan_host_stands_next_to_the_router_inside_its_prefix() {
        for (router, host) in [
            ("192.168.77.1/24", "192.168.77.2"),
            ("192.168.77.254/24", "192.168.77.253"),
            ("10.0.0.0/31", "10.0.0.1"),
            ("2001:db8:77::1/64", "2001:db8:77::2"),
        ] {
            let found = neighbour_of(router.parse().unwrap());
            assert_eq!(found, Some(host.parse().unwrap()), "next to {router}");
        }
    }

    #[test]
    fn a_router_alone_in_its_prefix_has_no_lan_host() {
        assert_eq!(neighbour_of("192.0.2.1/32".parse().unwrap()), None);
    }
}
