//! Address space that is nobody's on the public internet and therefore never steered.

use ipnet::IpNet;

/// Source: IANA special-purpose address registries (RFC 6890 and its updates).
const RESERVED: [(&str, &str); 12] = [
    ("0.0.0.0/8", "\"this network\""),
    ("10.0.0.0/8", "private space"),
    ("100.64.0.0/10", "shared space of carriers"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private space"),
    ("192.168.0.0/16", "private space"),
    ("224.0.0.0/3", "multicast or reserved"),
    ("::/8", "reserved"),
    ("fc00::/7", "private space (ULA)"),
    ("fe80::/10", "link-local"),
    ("ff00::/8", "multicast"),
];

/// What makes a prefix unfit to be steered: it is a default route, or touches reserved space.
pub fn reserved(net: IpNet) -> Option<&'static str> {
    if net.prefix_len() == 0 {
        return Some("a default route");
    }
    RESERVED
        .iter()
        .find(|(other, _)| other.parse::<IpNet>().is_ok_and(|other| other.contains(&net) || net.contains(&other)))
        .map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_prefix() {
        for (net, _) in RESERVED {
            assert!(net.parse::<IpNet>().is_ok(), "{net}");
        }
    }

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
