//! Whole-agent simulations in virtual time: a router and a network as values, probes answered by a model of the paths.

use std::{collections::BTreeMap, net::IpAddr, path::Path, time::Duration};

use super::*;
use crate::{
    config,
    domain::{
        Address, DefaultRoute, IfIndex, Link, LocalRoute, NextHop, ProbeFailure, ProbeOutcome, ProbeSample,
        ReadState, RouteKind, RouterState,
    },
    plan,
    select::Why,
};

mod explained;
mod measurement;

const CONFIG: &str = r#"
[site]
name = "akl-01"
market = "New Zealand"

[[isp]]
name = "kordia"
partner = "Kordia"
[[isp.uplink]]
interface = "wan0"

[[isp]]
name = "ccl"
partner = "CCL"
[[isp.uplink]]
interface = "wan1"

[policy]
preferred = ["kordia", "ccl"]
leave_after = "2s"
return_after = "10s"
[policy.sla]
rtt = "40ms"
loss = "2%"

[probe]
interval = "200ms"
timeout = "500ms"
window = 20
down_after = 3
up_after = 3

[kernel]
mode = "enforce"
"#;

const KORDIA: UplinkId = UplinkId(0);
const CCL: UplinkId = UplinkId(1);

/// How one uplink's paths answer.
#[derive(Clone, Copy)]
struct Weather {
    rtt_ms: u64,
    /// Every n-th probe is lost; 0: none, 1: all.
    lose_every: u64,
    /// Somebody answers in the stead of Microsoft's servers: who asks for a proof gets none.
    portal: bool,
}

const FAIR: Weather = Weather { rtt_ms: 10, lose_every: 0, portal: false };
const SLOW: Weather = Weather { rtt_ms: 60, ..FAIR };
const BLACK_HOLE: Weather = Weather { lose_every: 1, ..FAIR };
const PORTAL: Weather = Weather { portal: true, ..FAIR };

/// A router, its uplinks' weather, and the agent on it.
struct World {
    engine: Engine,
    router: RouterState,
    weather: BTreeMap<UplinkId, Weather>,
    now: BootTime,
    sent: u64,
    turns: BTreeMap<(ClassId, UplinkId), usize>,
    events: Vec<EventKind>,
}

impl World {
    fn new() -> Self {
        Self::with(&Fib::default())
    }

    /// A world in which the kernel holds `observed` already.
    fn with(observed: &Fib) -> Self {
        Self::configured(CONFIG, observed)
    }

    fn configured(text: &str, observed: &Fib) -> Self {
        let config = config::parse(text, Path::new("branch.toml")).unwrap();
        let catalogue = Catalogue::of(&config).unwrap();
        let now = BootTime(Duration::from_secs(100));
        let mut engine = Engine::new(config, catalogue, now);
        engine.adopt(observed, now);
        let weather = BTreeMap::from([(KORDIA, FAIR), (CCL, FAIR)]);
        Self { engine, router: router(), weather, now, sent: 0, turns: BTreeMap::new(), events: Vec::new() }
    }

    fn read_router(&mut self) {
        let events = self.engine.router_changed(&self.router, self.now);
        self.events.extend(events);
    }

    fn cut_carrier(&mut self, name: &str, carrier: bool) {
        let link = self.router.links.values_mut().find(|link| link.name == name).unwrap();
        link.carrier = carrier;
        self.read_router();
    }

    /// Lets time pass: every path is probed every 200 ms, holds are reviewed when they end.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end {
            self.now = self.now + Duration::from_millis(200);
            for path in self.engine.probe_paths().iter() {
                self.probe(path);
            }
            if self.engine.next_review().is_some_and(|at| at <= self.now) {
                let events = self.engine.review(self.now);
                self.events.extend(events);
            }
        }
    }

    /// Probes the targets of a path in turn.
    fn probe(&mut self, path: &ProbePath) {
        let weather = self.weather[&path.uplink];
        self.sent += 1;
        let turn = self.turns.entry((path.class.clone(), path.uplink)).or_default();
        *turn += 1;
        let target = *turn % path.targets.len();
        let check = &path.targets[target].check;
        // Every class has addresses of its own.
        let of_class = path.class.as_str().bytes().fold(0, u8::wrapping_add);
        let lost = weather.lose_every > 0 && self.sent.is_multiple_of(weather.lose_every);
        let outcome = if lost {
            ProbeOutcome::Failed(ProbeFailure::Timeout)
        } else if weather.portal && check.proves_identity() {
            ProbeOutcome::Failed(ProbeFailure::Untrusted)
        } else {
            ProbeOutcome::Answered(Duration::from_millis(weather.rtt_ms))
        };
        let sample = ProbeSample {
            uplink: path.uplink,
            class: path.class.clone(),
            target,
            kind: check.kind(),
            address: Some(([192, 0, of_class, u8::try_from(target).unwrap()], 443).into()),
            sent_at: self.now,
            outcome,
            service_time: None,
        };
        let events = self.engine.sampled(&sample, self.now);
        self.events.extend(events);
    }

    /// Where all classes are; fails when they differ.
    fn everything_on(&self) -> Option<UplinkId> {
        let mut on = self.engine.decisions.values().map(|decision| decision.chosen);
        let first = on.next().expect("there are classes");
        assert!(on.all(|other| other == first), "classes differ: {:?}", self.engine.decisions);
        first
    }

    fn moves(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, EventKind::PrefixActivePath { .. })).count()
    }
}

/// A route into a tunnel, as a VPN or an ExpressRoute circuit sets it.
fn by_tunnel(destination: &str) -> LocalRoute {
    LocalRoute {
        destination: destination.parse().unwrap(),
        table: 254,
        metric: 20,
        source: None,
        kind: RouteKind::Unicast,
        protocol: 186,
        way: Some(NextHop { index: IfIndex(9), gateway: None }),
    }
}

fn link(index: IfIndex, name: &str) -> Link {
    Link { index, name: name.to_owned(), admin_up: true, carrier: true, master: None, vrf_table: None }
}

fn router() -> RouterState {
    let mut router = RouterState { read: ReadState::Fresh, ..RouterState::default() };
    for (index, name, net4, gateway4, net6, gateway6) in [
        (2, "wan0", "192.0.2.2/30", "192.0.2.1", "2001:db8:1::2/64", "2001:db8:1::1"),
        (3, "wan1", "192.0.2.6/30", "192.0.2.5", "2001:db8:2::2/64", "2001:db8:2::1"),
    ] {
        let index = IfIndex(index);
        router.links.insert(index, link(index, name));
        for (net, gateway) in [(net4, gateway4), (net6, gateway6)] {
            let gateway: IpAddr = gateway.parse().unwrap();
            router.addresses.push(Address { index, net: net.parse().unwrap(), global: true, ready: true });
            router.defaults.push(DefaultRoute {
                family: Family::of(gateway),
                index,
                gateway: Some(gateway),
                metric: 100,
                table: 254,
                source: None,
            });
        }
    }
    router
}

/// A world in which the preferred ISP has been in charge for a while.
fn settled() -> World {
    let mut world = World::new();
    world.read_router();
    world.pass(Duration::from_secs(15));
    assert_eq!(world.everything_on(), Some(KORDIA));
    world.events.clear();
    world
}

#[test]
fn nothing_is_steered_before_it_is_measured() {
    let mut world = World::new();
    world.read_router();
    assert_eq!(world.everything_on(), None);
    assert!(!world.engine.desired().routes.keys().any(|(table, _)| *table == 7700));
}

#[test]
fn at_start_every_class_goes_to_the_preferred_isp_without_a_detour() {
    let mut world = World::new();
    world.read_router();
    world.pass(Duration::from_secs(5));
    assert_eq!(world.everything_on(), Some(KORDIA));
    assert_eq!(world.moves(), world.engine.catalogue.classes().len(), "each class moved once");
    assert!(world.engine.decisions.values().all(|decision| decision.backup == Some(CCL)));
}

#[test]
fn a_slow_preferred_isp_is_left_after_the_hold_and_taken_back_after_it_healed() {
    let mut world = settled();
    world.weather.insert(KORDIA, SLOW);
    world.pass(Duration::from_secs(10));
    assert_eq!(world.everything_on(), Some(CCL));
    world.weather.insert(KORDIA, FAIR);
    world.pass(Duration::from_secs(5));
    assert_eq!(world.everything_on(), Some(CCL), "not before it has been good for the hold time");
    world.pass(Duration::from_secs(25));
    assert_eq!(world.everything_on(), Some(KORDIA));
}

#[test]
fn losing_carrier_moves_every_class_in_the_same_instant() {
    let mut world = settled();
    world.cut_carrier("wan0", false);
    assert_eq!(world.everything_on(), Some(CCL));
    let moved = world
        .events
        .iter()
        .any(|event| matches!(event, EventKind::UplinkChanged { uplink, usable: false, .. } if uplink == "wan0"));
    assert!(moved, "{:?}", world.events);
    assert!(world.engine.decisions.values().all(|decision| decision.backup.is_none()));
}

#[test]
fn after_carrier_returns_the_preferred_isp_must_prove_itself_for_the_hold_time() {
    let mut world = settled();
    world.cut_carrier("wan0", false);
    world.pass(Duration::from_secs(3));
    world.cut_carrier("wan0", true);
    world.pass(Duration::from_secs(5));
    assert_eq!(world.everything_on(), Some(CCL));
    world.pass(Duration::from_secs(15));
    assert_eq!(world.everything_on(), Some(KORDIA));
}

#[test]
fn a_silent_black_hole_is_left_after_the_configured_losses() {
    let mut world = settled();
    world.weather.insert(KORDIA, BLACK_HOLE);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.everything_on(), Some(CCL));
}

#[test]
fn one_lost_probe_in_fifty_moves_nothing() {
    let mut world = settled();
    world.weather.insert(KORDIA, Weather { lose_every: 101, ..FAIR });
    world.pass(Duration::from_secs(60));
    assert_eq!(world.moves(), 0, "{:?}", world.events);
}

#[test]
fn a_restart_adopts_what_the_kernel_holds_and_changes_nothing() {
    let held = settled().engine.desired();
    let mut world = World::with(&held);
    world.read_router();
    assert_eq!(plan::difference(&world.engine.desired(), &held), []);
    world.pass(Duration::from_secs(30));
    assert_eq!(plan::difference(&world.engine.desired(), &held), []);
    assert_eq!(world.moves(), 0, "{:?}", world.events);
}

#[test]
fn a_restart_on_the_second_isp_returns_to_the_first_only_by_the_rules() {
    let mut before = settled();
    before.cut_carrier("wan0", false);
    let held = before.engine.desired();
    let mut world = World::with(&held);
    world.read_router();
    assert_eq!(world.everything_on(), Some(CCL));
    world.pass(Duration::from_secs(5));
    assert_eq!(world.everything_on(), Some(CCL));
    world.pass(Duration::from_secs(15));
    assert_eq!(world.everything_on(), Some(KORDIA));
}

#[test]
fn a_restart_while_the_standing_backup_carries_the_traffic_leaves_it_there() {
    let mut held = settled().engine.desired();
    // What the kernel does when the carrier of the primary goes.
    held.routes.retain(|(table, _), _| *table != 7700);
    let mut world = World::with(&held);
    world.router.links.values_mut().find(|link| link.name == "wan0").unwrap().carrier = false;
    world.read_router();
    assert_eq!(world.everything_on(), Some(CCL));
    world.pass(Duration::from_secs(5));
    assert_eq!(world.everything_on(), Some(CCL));
    assert_eq!(world.moves(), 0, "{:?}", world.events);
}

#[test]
fn the_backup_takes_over_even_before_it_is_measured() {
    let held = settled().engine.desired();
    let mut world = World::with(&held);
    world.read_router();
    world.cut_carrier("wan0", false);
    assert_eq!(world.everything_on(), Some(CCL));
}

#[test]
fn when_nothing_answers_anywhere_traffic_is_left_in_peace() {
    let mut world = settled();
    let held = world.engine.desired();
    world.weather = BTreeMap::from([(KORDIA, BLACK_HOLE), (CCL, BLACK_HOLE)]);
    world.pass(Duration::from_secs(30));
    let primary = |fib: &Fib| fib.routes.iter().filter(|((table, _), _)| *table == 7700).count();
    assert_eq!(primary(&world.engine.desired()), primary(&held), "nothing falls to the main table");
    let classes = world.engine.catalogue.classes().len();
    assert!(world.moves() <= classes, "a class moves at most once, while the other ISP still seems to answer");
}

#[test]
fn without_any_isp_everything_is_left_to_the_main_table_until_one_appears() {
    let mut world = World::new();
    world.router.links.clear();
    world.read_router();
    world.pass(Duration::from_secs(2));
    assert_eq!(world.everything_on(), None);
    assert_eq!(world.engine.desired(), Fib::default());
    world.router = router();
    world.read_router();
    world.pass(Duration::from_secs(5));
    assert_eq!(world.everything_on(), Some(KORDIA));
}

#[test]
fn a_branch_without_ipv6_steers_ipv4_alone() {
    let mut world = World::new();
    world.router.addresses.retain(|address| Family::of_net(address.net) == Family::Ipv4);
    world.router.defaults.retain(|route| route.family == Family::Ipv4);
    world.read_router();
    world.pass(Duration::from_secs(5));
    for decision in world.engine.decisions.values() {
        let family = world.engine.catalogue.class(&decision.class).unwrap().family;
        assert_eq!(decision.chosen, (family == Family::Ipv4).then_some(KORDIA), "{decision:?}");
    }
}

#[test]
fn a_stale_picture_of_the_router_is_not_acted_upon() {
    let mut world = settled();
    world.router.links.clear();
    world.router.read = ReadState::Stale;
    world.read_router();
    assert_eq!(world.everything_on(), Some(KORDIA));
}

#[test]
fn an_answer_that_arrives_after_carrier_was_lost_does_not_revive_the_path() {
    let mut world = settled();
    let paths = world.engine.probe_paths();
    world.cut_carrier("wan0", false);
    for _ in 0..5 {
        for path in paths.iter() {
            world.probe(path);
        }
    }
    assert_eq!(world.everything_on(), Some(CCL));
}

/// Whether one of our tables has a route for the address.
fn steers(engine: &Engine, address: &str) -> bool {
    let address: IpAddr = address.parse().unwrap();
    let probes = engine.config.kernel.probe_table;
    engine.desired().routes.keys().any(|(table, prefix)| *table < probes && prefix.contains(&address))
}

#[test]
fn a_local_route_keeps_its_prefix_until_it_goes() {
    let mut world = World::new();
    world.read_router();
    world.pass(Duration::from_secs(5));
    assert!(steers(&world.engine, "13.107.6.152"));

    world.router.links.insert(IfIndex(9), link(IfIndex(9), "tun0"));
    world.router.routes = Arc::from([by_tunnel("13.107.6.152/32")]);
    world.read_router();
    assert!(!steers(&world.engine, "13.107.6.152"), "the tunnel is in charge of it");
    assert!(steers(&world.engine, "13.107.6.153"), "and of not one address more");
    let kept = world.engine.aside.of_prefix("13.107.6.152/32".parse().unwrap()).unwrap();
    assert!(kept.why.to_string().contains("tun0"), "{kept:?}");
    let told = |events: &[EventKind], kept: usize| {
        let counts =
            |event: &&EventKind| matches!(event, EventKind::LocalRoutesKeep { kept: now, .. } if *now == kept);
        events.iter().filter(counts).count()
    };
    assert_eq!(told(&world.events, 1), 1, "{:?}", world.events);

    world.router.routes = Arc::from([]);
    world.read_router();
    assert!(steers(&world.engine, "13.107.6.152"));
    assert_eq!(told(&world.events, 0), 1);
}

#[test]
fn gateways_on_link_networks_and_protected_addresses_are_not_steered() {
    let mut world = World::new();
    let lan = Address { index: IfIndex(2), net: "52.96.1.1/24".parse().unwrap(), global: true, ready: true };
    world.router.addresses.push(lan);
    let server = SetAside { prefix: "40.96.0.53/32".parse().unwrap(), why: Why::NameServer };
    world.engine.protect(vec![server]);
    world.read_router();
    world.pass(Duration::from_secs(5));
    for kept in ["52.96.1.77", "40.96.0.53"] {
        assert!(!steers(&world.engine, kept), "{kept}");
    }
    for steered in ["52.96.2.1", "40.96.0.54"] {
        assert!(steers(&world.engine, steered), "{steered}");
    }
}

#[test]
fn an_uplink_that_needs_routes_is_a_candidate_only_while_they_lead_to_the_whole_class() {
    let mut world = World::new();
    world.engine.config.uplinks[0].require_route = true;
    world.read_router();
    world.pass(Duration::from_secs(5));
    assert_eq!(world.everything_on(), Some(CCL));

    let way = Some(NextHop { index: IfIndex(2), gateway: None });
    let everything = ["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"];
    world.router.routes = everything.map(|half| LocalRoute { way, ..by_tunnel(half) }).into();
    world.read_router();
    world.pass(Duration::from_secs(20));
    assert_eq!(world.everything_on(), Some(KORDIA));

    world.router.routes = Arc::from([]);
    world.read_router();
    assert_eq!(world.everything_on(), Some(CCL), "withdrawn by the ISP: left at once");
}

#[test]
fn a_new_next_hop_is_told() {
    let mut world = World::new();
    world.read_router();
    world.pass(Duration::from_secs(5));
    for route in &mut world.router.defaults {
        if route.index == IfIndex(2) && route.family == Family::Ipv4 {
            route.gateway = Some("192.0.2.9".parse().unwrap());
        }
    }
    world.read_router();
    let told = world.events.iter().any(|event| {
        matches!(event, EventKind::NextHopChanged { uplink, to: Some(to), .. } if uplink == "wan0" && to.to_string() == "192.0.2.9")
    });
    assert!(told, "{:?}", world.events);
}

/// Uplink by which each table of ours leads the address, by the rule that leads there.
fn ways(engine: &Engine, address: &str) -> Vec<(String, Option<IfIndex>)> {
    let address: IpAddr = address.parse().unwrap();
    let fib = engine.desired();
    let way = |table: u32| {
        let routes = fib.routes.iter().filter(|((of, prefix), _)| *of == table && prefix.contains(&address));
        let (_, via) = routes.max_by_key(|((_, prefix), _)| prefix.prefix_len())?;
        let plan::Via::Group(group) = via else { return None };
        Some(fib.next_hops[fib.groups[group].members.keys().next().unwrap()].index)
    };
    let rules = fib.rules.iter().filter(|rule| rule.family == Family::of(address));
    let mut rules: Vec<_> = rules.filter(|rule| rule.preference > 7691).collect();
    rules.sort_by_key(|rule| rule.preference);
    rules.into_iter().map(|rule| (format!("{:?}", rule.selector), way(rule.table))).collect()
}

#[test]
fn ipv6_traffic_goes_by_the_isp_that_lets_its_source_through() {
    let text = CONFIG
        .replace("interface = \"wan0\"", "interface = \"wan0\"\nipv6_source = [\"2001:db8:100::/48\"]")
        .replace("interface = \"wan1\"", "interface = \"wan1\"\nipv6_source = [\"2001:db8:200::/48\"]");
    let mut world = World::configured(&text, &Fib::default());
    world.read_router();
    world.pass(Duration::from_secs(5));
    let (wan0, wan1) = (Some(IfIndex(2)), Some(IfIndex(3)));
    let from = |prefix: &str| format!("From({prefix})");
    assert_eq!(
        ways(&world.engine, "2603:1006::1"),
        [(from("2001:db8:100::/48"), wan0), (from("2001:db8:200::/48"), wan1)],
        "each by its own ISP, no backup that would drop it, and nothing for other sources"
    );
    assert_eq!(ways(&world.engine, "13.107.6.152")[0], ("Forwarded".to_owned(), wan0), "IPv4 as ever");

    world.cut_carrier("wan0", false);
    assert_eq!(ways(&world.engine, "2603:1006::1"), [(from("2001:db8:200::/48"), wan1)]);
}

#[test]
fn an_uplink_that_lets_every_source_through_is_the_backup_of_all() {
    let text = CONFIG.replace("interface = \"wan0\"", "interface = \"wan0\"\nipv6_source = [\"2001:db8:100::/48\"]");
    let mut world = World::configured(&text, &Fib::default());
    world.read_router();
    world.pass(Duration::from_secs(5));
    let (wan0, wan1) = (Some(IfIndex(2)), Some(IfIndex(3)));
    let zone = "From(2001:db8:100::/48)".to_owned();
    let expected = [(zone.clone(), wan0), (zone, wan1), ("Forwarded".to_owned(), wan1)];
    assert_eq!(ways(&world.engine, "2603:1006::1"), expected);
    let held = world.engine.desired();
    let restarted = World::configured(&text, &held);
    let chosen = |engine: &Engine| engine.starts.iter().map(|(id, it)| (id.clone(), it.chosen)).collect::<Vec<_>>();
    let decided: Vec<_> = world.engine.decisions.iter().map(|(id, it)| (id.clone(), it.chosen)).collect();
    assert_eq!(chosen(&restarted.engine), decided, "a restart adopts zones too");
}

#[test]
fn of_nested_source_prefixes_the_longer_one_comes_first() {
    let text = CONFIG
        .replace("interface = \"wan0\"", "interface = \"wan0\"\nipv6_source = [\"2001:db8::/32\"]")
        .replace("interface = \"wan1\"", "interface = \"wan1\"\nipv6_source = [\"2001:db8:1::/48\"]");
    let mut world = World::configured(&text, &Fib::default());
    world.read_router();
    world.pass(Duration::from_secs(5));
    let rules = world.engine.desired().rules;
    let preferences = |prefix: &str| -> Vec<u32> {
        let prefix = plan::Selector::From(prefix.parse().unwrap());
        rules.iter().filter(|rule| rule.selector == prefix).map(|rule| rule.preference).collect()
    };
    assert_eq!(preferences("2001:db8:1::/48"), [7696, 7697]);
    assert_eq!(preferences("2001:db8::/32"), [7698]);
}
