use std::net::IpAddr;

use super::uplink;
use crate::{
    config::{NextHopSpec, Uplink},
    domain::{Address, DefaultRoute, Family, IfIndex, Link, NextHop, RouterState, UplinkAttachment},
    select::{Unattached, attachment},
};

const WAN: IfIndex = IfIndex(7);

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn default_route(gateway: Option<&str>, index: IfIndex, metric: u32) -> DefaultRoute {
    let gateway = gateway.map(address);
    let family = gateway.map_or(Family::Ipv4, Family::of);
    DefaultRoute { family, index, gateway, metric, table: 254, source: None }
}

fn own(net: &str, index: IfIndex) -> Address {
    Address { index, net: net.parse().unwrap(), global: true, ready: true }
}

/// The uplink `ntt` with an IPv4 and an IPv6 default route and addresses.
fn router() -> RouterState {
    let mut router = RouterState::default();
    let name = "if-ntt".to_owned();
    let link = Link { index: WAN, name, admin_up: true, carrier: true, master: None, vrf_table: None };
    router.links.insert(WAN, link);
    router.addresses = vec![own("203.0.113.9/24", IfIndex(3)), own("192.0.2.2/24", WAN), own("2001:db8::2/64", WAN)];
    router.defaults = vec![default_route(Some("192.0.2.1"), WAN, 100), default_route(Some("fe80::1"), WAN, 1_024)];
    router
}

fn ntt() -> Uplink {
    uplink("ntt", 0)
}

#[allow(clippy::unnecessary_wraps, reason = "compared with results")]
fn attached(gateway: Option<&str>, source: &str) -> Result<UplinkAttachment, Unattached> {
    let next_hop = NextHop { index: WAN, gateway: gateway.map(address) };
    Ok(UplinkAttachment { next_hop, source: Some(address(source)) })
}

fn changed(change: impl FnOnce(&mut RouterState)) -> Result<UplinkAttachment, Unattached> {
    let mut router = router();
    change(&mut router);
    attachment(&ntt(), Family::Ipv4, &router)
}

#[test]
fn the_next_hop_is_learned_from_the_default_route_by_the_interface() {
    assert_eq!(attachment(&ntt(), Family::Ipv4, &router()), attached(Some("192.0.2.1"), "192.0.2.2"));
    assert_eq!(attachment(&ntt(), Family::Ipv6, &router()), attached(Some("fe80::1"), "2001:db8::2"));
}

#[test]
fn of_several_default_routes_the_best_metric_wins_and_other_interfaces_do_not_count() {
    let found = changed(|router| {
        router.defaults.push(default_route(Some("192.0.2.254"), WAN, 10));
        router.defaults.push(default_route(Some("203.0.113.1"), IfIndex(3), 0));
    });
    assert_eq!(found, attached(Some("192.0.2.254"), "192.0.2.2"));
}

#[test]
fn a_point_to_point_link_has_no_gateway() {
    let found = changed(|router| router.defaults = vec![default_route(None, WAN, 0)]);
    assert_eq!(found, attached(None, "192.0.2.2"));
}

#[test]
fn a_configured_gateway_needs_no_default_route_and_may_be_link_local() {
    let router = RouterState { defaults: Vec::new(), ..router() };
    let uplink = Uplink {
        ipv4: NextHopSpec::Gateway("192.0.2.9".parse().unwrap()),
        ipv6: NextHopSpec::Gateway("fe80::9".parse().unwrap()),
        ..ntt()
    };
    assert_eq!(attachment(&uplink, Family::Ipv4, &router), attached(Some("192.0.2.9"), "192.0.2.2"));
    assert_eq!(attachment(&uplink, Family::Ipv6, &router), attached(Some("fe80::9"), "2001:db8::2"));
}

#[test]
fn what_is_missing_is_named() {
    let name = || "if-ntt".to_owned();
    let link = |router: &mut RouterState, change: fn(&mut Link)| change(router.links.get_mut(&WAN).unwrap());
    let disabled = Uplink { ipv6: NextHopSpec::Disabled, ..ntt() };
    assert_eq!(attachment(&disabled, Family::Ipv6, &router()), Err(Unattached::FamilyDisabled(Family::Ipv6)));
    assert_eq!(changed(|router| router.links.clear()), Err(Unattached::NoInterface(name())));
    assert_eq!(changed(|router| link(router, |own| own.admin_up = false)), Err(Unattached::AdminDown(name())));
    assert_eq!(changed(|router| link(router, |own| own.carrier = false)), Err(Unattached::NoCarrier(name())));
    assert_eq!(changed(|router| router.defaults.clear()), Err(Unattached::NoNextHop(name())));
    assert_eq!(changed(|router| router.addresses.clear()), Err(Unattached::NoAddress(name(), Family::Ipv4)));
}

#[test]
fn an_address_that_is_tentative_or_not_global_is_no_source() {
    for spoil in [|own: &mut Address| own.ready = false, |own: &mut Address| own.global = false] {
        let found = changed(|router| router.addresses.iter_mut().for_each(spoil));
        assert_eq!(found, Err(Unattached::NoAddress("if-ntt".to_owned(), Family::Ipv4)));
    }
}

#[test]
fn a_re_created_interface_is_found_by_its_name() {
    let again = IfIndex(42);
    let found = changed(|router| {
        let link = router.links.remove(&WAN).unwrap();
        router.links.insert(again, Link { index: again, ..link });
        router.addresses = vec![own("192.0.2.2/24", again)];
        router.defaults = vec![default_route(Some("192.0.2.1"), again, 0)];
    });
    assert_eq!(found.map(|attachment| attachment.next_hop.index), Ok(again));
}

#[test]
fn a_default_route_of_another_table_counts_only_where_the_main_table_has_none() {
    let elsewhere = DefaultRoute { table: 51_820, ..default_route(None, WAN, 0) };
    let found = changed(|router| router.defaults.push(elsewhere));
    assert_eq!(found, attached(Some("192.0.2.1"), "192.0.2.2"));
    let alone = changed(|router| router.defaults = vec![elsewhere]);
    assert_eq!(alone, attached(None, "192.0.2.2"));
}
