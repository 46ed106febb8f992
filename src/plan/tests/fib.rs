//! Longest match over the routes of one table.

use proptest::{collection::btree_map, prelude::*};

use super::*;
use crate::plan::{Fib, NextHopId, Via};

fn fib(routes: impl IntoIterator<Item = (u32, IpNet)>) -> Fib {
    let routes = routes.into_iter().zip(0..).map(|(route, number)| (route, Via::Group(NextHopId(number))));
    Fib { routes: routes.collect(), ..Fib::default() }
}

#[test]
fn the_longest_prefix_wins_whatever_lies_between() {
    let prefixes = ["13.107.0.0/16", "13.107.4.0/24", "13.107.6.0/24", "13.107.6.128/25", "2620:1ec::/36"];
    let fib = fib(prefixes.map(|prefix| (7700, net(prefix))));
    let group = |number| Some(Via::Group(NextHopId(number)));
    for (to, expected) in [
        ("13.107.5.1", group(0)),
        ("13.107.6.1", group(2)),
        ("13.107.6.152", group(3)),
        ("13.107.255.255", group(0)),
        ("13.108.0.0", None),
        ("13.106.255.255", None),
        ("2620:1ec:4::152", group(4)),
        ("::1", None),
    ] {
        assert_eq!(fib.longest_match(7700, address(to)), expected, "{to}");
        assert_eq!(fib.longest_match(7701, address(to)), None, "{to} in another table");
    }
}

proptest! {
    #[test]
    fn it_finds_what_looking_at_every_route_finds(
        routes in btree_map((7700_u32..7702, any::<u8>(), 22_u8..=32), any::<bool>(), 0..30), low: u8,
    ) {
        let at = |low: u8, length| IpNet::new(IpAddr::from([192, 0, 2, low]), length).unwrap().trunc();
        let fib = fib(routes.into_keys().map(|(table, low, length)| (table, at(low, length))));
        let to = IpAddr::from([192, 0, 2, low]);
        let expected = (fib.routes.iter())
            .filter(|((table, prefix), _)| *table == 7700 && prefix.contains(&to))
            .max_by_key(|((_, prefix), _)| prefix.prefix_len());
        prop_assert_eq!(fib.longest_match(7700, to), expected.map(|(_, via)| *via));
    }
}
