//! The name servers that the router itself uses.

use std::{fs::File, io::Read, net::IpAddr};

/// Where they are named: by the C library's convention, and by OpenWrt's for those that an uplink announced.
const FILES: [&str; 3] =
    ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf", "/tmp/resolv.conf.d/resolv.conf.auto"];

/// Bound of such a file, in bytes.
const MOST_BYTES: u64 = 64 * 1024;

/// All of them, each once, in the order of the files. A file that is not there names nothing.
pub fn name_servers() -> Vec<IpAddr> {
    let mut servers = Vec::new();
    for server in FILES.iter().filter_map(|file| read(file)).flat_map(|text| named(&text)) {
        if !servers.contains(&server) {
            servers.push(server);
        }
    }
    servers
}

/// Those that can be asked through an uplink: not this machine's own forwarder, and none that only a link knows.
pub fn reachable_through_uplinks(servers: impl IntoIterator<Item = IpAddr>) -> Vec<IpAddr> {
    let elsewhere = |server: &IpAddr| match server {
        IpAddr::V4(server) => !server.is_loopback() && !server.is_link_local() && !server.is_unspecified(),
        IpAddr::V6(server) => !server.is_loopback() && !server.is_unicast_link_local() && !server.is_unspecified(),
    };
    servers.into_iter().filter(elsewhere).collect()
}

fn read(file: &str) -> Option<String> {
    let mut text = String::new();
    File::open(file).ok()?.take(MOST_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The servers of a resolv.conf(5); a link-local one may carry its zone.
fn named(text: &str) -> Vec<IpAddr> {
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        let address = words.next().filter(|word| *word == "nameserver").and_then(|_| words.next())?;
        address.split('%').next()?.parse().ok()
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
        let servers: Vec<String> = named(text).iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["40.96.0.53", "fe80::1"]);
    }

    #[test]
    fn a_forwarder_of_this_machine_is_not_asked_through_an_uplink() {
        let servers = ["127.0.0.53", "9.9.9.9", "::1", "fe80::1", "2620:fe::9", "10.0.0.1"];
        let asked = reachable_through_uplinks(servers.map(|server| server.parse().unwrap()));
        assert_eq!(asked.iter().map(ToString::to_string).collect::<Vec<_>>(), ["9.9.9.9", "2620:fe::9", "10.0.0.1"]);
    }
}
