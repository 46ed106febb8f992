//! A set of addresses, asked by prefix.

use std::net::IpAddr;

use ipnet::IpNet;

/// The addresses of many prefixes as disjoint ranges: 40 bytes a range, one binary search a question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrefixSet {
    /// Sorted by first address, neither overlapping nor adjacent.
    ipv4: Box<[(u32, u32)]>,
    ipv6: Box<[(u128, u128)]>,
}

impl PrefixSet {
    /// Whether a prefix and the set have an address in common.
    pub fn touches(&self, net: IpNet) -> bool {
        match (net.network(), net.broadcast()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => touches(&self.ipv4, first.to_bits(), last.to_bits()),
            (IpAddr::V6(first), IpAddr::V6(last)) => touches(&self.ipv6, first.to_bits(), last.to_bits()),
            _ => false,
        }
    }

    /// Whether the set holds every address of a prefix.
    pub fn covers(&self, net: IpNet) -> bool {
        match (net.network(), net.broadcast()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => covers(&self.ipv4, first.to_bits(), last.to_bits()),
            (IpAddr::V6(first), IpAddr::V6(last)) => covers(&self.ipv6, first.to_bits(), last.to_bits()),
            _ => false,
        }
    }

    /// As [`Self::touches`], for a prefix as it is in a message: 4 or 16 bytes, all bits beyond the length 0. False for
    /// what is no prefix.
    pub fn touches_bytes(&self, network: &[u8], length: u8) -> bool {
        if let Ok(network) = network.try_into() {
            let first = u32::from_be_bytes(network);
            return length <= 32
                && touches(&self.ipv4, first, first | u32::MAX.checked_shr(length.into()).unwrap_or(0));
        }
        let Ok(network) = network.try_into() else { return false };
        let first = u128::from_be_bytes(network);
        length <= 128 && touches(&self.ipv6, first, first | u128::MAX.checked_shr(length.into()).unwrap_or(0))
    }

    /// Whether the set holds an address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.touches(IpNet::from(address))
    }

    /// Whether the set holds no address.
    pub fn is_empty(&self) -> bool {
        self.ipv4.is_empty() && self.ipv6.is_empty()
    }
}

impl FromIterator<IpNet> for PrefixSet {
    fn from_iter<I: IntoIterator<Item = IpNet>>(prefixes: I) -> Self {
        let (mut ipv4, mut ipv6) = (Vec::new(), Vec::new());
        for net in prefixes {
            match (net.network(), net.broadcast()) {
                (IpAddr::V4(first), IpAddr::V4(last)) => ipv4.push((first.to_bits(), last.to_bits())),
                (IpAddr::V6(first), IpAddr::V6(last)) => ipv6.push((first.to_bits(), last.to_bits())),
                _ => {}
            }
        }
        let follows = |end: u32, start: u32| end.checked_add(1).is_none_or(|next| start <= next);
        let follows_ipv6 = |end: u128, start: u128| end.checked_add(1).is_none_or(|next| start <= next);
        Self { ipv4: joined(ipv4, follows), ipv6: joined(ipv6, follows_ipv6) }
    }
}

/// Sorts ranges and joins those that overlap or, by `follows`, are adjacent.
fn joined<A: Copy + Ord>(mut ranges: Vec<(A, A)>, follows: impl Fn(A, A) -> bool) -> Box<[(A, A)]> {
    ranges.sort_unstable();
    let mut out: Vec<(A, A)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match out.last_mut() {
            Some((_, end)) if follows(*end, first) => *end = last.max(*end),
            _ => out.push((first, last)),
        }
    }
    out.into()
}

fn touches<A: Copy + Ord>(ranges: &[(A, A)], first: A, last: A) -> bool {
    let at = ranges.partition_point(|(_, end)| *end < first);
    ranges.get(at).is_some_and(|(start, _)| *start <= last)
}

fn covers<A: Copy + Ord>(ranges: &[(A, A)], first: A, last: A) -> bool {
    let at = ranges.partition_point(|(_, end)| *end < first);
    ranges.get(at).is_some_and(|(start, end)| *start <= first && last <= *end)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn adjacent_and_nested_prefixes_are_one_range() {
        let set: PrefixSet =
            ["10.0.0.0/9", "10.128.0.0/9", "10.1.0.0/16", "2001:db8::/32"].map(net).into_iter().collect();
        assert_eq!(set, ["10.0.0.0/8", "2001:db8::/32"].map(net).into_iter().collect());
    }

    #[test]
    fn a_prefix_touches_from_around_from_inside_and_exactly() {
        let set: PrefixSet = ["13.107.6.0/24", "::/0"].map(net).into_iter().collect();
        for inside in ["13.107.0.0/16", "13.107.6.152/31", "13.107.6.0/24", "0.0.0.0/0", "2620:1ec::/36"] {
            assert!(set.touches(net(inside)), "{inside}");
        }
        for outside in ["13.107.7.0/24", "13.107.5.255/32", "255.255.255.255/32"] {
            assert!(!set.touches(net(outside)), "{outside}");
        }
        assert!(set.contains("13.107.6.255".parse().unwrap()));
        let microsoft: std::net::Ipv6Addr = "2620:1ec::".parse().unwrap();
        assert!(set.touches_bytes(&microsoft.octets(), 36));
        assert!(set.touches_bytes(&microsoft.octets(), 128));
        for (network, length) in
            [(&[13, 107, 6, 0][..], 33), (&microsoft.octets(), 129), (&[], 0), (&[13, 107, 6], 24)]
        {
            assert!(!set.touches_bytes(network, length), "{network:?}/{length} is no prefix");
        }
    }

    proptest! {
        #[test]
        fn it_answers_as_the_prefixes_do(
            prefixes in vec((any::<u8>(), 24_u8..=32), 0..20), first in any::<u8>(), length in 20_u8..=32,
        ) {
            let at = |low: u8, length| IpNet::new(IpAddr::from([192, 0, 2, low]), length).unwrap().trunc();
            let prefixes: Vec<IpNet> = prefixes.into_iter().map(|(low, length)| at(low, length)).collect();
            let question = at(first, length);
            let expected = prefixes.iter().any(|net| net.contains(&question) || question.contains(net));
            let covered = |address: u32| prefixes.iter().any(|net| net.contains(&IpAddr::from(address.to_be_bytes())));
            let (IpAddr::V4(low), IpAddr::V4(high)) = (question.network(), question.broadcast()) else { unreachable!() };
            let whole = (low.to_bits()..=high.to_bits()).all(covered);
            let set: PrefixSet = prefixes.iter().copied().collect();
            prop_assert_eq!(set.touches(question), expected);
            prop_assert_eq!(set.covers(question), whole);
        }
    }
}
