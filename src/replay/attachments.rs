//! A router that offers what the recorded one did: links, addresses and default routes made up so that every uplink is
//! attached, or not attached, for the reason that was recorded.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;

use crate::{
    config::{Config, NextHopSpec},
    domain::{Address, DefaultRoute, Family, IfIndex, Link, NeighbourState, ReadState, RouterState, UplinkId},
    recording::Attached,
};

/// What every uplink has.
#[derive(Debug, Default)]
pub(super) struct Attachments {
    states: BTreeMap<(UplinkId, Family), Attached>,
}

impl Attachments {
    /// Takes what an uplink has; false when that is known.
    pub fn set(&mut self, uplink: UplinkId, family: Family, state: Attached) -> bool {
        self.states.insert((uplink, family), state) != Some(state)
    }

    /// A router on which all of that is so.
    pub fn router(&self, config: &Config) -> RouterState {
        let mut router =
            RouterState { read: ReadState::Fresh, routes_read: ReadState::Fresh, ..RouterState::default() };
        for id in config.uplink_ids() {
            let of = |family| self.states.get(&(id, family)).copied();
            let known: Vec<Attached> = Family::BOTH.into_iter().filter_map(of).collect();
            if known.is_empty() || known.contains(&Attached::NoInterface) {
                continue;
            }
            let index = IfIndex(u32::from(id.0) + 1);
            let link = Link {
                index,
                name: config.uplink(id).interface.clone(),
                admin_up: !known.contains(&Attached::AdminDown),
                carrier: !known.contains(&Attached::NoCarrier),
                master: None,
                vrf_table: None,
            };
            router.links.insert(index, link);
            for family in Family::BOTH {
                if let Some(state) = of(family) {
                    attach(&mut router, config, id, family, state);
                }
            }
        }
        router
    }
}

fn attach(router: &mut RouterState, config: &Config, id: UplinkId, family: Family, state: Attached) {
    let index = IfIndex(u32::from(id.0) + 1);
    let Some((net, made_up)) = addresses(id, family) else { return };
    if state != Attached::NoAddress {
        router.addresses.push(Address { index, net, global: true, ready: true });
    }
    if state != Attached::NoNextHop {
        let gateway = Some(made_up);
        router.defaults.push(DefaultRoute { family, index, gateway, metric: 100, table: 254, source: None });
    }
    if state == Attached::SilentGateway {
        let gateway = configured_gateway(config, id, family).unwrap_or(made_up);
        router.neighbours.insert((index, gateway), NeighbourState::Failed);
    }
}

/// An address and a gateway of documentation space (RFC 5737, RFC 3849) for an uplink; there are 64 at most.
fn addresses(id: UplinkId, family: Family) -> Option<(IpNet, IpAddr)> {
    let (net, gateway) = match family {
        Family::Ipv4 => (format!("192.0.2.{}/31", 2 * id.0 + 1), format!("192.0.2.{}", 2 * id.0)),
        Family::Ipv6 => (format!("2001:db8:0:{:x}::2/64", id.0), format!("2001:db8:0:{:x}::1", id.0)),
    };
    Some((net.parse().ok()?, gateway.parse().ok()?))
}

fn configured_gateway(config: &Config, id: UplinkId, family: Family) -> Option<IpAddr> {
    let uplink = config.uplink(id);
    match (family, uplink.ipv4, uplink.ipv6) {
        (Family::Ipv4, NextHopSpec::Gateway(gateway), _) => Some(gateway.into()),
        (Family::Ipv6, _, NextHopSpec::Gateway(gateway)) => Some(gateway.into()),
        _ => None,
    }
}
