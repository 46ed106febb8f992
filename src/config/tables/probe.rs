//! `[probe]`.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use super::destinations::known_services;
use crate::config::{
    defaults,
    finding::Wrong,
    model::{Destinations, Probe},
    reader::Section,
    values::{address, duration, number, unknown_word},
};
use crate::domain::Target;

/// Most targets of a service: more would only thin out the samples of each.
const MOST_TARGETS: usize = 16;

pub(super) fn read(mut section: Section<'_>, destinations: &Destinations) -> Probe {
    let interval = duration(Duration::from_millis(50)..=Duration::from_secs(3600));
    let profile = defaults::PROFILE;
    let interval = section.setting("interval", defaults::probe_interval(profile), interval);
    let timeout = duration(Duration::from_millis(10)..=Duration::from_secs(10));
    let timeout = section.setting("timeout", defaults::PROBE_TIMEOUT, timeout);
    let port = section.setting("port", defaults::PROBE_PORT, number(1..=u16::MAX));
    let window = section.setting("window", defaults::PROBE_WINDOW, number(5..=1000_u16));
    let down_after = section.setting("down_after", defaults::DOWN_AFTER, number(1..=100_u32));
    let up_after = section.setting("up_after", defaults::UP_AFTER, number(1..=100_u32));
    let targets = targets(section.section("targets"), port.value, destinations);
    section.finish();
    Probe {
        profile,
        interval: interval.value,
        timeout: timeout.value,
        port: port.value,
        window: usize::from(window.value),
        down_after: down_after.value,
        up_after: up_after.value,
        targets,
        ..Probe::default()
    }
}

fn targets(section: Section<'_>, port: u16, destinations: &Destinations) -> BTreeMap<String, Vec<Target>> {
    let known = known_services(destinations);
    let mut targets = BTreeMap::new();
    for (service, item) in section.entries() {
        let document = item.document;
        let name = service.value.to_lowercase();
        if let Some(known) = &known
            && !known.contains(&name.as_str())
        {
            service.report(document, unknown_word(&name, known.iter().copied()));
        }
        let addresses = item.elements("name at least one address, or remove the key", address);
        if let Some(one_too_many) = addresses.get(MOST_TARGETS) {
            let problem = format!("there are more than {MOST_TARGETS} targets");
            one_too_many.report(document, Wrong::new(problem, "keep the nearest ones"));
        }
        targets.insert(
            name,
            addresses.into_iter().map(|address| Target::tcp(SocketAddr::new(address.value, port))).collect(),
        );
    }
    targets
}
