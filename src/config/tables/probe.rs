//! `[probe]`.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use super::destinations::known_services;
use crate::{
    config::{
        PROBE_TIMEOUTS, defaults,
        document::{Document, Placed},
        finding::Wrong,
        model::{Destinations, Probe, Profile, TrustSource},
        reader::{Item, Section},
        values::{OFF, address, duration, flag, name, number, one_of, path, status, target, text, unknown_word},
    },
    domain::{Check, Target},
};

/// Most targets of a service: more would only thin out the samples of each.
const MOST_TARGETS: usize = 16;

/// Most name servers: more are never asked.
const MOST_RESOLVERS: usize = 4;

/// Longest hold-down.
const HOUR: Duration = Duration::from_secs(3600);

pub(super) fn read(mut section: Section<'_>, destinations: &Destinations, base: &Path) -> Probe {
    let profiles = Profile::ALL.map(|profile| (profile.as_str(), profile));
    let profile = section.setting("profile", defaults::PROFILE, one_of(&profiles)).value;
    let interval = duration(Duration::from_millis(50)..=HOUR);
    let interval = section.setting("interval", defaults::probe_interval(profile), interval);
    let timeout = section.setting("timeout", defaults::PROBE_TIMEOUT, duration(PROBE_TIMEOUTS));
    let port = section.setting("port", defaults::PROBE_PORT, number(1..=u16::MAX)).value;
    let window = section.setting("window", defaults::PROBE_WINDOW, number(5..=1000_u16));
    let down_after = section.setting("down_after", defaults::DOWN_AFTER, number(1..=100_u32));
    let up_after = section.setting("up_after", defaults::UP_AFTER, number(1..=100_u32));
    let degraded_after = section.setting("degraded_after", defaults::DEGRADED_AFTER, number(1..=100_u32));
    let restored_after = section.setting("restored_after", defaults::RESTORED_AFTER, number(1..=100_u32));
    let hold_down = section.setting("hold_down", defaults::HOLD_DOWN, duration(Duration::ZERO..=HOUR));
    let flap_half_life = section.setting("flap_half_life", defaults::FLAP_HALF_LIFE, half_life);
    let quorum = section.setting("quorum", defaults::QUORUM, number(1..=16_u32));
    let trust = section.setting("ca", defaults::TRUST, trust(base)).value;
    let resolvers = section.take("resolvers").map_or_else(Vec::new, resolvers);
    let passive = section.setting("passive", defaults::PASSIVE, flag);
    let targets = targets(section.section("targets"), port, &trust, destinations);
    section.finish();
    Probe {
        profile,
        interval: interval.value,
        timeout: timeout.value,
        port,
        window: usize::from(window.value),
        down_after: down_after.value,
        up_after: up_after.value,
        degraded_after: degraded_after.value,
        restored_after: restored_after.value,
        hold_down: hold_down.value,
        flap_half_life: flap_half_life.value,
        quorum: quorum.value,
        trust,
        resolvers,
        passive: passive.value,
        targets,
    }
}

fn half_life(item: &Item<'_>) -> Result<Option<Duration>, Wrong> {
    if text(item).is_ok_and(|written| written == OFF) {
        return Ok(None);
    }
    duration(Duration::from_secs(10)..=HOUR)(item).map(Some)
}

fn trust(base: &Path) -> impl Fn(&Item<'_>) -> Result<TrustSource, Wrong> {
    move |item| match text(item)?.as_str() {
        "system" => Ok(TrustSource::System),
        OFF => Ok(TrustSource::Off),
        _ => path(base)(item).map(TrustSource::File),
    }
}

fn resolvers(item: Item<'_>) -> Vec<std::net::IpAddr> {
    let document = item.document;
    let servers = item.elements_or_none(address);
    if let Some(one_too_many) = servers.get(MOST_RESOLVERS) {
        let problem = format!("there are more than {MOST_RESOLVERS} name servers");
        one_too_many.report(document, Wrong::new(problem, "keep the nearest ones"));
    }
    servers.into_iter().map(|server| server.value).collect()
}

fn targets(
    section: Section<'_>,
    port: u16,
    trust: &TrustSource,
    destinations: &Destinations,
) -> BTreeMap<String, Vec<Target>> {
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
        let listed = item.each("name at least one target, or remove the key", |item| one_target(item, port));
        if let Some(one_too_many) = listed.get(MOST_TARGETS) {
            let problem = format!("there are more than {MOST_TARGETS} targets");
            one_too_many.report(document, Wrong::new(problem, "keep the nearest ones"));
        }
        for target in listed.iter().filter(|target| target.value.check.proves_identity()) {
            if *trust == TrustSource::Off {
                let problem = format!("nobody is trusted to vouch for {}", target.value);
                target.report(document, Wrong::new(problem, "set probe.ca to \"system\" or to a PEM file"));
            }
        }
        targets.insert(name, listed.into_iter().map(|target| target.value).collect());
    }
    targets
}

/// A text, or a table with more to say.
fn one_target(item: Item<'_>, port: u16) -> Option<Placed<Target>> {
    if !item.is_table() {
        return item.placed(target(port));
    }
    let mut section = item.into_section()?;
    let place = section.require("target", "\"tls:13.107.6.152\"", target(port));
    let server_name = section.read_placed("server_name", name);
    let status = section.read_placed("status", status);
    let refusal = section.read_placed("refusal_answers", flag);
    let mut target = place?;
    let document = section.document();
    section.finish();
    match (&mut target.value.check, server_name) {
        (Check::Tls { server_name } | Check::Http { server_name, .. }, Some(own)) => {
            *server_name = Arc::from(own.value.to_lowercase());
        }
        (_, Some(own)) => misplaced(&own, document, "tls, http and https"),
        (_, None) => {}
    }
    match (&mut target.value.check, status) {
        (Check::Http { status, .. }, Some(own)) => *status = own.value,
        (_, Some(own)) => misplaced(&own, document, "http and https"),
        (_, None) => {}
    }
    match (&mut target.value.check, refusal) {
        (Check::Tcp { refusal_answers }, Some(own)) => *refusal_answers = own.value,
        (_, Some(own)) => misplaced(&own, document, "tcp"),
        (_, None) => {}
    }
    Some(target)
}

fn misplaced<T>(setting: &Placed<T>, document: &Document<'_>, kinds: &str) {
    setting.report(document, Wrong::new(format!("means something for {kinds} alone"), "remove it"));
}
