//! What may be explained: an address, a prefix, a class, or a name to be looked up.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, ToSocketAddrs},
};

use ipnet::IpNet;

/// Addresses of one name that are explained.
const MOST_ADDRESSES: usize = 16;

/// What somebody asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// An address (as a host prefix) or a prefix.
    Prefix(IpNet),
    /// A class, as it was written.
    Class(String),
    /// A host.
    Name(String),
}

impl Query {
    /// Reads what was typed.
    ///
    /// # Errors
    /// When it is none of these, with examples.
    pub fn parse(text: &str) -> Result<Self, String> {
        // Addresses are often pasted from URLs and logs, in brackets or mapped into IPv6.
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Self::Prefix(address.to_canonical().into()));
        }
        if let Ok(net) = bare.parse::<IpNet>() {
            return Ok(Self::Prefix(net.trunc()));
        }
        if is_class(text) {
            return Ok(Self::Class(text.to_owned()));
        }
        if is_host(text) {
            return Ok(Self::Name(text.to_owned()));
        }
        Err("not an address, a prefix, a name or a class; give one such as 13.107.6.152, 2603:1006::/40, \
             outlook.office365.com or m365.exchange.ipv4"
            .to_owned())
    }
}

/// Classes end in their family, before the zone if there is one; no domain does.
fn is_class(text: &str) -> bool {
    let listed = text.split('@').next().unwrap_or(text);
    [".ipv4", ".ipv6"].iter().any(|family| listed.ends_with(family))
}

/// Letters, digits and hyphens between dots, and a last label that is no number (RFC 1123, RFC 3696).
fn is_host(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let is_top = |label: &str| !label.bytes().all(|byte| byte.is_ascii_digit());
    name.len() <= 253
        && name.contains('.')
        && name.split('.').all(is_label)
        && name.rsplit('.').next().is_some_and(is_top)
}

/// Addresses of a name, as this router's own resolver gives them, sorted.
///
/// # Errors
/// When there is no answer, or none with an address.
pub fn addresses(name: &str) -> io::Result<Vec<IpNet>> {
    let found: BTreeSet<IpAddr> = (name, 443).to_socket_addrs()?.map(|found| found.ip().to_canonical()).collect();
    if found.is_empty() {
        return Err(io::Error::other("it has no address"));
    }
    Ok(found.into_iter().take(MOST_ADDRESSES).map(IpNet::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_prefix_of_its_own() {
        for (text, expected) in [
            ("13.107.6.152", "13.107.6.152/32"),
            ("[2603:1006::1]", "2603:1006::1/128"),
            ("::ffff:13.107.6.152", "13.107.6.152/32"),
            ("13.107.6.153/31", "13.107.6.152/31"),
        ] {
            assert_eq!(Query::parse(text), Ok(Query::Prefix(expected.parse().unwrap())), "{text}");
        }
    }

    #[test]
    fn classes_are_told_from_hosts_by_their_family() {
        for class in ["m365.exchange.ipv4", "azure.azurecloud.japaneast.ipv6@wan0", "m365.skype+teams.ipv4"] {
            assert_eq!(Query::parse(class), Ok(Query::Class(class.to_owned())));
        }
        for name in ["outlook.office365.com", "static.example.com", "world.tr.teams.microsoft.com."] {
            assert_eq!(Query::parse(name), Ok(Query::Name(name.to_owned())));
        }
    }

    #[test]
    fn what_is_neither_is_refused_with_examples() {
        for text in ["", "nonsense", "13.107.6", "13.107.6.152/33", "13.107.6.152:443", "https://a.example", "a b.c"]
        {
            assert!(Query::parse(text).unwrap_err().contains("such as 13.107.6.152"), "{text}");
        }
    }
}
