//! A router that is not there: its links, addresses, gateways and default routes, made up for what is decided on paper.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Address, DefaultRoute, Family, IfIndex, Link, NeighbourState, ReadState, RouterState};

/// Such a router. Its links are told apart by their numbers, up to 127 for IPv4; what they have is of documentation space
/// (RFC 5737, RFC 3849).
#[derive(Debug)]
pub struct StandIn(RouterState);

impl StandIn {
    /// Without a link.
    pub fn bare() -> Self {
        Self(RouterState { read: ReadState::Fresh, routes_read: ReadState::Fresh, ..RouterState::default() })
    }

    /// Gives it a link.
    pub fn link(&mut self, number: u16, name: &str, admin_up: bool, carrier: bool) {
        let index = index(number);
        let link = Link { index, name: name.to_owned(), admin_up, carrier, master: None, vrf_table: None };
        self.0.links.insert(index, link);
    }

    /// Gives a link an address.
    pub fn address(&mut self, number: u16, family: Family) {
        let net = network(number, family);
        self.0.addresses.extend(net.map(|net| Address { index: index(number), net, global: true, ready: true }));
    }

    /// Gives a link a default route.
    pub fn default_route(&mut self, number: u16, family: Family) {
        let index = index(number);
        let route = gateway(number, family).map(|gateway| DefaultRoute {
            family,
            index,
            gateway: Some(gateway),
            metric: 100,
            table: 254,
            source: None,
        });
        self.0.defaults.extend(route);
    }

    /// Nobody answers at the gateway of a link: the configured one, else that of its default route.
    pub fn silent_gateway(&mut self, number: u16, family: Family, configured: Option<IpAddr>) {
        if let Some(gateway) = configured.or_else(|| gateway(number, family)) {
            self.0.neighbours.insert((index(number), gateway), NeighbourState::Failed);
        }
    }

    /// The picture of it, as if the kernel had given it.
    pub fn router(self) -> RouterState {
        self.0
    }
}

fn index(number: u16) -> IfIndex {
    IfIndex(u32::from(number) + 1)
}

fn network(number: u16, family: Family) -> Option<IpNet> {
    let text = match family {
        Family::Ipv4 => format!("192.0.2.{}/31", 2 * u32::from(number) + 1),
        Family::Ipv6 => format!("2001:db8:0:{number:x}::2/64"),
    };
    text.parse().ok()
}

fn gateway(number: u16, family: Family) -> Option<IpAddr> {
    let text = match family {
        Family::Ipv4 => format!("192.0.2.{}", 2 * u32::from(number)),
        Family::Ipv6 => format!("2001:db8:0:{number:x}::1"),
    };
    text.parse().ok()
}
