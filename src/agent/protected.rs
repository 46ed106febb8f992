//! Addresses that the router itself depends on: never steered, so that no mistake in a list or a path cuts it off.

use std::{fs::File, io::Read, net::IpAddr};

use ipnet::IpNet;

use crate::{
    config::Config,
    select::{SetAside, Why},
};

/// Where resolvers are named: by the C library's convention, and by OpenWrt's for those that an uplink announced.
const RESOLVERS: [&str; 3] =
    ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf", "/tmp/resolv.conf.d/resolv.conf.auto"];

/// Bound of such a file, in bytes.
const MOST_BYTES: u64 = 64 * 1024;

/// What the configuration and the router's resolver files name. A file that is not there names nothing.
pub fn protected(config: &Config) -> Vec<SetAside> {
    let never = config.kernel.never_steer.iter().map(|prefix| SetAside { prefix: *prefix, why: Why::Configured });
    let collector = config.report.as_ref().and_then(|report| report.endpoint.host.parse::<IpAddr>().ok());
    let collector = collector.map(|address| SetAside { prefix: address.into(), why: Why::Collector });
    let servers = RESOLVERS.iter().filter_map(|file| read(file)).flat_map(|text| name_servers(&text));
    let servers = servers.map(|server| SetAside { prefix: server, why: Why::NameServer });
    let mut all: Vec<SetAside> = never.chain(collector).chain(servers).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn read(file: &str) -> Option<String> {
    let mut text = String::new();
    File::open(file).ok()?.take(MOST_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The servers of a resolv.conf(5); a link-local one may carry its zone.
fn name_servers(text: &str) -> Vec<IpNet> {
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        let address = words.next().filter(|word| *word == "nameserver").and_then(|_| words.next())?;
        address.split('%').next()?.parse::<IpAddr>().ok().map(IpNet::from)
    };
    text.lines().filter_map(server).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_and_everything_else_is_not() {
        let text = "# nameserver 192.0.2.1\nnameserver 40.96.0.53\n search example.net\n\tnameserver fe80::1%wan0\n\
                    nameserver\nnameserver no.address\noptions nameserver\n";
        let servers: Vec<String> = name_servers(text).iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["40.96.0.53/32", "fe80::1/128"]);
    }
}
