//! Aggregation against its definition: the same answer for every address, and no smaller table that gives it.

use proptest::{collection::vec, prelude::*};

use super::*;

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// Class of an address by longest match; of equal prefixes the first.
fn answer(entries: &[(IpNet, u32)], address: std::net::IpAddr) -> Option<u32> {
    let mut best: Option<(IpNet, u32)> = None;
    for (prefix, class) in entries.iter().filter(|(prefix, _)| prefix.contains(&address)) {
        if best.is_none_or(|(longest, _)| prefix.prefix_len() > longest.prefix_len()) {
            best = Some((*prefix, *class));
        }
    }
    best.map(|(_, class)| class)
}

fn addresses(net: IpNet) -> impl Iterator<Item = std::net::IpAddr> {
    net.subnets(net.max_prefix_len()).unwrap().map(|host| host.addr())
}

/// The least number of routes that answer as `entries`, of so many classes, do inside `block`, by trying every
/// label at every block.
fn fewest(entries: &[(IpNet, u32)], classes: u32, block: IpNet, around: Option<u32>) -> usize {
    let answers: Vec<_> = addresses(block).map(|address| answer(entries, address)).collect();
    let below = |around: Option<u32>| {
        if block.prefix_len() == block.max_prefix_len() {
            return if answers[0] == around { 0 } else { usize::MAX / 4 };
        }
        block.subnets(block.prefix_len() + 1).unwrap().map(|half| fewest(entries, classes, half, around)).sum()
    };
    let labelled = if answers.contains(&None) { None } else { Some(0..classes) };
    labelled.into_iter().flatten().map(|label| 1 + below(Some(label))).chain([below(around)]).min().unwrap()
}

fn inside(universe: &'static str, classes: u32) -> impl Strategy<Value = Vec<(IpNet, u32)>> {
    let universe = net(universe);
    let (from, to) = (universe.prefix_len(), universe.max_prefix_len());
    vec((from..=to, any::<u128>(), 0..classes), 0..24).prop_map(move |drawn| {
        drawn
            .into_iter()
            .map(|(length, random, class)| {
                let spread = random & (u128::MAX >> (128 - u32::from(to - from)).min(127));
                let address = match universe.network() {
                    std::net::IpAddr::V4(base) => {
                        std::net::IpAddr::V4((base.to_bits() | u32::try_from(spread).unwrap()).into())
                    }
                    std::net::IpAddr::V6(base) => std::net::IpAddr::V6((base.to_bits() | spread).into()),
                };
                (IpNet::new(address, length).unwrap().trunc(), class)
            })
            .collect()
    })
}

fn assert_same_answers(entries: &[(IpNet, u32)], universe: &str) {
    let routes = aggregate(entries);
    for address in addresses(net(universe)) {
        assert_eq!(answer(&routes, address), answer(entries, address), "{address} by {routes:?}");
    }
}

#[test]
fn siblings_of_one_class_become_one_route_and_strangers_stay_apart() {
    let entries = [(net("10.0.0.0/25"), 1), (net("10.0.0.128/25"), 1), (net("10.0.1.0/25"), 1)];
    assert_eq!(aggregate(&entries), [(net("10.0.0.0/24"), 1), (net("10.0.1.0/25"), 1)]);
}

#[test]
fn a_nested_prefix_of_another_class_keeps_the_outer_route_whole() {
    let entries = [(net("10.0.0.0/8"), 1), (net("10.1.0.0/16"), 2)];
    assert_eq!(aggregate(&entries), entries);
}

#[test]
fn four_quarters_of_which_one_differs_need_two_routes() {
    let entries =
        [(net("10.0.0.0/26"), 1), (net("10.0.0.64/26"), 1), (net("10.0.0.128/26"), 2), (net("10.0.0.192/26"), 1)];
    assert_eq!(aggregate(&entries), [(net("10.0.0.0/24"), 1), (net("10.0.0.128/26"), 2)]);
}

#[test]
fn nothing_needs_nothing_and_hosts_are_fine() {
    assert_eq!(aggregate(&[]), []);
    let hosts = [(net("2001:db8::/128"), 1), (net("2001:db8::1/128"), 1)];
    assert_eq!(aggregate(&hosts), [(net("2001:db8::/127"), 1)]);
}

#[test]
fn of_two_equal_prefixes_the_first_counts() {
    let entries = [(net("10.0.0.0/24"), 2), (net("10.0.0.0/24"), 1)];
    assert_eq!(aggregate(&entries), entries[..1]);
}

#[test]
fn the_whole_of_a_family_can_be_covered() {
    let entries = [(net("0.0.0.0/1"), 1), (net("128.0.0.0/1"), 1), (net("::/1"), 1), (net("8000::/1"), 2)];
    assert_eq!(aggregate(&entries), [(net("0.0.0.0/0"), 1), (net("::/0"), 1), (net("8000::/1"), 2)]);
}

/// With one class the answer is known: the merged ranges, cut into prefixes.
#[test]
fn microsofts_own_prefixes_aggregate_as_their_ranges_do() {
    let document = include_str!("../../../tests/data/service-tags-trimmed.json");
    let document: serde_json::Value = serde_json::from_str(document).unwrap();
    let tags = document["values"].as_array().unwrap().iter();
    let prefixes: Vec<IpNet> = tags
        .flat_map(|tag| tag["properties"]["addressPrefixes"].as_array().unwrap())
        .map(|prefix| net(prefix.as_str().unwrap()))
        .collect();
    let mut expected = IpNet::aggregate(&prefixes);
    expected.sort_unstable();
    let entries: Vec<_> = prefixes.into_iter().map(|prefix| (prefix, 7)).collect();
    let routes = aggregate(&entries);
    assert!(routes.iter().all(|(_, class)| *class == 7));
    assert_eq!(routes.iter().map(|(prefix, _)| *prefix).collect::<Vec<_>>(), expected);
    assert_eq!(expected.len(), 1049);
}

proptest! {
    #[test]
    fn every_ipv4_address_is_answered_as_before(entries in inside("10.0.0.0/20", 4)) {
        assert_same_answers(&entries, "10.0.0.0/20");
    }

    #[test]
    fn every_ipv6_address_is_answered_as_before(entries in inside("2001:db8::/116", 3)) {
        assert_same_answers(&entries, "2001:db8::/116");
    }

    #[test]
    fn no_smaller_table_answers_the_same(entries in inside("10.0.0.0/28", 2)) {
        prop_assert_eq!(aggregate(&entries).len(), fewest(&entries, 2, net("10.0.0.0/28"), None));
    }

    #[test]
    fn no_smaller_table_answers_the_same_with_more_classes(entries in inside("2001:db8::/125", 4)) {
        prop_assert_eq!(aggregate(&entries).len(), fewest(&entries, 4, net("2001:db8::/125"), None));
    }

    #[test]
    fn the_order_in_which_distinct_prefixes_are_given_does_not_matter(entries in inside("10.0.0.0/20", 4)) {
        let mut sorted = entries;
        sorted.sort_unstable();
        sorted.dedup_by_key(|(prefix, _)| *prefix);
        let reversed: Vec<_> = sorted.iter().rev().copied().collect();
        prop_assert_eq!(aggregate(&reversed), aggregate(&sorted));
    }

    #[test]
    fn an_aggregated_table_aggregates_to_itself(entries in inside("10.0.0.0/20", 4)) {
        let routes = aggregate(&entries);
        prop_assert_eq!(aggregate(&routes), routes);
    }
}
