//! Address space that is nobody's on the public internet and therefore never steered.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Source: IANA special-purpose address registries (RFC 6890 and its updates).
const RESERVED: [(IpNet, &str); 12] = [
    (ipv4([0, 0, 0, 0], 8), "\"this network\""),
    (ipv4([10, 0, 0, 0], 8), "private space"),
    (ipv4([100, 64, 0, 0], 10), "shared space of carriers"),
    (ipv4([127, 0, 0, 0], 8), "loopback"),
    (ipv4([169, 254, 0, 0], 16), "link-local"),
    (ipv4([172, 16, 0, 0], 12), "private space"),
    (ipv4([192, 168, 0, 0], 16), "private space"),
    (ipv4([224, 0, 0, 0], 3), "multicast or reserved"),
    (ipv6(0, 8), "reserved"),
    (ipv6(0xfc00, 7), "private space (ULA)"),
    (ipv6(0xfe80, 10), "link-local"),
    (ipv6(0xff00, 8), "multicast"),
];

const fn ipv4([a, b, c, d]: [u8; 4], length: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length))
}

const fn ipv6(first: u16, length: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0), length))
}

/// What makes a prefix unfit to be steered: it is a default route, or touches reserved space.
pub fn reserved(net: IpNet) -> Option<&'static str> {
    if net.prefix_len() == 0 {
        return Some("a default route");
    }
    RESERVED.iter().find(|(other, _)| other.contains(&net) || net.contains(other)).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_inside_or_around_reserved_space_is_unfit() {
        for net in ["10.1.2.0/24", "8.0.0.0/5", "0.0.0.0/0", "::/0", "fe80::1/128", "240.0.0.0/4"] {
            assert!(reserved(net.parse().unwrap()).is_some(), "{net}");
        }
        for net in ["13.107.6.152/31", "2603:1006::/40", "40.96.0.0/13"] {
            assert_eq!(reserved(net.parse().unwrap()), None, "{net}");
        }
    }
}
