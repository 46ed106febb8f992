//! A router on which everything works, made up: every uplink has its link, an address, a default route, and paths that have
//! been up for a day with nothing to tell them apart.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::{
    agent::Engine,
    config::Config,
    domain::{Address, BootTime, ClassId, DefaultRoute, Family, IfIndex, Link, PathState, ReadState, RouterState},
    select::PathInput,
};

/// Interfaces of all uplinks, each once.
pub(super) fn interfaces(configs: &[&Config]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for uplink in configs.iter().flat_map(|config| &config.uplinks) {
        if !names.contains(&uplink.interface) {
            names.push(uplink.interface.clone());
        }
    }
    names
}

/// A router with these, in this order.
pub(super) fn router(interfaces: &[String]) -> RouterState {
    let mut router = RouterState { read: ReadState::Fresh, routes_read: ReadState::Fresh, ..RouterState::default() };
    for (number, name) in (1_u32..).zip(interfaces) {
        let index = IfIndex(number);
        let link = Link { index, name: name.clone(), admin_up: true, carrier: true, master: None, vrf_table: None };
        router.links.insert(index, link);
        for family in Family::BOTH {
            let Some((net, gateway)) = addresses(number, family) else { continue };
            router.addresses.push(Address { index, net, global: true, ready: true });
            let gateway = Some(gateway);
            router.defaults.push(DefaultRoute { family, index, gateway, metric: 100, table: 254, source: None });
        }
    }
    router
}

/// Of documentation space (RFC 5737, RFC 3849).
fn addresses(number: u32, family: Family) -> Option<(IpNet, IpAddr)> {
    let (net, gateway) = match family {
        Family::Ipv4 => (format!("192.0.2.{}/31", 2 * number + 1), format!("192.0.2.{}", 2 * number)),
        Family::Ipv6 => (format!("2001:db8:0:{number:x}::2/64"), format!("2001:db8:0:{number:x}::1")),
    };
    Some((net.parse().ok()?, gateway.parse().ok()?))
}

/// The engine with all paths up.
pub(super) fn given(mut engine: Engine, now: BootTime) -> Engine {
    let uplinks: Vec<_> = engine.config().uplink_ids().collect();
    let classes: Vec<ClassId> = engine.classes().iter().map(|class| class.id.clone()).collect();
    for class in &classes {
        for uplink in &uplinks {
            let input = PathInput {
                state: PathState::Up,
                since: BootTime::default(),
                evidence: "taken to be up".to_owned(),
                ..PathInput::unknown(now)
            };
            engine.assume(class, *uplink, input);
        }
    }
    engine
}
