//! Longest match: against the real documents, and against the plain definition.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::domain::ClassId;

#[test]
fn an_address_is_found_by_its_longest_match() {
    let catalogue = Catalogue::load(&bundled()).unwrap();
    let found = catalogue.lookup(net("13.107.6.152/32")).unwrap();
    assert_eq!(found.destination.prefix, net("13.107.6.152/31"));
    assert_eq!(&*found.destination.service, "exchange");
    assert_eq!(found.destination.category, Some(Category::Optimize));
    assert_eq!(class_of(&catalogue, "2620:1ec:4::152/128").as_deref(), Some("m365.exchange.ipv6"));
    assert_eq!(class_of(&catalogue, "198.51.100.10/32"), None);
    assert!(catalogue.lookup(net("13.107.6.0/24")).is_none(), "only what contains all of a prefix answers for it");
}

#[test]
fn bits_beyond_the_length_of_a_query_do_not_matter() {
    let catalogue = Catalogue::load(&bundled()).unwrap();
    assert_eq!(catalogue.lookup(net("40.97.1.2/16")), catalogue.lookup(net("40.97.0.0/16")));
    assert!(catalogue.lookup(net("40.97.1.2/16")).is_some());
}

#[test]
fn an_unsteered_prefix_inside_a_steered_one_is_decided_by_the_steered_one() {
    let document = tag_document(&[
        tag("AzureCloud.japaneast", "japaneast", "", &["20.0.0.0/12"]),
        tag("Sql.JapanEast", "japaneast", "AzureSQL", &["20.1.0.0/16"]),
    ]);
    let catalogue = load_tags(document, &["AzureCloud.japaneast"]).unwrap();
    let found = catalogue.lookup(net("20.1.2.3/32")).unwrap();
    assert_eq!(&*found.destination.service, "azuresql");
    assert_eq!(found.class.map(ClassId::as_str), Some("azure.azurecloud.japaneast.ipv4"));
}

/// Prefixes that nest and touch, of both families.
fn prefixes() -> impl Strategy<Value = Vec<IpNet>> {
    vec((any::<bool>(), any::<u8>(), 0..=8_u8), 0..40).prop_map(|drawn| {
        let mut prefixes: Vec<IpNet> =
            drawn.into_iter().map(|(ipv6, low, length)| place(ipv6, low, length)).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        prefixes
    })
}

/// A prefix among 256 addresses of a family.
fn place(ipv6: bool, low: u8, length: u8) -> IpNet {
    let text =
        if ipv6 { format!("2603:1006::{low:x}/{}", 120 + length) } else { format!("20.1.0.{low}/{}", 24 + length) };
    net(&text).trunc()
}

proptest! {
    #[test]
    fn every_query_is_answered_by_the_longest_prefix_that_contains_it(
        known in prefixes(), ipv6 in any::<bool>(), low in any::<u8>(), length in 0..=8_u8,
    ) {
        let mut config = microsoft365(Microsoft365Source::Off);
        config.static_lists = vec![StaticList { name: "lab".to_owned(), prefixes: known.clone() }];
        let catalogue = Catalogue::load(&config).unwrap();
        let query = place(ipv6, low, length);
        let longest = known.iter().filter(|prefix| prefix.contains(&query)).max_by_key(|prefix| prefix.prefix_len());
        prop_assert_eq!(catalogue.lookup(query).map(|found| found.destination.prefix), longest.copied());
    }
}
