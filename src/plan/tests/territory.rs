use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use ipnet::{IpNet, Ipv4Net};
use proptest::prelude::*;

use crate::plan::territory::{Territories, space_of};

/// A prefix within 10.0.0.0/24, of length 24 to 29.
fn prefix() -> impl Strategy<Value = IpNet> {
    (24_u8..=29, any::<u8>())
        .prop_map(|(length, host)| IpNet::V4(Ipv4Net::new(Ipv4Addr::new(10, 0, 0, host), length).unwrap().trunc()))
}

/// Up to four classes; no prefix is in two of them.
fn classes() -> impl Strategy<Value = Vec<Vec<IpNet>>> {
    prop::collection::vec(prop::collection::btree_set(prefix(), 1..6), 1..5).prop_map(|classes| {
        let mut seen = BTreeSet::new();
        let unique = |prefixes: BTreeSet<IpNet>| prefixes.into_iter().filter(|own| seen.insert(*own)).collect();
        classes.into_iter().map(unique).collect()
    })
}

/// The class of the longest prefix that contains the address.
fn longest_match(routes: &[(IpNet, usize)], address: Ipv4Addr) -> Option<usize> {
    let covering = routes.iter().filter(|(prefix, _)| prefix.contains(&std::net::IpAddr::V4(address)));
    covering.max_by_key(|(prefix, _)| prefix.prefix_len()).map(|(_, class)| *class)
}

proptest! {
    /// For every address: the class whose prefix is the longest, if it is in the table; else nobody.
    #[test]
    fn a_table_holds_exactly_the_addresses_of_the_classes_that_are_in_it(
        classes in classes(),
        placed in prop::collection::btree_set(0_usize..4, 0..4),
    ) {
        let listed: Vec<(IpNet, usize)> = (classes.iter().enumerate())
            .flat_map(|(class, prefixes)| prefixes.iter().map(move |prefix| (*prefix, class)))
            .collect();
        let territories = Territories::new(classes.iter().map(Vec::as_slice));
        let table: Vec<(IpNet, usize)> = (territories.routes(&placed).into_iter())
            .flat_map(|(class, routes)| routes.into_iter().map(move |route| (route, class)))
            .collect();
        let distinct: BTreeSet<IpNet> = table.iter().map(|(route, _)| *route).collect();
        prop_assert_eq!(distinct.len(), table.len(), "no route is of two classes");
        for host in 0..=255 {
            let address = Ipv4Addr::new(10, 0, 0, host);
            let owner = longest_match(&listed, address).filter(|class| placed.contains(class));
            prop_assert_eq!(longest_match(&table, address), owner, "at {}", address);
        }
    }

    /// Space that is set aside is nobody's, down to the address, and nothing else changes.
    #[test]
    fn space_that_is_set_aside_is_in_no_table(
        classes in classes(),
        placed in prop::collection::btree_set(0_usize..4, 0..4),
        aside in prop::collection::btree_set(prefix(), 0..5),
        released in prop::collection::btree_set(prefix(), 0..3),
    ) {
        let [aside, released]: [Vec<IpNet>; 2] = [aside, released].map(|set| set.into_iter().collect());
        let contested: Vec<(IpNet, usize)> = (released.iter().map(|prefix| (*prefix, 1)))
            .chain(aside.iter().map(|prefix| (*prefix, 0)))
            .collect();
        let whole = Territories::new(classes.iter().map(Vec::as_slice));
        let set_aside = space_of(&aside, &released);
        let flat = |routes: BTreeMap<usize, Vec<IpNet>>| -> Vec<(IpNet, usize)> {
            routes.into_iter().flat_map(|(class, own)| own.into_iter().map(move |route| (route, class))).collect()
        };
        let before = flat(whole.routes(&placed));
        let after = flat(whole.without(&set_aside).routes(&placed));
        let distinct: BTreeSet<IpNet> = after.iter().map(|(route, _)| *route).collect();
        prop_assert_eq!(distinct.len(), after.len(), "no route is of two classes");
        for host in 0..=255 {
            let address = Ipv4Addr::new(10, 0, 0, host);
            let kept = longest_match(&contested, address) == Some(0);
            prop_assert_eq!(set_aside.iter().any(|prefix| prefix.contains(&std::net::IpAddr::V4(address))), kept);
            let owner = longest_match(&before, address).filter(|_| !kept);
            prop_assert_eq!(longest_match(&after, address), owner, "at {}", address);
        }
    }
}
