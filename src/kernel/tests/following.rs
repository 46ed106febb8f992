//! What events do to the picture, without a kernel.

use std::collections::BTreeMap;

use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::{
    AddressFamily,
    address::{AddressFlags, AddressMessage},
    link::{InfoData, InfoKind, InfoVrf, LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
    neighbour::{NeighbourMessage, NeighbourState as Nud},
    route::{RouteAttribute, RouteMessage, RouteProtocol, RouteType},
    rule::{RuleAttribute, RuleFlags},
};

use super::{
    super::{
        followed::Followed,
        frame::Request,
        message_type::{
            RTM_DELADDR, RTM_DELNEXTHOP, RTM_DELROUTE, RTM_DELRULE, RTM_NEWADDR, RTM_NEWLINK, RTM_NEWNEIGH,
            RTM_NEWNEXTHOP, RTM_NEWROUTE, RTM_NEWRULE,
        },
        neighbours::NEIGHBOURS,
        nexthop::{GroupMember, NextHopMessage},
        picture::{Effect, Glance, Picture, Publish},
        routes::{How, ROUTES, Routes, Row},
        sieve::Sieve,
        survey::Surroundings,
    },
    address, address_message, datagram, interest, link, multipath_route, neighbour, own, payload, picture, route,
    rule,
};
use crate::domain::{IfIndex, Link, LocalRoute, NextHop, ReadState, RouteKind};

const UP: LinkFlags = LinkFlags::Up.union(LinkFlags::LowerUp);

/// A picture with `wan0` (4) and `wan1` (5), both up.
fn two_uplinks() -> Picture {
    let mut picture = picture();
    for (index, name) in [(4, "wan0"), (5, "wan1")] {
        picture.absorb(&datagram(RTM_NEWLINK, &link(index, name, UP)));
    }
    picture
}

fn event(kind: u16, flags: u16, message: &RouteMessage) -> Vec<u8> {
    let mut bytes = Vec::new();
    Request::new(kind, flags, message).append_to(&mut bytes, 0);
    bytes
}

fn by(mut message: RouteMessage, index: u32, gateway: &str) -> RouteMessage {
    message.attributes.push(RouteAttribute::Oif(index));
    message.attributes.push(RouteAttribute::Gateway(address(gateway).into()));
    message
}

fn microsoft(index: u32, gateway: &str) -> RouteMessage {
    by(route("13.107.6.0", 24, 254, RouteProtocol::Bgp), index, gateway)
}

fn default(index: u32, gateway: &str) -> RouteMessage {
    by(route("0.0.0.0", 0, 254, RouteProtocol::Dhcp), index, gateway)
}

fn row(message: &RouteMessage) -> Row {
    Sieve::new(own(), interest()).row(&payload(message)).unwrap().expect("of interest")
}

fn ways(picture: &mut Picture) -> Vec<(u32, String)> {
    picture.refresh();
    let way = |route: &LocalRoute| route.way.map(|way| (way.index.0, way.gateway.unwrap().to_string()));
    picture.state.routes.iter().filter_map(way).collect()
}

fn gateways(picture: &mut Picture) -> Vec<String> {
    picture.refresh();
    picture.state.defaults.iter().filter_map(|route| route.gateway).map(|gateway| gateway.to_string()).collect()
}

#[test]
fn a_default_by_an_uplink_is_shown_at_once_and_others_soon() {
    let mut picture = two_uplinks();
    let new = |message: &RouteMessage| event(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, message);
    assert_eq!(picture.absorb(&new(&default(4, "10.0.0.1"))).publish, Publish::Now);
    assert_eq!(gateways(&mut picture), ["10.0.0.1"]);
    assert_eq!(picture.absorb(&new(&microsoft(4, "10.0.0.1"))).publish, Publish::Soon);
    let elsewhere = by(route("0.0.0.0", 0, 52, RouteProtocol::Static), 9, "10.9.0.1");
    assert_eq!(picture.absorb(&new(&elsewhere)).publish, Publish::Soon);
    let away = event(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &default(9, "10.9.0.1"));
    assert_eq!(picture.absorb(&away).publish, Publish::Now, "the uplink lost it");
    assert_eq!(gateways(&mut picture), ["10.9.0.1", "10.9.0.1"]);
}

#[test]
fn a_route_follows_its_events_and_repeated_news_is_none() {
    let mut picture = two_uplinks();
    let one = microsoft(4, "10.0.0.1");
    picture.absorb(&event(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &one));
    assert_eq!(picture.absorb(&event(RTM_NEWROUTE, NLM_F_REPLACE, &one)), Effect::default());
    picture.absorb(&event(RTM_NEWROUTE, NLM_F_REPLACE, &microsoft(5, "10.0.1.1")));
    assert_eq!(ways(&mut picture), [(5, "10.0.1.1".to_owned())]);
    let gone = picture.absorb(&event(RTM_DELROUTE, 0, &microsoft(5, "10.0.1.1")));
    assert_eq!(gone, Effect { publish: Publish::Soon, ..Effect::default() });
    assert_eq!(ways(&mut picture), []);
    let unknown = picture.absorb(&event(RTM_DELROUTE, 0, &microsoft(5, "10.0.1.1")));
    assert_eq!(unknown, Effect::default(), "what is gone is gone");
}

#[test]
fn where_one_name_stands_for_several_routes_the_certain_is_applied_and_the_rest_listed() {
    let mut picture = two_uplinks();
    picture.absorb(&event(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &microsoft(4, "10.0.0.1")));
    let beside = picture.absorb(&event(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, &microsoft(5, "10.0.1.1")));
    assert_eq!(beside, Effect { survey: true, publish: Publish::Soon, ..Effect::default() });
    assert_eq!(picture.state.routes_read, ReadState::Stale);
    assert_eq!(ways(&mut picture), [(4, "10.0.0.1".to_owned()), (5, "10.0.1.1".to_owned())]);
    picture.absorb(&event(RTM_NEWROUTE, NLM_F_REPLACE, &microsoft(4, "10.0.0.9")));
    assert_eq!(ways(&mut picture), [(4, "10.0.0.9".to_owned()), (5, "10.0.1.1".to_owned())], "the first");
    let other = picture.absorb(&event(RTM_DELROUTE, 0, &microsoft(4, "10.0.0.77")));
    assert!(other.survey, "one that is not known went");
}

#[test]
fn carrier_decides_which_ways_live_without_a_word_about_the_routes() {
    let mut picture = two_uplinks();
    for message in [default(4, "10.0.0.1"), microsoft(4, "10.0.0.1")] {
        picture.absorb(&event(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &message));
    }
    picture.absorb(&datagram(RTM_NEWLINK, &link(4, "wan0", LinkFlags::Up)));
    assert_eq!((gateways(&mut picture).len(), ways(&mut picture).len()), (0, 0));
    picture.absorb(&datagram(RTM_NEWLINK, &link(4, "wan0", UP)));
    assert_eq!((gateways(&mut picture).len(), ways(&mut picture).len()), (1, 1), "the kernel kept them");
    picture.absorb(&datagram(RTM_NEWLINK, &link(4, "wan0", LinkFlags::empty())));
    picture.absorb(&datagram(RTM_NEWLINK, &link(4, "wan0", UP)));
    assert_eq!((gateways(&mut picture).len(), ways(&mut picture).len()), (0, 0), "the kernel removed them");
}

#[test]
fn a_rename_changes_which_interface_is_an_uplink_and_no_route() {
    let mut picture = two_uplinks();
    let connected = |mut message: RouteMessage| {
        message.header.kind = RouteType::Unicast;
        message.attributes.push(RouteAttribute::Oif(4));
        message
    };
    let connected = connected(route("10.0.0.0", 24, 254, RouteProtocol::Kernel));
    picture.absorb(&event(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &connected));
    for (name, shown) in [("wan0", 1), ("dsl", 0), ("wan0", 1)] {
        picture.absorb(&datagram(RTM_NEWLINK, &link(4, name, UP)));
        picture.refresh();
        assert_eq!(picture.state.routes.len(), shown, "connected to {name}");
    }
}

#[test]
fn routes_by_objects_go_where_these_lead_and_die_with_them() {
    let mut picture = two_uplinks();
    let way = |id, index, gateway: &str| NextHopMessage {
        id: Some(id),
        interface: Some(index),
        gateway: Some(address(gateway)),
        ..NextHopMessage::default()
    };
    let group = |members: &[u32]| NextHopMessage {
        id: Some(9),
        group: Some(members.iter().map(|id| GroupMember { id: *id, weight: 0 }).collect()),
        ..NextHopMessage::default()
    };
    let drops = NextHopMessage { id: Some(1), blackhole: true, ..NextHopMessage::default() };
    for message in [way(1, 4, "10.0.0.1"), way(2, 5, "10.0.1.1"), group(&[1, 2])] {
        assert_eq!(picture.absorb(&datagram(RTM_NEWNEXTHOP, &message)), Effect::default(), "nothing refers to it");
    }
    let mut by_group = route("13.107.6.0", 24, 254, RouteProtocol::Bgp);
    by_group.attributes.push(RouteAttribute::NhId(9));
    picture.absorb(&event(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &by_group));
    assert_eq!(ways(&mut picture), [(4, "10.0.0.1".to_owned()), (5, "10.0.1.1".to_owned())]);
    assert_eq!(picture.absorb(&datagram(RTM_NEWNEXTHOP, &way(2, 5, "10.0.1.9"))).publish, Publish::Soon);
    assert_eq!(ways(&mut picture), [(4, "10.0.0.1".to_owned()), (5, "10.0.1.9".to_owned())]);
    picture.absorb(&datagram(RTM_NEWLINK, &link(5, "wan1", LinkFlags::Up)));
    assert_eq!(ways(&mut picture), [(4, "10.0.0.1".to_owned())], "its carrier is gone, and the object with it");
    picture.absorb(&datagram(RTM_NEWNEXTHOP, &drops));
    picture.refresh();
    assert_eq!(picture.state.routes.first().map(|route| (route.kind, route.way)), Some((RouteKind::Blackhole, None)));
    let gone = picture.absorb(&datagram(RTM_DELNEXTHOP, &group(&[1])));
    assert_eq!(gone, Effect { survey: true, publish: Publish::Soon, ..Effect::default() });
    picture.refresh();
    assert!(picture.state.routes.is_empty());
}

#[test]
fn news_during_a_listing_are_not_undone_by_it() {
    let (links, uplinks) = Default::default();
    let mut followed = Followed::default();
    let mut listed = Routes::default();
    let old = row(&default(4, "10.0.0.1"));
    followed.route(old.clone(), How::Alone, &links, &uplinks);
    listed.take(&old, How::Listed);
    followed.begin_listing();
    followed.route(row(&default(4, "10.0.0.254")), How::Replacing, &links, &uplinks);
    followed.route(row(&microsoft(4, "10.0.0.1")), How::Alone, &links, &uplinks);
    assert!(followed.take_routes(listed), "all is certain");
    let mut state = crate::domain::RouterState::default();
    followed.show(&mut state, &uplinks);
    let gateways: Vec<_> = state.defaults.iter().filter_map(|route| route.gateway).collect();
    assert_eq!(gateways, [address("10.0.0.254")]);
    assert_eq!(state.routes.len(), 1);
}

#[test]
fn more_news_during_a_listing_than_are_remembered_make_it_uncertain() {
    let (links, uplinks) = Default::default();
    let mut followed = Followed::default();
    followed.begin_listing();
    for number in 0..40_000 {
        let gateway = if number % 2 == 0 { "10.0.0.1" } else { "10.0.0.2" };
        followed.route(row(&microsoft(4, gateway)), How::Replacing, &links, &uplinks);
    }
    assert!(!followed.take_routes(Routes::default()));
    followed.begin_listing();
    assert!(followed.take_routes(Routes::default()), "the next one is");
}

#[test]
fn routes_beyond_the_bound_are_counted_and_asked_for_when_there_is_room() {
    let mut routes = Routes::default();
    let mut one = row(&microsoft(4, "10.0.0.1"));
    for number in 0..ROUTES + 10 {
        one.key.metric = u32::try_from(number).unwrap();
        routes.take(&one, How::Listed);
    }
    assert_eq!((routes.others.len(), routes.omitted), (ROUTES, 10));
    let replaced = Row { held: row(&microsoft(5, "10.0.1.1")).held, ..one.clone() };
    one.key.metric = 7;
    assert!(routes.take(&replaced, How::Gone).changed.eq(&false), "it was never kept");
    assert_eq!(routes.omitted, 9);
    let gone = routes.take(&one, How::Gone);
    assert!(gone.changed && gone.doubt, "another one may take its place");
}

#[test]
fn the_fields_of_a_route_are_read_from_any_form() {
    let mut sourced = RouteMessage::default();
    sourced.header.address_family = AddressFamily::Inet6;
    sourced.header.kind = RouteType::Unicast;
    sourced.header.table = 254;
    sourced.header.source_prefix_length = 48;
    sourced.attributes = vec![RouteAttribute::Source(address("2001:db8:77::").into()), RouteAttribute::Oif(4)];
    let row = row(&sourced);
    assert_eq!(row.key.source, Some("2001:db8:77::/48".parse().unwrap()));
    assert_eq!(*row.held.ways, [NextHop { index: IfIndex(4), gateway: None }]);
    let sieve = Sieve::new(own(), interest());
    let kept = |message: &RouteMessage| sieve.row(&payload(message)).unwrap().is_some();
    assert!(kept(&multipath_route()));
    let mut cached = sourced.clone();
    cached.header.flags = netlink_packet_route::route::RouteFlags::Cloned;
    assert!(!kept(&cached), "the cache is no table");
    for kind in [RouteType::Local, RouteType::Broadcast, RouteType::Anycast, RouteType::Multicast] {
        let mut message = microsoft(4, "10.0.0.1");
        message.header.kind = kind;
        assert!(!kept(&message), "{kind:?}");
    }
}

#[test]
fn a_vrf_and_its_ports_are_told() {
    let read = |message: &LinkMessage| super::super::decode::link(&payload(message)).unwrap().unwrap();
    let mut vrf = link(8, "red", UP);
    vrf.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Vrf),
        LinkInfo::Data(InfoData::Vrf(vec![InfoVrf::TableId(1001)])),
    ]));
    assert_eq!(read(&vrf).vrf_table, Some(1001));
    let mut port = link(4, "wan0", UP);
    port.attributes.push(LinkAttribute::Controller(8));
    assert_eq!((read(&port).master, read(&port).vrf_table), (Some(IfIndex(8)), None));
    let mut bytes = payload(&vrf);
    let end = bytes.len() - 6;
    bytes[end] = 0xff;
    assert!(super::super::decode::link(&bytes).is_ok(), "a link is a link whatever its kind says");
}

#[test]
fn rules_of_others_ask_for_a_glance_and_ours_do_not() {
    let (ours, theirs) = (rule(Vec::new(), RuleFlags::empty(), 77), rule(Vec::new(), RuleFlags::empty(), 0));
    for kind in [RTM_NEWRULE, RTM_DELRULE] {
        let touched = Effect { touched: true, ..Effect::default() };
        assert_eq!(picture().absorb(&datagram(kind, &ours)), touched);
        assert_eq!(picture().absorb(&datagram(kind, &theirs)), Effect { glance: Glance::Wanted, ..touched });
    }
    let selective = rule(vec![RuleAttribute::FwMark(1)], RuleFlags::empty(), 3);
    assert!(super::super::decode::rule(&payload(&selective), 77).unwrap().is_some_and(|rule| rule.table == 7700));
}

#[test]
fn a_refreshed_address_is_no_news_and_a_new_one_is() {
    let mut picture = two_uplinks();
    let held = |flags| -> AddressMessage { address_message("2001:db8::2", flags) };
    let tentative = picture.absorb(&datagram(RTM_NEWADDR, &held(AddressFlags::Tentative)));
    assert_eq!(tentative, Effect { touched: true, survey: true, publish: Publish::Soon, ..Effect::default() });
    assert!(picture.absorb(&datagram(RTM_NEWADDR, &held(AddressFlags::Permanent))).survey, "it is ready now");
    assert_eq!(picture.absorb(&datagram(RTM_NEWADDR, &held(AddressFlags::Permanent))), Effect::default());
    assert_eq!(picture.state.addresses.len(), 1);
    assert!(picture.absorb(&datagram(RTM_DELADDR, &held(AddressFlags::Permanent))).survey);
    assert_eq!(picture.absorb(&datagram(RTM_DELADDR, &held(AddressFlags::Permanent))), Effect::default());
    assert!(picture.state.addresses.is_empty());
}

#[test]
fn neighbours_on_uplinks_have_room_whatever_the_client_network_does() {
    let mut picture = two_uplinks();
    let on = |index, number: usize| -> NeighbourMessage {
        let mut message = neighbour(&format!("10.1.{}.{}", number / 256, number % 256), Nud::Reachable);
        message.header.ifindex = index;
        message
    };
    for number in 0..NEIGHBOURS + 10 {
        let effect = picture.absorb(&datagram(RTM_NEWNEIGH, &on(9, number)));
        assert_eq!(effect, Effect::default(), "nobody waits for these");
    }
    for number in 0..NEIGHBOURS + 10 {
        let effect = picture.absorb(&datagram(RTM_NEWNEIGH, &on(4, number)));
        assert_eq!(effect.publish == Publish::Soon, number < NEIGHBOURS, "{number}");
    }
    assert_eq!(picture.state.neighbours.len(), NEIGHBOURS);
    assert!(picture.state.neighbours.keys().all(|(index, _)| *index == IfIndex(4)));
}

/// A glance that sees these links, and nothing else.
fn seen(links: &[LinkMessage]) -> Surroundings {
    let link = |message: &LinkMessage| super::super::decode::link(&payload(message)).unwrap().unwrap();
    let links = links.iter().map(link).map(|link: Link| (link.index, link)).collect();
    Surroundings { links, addresses: Vec::new(), neighbours: BTreeMap::default(), rules: Vec::new(), objects: None }
}

#[test]
fn a_way_by_a_link_that_a_glance_did_not_find_is_dead_until_the_link_is_told() {
    let (wan0, wan1) = (link(4, "wan0", UP), link(5, "wan1", UP));
    let mut picture = two_uplinks();
    assert!(picture.take_surroundings(seen(std::slice::from_ref(&wan1))), "its routes may be gone");
    assert!(!picture.take_surroundings(seen(std::slice::from_ref(&wan1))), "nothing changed");
    // Listed before the link went.
    let mut listed = Routes::default();
    for message in [default(4, "10.0.0.1"), microsoft(4, "10.0.0.1")] {
        listed.take(&row(&message), How::Listed);
    }
    picture.followed.take_routes(listed);
    assert_eq!((gateways(&mut picture).len(), ways(&mut picture).len()), (0, 0));
    assert!(!picture.take_surroundings(seen(&[wan0.clone(), wan1.clone()])), "no route was by a new link");
    assert_eq!((gateways(&mut picture).len(), ways(&mut picture).len()), (1, 1), "seen by a glance");
    let down = seen(&[link(4, "wan0", LinkFlags::empty()), wan1.clone()]);
    assert!(picture.take_surroundings(down), "changed");
    assert!(picture.take_surroundings(seen(&[wan1])), "gone");
    assert_eq!((gateways(&mut picture).len(), ways(&mut picture).len()), (0, 0), "gone with the link");
    picture.absorb(&event(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &default(4, "10.0.0.1")));
    assert_eq!(gateways(&mut picture).len(), 0);
    picture.absorb(&datagram(RTM_NEWLINK, &wan0));
    assert_eq!(gateways(&mut picture).len(), 1, "told by an event");
}

#[test]
fn a_link_that_is_new_to_a_glance_decides_at_once_which_ways_live() {
    let mut picture = picture();
    picture.absorb(&event(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &default(9, "10.9.0.1")));
    assert_eq!(gateways(&mut picture).len(), 1, "nothing was listed yet");
    assert!(!picture.take_surroundings(seen(&[link(9, "lan0", LinkFlags::Up)])));
    assert_eq!(gateways(&mut picture).len(), 0, "it has no carrier");
    picture.absorb(&event(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &default(8, "10.8.0.1")));
    assert_eq!(gateways(&mut picture).len(), 0);
    picture.take_surroundings(seen(&[link(8, "lan1", UP), link(9, "lan0", LinkFlags::Up)]));
    assert_eq!(gateways(&mut picture), ["10.8.0.1"]);
}

#[test]
fn an_address_that_went_unseen_raises_doubt_about_routes_as_its_event_would() {
    let mut picture = two_uplinks();
    picture.absorb(&datagram(RTM_NEWADDR, &address_message("2001:db8::2", AddressFlags::Permanent)));
    let links = [link(4, "wan0", UP), link(5, "wan1", UP)];
    let held = picture.state.addresses.clone();
    assert!(!picture.take_surroundings(Surroundings { addresses: held, ..seen(&links) }));
    assert!(picture.take_surroundings(seen(&links)));
    assert!(!picture.absorb(&datagram(RTM_DELADDR, &address_message("2001:db8::2", AddressFlags::Permanent))).survey);
}
