//! A router that offers what the recorded one did: made up so that every uplink is attached, or not attached, for the reason
//! that was recorded.

use std::{collections::BTreeMap, net::IpAddr};

use crate::{
    config::{Config, NextHopSpec},
    domain::{Family, RouterState, StandIn, UplinkId},
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
        let mut router = StandIn::bare();
        for id in config.uplink_ids() {
            let of = |family| self.states.get(&(id, family)).copied();
            let known: Vec<Attached> = Family::BOTH.into_iter().filter_map(of).collect();
            if known.is_empty() || known.contains(&Attached::NoInterface) {
                continue;
            }
            let (admin_up, carrier) = (!known.contains(&Attached::AdminDown), !known.contains(&Attached::NoCarrier));
            router.link(id.0, &config.uplink(id).interface, admin_up, carrier);
            for family in Family::BOTH {
                if let Some(state) = of(family) {
                    attach(&mut router, config, id, family, state);
                }
            }
        }
        router.router()
    }
}

fn attach(router: &mut StandIn, config: &Config, id: UplinkId, family: Family, state: Attached) {
    if state != Attached::NoAddress {
        router.address(id.0, family);
    }
    if state != Attached::NoNextHop {
        router.default_route(id.0, family);
    }
    if state == Attached::SilentGateway {
        router.silent_gateway(id.0, family, configured_gateway(config, id, family));
    }
}

fn configured_gateway(config: &Config, id: UplinkId, family: Family) -> Option<IpAddr> {
    let uplink = config.uplink(id);
    match (family, uplink.ipv4, uplink.ipv6) {
        (Family::Ipv4, NextHopSpec::Gateway(gateway), _) => Some(gateway.into()),
        (Family::Ipv6, _, NextHopSpec::Gateway(gateway)) => Some(gateway.into()),
        _ => None,
    }
}
