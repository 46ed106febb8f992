//! The addresses that represent a class in measurements.

use std::net::IpAddr;

use super::*;
use crate::domain::{ClassId, Family};

fn targets(catalogue: &Catalogue, class: &str) -> Vec<String> {
    catalogue.targets(&ClassId::new(class)).iter().map(IpAddr::to_string).collect()
}

#[test]
fn every_class_has_one_to_four_of_its_own_addresses() {
    let catalogue = Catalogue::load(&with_tags(&["AzureCloud.japaneast", "Dynamics365BusinessCentral"])).unwrap();
    for class in catalogue.classes() {
        let targets = catalogue.targets(&class.id);
        assert!((1..=4).contains(&targets.len()), "{class:?}");
        for target in targets {
            assert_eq!(Family::of(*target), class.family);
            assert!(class.prefixes.iter().any(|prefix| prefix.contains(target)), "{target}");
        }
    }
    assert_eq!(targets(&catalogue, "m365.none.ipv4"), [""; 0]);
}

#[test]
fn front_doors_come_first() {
    let catalogue = Catalogue::load(&bundled()).unwrap();
    assert_eq!(
        targets(&catalogue, "m365.exchange.ipv4"),
        // Hosts that Microsoft lists with category Optimize, /32 before /31; 52.238.78.88/32 is Allow.
        ["131.253.33.215", "204.79.197.215", "13.107.6.152", "13.107.18.10"]
    );
    assert_eq!(
        targets(&catalogue, "m365.skype.ipv4"),
        // Two hosts with category Allow, then the smallest Optimize prefixes.
        ["52.238.119.141", "52.244.160.207", "13.107.64.1", "52.122.0.1"]
    );
}

#[test]
fn an_address_is_a_target_once() {
    let catalogue = Catalogue::load(&lists(&[("lab", &["20.1.0.1/32", "20.1.0.0/24", "20.1.0.0/16"])])).unwrap();
    assert_eq!(targets(&catalogue, "static.lab.ipv4"), ["20.1.0.1"]);
}

#[test]
fn an_address_that_another_class_decides_for_is_no_target_unless_there_is_no_other() {
    let inside = ("inside", &["20.1.0.0/24"][..]);
    let catalogue = Catalogue::load(&lists(&[("outside", &["20.1.0.0/16", "20.3.0.0/16"]), inside])).unwrap();
    assert_eq!(targets(&catalogue, "static.outside.ipv4"), ["20.3.0.1"]);
    let catalogue = Catalogue::load(&lists(&[("outside", &["20.1.0.0/16"]), inside])).unwrap();
    assert_eq!(targets(&catalogue, "static.outside.ipv4"), ["20.1.0.1"]);
}
