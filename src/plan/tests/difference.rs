use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;
use proptest::prelude::*;

use super::{
    IIJ, KDDI, NTT, address, attached, classes, interfaces, layout, model::ModelKernel, names, net, next_hop, place,
    place_all,
};
use crate::{
    domain::{Family, IfIndex, NextHop, UplinkId},
    plan::{Change, Fib, Group, Hashing, Layout, NextHopId, Placement, Rule, Selector, Via, at_once, difference},
};

fn desired(placements: &[Placement]) -> Fib {
    layout().desired(placements, &attached(&[KDDI, IIJ, NTT]), &interfaces())
}

/// Applies the difference message by message; calls `check` after each.
fn lead(observed: &Fib, desired: &Fib, mut check: impl FnMut(&ModelKernel, &Change)) -> ModelKernel {
    let mut kernel = ModelKernel::holding(observed);
    for change in difference(desired, observed) {
        kernel.apply(&change).unwrap_or_else(|why| panic!("{change:?} was refused: {why}"));
        check(&kernel, &change);
    }
    kernel
}

#[test]
fn no_difference_is_no_message() {
    let fib = desired(&place_all(Some(KDDI), Some(IIJ)));
    assert_eq!(difference(&fib, &fib), []);
    assert_eq!(difference(&Fib::default(), &Fib::default()), []);
}

#[test]
fn a_restart_with_the_same_decisions_writes_nothing() {
    let before = desired(&place_all(Some(KDDI), Some(IIJ)));
    let mut shuffled = classes();
    shuffled.reverse();
    let again = Layout::new(&super::kernel(), &shuffled, &names(), &BTreeSet::new());
    let after = again.desired(&place_all(Some(KDDI), Some(IIJ)), &attached(&[KDDI, IIJ, NTT]), &interfaces());
    assert_eq!(difference(&after, &before), []);
}

#[test]
fn moving_a_class_is_one_message_whatever_its_number_of_routes() {
    let before = desired(&[place("exchange.ipv4", Some(KDDI), Some(IIJ)), place("teams.ipv4", Some(KDDI), None)]);
    let after = desired(&[place("exchange.ipv4", Some(NTT), Some(IIJ)), place("teams.ipv4", Some(KDDI), None)]);
    let changes = difference(&after, &before);
    assert!(matches!(changes.as_slice(), [Change::SetGroup(..)]), "{changes:?}");
}

#[test]
fn a_class_that_changes_places_with_its_backup_moves_first() {
    let before = desired(&[place("exchange.ipv4", Some(KDDI), Some(IIJ))]);
    let after = desired(&[place("exchange.ipv4", Some(IIJ), Some(KDDI))]);
    let layout = layout();
    let (_, plot) = layout.plot(&crate::domain::ClassId::new("exchange.ipv4")).unwrap();
    let changes = difference(&after, &before);
    let set: Vec<NextHopId> = changes
        .iter()
        .map(|change| if let Change::SetGroup(id, _) = change { *id } else { panic!("{change:?}") })
        .collect();
    assert_eq!(set, [plot.primary, plot.backup]);
}

#[test]
fn a_new_gateway_is_one_message_and_its_probe_route() {
    let before = desired(&place_all(Some(KDDI), None));
    let mut moved = attached(&[KDDI, IIJ, NTT]);
    moved.get_mut(&(KDDI, Family::Ipv4)).unwrap().next_hop.gateway = Some(address("192.0.2.9"));
    let after = layout().desired(&place_all(Some(KDDI), None), &moved, &interfaces());
    let changes = difference(&after, &before);
    assert!(
        matches!(changes.as_slice(), [Change::SetNextHop(..), Change::MoveRoute { table: 7710, .. }]),
        "{changes:?}"
    );
}

#[test]
fn traffic_goes_from_the_main_table_straight_to_its_uplink() {
    let after = desired(&place_all(Some(KDDI), Some(IIJ)));
    let before = desired(&[]);
    let mut seen = Vec::new();
    lead(&before, &after, |kernel, _| {
        let found = kernel.lookup(address("13.107.6.152")).map(|hop| hop.index);
        if seen.last() != Some(&found) {
            seen.push(found);
        }
    });
    assert_eq!(seen, [None, Some(next_hop(KDDI, Family::Ipv4).index)]);
}

#[test]
fn withdrawing_leaves_nothing_and_falls_through_to_main_in_one_step() {
    let before = desired(&place_all(Some(KDDI), Some(IIJ)));
    let mut seen = vec![Some(next_hop(KDDI, Family::Ipv4).index)];
    let kernel = lead(&before, &Fib::default(), |kernel, change| {
        let found = kernel.lookup(address("13.107.6.152")).map(|hop| hop.index);
        if seen.last() != Some(&found) {
            assert!(matches!(change, Change::DeleteRule(_)), "{change:?}");
            seen.push(found);
        }
    });
    assert_eq!(seen, [Some(next_hop(KDDI, Family::Ipv4).index), None]);
    assert_eq!(kernel.fib, Fib::default());
}

#[test]
fn after_a_loss_of_carrier_traffic_stays_on_the_backup_while_the_primary_is_rebuilt() {
    let mut kernel = ModelKernel::holding(&desired(&place_all(Some(KDDI), Some(IIJ))));
    kernel.lose_carrier(next_hop(KDDI, Family::Ipv4).index);
    let backup = Some(next_hop(IIJ, Family::Ipv4));
    assert_eq!(kernel.lookup(address("13.107.6.152")), backup, "by the kernel alone");

    let after = layout().desired(&place_all(Some(IIJ), Some(NTT)), &attached(&[IIJ, NTT]), &interfaces());
    let repaired = lead(&kernel.fib, &after, |kernel, change| {
        assert_eq!(kernel.lookup(address("13.107.6.152")), backup, "after {change:?}");
    });
    assert_eq!(repaired.fib, after);
}

#[test]
fn an_id_that_is_wanted_for_the_other_kind_is_freed_first() {
    let id = NextHopId(100);
    let hop = next_hop(KDDI, Family::Ipv4);
    let mut as_group = Fib::default();
    as_group.next_hops.insert(NextHopId(2), hop);
    as_group.groups.insert(id, Group::of_one(NextHopId(2)));
    as_group.routes.insert((7700, net("20.0.0.0/16")), Via::Group(id));
    let mut as_hop = Fib::default();
    as_hop.next_hops.insert(id, hop);
    as_hop.groups.insert(NextHopId(102), Group::of_one(id));
    as_hop.routes.insert((7700, net("20.0.0.0/16")), Via::Group(NextHopId(102)));
    assert_eq!(lead(&as_group, &as_hop, |_, _| {}).fib, as_hop);
    assert_eq!(lead(&as_hop, &as_group, |_, _| {}).fib, as_group);
}

// Any state to any other.

const TABLES: [u32; 3] = [7700, 7701, 7710];
const PREFIXES: [&str; 8] = [
    "10.0.0.0/24",
    "10.0.0.0/25",
    "10.0.0.128/25",
    "10.0.0.64/26",
    "2001:db8::/32",
    "2001:db8::/33",
    "2001:db8:8000::/33",
    "2001:db8:4000::/34",
];

fn some_addresses() -> Vec<IpAddr> {
    ["10.0.0.1", "10.0.0.65", "10.0.0.129", "2001:db8::1", "2001:db8:4000::1", "2001:db8:8000::1"]
        .map(address)
        .to_vec()
}

/// Any state that a kernel can be in: no route without its group, no group without its members.
fn any_fib() -> impl Strategy<Value = Fib> {
    let hops = prop::collection::btree_map(2_u32..10, 1_u32..4, 0..8);
    let groups =
        prop::collection::btree_map(100_u32..108, prop::collection::btree_map(2_u32..10, 1_u8..4, 1..3), 0..8);
    let routes = prop::collection::btree_map((0..TABLES.len(), 0..PREFIXES.len()), 100_u32..108, 0..24);
    let rules = prop::collection::btree_set((any::<bool>(), 0..TABLES.len(), 0_u32..3), 0..6);
    (hops, groups, routes, rules).prop_map(|(hops, groups, routes, rules)| {
        let mut fib = Fib::default();
        for (id, index) in hops {
            fib.next_hops.insert(NextHopId(id), NextHop { index: IfIndex(index), gateway: None });
        }
        for (id, members) in groups {
            let id = NextHopId(id);
            let members: BTreeMap<NextHopId, u8> = (members.into_iter())
                .map(|(member, weight)| (NextHopId(member), weight))
                .filter(|(member, _)| member.family() == id.family() && fib.next_hops.contains_key(member))
                .collect();
            if !members.is_empty() {
                let hashing = if id.0 < 104 { Hashing::Threshold } else { Hashing::Resilient };
                fib.groups.insert(id, Group { members, hashing });
            }
        }
        for ((table, prefix), group) in routes {
            let (prefix, group): (IpNet, _) = (net(PREFIXES[prefix]), NextHopId(group));
            if group.family() == Family::of_net(prefix) && fib.groups.contains_key(&group) {
                fib.routes.insert((TABLES[table], prefix), Via::Group(group));
            }
        }
        for (v6, table, offset) in rules {
            let family = if v6 { Family::Ipv6 } else { Family::Ipv4 };
            let rule =
                Rule { family, preference: 7700 + offset, selector: Selector::Forwarded, table: TABLES[table] };
            fib.rules.insert(rule);
        }
        fib
    })
}

proptest! {
    #[test]
    fn any_state_is_led_to_any_other_without_a_refusal_and_without_a_hole(before in any_fib(), after in any_fib()) {
        let start = ModelKernel::holding(&before);
        let end = ModelKernel::holding(&after);
        let routed: Vec<IpAddr> = some_addresses()
            .into_iter()
            .filter(|own| start.lookup(*own).is_some() && end.lookup(*own).is_some())
            .collect();
        let mut absorbed = before.clone();
        let led = lead(&before, &after, |kernel, change| {
            for address in &routed {
                assert!(kernel.lookup(*address).is_some(), "{address} has no route after {change:?}");
            }
            absorbed.absorb(change);
            assert_eq!(absorbed, kernel.fib, "what is thought to be held after {change:?}");
        });
        prop_assert_eq!(&led.fib, &after);
        prop_assert_eq!(difference(&after, &led.fib), []);
    }

    #[test]
    fn any_state_is_withdrawn_completely(before in any_fib()) {
        prop_assert_eq!(lead(&before, &Fib::default(), |_, _| {}).fib, Fib::default());
    }
}

// Any placement to any other.

/// For each class the uplink in charge and the backup; and which uplinks are attached.
type Situation = (Vec<(Option<u16>, Option<u16>)>, Vec<bool>);

fn situation() -> impl Strategy<Value = Situation> {
    let seat = || prop::option::of(0_u16..3);
    (prop::collection::vec((seat(), seat()), 4), prop::collection::vec(prop::bool::weighted(0.8), 3))
}

fn fib_of((seats, attachments): &Situation) -> Fib {
    let placements: Vec<Placement> = (classes().iter().zip(seats))
        .map(|(class, (chosen, backup))| place(class.id.as_str(), chosen.map(UplinkId), backup.map(UplinkId)))
        .collect();
    let uplinks: Vec<UplinkId> =
        (0..).map(UplinkId).zip(attachments).filter(|(_, attached)| **attached).map(|(uplink, _)| uplink).collect();
    layout().desired(&placements, &attached(&uplinks), &interfaces())
}

/// One address of each class, some at the edge of another.
fn class_addresses() -> Vec<IpAddr> {
    let addresses = ["13.107.6.152", "13.107.63.255", "13.107.64.0", "13.107.128.1", "13.107.136.1", "13.107.140.0"];
    addresses.map(address).into_iter().chain(["52.97.0.1", "52.113.0.1", "2603:1006::1"].map(address)).collect()
}

proptest! {
    /// Not only no hole: traffic of a class never visits a path that it was not on and will not be on.
    #[test]
    fn traffic_is_always_on_its_old_path_or_on_its_new_one(before in situation(), after in situation()) {
        let (before, after) = (fib_of(&before), fib_of(&after));
        let (start, end) = (ModelKernel::holding(&before), ModelKernel::holding(&after));
        let paths: BTreeMap<IpAddr, _> = class_addresses()
            .into_iter()
            .map(|own| (own, [start.lookup(own), end.lookup(own)]))
            .collect();
        let led = lead(&before, &after, |kernel, change| {
            for (address, allowed) in &paths {
                let found = kernel.lookup(*address);
                assert!(allowed.contains(&found), "{address} is on {found:?} after {change:?}, not on {allowed:?}");
            }
        });
        prop_assert_eq!(led.fib, after);
    }
}

#[test]
fn what_moves_at_once_is_in_front_and_nothing_is_taken_away() {
    let before = desired(&[place("exchange.ipv4", Some(KDDI), Some(IIJ)), place("teams.ipv4", Some(IIJ), Some(NTT))]);
    let after = desired(&[place("exchange.ipv4", Some(IIJ), Some(NTT)), place("teams.ipv4", Some(NTT), None)]);
    let layout = layout();
    let primary = |class: &str| layout.plot(&crate::domain::ClassId::new(class)).unwrap().1.primary;
    let moved: Vec<NextHopId> = at_once(&after, &before)
        .into_iter()
        .map(|change| match change {
            Change::SetGroup(id, _) => id,
            other => panic!("{other:?} may be wrong by now"),
        })
        .collect();
    let mut expected = [primary("exchange.ipv4"), primary("teams.ipv4")];
    expected.sort_unstable();
    let mut found = moved;
    found.sort_unstable();
    assert_eq!(found, expected, "packets may be on the backup groups");
}

proptest! {
    /// An uplink is lost, and with it silently its next hops, groups and routes; the agent still sees all of them. What it
    /// does at once puts no traffic where it was not and will not be.
    #[test]
    fn what_moves_at_once_is_right_although_a_line_was_lost_unseen(
        before in situation(), after in situation(), lost in 0_usize..3,
    ) {
        let mut after = after;
        after.1[lost] = false;
        let (before, after) = (fib_of(&before), fib_of(&after));
        let mut kernel = ModelKernel::holding(&before);
        let uplink = UplinkId(u16::try_from(lost).unwrap());
        for family in Family::BOTH {
            let id = layout().next_hops[&(uplink, family)];
            if kernel.fib.next_hops.contains_key(&id) {
                kernel.apply(&Change::DeleteNextHop(id)).unwrap();
            }
        }
        let (start, end) = (kernel.clone(), ModelKernel::holding(&after));
        // When the route of a class is lost, one around it of another class catches its packets: not this one's matter.
        let is_its_own = |address: &IpAddr| {
            [super::kernel().table, super::kernel().backup_table].into_iter().all(|table| {
                let matched = |fib: &Fib| fib.longest_match(table, *address);
                matched(&kernel.fib).is_none_or(|via| Some(via) == matched(&before))
            })
        };
        let addresses: Vec<IpAddr> = class_addresses().into_iter().filter(is_its_own).collect();
        for change in at_once(&after, &before) {
            prop_assert!(matches!(change, Change::SetNextHop(..) | Change::SetGroup(..)), "{:?}", change);
            // A refusal changes nothing.
            let _ = kernel.apply(&change);
            for &address in &addresses {
                let allowed = [start.lookup(address), end.lookup(address)];
                let found = kernel.lookup(address);
                prop_assert!(allowed.contains(&found), "{} is on {:?} after {:?}, not on {:?}", address, found, change, allowed);
            }
        }
    }
}
