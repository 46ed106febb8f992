use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::{
    IIJ, KDDI, NTT, address, attached, class, classes, interfaces, kernel, layout, names, net, next_hop, place,
    place_all,
};
use crate::{
    config::Kernel,
    domain::{ClassId, Family, NextHop, Share, UplinkId},
    plan::{Fib, Group, Hashing, Layout, Placement, Rule, Selector, Via},
};

fn desired(placements: &[Placement]) -> Fib {
    layout().desired(placements, &attached(&[KDDI, IIJ, NTT]), &interfaces())
}

fn prefixes_in(fib: &Fib, table: u32) -> Vec<IpNet> {
    fib.routes.keys().filter(|(own, _)| *own == table).map(|(_, prefix)| *prefix).collect()
}

#[test]
fn ids_come_from_our_range_and_the_kinds_from_its_two_halves() {
    let fib = desired(&place_all(Some(KDDI), Some(IIJ)));
    let base = kernel().nexthop_base;
    assert!(fib.next_hops.keys().all(|id| (base + 1..base + 0x8000).contains(&id.0)));
    assert!(fib.groups.keys().all(|id| (base + 0x8000..base + 0x1_0000).contains(&id.0)));
    assert_eq!(fib.next_hops.len(), 6, "three uplinks, two families");
    assert_eq!(fib.groups.len(), 8, "four classes, two tables");
}

#[test]
fn an_id_tells_its_family() {
    let fib = desired(&place_all(Some(KDDI), Some(IIJ)));
    for (id, next_hop) in &fib.next_hops {
        assert_eq!(Some(id.family()), next_hop.gateway.map(Family::of));
    }
    for ((_, prefix), via) in &fib.routes {
        if let Via::Group(id) = via {
            assert_eq!(id.family(), Family::of_net(*prefix));
        }
    }
}

#[test]
fn ids_follow_from_names_and_not_from_positions() {
    let mut more = classes();
    more.insert(0, class("dynamics.ipv4", &["20.0.0.0/16"]));
    more.reverse();
    let mut names = names();
    names.insert(0, "another".to_owned());
    let grown = Layout::new(&kernel(), &more, &names, &BTreeSet::new());
    let before = layout();
    for class in classes() {
        let (_, old) = before.plot(&class.id).unwrap();
        let (_, new) = grown.plot(&class.id).unwrap();
        assert_eq!((old.primary, old.backup), (new.primary, new.backup));
    }
    for ((uplink, family), id) in &before.next_hops {
        let moved = UplinkId(uplink.0 + 1);
        assert_eq!(grown.next_hops.get(&(moved, *family)), Some(id));
    }
}

#[test]
fn names_of_one_hash_get_ids_of_their_own() {
    let many: Vec<_> = (0..3_000).map(|number| class(&format!("class-{number}"), &["20.0.0.0/16"])).collect();
    let layout = Layout::new(&kernel(), &many, &names(), &BTreeSet::new());
    let ids: BTreeSet<_> = layout.plots.iter().flat_map(|plot| [plot.primary, plot.backup]).collect();
    assert_eq!(ids.len(), 6_000);
}

#[test]
fn a_range_that_is_full_leaves_classes_out_instead_of_giving_an_id_twice() {
    let many: Vec<_> = (0..9_000).map(|number| class(&format!("class-{number}"), &["20.0.0.0/16"])).collect();
    let layout = Layout::new(&kernel(), &many, &names(), &BTreeSet::new());
    let ids: BTreeSet<_> = layout.plots.iter().flat_map(|plot| [plot.primary, plot.backup]).collect();
    assert_eq!(ids.len(), 2 * layout.plots.len());
    assert_eq!(layout.plots.len(), 8_191);
}

#[test]
fn an_odd_base_does_not_turn_the_families_round() {
    let odd = Kernel { nexthop_base: 1_001, ..kernel() };
    let fib =
        Layout::new(&odd, &classes(), &names(), &BTreeSet::new()).desired(&[], &attached(&[KDDI]), &interfaces());
    for (id, next_hop) in &fib.next_hops {
        assert_eq!(Some(id.family()), next_hop.gateway.map(Family::of));
    }
}

#[test]
fn a_class_is_in_the_primary_table_on_its_uplink_and_in_the_backup_table_on_its_backup() {
    let layout = layout();
    let fib = desired(&[place("exchange.ipv6", Some(NTT), Some(IIJ))]);
    let (_, plot) = layout.plot(&ClassId::new("exchange.ipv6")).unwrap();
    let prefix = net("2603:1006::/40");
    assert_eq!(fib.routes.get(&(7700, prefix)), Some(&Via::Group(plot.primary)));
    assert_eq!(fib.routes.get(&(7701, prefix)), Some(&Via::Group(plot.backup)));
    let members = |group| fib.groups[&group].members.keys().map(|id| fib.next_hops[id]).collect::<Vec<_>>();
    assert_eq!(members(plot.primary), [next_hop(NTT, Family::Ipv6)]);
    assert_eq!(members(plot.backup), [next_hop(IIJ, Family::Ipv6)]);
}

#[test]
fn a_class_left_to_the_main_table_has_no_route() {
    let fib = desired(&place_all(None, None));
    assert!(fib.groups.is_empty());
    assert!(prefixes_in(&fib, 7700).is_empty() && prefixes_in(&fib, 7701).is_empty());
    assert!(fib.rules.iter().all(|rule| rule.selector != Selector::Forwarded));
}

#[test]
fn a_placement_on_an_uplink_that_is_not_attached_is_left_out() {
    let fib = layout().desired(&place_all(Some(KDDI), Some(IIJ)), &attached(&[IIJ]), &interfaces());
    assert!(prefixes_in(&fib, 7700).is_empty());
    assert_eq!(prefixes_in(&fib, 7701).len(), classes().iter().map(|class| class.prefixes.len()).sum::<usize>());
}

#[test]
fn a_backup_that_is_the_uplink_in_charge_is_none() {
    assert!(prefixes_in(&desired(&place_all(Some(KDDI), Some(KDDI))), 7701).is_empty());
}

#[test]
fn rules_are_there_for_tables_and_families_that_have_routes() {
    let fib = desired(&[place("exchange.ipv6", Some(NTT), None)]);
    let forwarding: Vec<&Rule> = fib.rules.iter().filter(|rule| rule.selector == Selector::Forwarded).collect();
    let expected = Rule { family: Family::Ipv6, preference: 7700, selector: Selector::Forwarded, table: 7700 };
    assert_eq!(forwarding, [&expected]);
}

#[test]
fn every_attached_uplink_has_a_probe_table_with_rules_for_its_interface_and_its_addresses() {
    let fib = layout().desired(&[], &attached(&[IIJ]), &interfaces());
    let routes: BTreeMap<_, _> = fib.routes.clone();
    assert_eq!(
        routes.into_iter().collect::<Vec<_>>(),
        [
            ((7711, net("0.0.0.0/0")), Via::NextHop(next_hop(IIJ, Family::Ipv4))),
            ((7711, net("::/0")), Via::NextHop(next_hop(IIJ, Family::Ipv6))),
        ]
    );
    let rule = |family, preference, selector, table| Rule { family, preference, selector, table };
    let bound = || Selector::OutputInterface("wan1".to_owned());
    assert_eq!(
        fib.rules,
        BTreeSet::from([
            rule(Family::Ipv4, 7690, Selector::OwnUnlessDefault, 254),
            rule(Family::Ipv4, 7691, bound(), 7711),
            rule(Family::Ipv4, 7691, Selector::Source(address("192.0.2.18")), 7711),
            rule(Family::Ipv6, 7690, Selector::OwnUnlessDefault, 254),
            rule(Family::Ipv6, 7691, bound(), 7711),
            rule(Family::Ipv6, 7691, Selector::Source(address("2001:db8:1::2")), 7711),
        ])
    );
}

#[test]
fn our_two_tables_never_hold_a_default_route() {
    let fib = desired(&place_all(Some(KDDI), Some(IIJ)));
    let ours = [prefixes_in(&fib, 7700), prefixes_in(&fib, 7701)].concat();
    assert!(ours.iter().all(|prefix| prefix.prefix_len() > 0));
}

#[test]
fn a_class_without_a_place_is_carved_out_of_the_routes_around_it() {
    let placements = [place("exchange.ipv4", Some(KDDI), None)];
    let fib = desired(&placements);
    let covers = |text: &str| prefixes_in(&fib, 7700).iter().any(|prefix| prefix.contains(&address(text)));
    assert!(covers("13.107.6.152"), "Exchange's own");
    assert!(covers("13.107.63.255") && covers("13.107.128.0"), "the edges of the hole");
    assert!(!covers("13.107.64.1"), "Teams is left to the main table");
    assert!(!covers("13.107.136.1"), "SharePoint is left to the main table");
}

#[test]
fn what_was_planned_is_what_is_held() {
    let layout = layout();
    let placements = [
        place("exchange.ipv4", Some(KDDI), Some(IIJ)),
        place("exchange.ipv6", Some(NTT), None),
        place("sharepoint.ipv4", None, None),
        place("teams.ipv4", Some(IIJ), Some(KDDI)),
    ];
    let observed = desired(&placements);
    let expected: BTreeMap<_, _> = (placements.iter())
        .map(|placement| {
            (placement.class.clone(), (placement.on.iter().map(|share| share.uplink).collect(), placement.backup))
        })
        .collect();
    assert_eq!(layout.held(&observed), expected);
    assert_eq!(layout.adoptable(&observed), expected);
}

#[test]
fn nothing_is_held_by_an_empty_kernel() {
    assert!(layout().held(&Fib::default()).values().all(|held| *held == (BTreeSet::new(), None)));
}

#[test]
fn a_class_with_a_route_missing_is_not_held_but_adoptable() {
    let mut observed = desired(&place_all(Some(KDDI), Some(IIJ)));
    observed.routes.remove(&(7700, net("52.112.0.0/14")));
    let teams = ClassId::new("teams.ipv4");
    assert_eq!(layout().held(&observed)[&teams], (BTreeSet::new(), Some(IIJ)));
    assert_eq!(layout().adoptable(&observed)[&teams], ([KDDI].into(), Some(IIJ)));
}

#[test]
fn a_route_that_a_foreign_daemon_took_over_is_not_held() {
    let mut observed = desired(&place_all(Some(KDDI), None));
    observed.routes.insert((7700, net("52.112.0.0/14")), Via::NextHop(next_hop(NTT, Family::Ipv4)));
    assert_eq!(layout().held(&observed)[&ClassId::new("teams.ipv4")], (BTreeSet::new(), None));
}

/// Teams on KDDI three times as much as on IIJ, or on one of them; all other classes as ever.
fn balanced(on: &[(UplinkId, u8)]) -> (Layout, Fib) {
    let balanced = [ClassId::new("teams.ipv4")].into();
    let layout = Layout::new(&kernel(), &classes(), &names(), &balanced);
    let mut placements = place_all(Some(KDDI), Some(NTT));
    let teams = placements.iter_mut().find(|placement| balanced.contains(&placement.class)).unwrap();
    teams.on = on.iter().map(|(uplink, weight)| Share { uplink: *uplink, weight: *weight }).collect();
    let fib = layout.desired(&placements, &attached(&[KDDI, IIJ, NTT]), &interfaces());
    (layout, fib)
}

fn group_of_teams<'a>(layout: &Layout, fib: &'a Fib) -> &'a Group {
    let Some(Via::Group(group)) = fib.routes.get(&(7700, net("52.112.0.0/14"))) else { panic!("no group") };
    assert_eq!(layout.plot(&ClassId::new("teams.ipv4")).unwrap().1.primary, *group);
    &fib.groups[group]
}

#[test]
fn a_balanced_class_has_a_resilient_group_of_its_own_with_all_uplinks_by_weight() {
    let (layout, fib) = balanced(&[(KDDI, 3), (IIJ, 1)]);
    let group = group_of_teams(&layout, &fib);
    let weights: BTreeMap<NextHop, u8> =
        group.members.iter().map(|(id, weight)| (fib.next_hops[id], *weight)).collect();
    assert_eq!(weights, [(next_hop(KDDI, Family::Ipv4), 3), (next_hop(IIJ, Family::Ipv4), 1)].into());
    assert_eq!(group.hashing, Hashing::Resilient);
    assert_eq!(fib.groups.values().filter(|group| group.hashing == Hashing::Resilient).count(), 1);
    let ordinary = Layout::new(&kernel(), &classes(), &names(), &BTreeSet::new());
    let plot = |layout: &Layout| layout.plot(&ClassId::new("teams.ipv4")).unwrap().1.clone();
    assert_ne!(plot(&layout).primary, plot(&ordinary).primary, "a group cannot change its kind");
    assert_eq!(plot(&layout).backup, plot(&ordinary).backup);
    let held = ([KDDI, IIJ].into(), Some(NTT));
    assert_eq!(layout.adoptable(&fib)[&ClassId::new("teams.ipv4")], held);
    assert_eq!(layout.held(&fib)[&ClassId::new("teams.ipv4")], held);
}

#[test]
fn a_balanced_class_on_one_uplink_has_its_twin_beside_it() {
    let (layout, fib) = balanced(&[(IIJ, 1)]);
    let group = group_of_teams(&layout, &fib);
    let ways: Vec<NextHop> = group.members.keys().map(|id| fib.next_hops[id]).collect();
    assert_eq!(ways, [next_hop(IIJ, Family::Ipv4); 2]);
    assert_eq!(group.members.values().copied().collect::<BTreeSet<u8>>(), [1, 255].into());
    assert_eq!(layout.adoptable(&fib)[&ClassId::new("teams.ipv4")], ([IIJ].into(), Some(NTT)));
}

#[test]
fn a_kernel_without_resilient_groups_gets_ordinary_ones() {
    let (layout, fib) = balanced(&[(KDDI, 3), (IIJ, 1)]);
    let on = [(KDDI, 3), (IIJ, 1)].map(|(uplink, weight)| Share { uplink, weight }).into();
    let placement = Placement { class: ClassId::new("teams.ipv4"), on, backup: None };
    let rigid = layout.clone().without_resilience().desired(&[placement], &attached(&[KDDI, IIJ]), &interfaces());
    let group = group_of_teams(&layout, &rigid);
    assert_eq!((group.hashing, &group.members), (Hashing::Threshold, &group_of_teams(&layout, &fib).members));
}
