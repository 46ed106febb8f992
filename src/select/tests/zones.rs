use std::collections::BTreeMap;

use ipnet::Ipv6Net;

use super::uplink;
use crate::{
    config::{Ipv6Source, Uplink},
    domain::{DefaultRoute, Family, IfIndex, Link, RouterState, UplinkId, ZoneId},
    select::{Zones, zone_of},
};

fn net(text: &str) -> Ipv6Net {
    text.parse().unwrap()
}

fn with(name: &str, sources: &[&str]) -> Uplink {
    let ipv6_source = Ipv6Source::Prefixes(sources.iter().map(|prefix| net(prefix)).collect());
    Uplink { ipv6_source, ..uplink(name, 0) }
}

fn learned(zones: &Zones) -> BTreeMap<ZoneId, Vec<Ipv6Net>> {
    zones.prefixes(&RouterState::default())
}

fn names(zones: &Zones) -> Vec<&str> {
    zones.iter().map(|zone| zone.name.as_str()).collect()
}

const NTT: UplinkId = UplinkId(0);
const KDDI: UplinkId = UplinkId(1);
const IIJ: UplinkId = UplinkId(2);

#[test]
fn without_restrictions_there_are_no_zones_and_every_uplink_is_open() {
    let zones = Zones::resolve(&[uplink("ntt", 0), uplink("kddi", 1)]);
    assert_eq!(zones, Zones::default());
    assert!(zones.admits(None, NTT));
}

#[test]
fn a_source_may_leave_by_its_own_isp_and_by_those_that_let_all_through() {
    let zones =
        Zones::resolve(&[with("ntt", &["2001:db8:1::/48"]), with("kddi", &["2001:db8:2::/48"]), uplink("iij", 2)]);
    assert_eq!(names(&zones), ["kddi", "ntt"]);
    let prefixes = learned(&zones);
    let of_ntt = zone_of(&prefixes, "2001:db8:1::7".parse().unwrap());
    assert_eq!([NTT, KDDI, IIJ].map(|uplink| zones.admits(of_ntt, uplink)), [true, false, true]);
    let elsewhere = zone_of(&prefixes, "2001:db8:9::7".parse().unwrap());
    assert_eq!(elsewhere, None);
    assert_eq!([NTT, KDDI, IIJ].map(|uplink| zones.admits(elsewhere, uplink)), [false, false, true]);
}

#[test]
fn a_prefix_that_two_isps_let_through_is_a_zone_of_both() {
    let zones = Zones::resolve(&[with("ntt", &["2001:db8::/32"]), with("kddi", &["2001:db8:2::/48"])]);
    assert_eq!(names(&zones), ["ntt", "ntt+kddi"]);
    let prefixes = learned(&zones);
    let shared = zone_of(&prefixes, "2001:db8:2::7".parse().unwrap());
    assert_eq!([NTT, KDDI].map(|uplink| zones.admits(shared, uplink)), [true, true]);
    let own = zone_of(&prefixes, "2001:db8:1::7".parse().unwrap());
    assert_eq!([NTT, KDDI].map(|uplink| zones.admits(own, uplink)), [true, false]);
}

#[test]
fn delegated_prefixes_are_learned_from_the_default_routes_that_are_for_them() {
    let auto = Uplink { ipv6_source: Ipv6Source::Auto, ..uplink("ntt", 0) };
    let zones = Zones::resolve(&[auto, uplink("kddi", 1)]);
    assert_eq!(learned(&zones), BTreeMap::new(), "nothing delegated yet");
    assert!(!zones.admits(None, NTT) && zones.admits(None, KDDI));
    let index = IfIndex(5);
    let name = "if-ntt".to_owned();
    let link = Link { index, name, admin_up: true, carrier: true, master: None, vrf_table: None };
    let source = Some("2001:db8:77::/56".parse().unwrap());
    let family = Family::Ipv6;
    let default = DefaultRoute { family, index, gateway: None, metric: 512, table: 254, source };
    let elsewhere = DefaultRoute { index: IfIndex(6), source: Some("2001:db8:88::/56".parse().unwrap()), ..default };
    let router =
        RouterState { links: [(index, link)].into(), defaults: vec![default, elsewhere], ..Default::default() };
    assert_eq!(zones.prefixes(&router).into_values().collect::<Vec<_>>(), [[net("2001:db8:77::/56")]]);
}

#[test]
fn an_uplink_without_ipv6_has_no_part_in_zones() {
    let off = Uplink { ipv6: crate::config::NextHopSpec::Disabled, ..with("ntt", &["2001:db8:1::/48"]) };
    assert_eq!(Zones::resolve(&[off]), Zones::default());
}

#[test]
fn numbers_of_zones_follow_from_names_and_not_from_positions() {
    let [ntt, kddi] = [with("ntt", &["2001:db8:1::/48"]), with("kddi", &["2001:db8:2::/48"])];
    let lte = with("a-new-one", &["2001:db8:3::/48"]);
    let numbers = |zones: &Zones| zones.iter().map(|zone| (zone.name.clone(), zone.id)).collect::<BTreeMap<_, _>>();
    let before = numbers(&Zones::resolve(&[ntt.clone(), kddi.clone()]));
    let after = numbers(&Zones::resolve(&[lte, kddi, ntt]));
    for (name, number) in before {
        assert_eq!(after[&name], number, "{name}");
    }
}

#[test]
fn a_full_house_of_zones_has_a_number_each() {
    let uplinks: Vec<Uplink> =
        (0..70).map(|number| with(&format!("uplink{number}"), &[&format!("2001:db8:{number}::/48")])).collect();
    let zones = Zones::resolve(&uplinks);
    let numbers: std::collections::BTreeSet<ZoneId> = zones.iter().map(|zone| zone.id).collect();
    assert_eq!((numbers.len(), zones.iter().count()), (64, 64));
}

#[test]
fn a_prefix_that_one_learned_and_another_lists_is_of_one_zone() {
    let auto = Uplink { ipv6_source: Ipv6Source::Auto, ..uplink("ntt", 0) };
    let zones = Zones::resolve(&[auto, with("kddi", &["2001:db8:77::/56"])]);
    let index = IfIndex(5);
    let name = "if-ntt".to_owned();
    let link = Link { index, name, admin_up: true, carrier: true, master: None, vrf_table: None };
    let source = Some("2001:db8:77::/56".parse().unwrap());
    let default = DefaultRoute { family: Family::Ipv6, index, gateway: None, metric: 512, table: 254, source };
    let router = RouterState { links: [(index, link)].into(), defaults: vec![default], ..Default::default() };
    assert_eq!(zones.prefixes(&router).len(), 1);
}
