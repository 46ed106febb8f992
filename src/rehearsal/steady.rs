//! A router on which everything works, made up: every uplink has its link, an address, a default route, and paths that have
//! been up for a day with nothing to tell them apart.

use crate::{
    agent::Engine,
    config::Config,
    domain::{BootTime, ClassId, Family, PathState, RouterState, StandIn},
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
    let mut router = StandIn::bare();
    for (number, name) in (0..).zip(interfaces) {
        router.link(number, name, true, true);
        for family in Family::BOTH {
            router.address(number, family);
            router.default_route(number, family);
        }
    }
    router.router()
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
