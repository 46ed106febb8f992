//! Which flows are stale, and which are left alone whatever they look like.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{judgement::*, *};
use crate::{
    domain::{Address, BootTime, ClassId, Family, IfIndex, Link, ReadState},
    kernel::Flow,
    plan::{NextHopId, Rule, Selector, Via},
};
use std::time::Duration;

const NORTH: UplinkId = UplinkId(0);
const SOUTH: UplinkId = UplinkId(1);
const EAST: UplinkId = UplinkId(2);
const TABLE: u32 = 7700;
const START: BootTime = BootTime(Duration::from_secs(1000));

/// Exchange on `uplink`, in both families.
fn steering(uplink: UplinkId, rules: &[Selector]) -> Steering {
    steering_to(&[uplink], &[NORTH, SOUTH], rules)
}

/// Exchange on all of these `uplinks` at once, after it left those.
fn steering_to(uplinks: &[UplinkId], left: &[UplinkId], rules: &[Selector]) -> Steering {
    let on: BTreeSet<UplinkId> = uplinks.iter().copied().collect();
    let class = |family| (ClassId::new(&format!("exchange.{family}")), on.clone());
    let mut fib = Fib::default();
    for (prefix, group) in [("13.107.6.0/24", 100), ("2620:1ec:4::/48", 101)] {
        fib.routes.insert((TABLE, prefix.parse().unwrap()), Via::Group(NextHopId(group)));
    }
    let rule = |selector: &Selector| Rule {
        family: Family::Ipv4,
        preference: 7690,
        selector: selector.clone(),
        table: TABLE + 100,
    };
    fib.rules = rules.iter().map(rule).collect();
    let primaries = [(NextHopId(100), class(Family::Ipv4)), (NextHopId(101), class(Family::Ipv6))];
    let left = primaries.iter().flat_map(|(_, (class, _))| left.iter().map(|uplink| (class.clone(), *uplink)));
    let left = left.collect();
    Steering::new(TABLE, Arc::new(fib), primaries.into(), left)
}

/// A router with these addresses: (interface, address).
fn router(addresses: &[(&str, &str)]) -> RouterState {
    let mut state = RouterState { read: ReadState::Fresh, ..RouterState::default() };
    for (number, name) in (1..).zip(["wan0", "wan1", "lan0"]) {
        let index = IfIndex(number);
        let link =
            Link { index, name: name.to_owned(), admin_up: true, carrier: true, master: None, vrf_table: None };
        state.links.insert(index, link);
        for (_, address) in addresses.iter().filter(|(on, _)| *on == name) {
            state.addresses.push(Address { index, net: address.parse().unwrap(), global: true, ready: true });
        }
    }
    state
}

const USUAL: [(&str, &str); 6] = [
    ("wan0", "203.0.113.2/30"),
    ("wan0", "2001:db8:100::2/64"),
    ("wan1", "203.0.113.6/30"),
    ("wan1", "2001:db8:101::2/64"),
    ("lan0", "192.168.77.1/24"),
    ("lan0", "198.18.0.1/32"),
];

fn addresses() -> UplinkAddresses {
    UplinkAddresses::new(vec![(NORTH, "wan0".to_owned()), (SOUTH, "wan1".to_owned())])
}

fn usual() -> UplinkAddresses {
    let mut addresses = addresses();
    addresses.observe(&router(&USUAL), START);
    addresses
}

fn flow(source: &str, destination: &str, translated: &str) -> Flow {
    Flow {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        translated: translated.parse().unwrap(),
    }
}

fn is_stale(addresses: &UplinkAddresses, flow: &Flow, steering: &Steering) -> bool {
    addresses.stale(flow, steering).is_some()
}

#[test]
fn a_flow_with_the_address_of_the_uplink_that_it_left_is_stale_and_no_other() {
    let (addresses, on_south) = (usual(), steering(SOUTH, &[]));
    let moved = flow("192.168.77.10", "13.107.6.152", "203.0.113.2");
    assert_eq!(
        addresses.stale(&moved, &on_south).map(|(class, uplinks)| (class.to_string(), uplinks.clone())),
        Some(("exchange.ipv4".to_owned(), [SOUTH].into()))
    );
    assert!(is_stale(&addresses, &flow("fd00::10", "2620:1ec:4::152", "2001:db8:100::2"), &on_south));
    for (why, flow) in [
        ("it has the right address", flow("192.168.77.10", "13.107.6.152", "203.0.113.6")),
        ("its destination is not steered", flow("192.168.77.10", "13.107.7.1", "203.0.113.2")),
        ("its address is of no uplink", flow("192.168.77.10", "13.107.6.152", "198.51.100.1")),
        ("its address belongs to no uplink alone", flow("192.168.77.10", "13.107.6.152", "198.18.0.1")),
        ("the router itself began it", flow("192.168.77.1", "13.107.6.152", "203.0.113.2")),
    ] {
        assert!(!is_stale(&addresses, &flow, &on_south), "{why}");
    }
    assert!(!is_stale(&addresses, &moved, &steering(NORTH, &[])), "it did not move");
}

#[test]
fn a_flow_of_a_balanced_class_is_stale_only_with_the_address_of_an_uplink_that_it_is_not_on() {
    let mut addresses = UplinkAddresses::new(
        [(NORTH, "wan0"), (SOUTH, "wan1"), (EAST, "lan0")].map(|(uplink, name)| (uplink, name.to_owned())).into(),
    );
    addresses.observe(&router(&USUAL), START);
    let with = |translated| flow("192.168.77.10", "13.107.6.152", translated);
    let [north, south, east] = ["203.0.113.2", "203.0.113.6", "198.18.0.1"].map(with);
    let stale = |on: &[UplinkId]| {
        [&north, &south, &east].map(|flow| is_stale(&addresses, flow, &steering_to(on, &[NORTH, SOUTH, EAST], &[])))
    };
    assert_eq!(stale(&[NORTH, SOUTH]), [false, false, true]);
    assert_eq!(stale(&[SOUTH, EAST]), [true, false, false]);
    assert_eq!(stale(&[SOUTH]), [true, false, true], "one of them is gone");
    assert_eq!(stale(&[NORTH, SOUTH, EAST]), [false; 3], "and back: all stay where they are");
}

#[test]
fn an_address_that_an_uplink_lost_is_remembered_for_ten_minutes() {
    let mut addresses = usual();
    let moved = flow("192.168.77.10", "13.107.6.152", "203.0.113.2");
    let without: Vec<_> = USUAL.into_iter().filter(|(on, _)| *on != "wan0").collect();
    let later = |seconds| START + Duration::from_secs(seconds);
    addresses.observe(&router(&without), later(1));
    addresses.observe(&router(&without), later(600));
    assert!(is_stale(&addresses, &moved, &steering(SOUTH, &[])));
    addresses.observe(&router(&without), later(601));
    assert!(!is_stale(&addresses, &moved, &steering(SOUTH, &[])));
}

#[test]
fn a_picture_that_is_not_complete_takes_no_address_away() {
    let mut addresses = usual();
    let stale = RouterState::default();
    addresses.observe(&stale, START);
    assert!(is_stale(&addresses, &flow("192.168.77.10", "13.107.6.152", "203.0.113.2"), &steering(SOUTH, &[])));
}

#[test]
fn an_address_that_moved_between_uplinks_belongs_to_the_one_that_has_it() {
    let mut addresses = usual();
    addresses.observe(&router(&[("wan1", "203.0.113.2/30")]), START + Duration::from_secs(1));
    let flow = flow("192.168.77.10", "13.107.6.152", "203.0.113.2");
    assert!(!is_stale(&addresses, &flow, &steering(SOUTH, &[])));
    assert!(is_stale(&addresses, &flow, &steering(NORTH, &[])));
}

#[test]
fn an_address_that_two_uplinks_share_is_right_on_both() {
    let mut addresses = addresses();
    addresses.observe(&router(&[("wan0", "203.0.113.2/32"), ("wan1", "203.0.113.2/32")]), START);
    let flow = flow("192.168.77.10", "13.107.6.152", "203.0.113.2");
    for uplink in [NORTH, SOUTH] {
        assert!(!is_stale(&addresses, &flow, &steering(uplink, &[])));
    }
}

#[test]
fn sources_with_tables_of_their_own_are_left_alone() {
    let aside = [Selector::From("192.168.77.0/28".parse().unwrap())];
    let steering = steering(SOUTH, &aside);
    assert!(!is_stale(&usual(), &flow("192.168.77.10", "13.107.6.152", "203.0.113.2"), &steering));
    assert!(is_stale(&usual(), &flow("192.168.77.99", "13.107.6.152", "203.0.113.2"), &steering));
}

#[test]
fn only_addresses_with_which_nothing_should_leave_are_asked_for() {
    let suspects = usual().suspects(&steering(SOUTH, &[]));
    assert_eq!(suspects, ["203.0.113.2", "2001:db8:100::2"].map(|text| text.parse().unwrap()).into());
    let nothing = Steering::new(TABLE, Arc::default(), BTreeMap::new(), BTreeSet::new());
    assert!(usual().suspects(&nothing).is_empty());
}

#[test]
fn what_is_remembered_has_a_bound() {
    let mut addresses = addresses();
    for number in 0..1000_u32 {
        let [.., high, low] = number.to_be_bytes();
        let address = format!("10.0.{high}.{low}/32");
        addresses.observe(&router(&[("wan0", &address)]), START + Duration::from_millis(number.into()));
    }
    let suspects = addresses.suspects(&steering(SOUTH, &[]));
    assert_eq!(suspects.len(), 256);
    assert!(suspects.contains(&"10.0.3.231".parse().unwrap()), "the newest are kept");
}

#[test]
fn only_flows_of_a_class_that_moved_and_of_the_uplink_that_it_left_are_stale() {
    let mut addresses = UplinkAddresses::new(
        [(NORTH, "wan0"), (SOUTH, "wan1"), (UplinkId(2), "lan0")].map(|(id, name)| (id, name.to_owned())).into(),
    );
    addresses.observe(&router(&USUAL), START);
    let by_foreign_rule = flow("192.168.5.10", "13.107.6.152", "198.18.0.1");
    let moved = flow("192.168.77.10", "13.107.6.152", "203.0.113.2");
    assert!(!is_stale(&addresses, &by_foreign_rule, &steering(SOUTH, &[])), "the class was never on the third");
    assert!(is_stale(&addresses, &moved, &steering(SOUTH, &[])));
    let class = |uplink| (ClassId::new("exchange.ipv4"), [uplink].into());
    let mut fib = Fib::default();
    fib.routes.insert((TABLE, "13.107.6.0/24".parse().unwrap()), Via::Group(NextHopId(100)));
    let still = Steering::new(TABLE, Arc::new(fib), [(NextHopId(100), class(SOUTH))].into(), BTreeSet::new());
    assert!(!is_stale(&addresses, &moved, &still), "its class did not move");
    assert!(addresses.suspects(&still).is_empty());
}

#[test]
fn an_uplink_without_carrier_or_in_an_uncertain_picture_is_not_usable() {
    let mut state = router(&USUAL);
    assert_eq!(addresses().usable(&state), [NORTH, SOUTH].into());
    state.links.get_mut(&IfIndex(1)).unwrap().carrier = false;
    assert_eq!(addresses().usable(&state), [SOUTH].into());
    state.read = ReadState::Stale;
    assert!(addresses().usable(&state).is_empty());
}
