//! Decoding and requests, without a namespace: nothing here changes anything.

mod dumps;
mod following;

use std::{future::poll_fn, net::IpAddr, sync::Arc, task::Poll};

use netlink_packet_core::{Emitable, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSG_ERROR, NLMSG_NOOP};
use netlink_packet_route::{
    AddressFamily,
    address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope},
    link::{LinkAttribute, LinkFlags, LinkMessage},
    neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState as Nud},
    route::{RouteAttribute, RouteMessage, RouteNextHop, RouteProtocol, RouteType},
    rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage},
};
use netlink_sys::protocols::NETLINK_ROUTE;
use proptest::prelude::*;

use super::{
    KernelError,
    frame::{Message, Request, messages, verdict},
    message_type::{RTM_DELNEXTHOP, RTM_NEWNEXTHOP},
    neighbours::NEIGHBOURS,
    nexthop::{GroupMember, NextHopMessage},
    ownership::Ownership,
    picture::{Effect, Picture, Publish},
    route::{RouteHead, RouteRecord},
    sieve::Sieve,
    socket::RequestSocket,
    survey,
};
use crate::{
    config::Kernel,
    domain::{Address, Family, IfIndex, Interest, NeighbourState, NextHop},
    plan::{Rule, Selector},
};

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const RTM_NEWNEIGH: u16 = 28;
const RTM_DELNEIGH: u16 = 29;
const RTM_NEWRULE: u16 = 32;

fn own() -> Ownership {
    Ownership::new(&Kernel { nexthop_base: 7_700_000, ..Kernel::default() })
}

fn interest() -> Arc<Interest> {
    let destinations = ["13.107.6.0/24", "2620:1ec::/36"].map(|net| net.parse().unwrap()).into_iter().collect();
    Arc::new(Interest { destinations, interfaces: vec!["wan0".to_owned(), "wan1".to_owned()] })
}

fn picture() -> Picture {
    Picture::new(own(), interest())
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn datagram(kind: u16, body: &dyn Emitable) -> Vec<u8> {
    let mut bytes = Vec::new();
    Request::new(kind, 0, body).append_to(&mut bytes, 7);
    bytes
}

fn payload(body: &dyn Emitable) -> Vec<u8> {
    let mut bytes = vec![0; body.buffer_len()];
    body.emit(&mut bytes);
    bytes
}

fn link(index: u32, name: &str, flags: LinkFlags) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.flags = flags;
    message.attributes = vec![LinkAttribute::IfName(name.to_owned())];
    message
}

fn address_message(local: &str, flags: AddressFlags) -> AddressMessage {
    let mut message = AddressMessage::default();
    let local = address(local);
    message.header.family = if local.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.header.index = 4;
    message.header.prefix_len = 24;
    message.header.scope = AddressScope::Universe;
    message.attributes = vec![AddressAttribute::Address(local), AddressAttribute::Flags(flags)];
    message
}

fn neighbour(of: &str, state: Nud) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.ifindex = 4;
    message.header.state = state;
    let IpAddr::V4(of) = address(of) else { panic!("an IPv4 neighbour") };
    message.attributes = vec![NeighbourAttribute::Destination(NeighbourAddress::Inet(of))];
    message
}

fn multipath_route() -> RouteMessage {
    let way = |index, gateway: &str| {
        let mut way = RouteNextHop::default();
        way.interface_index = index;
        way.attributes = vec![RouteAttribute::Gateway(address(gateway).into())];
        way
    };
    let mut message = route("10.0.0.0", 0, 254, RouteProtocol::Static);
    message.attributes.retain(|attribute| !matches!(attribute, RouteAttribute::Destination(_)));
    message.attributes.push(RouteAttribute::MultiPath(vec![way(4, "10.0.0.1"), way(5, "10.0.1.1")]));
    message
}

fn route(destination: &str, length: u8, table: u32, protocol: RouteProtocol) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    message.header.destination_prefix_length = length;
    message.header.table = u8::try_from(table).unwrap_or(252);
    message.header.protocol = protocol;
    message.header.kind = RouteType::Unicast;
    message.attributes = vec![
        RouteAttribute::Destination(address(destination).into()),
        RouteAttribute::Table(table),
        RouteAttribute::Priority(20),
    ];
    message
}

fn rule(selectors: Vec<RuleAttribute>, flags: RuleFlags, protocol: u8) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.action = RuleAction::ToTable;
    message.header.flags = flags;
    message.attributes = selectors;
    message.attributes.extend([
        RuleAttribute::Table(7700),
        RuleAttribute::Priority(7700),
        RuleAttribute::Protocol(protocol.into()),
    ]);
    message
}

/// One message of every kind that is decoded.
fn specimens() -> Vec<(u16, Vec<u8>)> {
    let group = NextHopMessage {
        id: Some(7_700_100),
        protocol: 77,
        group: Some(vec![GroupMember { id: 1, weight: 0 }, GroupMember { id: 2, weight: 0 }]),
        group_type: Some(0),
        ..NextHopMessage::default()
    };
    vec![
        (RTM_NEWLINK, payload(&link(4, "wan0", LinkFlags::Up | LinkFlags::LowerUp))),
        (RTM_NEWADDR, payload(&address_message("2001:db8::2", AddressFlags::Permanent))),
        (RTM_NEWNEIGH, payload(&neighbour("10.0.0.1", Nud::Reachable))),
        (RTM_NEWROUTE, payload(&multipath_route())),
        (RTM_NEWROUTE, payload(&route("192.0.2.0", 24, 7700, RouteProtocol::Other(77)))),
        (RTM_NEWRULE, payload(&rule(vec![RuleAttribute::Iifname("lo".to_owned())], RuleFlags::Invert, 77))),
        (RTM_NEWNEXTHOP, payload(&group)),
    ]
}

/// Every decoder on the same bytes; what they say does not matter, only that they say it.
fn decode_all(bytes: &[u8]) {
    let _ = super::decode::link(bytes);
    let _ = super::decode::address(bytes);
    let _ = super::decode::neighbour(bytes);
    let _ = super::decode::rule(bytes, 77);
    let _ = Sieve::new(own(), interest()).row(bytes);
    let _ = NextHopMessage::parse(bytes);
    let _ = super::rule::parse(bytes, Family::Ipv4);
    if let Ok(Some(head)) = RouteHead::parse(bytes) {
        let _ = RouteRecord::parse(head, bytes);
    }
    for flags in [0, NLM_F_ACK_TLVS, NLM_F_ACK_TLVS | NLM_F_CAPPED] {
        let message = Message { kind: NLMSG_ERROR, flags, sequence: 1, payload: bytes };
        let _ = verdict(&message);
        let _ = super::frame::end_of_dump(&message);
    }
}

#[test]
fn no_decoder_panics_on_a_truncated_message() {
    for (_, whole) in specimens() {
        (0..=whole.len()).for_each(|length| decode_all(&whole[..length]));
    }
}

#[test]
fn no_decoder_panics_on_a_message_with_any_byte_wrong() {
    for (_, whole) in specimens() {
        for position in 0..whole.len() {
            for wrong in [0, 1, 3, 4, 7, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[position] = wrong;
                decode_all(&bytes);
            }
        }
    }
}

#[test]
fn no_event_panics_however_the_datagram_is_cut() {
    let mut stream = Vec::new();
    for (kind, body) in specimens() {
        stream.extend(datagram(kind, &Raw(body)));
    }
    for length in 0..=stream.len() {
        picture().absorb(&stream[..length]);
    }
    let (half, _) = stream.split_at(stream.len() - 5);
    assert!(picture().absorb(half).survey, "what cannot be read is listed again");
}

/// Bytes as they are.
struct Raw(Vec<u8>);

impl Emitable for Raw {
    fn buffer_len(&self) -> usize {
        self.0.len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        buffer[..self.0.len()].copy_from_slice(&self.0);
    }
}

fn any_next_hop() -> impl Strategy<Value = NextHopMessage> {
    let member = (any::<u32>(), any::<u8>()).prop_map(|(id, weight)| GroupMember { id, weight });
    let group = proptest::option::of(proptest::collection::vec(member, 0..32));
    let family = proptest::sample::select(vec![AddressFamily::Unspec, AddressFamily::Inet, AddressFamily::Inet6]);
    (
        (family, any::<u8>(), any::<u32>(), any::<bool>()),
        (any::<Option<u32>>(), group, any::<Option<u16>>(), any::<Option<u32>>(), any::<Option<IpAddr>>()),
    )
        .prop_map(|((family, protocol, flags, blackhole), (id, group, group_type, interface, gateway))| {
            NextHopMessage {
                family,
                protocol,
                flags,
                id,
                group,
                group_type,
                buckets: None,
                blackhole,
                interface,
                gateway,
            }
        })
}

proptest! {
    #[test]
    fn next_hop_messages_survive_a_round_trip(message in any_next_hop()) {
        prop_assert_eq!(NextHopMessage::parse(&payload(&message)).unwrap(), message);
    }

    #[test]
    fn no_decoder_panics_on_noise(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        decode_all(&bytes);
        picture().absorb(&bytes);
        prop_assert!(messages(&bytes).count() <= bytes.len());
    }
}

#[test]
fn a_refusal_carries_the_kernels_own_explanation() {
    let mut bytes = (-22_i32).to_ne_bytes().to_vec();
    bytes.extend([0; 16]);
    bytes.extend([10, 0, 1, 0]);
    bytes.extend(b"no way\0\0");
    let message = Message { kind: NLMSG_ERROR, flags: NLM_F_ACK_TLVS | NLM_F_CAPPED, sequence: 1, payload: &bytes };
    let refusal = verdict(&message).unwrap().unwrap_err();
    assert_eq!((refusal.errno, refusal.explanation.as_deref()), (22, Some("no way")));
    assert!(refusal.to_string().ends_with(": no way"), "{refusal}");
}

#[test]
fn a_bridge_that_loses_a_port_does_not_lose_the_link() {
    let mut picture = picture();
    picture.absorb(&datagram(RTM_NEWLINK, &link(4, "wan0", LinkFlags::Up)));
    let mut port = link(4, "wan0", LinkFlags::Up);
    port.header.interface_family = AddressFamily::Bridge;
    assert_eq!(picture.absorb(&datagram(RTM_DELLINK, &port)), Effect::default());
    assert!(picture.state.link_named("wan0").is_some());
}

#[test]
fn a_carrier_change_is_published_at_once_and_repeated_news_is_not() {
    let mut picture = picture();
    let up = datagram(RTM_NEWLINK, &link(4, "wan0", LinkFlags::Up | LinkFlags::LowerUp));
    picture.absorb(&up);
    assert_eq!(picture.absorb(&up).publish, Publish::Unchanged);
    let cut = picture.absorb(&datagram(RTM_NEWLINK, &link(4, "wan0", LinkFlags::Up)));
    assert_eq!(cut, Effect { touched: true, survey: true, publish: Publish::Now, ..Effect::default() });
    assert!(!picture.state.link_named("wan0").unwrap().carrier);
}

#[test]
fn neighbours_are_reduced_to_what_a_next_hop_needs_to_know() {
    let mut picture = picture();
    picture.absorb(&datagram(RTM_NEWLINK, &link(4, "wan0", LinkFlags::Up)));
    let key = (IfIndex(4), address("10.0.0.1"));
    for (state, reduced, publish) in [
        (Nud::Incomplete, NeighbourState::Resolving, Publish::Soon),
        (Nud::Reachable, NeighbourState::Resolved, Publish::Soon),
        (Nud::Stale, NeighbourState::Resolved, Publish::Unchanged),
        (Nud::Failed, NeighbourState::Failed, Publish::Soon),
    ] {
        let effect = picture.absorb(&datagram(RTM_NEWNEIGH, &neighbour("10.0.0.1", state)));
        assert_eq!((effect.publish, effect.touched), (publish, false), "{state:?}");
        assert_eq!(picture.state.neighbours.get(&key), Some(&reduced));
    }
    picture.absorb(&datagram(RTM_DELNEIGH, &neighbour("10.0.0.1", Nud::Failed)));
    picture.absorb(&datagram(RTM_NEWNEIGH, &neighbour("224.0.0.1", Nud::Noarp)));
    assert!(picture.state.neighbours.is_empty());
}

#[test]
fn neighbours_beyond_the_bound_are_not_kept() {
    let mut picture = picture();
    for number in 0..NEIGHBOURS + 100 {
        let of = format!("10.1.{}.{}", number / 256, number % 256);
        picture.absorb(&datagram(RTM_NEWNEIGH, &neighbour(&of, Nud::Reachable)));
    }
    assert_eq!(picture.state.neighbours.len(), NEIGHBOURS);
}

#[test]
fn only_what_can_matter_and_what_is_ours_among_route_events_has_an_effect() {
    let soon = Effect { publish: Publish::Soon, ..Effect::default() };
    let touched = Effect { touched: true, ..Effect::default() };
    for (what, message, effect) in [
        ("a BGP route", route("198.51.100.0", 24, 254, RouteProtocol::Bgp), Effect::default()),
        ("a BGP route to a destination", route("13.107.0.0", 16, 254, RouteProtocol::Bgp), soon),
        ("a default", route("0.0.0.0", 0, 254, RouteProtocol::Dhcp), soon),
        ("a default of a high table", route("0.0.0.0", 0, 1000, RouteProtocol::Dhcp), soon),
        ("ours", route("192.0.2.0", 24, 7700, RouteProtocol::Other(77)), touched),
        ("theirs in our table", route("192.0.2.0", 24, 7701, RouteProtocol::Static), touched),
        ("ours, a probe default", route("0.0.0.0", 0, 7773, RouteProtocol::Other(77)), touched),
    ] {
        assert_eq!(picture().absorb(&datagram(RTM_NEWROUTE, &message)), effect, "{what}");
    }
}

#[test]
fn only_next_hops_in_our_range_of_ids_raise_doubt_about_what_is_ours() {
    for (id, protocol, touched) in [(7_700_001, 77, true), (7_700_001, 99, true), (5, 77, false)] {
        let message = NextHopMessage { id: Some(id), protocol, ..NextHopMessage::default() };
        let effect = picture().absorb(&datagram(RTM_DELNEXTHOP, &message));
        assert_eq!(effect, Effect { touched, ..Effect::default() });
    }
}

#[test]
fn every_living_way_of_a_multipath_route_is_read() {
    let bytes = payload(&multipath_route());
    let head = RouteHead::parse(&bytes).unwrap().unwrap();
    let route = RouteRecord::parse(head, &bytes).unwrap();
    let way = |index, gateway| NextHop { index: IfIndex(index), gateway: Some(address(gateway)) };
    assert_eq!(route.ways().collect::<Vec<_>>(), [way(4, "10.0.0.1"), way(5, "10.0.1.1")]);
    assert_eq!((route.destination, route.metric), ("0.0.0.0/0".parse().unwrap(), 20));
}

#[test]
fn an_address_is_ready_once_duplicate_detection_is_over() {
    for (flags, ready) in [
        (AddressFlags::Permanent, true),
        (AddressFlags::Tentative, false),
        (AddressFlags::Tentative | AddressFlags::Optimistic, true),
        (AddressFlags::Dadfailed | AddressFlags::Tentative, false),
    ] {
        let bytes = payload(&address_message("2001:db8::2", flags));
        let expected = Address { index: IfIndex(4), net: "2001:db8::2/24".parse().unwrap(), global: true, ready };
        assert_eq!(super::decode::address(&bytes).unwrap(), Some(expected), "{flags:?}");
    }
}

#[test]
fn a_rule_is_ours_by_its_protocol_and_shape() {
    let lo = || vec![RuleAttribute::Iifname("lo".to_owned())];
    let marked = [lo(), vec![RuleAttribute::FwMark(1)]].concat();
    let forwarded = Rule { family: Family::Ipv4, preference: 7700, selector: Selector::Forwarded, table: 7700 };
    for (what, message, protocol, expected) in [
        ("ours", rule(lo(), RuleFlags::Invert, 77), 77, Some(forwarded.clone())),
        ("of another program", rule(lo(), RuleFlags::Invert, 99), 99, Some(forwarded)),
        ("not inverted", rule(lo(), RuleFlags::empty(), 77), 77, None),
        ("of marked packets only", rule(marked, RuleFlags::Invert, 77), 77, None),
    ] {
        let record = super::rule::parse(&payload(&message), Family::Ipv4).unwrap().unwrap();
        assert_eq!((record.protocol, record.rule), (protocol, expected), "{what}");
    }
}

#[test]
fn the_length_of_a_rules_source_prefix_is_part_of_it() {
    let net = |text: &str| text.parse::<ipnet::IpNet>().unwrap();
    for (selector, family) in [
        (Selector::Source(address("10.0.0.0")), Family::Ipv4),
        (Selector::From(net("10.0.0.0/8")), Family::Ipv4),
        (Selector::Source(address("2001:db8::")), Family::Ipv6),
        (Selector::From(net("2001:db8::/32")), Family::Ipv6),
    ] {
        let rule = Rule { family, preference: 7690, selector, table: 7720 };
        let bytes = payload(&super::rule::message(own(), &rule));
        let record = super::rule::parse(&bytes, family).unwrap().unwrap();
        assert_eq!((record.protocol, record.rule), (77, Some(rule)));
    }
    let mut beyond = payload(&rule(vec![RuleAttribute::Source(address("10.0.0.0"))], RuleFlags::empty(), 77));
    beyond[2] = 33;
    super::rule::parse(&beyond, Family::Ipv4).unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_kernel_that_does_not_answer_is_not_waited_for_and_the_next_request_works() {
    let (mut socket, sieve) = (RequestSocket::open(NETLINK_ROUTE).unwrap(), Sieve::new(own(), interest()));
    // The kernel neither answers nor acknowledges a control message.
    let silence = Request::new(NLMSG_NOOP, 0, &Raw(vec![0; 16]));
    let error = socket.get("ask for nothing", &silence, |_| Ok(())).await.unwrap_err();
    assert!(matches!(error, KernelError::Deadline { .. }), "{error:?}");
    assert_eq!(error.to_string(), "cannot ask for nothing: the kernel did not answer within 2s");
    let found = survey::surroundings(&mut socket, own(), &sieve).await.unwrap();
    assert!(found.links.values().any(|link| link.name == "lo"));
}

#[tokio::test]
async fn a_request_that_was_given_up_half_way_does_not_disturb_the_next() {
    let (mut socket, sieve) = (RequestSocket::open(NETLINK_ROUTE).unwrap(), Sieve::new(own(), interest()));
    for _ in 0..3 {
        let mut survey = std::pin::pin!(survey::surroundings(&mut socket, own(), &sieve));
        // The first datagram, and away.
        let step = poll_fn(|context| Poll::Ready(survey.as_mut().poll(context))).await;
        assert!(step.is_pending());
    }
    assert!(!survey::surroundings(&mut socket, own(), &sieve).await.unwrap().links.is_empty());
}

#[test]
fn without_a_runtime_a_socket_is_an_error_and_no_panic() {
    let error = RequestSocket::open(NETLINK_ROUTE).unwrap_err();
    assert!(error.to_string().starts_with("cannot open a netlink socket: "), "{error}");
}
