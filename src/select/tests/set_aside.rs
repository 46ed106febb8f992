use std::{collections::BTreeSet, sync::Arc};

use crate::{
    domain::{Family, IfIndex, Link, LocalRoute, NextHop, PolicyRule, RouteKind, RouterState},
    select::{Kept, SetAside, kept_by_local_routes, routed_by},
};

const WAN: IfIndex = IfIndex(2);
const TUNNEL: IfIndex = IfIndex(7);
/// Preference of our first rule.
const OURS: u32 = 7700;

fn by(destination: &str, index: IfIndex) -> LocalRoute {
    LocalRoute {
        destination: destination.parse().unwrap(),
        table: 254,
        metric: 20,
        source: None,
        kind: RouteKind::Unicast,
        protocol: 186,
        way: Some(NextHop { index, gateway: None }),
    }
}

fn null(destination: &str, kind: RouteKind) -> LocalRoute {
    LocalRoute { kind, way: None, ..by(destination, TUNNEL) }
}

fn router(routes: impl IntoIterator<Item = LocalRoute>) -> RouterState {
    let mut routes: Vec<LocalRoute> = routes.into_iter().collect();
    routes.sort_unstable();
    let name = "tun0".to_owned();
    let tunnel = Link { index: TUNNEL, name, admin_up: true, carrier: true, master: None, vrf_table: None };
    RouterState { routes: Arc::from(routes), links: [(TUNNEL, tunnel)].into(), ..RouterState::default() }
}

fn kept(router: &RouterState) -> Vec<Kept> {
    kept_by_local_routes(router, &BTreeSet::from([WAN]), OURS)
}

fn prefixes(router: &RouterState) -> Vec<String> {
    let kept = kept(router).into_iter().flat_map(|kept| kept.set_aside);
    kept.map(|kept| kept.prefix.to_string()).collect()
}

#[test]
fn a_route_into_a_tunnel_keeps_its_prefix_and_one_by_an_uplink_does_not() {
    let router = router([by("13.107.6.0/24", TUNNEL), by("52.96.0.0/14", WAN), by("2603:1006::/40", TUNNEL)]);
    assert_eq!(prefixes(&router), ["13.107.6.0/24", "2603:1006::/40"]);
    let SetAside { why, .. } = &kept(&router)[0].set_aside[0];
    assert_eq!(why.to_string(), "the router's own route by tun0 (table 254, protocol 186, metric 20)");
}

#[test]
fn null_routes_keep_their_prefixes_and_throw_routes_do_not() {
    let kinds = [RouteKind::Blackhole, RouteKind::Unreachable, RouteKind::Prohibit];
    for kind in kinds {
        assert_eq!(prefixes(&router([null("13.107.6.152/31", kind)])), ["13.107.6.152/31"], "{kind:?}");
    }
    assert_eq!(kept(&router([null("13.107.6.152/31", RouteKind::Throw)])), []);
}

#[test]
fn of_routes_of_one_prefix_and_table_the_best_metric_counts() {
    let spare = LocalRoute { metric: 200, ..by("13.107.6.0/24", TUNNEL) };
    assert_eq!(prefixes(&router([by("13.107.6.0/24", WAN), spare])), [""; 0]);
    let preferred = LocalRoute { metric: 10, ..by("13.107.6.0/24", TUNNEL) };
    assert_eq!(prefixes(&router([by("13.107.6.0/24", WAN), preferred])), ["13.107.6.0/24"]);
}

#[test]
fn a_route_that_shares_its_load_with_others_than_uplinks_keeps_its_prefix() {
    assert_eq!(prefixes(&router([by("13.107.6.0/24", TUNNEL), by("13.107.6.0/24", WAN)])), ["13.107.6.0/24"]);
}

#[test]
fn a_route_by_an_uplink_for_some_sources_does_not_take_it_from_a_tunnel_for_all() {
    let delegated = Some("2001:db8:1::/56".parse().unwrap());
    let own = LocalRoute { source: delegated, metric: 10, ..by("2603:1006::/40", WAN) };
    assert_eq!(prefixes(&router([own])), [""; 0]);
    let found = router([own, LocalRoute { metric: 1024, ..by("2603:1006::/40", TUNNEL) }]);
    assert_eq!(prefixes(&found), ["2603:1006::/40"]);
}

#[test]
fn full_tunnels_are_no_statement_about_microsoft() {
    let halves = ["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1", "2000::/3", "0.0.0.0/2"];
    assert_eq!(prefixes(&router(halves.map(|half| by(half, TUNNEL)))), [""; 0]);
    assert_eq!(prefixes(&router([by("13.0.0.0/8", TUNNEL), by("2603::/16", TUNNEL)])), ["13.0.0.0/8", "2603::/16"]);
}

#[test]
fn a_longer_route_by_an_uplink_is_released() {
    let found = kept(&router([by("13.104.0.0/14", TUNNEL), by("13.107.6.0/24", WAN), by("52.96.0.0/14", WAN)]));
    assert_eq!(found[0].released, ["13.107.6.0/24".parse().unwrap()]);
}

#[test]
fn a_longer_route_by_an_uplink_in_another_table_releases_nothing() {
    let elsewhere = LocalRoute { table: 500, ..by("13.104.0.0/14", TUNNEL) };
    let mut router = router([elsewhere, by("13.107.6.0/24", WAN)]);
    router.rules = vec![PolicyRule { family: Family::Ipv4, preference: 20_000, table: 500 }];
    let [Kept { set_aside, released }] = &kept(&router)[..] else { panic!("one table keeps something") };
    assert_eq!((set_aside.len(), released.len()), (1, 0));
}

#[test]
fn what_an_uplink_is_routed_to_is_asked_of_tables_that_are_looked_up_and_for_all_sources() {
    let halves = [by("0.0.0.0/1", WAN), LocalRoute { table: 500, ..by("128.0.0.0/1", WAN) }];
    let router = router(halves.into_iter().chain([by("13.107.6.0/24", TUNNEL)]));
    let routed = routed_by(&router, WAN, OURS);
    assert!(routed.covers("13.107.0.0/16".parse().unwrap()));
    assert!(!routed.touches("203.0.113.0/24".parse().unwrap()));
}

#[test]
fn tables_count_when_packets_come_to_them_after_ours() {
    let elsewhere = |table| LocalRoute { table, ..by("13.107.6.0/24", TUNNEL) };
    let rule = |preference, table| PolicyRule { family: Family::Ipv4, preference, table };
    let mut router = router([elsewhere(500)]);
    assert_eq!(prefixes(&router), [""; 0], "no rule leads there");
    router.rules = vec![rule(100, 500)];
    assert_eq!(prefixes(&router), [""; 0], "looked up before ours: it is in charge anyway");
    router.rules = vec![rule(20_000, 500)];
    assert_eq!(prefixes(&router), ["13.107.6.0/24"]);
}
