//! Addresses that the router itself depends on: never steered, so that no mistake in a list or a path cuts it off.

use std::net::IpAddr;

use crate::{
    config::Config,
    select::{SetAside, Why},
};

/// What the configuration names, and the router's name servers.
pub fn protected(config: &Config, servers: &[IpAddr]) -> Vec<SetAside> {
    let never = config.kernel.never_steer.iter().map(|prefix| SetAside { prefix: *prefix, why: Why::Configured });
    let collector = config.report.as_ref().and_then(|report| report.endpoint.host.parse::<IpAddr>().ok());
    let collector = collector.map(|address| SetAside { prefix: address.into(), why: Why::Collector });
    let servers = servers.iter().map(|server| SetAside { prefix: (*server).into(), why: Why::NameServer });
    let mut all: Vec<SetAside> = never.chain(collector).chain(servers).collect();
    all.sort_unstable();
    all.dedup();
    all
}
