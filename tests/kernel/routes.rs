//! The routes of the router that matter, listed and followed.

use netlink_packet_route::{AddressFamily, route::RouteType};
use peerward::{
    config::Kernel,
    domain::{Family, IfIndex, LocalRoute, NextHop, PolicyRule, ReadState, RouteKind, RouterState},
    kernel::FibSocket,
    plan::{Change, NextHopId, Via},
};

use crate::{
    scene::{Scene, Watching, apply, net, ours, theirs},
    told::{self, route},
};

pub fn is_certain(state: &RouterState) -> bool {
    state.read == ReadState::Fresh && state.routes_read == ReadState::Fresh
}

/// Nothing goes on any more: addresses of IPv6 become ready by and by, and have the routes listed then.
pub fn is_calm(state: &RouterState) -> bool {
    let ready_of_ipv6 =
        state.addresses.iter().filter(|address| address.ready && address.net.addr().is_ipv6()).count();
    // Two on each of three interfaces, and that of `lo`.
    is_certain(state) && state.addresses.iter().all(|address| address.ready) && ready_of_ipv6 == 7
}

fn unicast(destination: &str, metric: u32, index: IfIndex, gateway: Option<&str>) -> LocalRoute {
    let gateway = gateway.map(|gateway| gateway.parse().unwrap());
    LocalRoute {
        destination: net(destination),
        table: 254,
        metric,
        source: None,
        kind: RouteKind::Unicast,
        protocol: 4,
        way: Some(NextHop { index, gateway }),
    }
}

/// Those that did not come with an address.
fn routed(state: &RouterState) -> Vec<LocalRoute> {
    state.routes.iter().filter(|route| route.protocol != 2).copied().collect()
}

pub fn every_form() {
    let scene = Scene::new();
    let (router, wan0, wan1, lan0) = (&scene.router, scene.index("wan0"), scene.index("wan1"), scene.index("lan0"));
    route("13.107.0.0/16").via("10.0.0.1").by(wan0).add(router);
    route("13.107.6.0/25").by(lan0).metric(9).table(1000).add(router);
    route("13.107.6.0/24").ways(&[(wan0, "10.0.0.1"), (wan1, "10.0.1.1")]).add(router);
    route("52.112.0.0/16").via("2001:db8:0::1").by(wan0).add(router);
    for (destination, kind) in [
        ("13.107.6.4/32", RouteType::BlackHole),
        ("13.107.6.5/32", RouteType::Unreachable),
        ("13.107.6.6/32", RouteType::Prohibit),
        ("13.107.6.7/32", RouteType::Throw),
        ("2620:1ec:c11::4/128", RouteType::BlackHole),
    ] {
        route(destination).kind(kind).metric(5).add(router);
    }
    route("2620:1ec::/36").via("2001:db8:1::1").by(wan1).metric(7).from("2001:db8:77::/48").add(router);
    route("2603:1000::/24").ways(&[(wan0, "2001:db8:0::1"), (wan1, "2001:db8:1::1")]).metric(7).add(router);
    // None of these matters.
    route("198.51.100.0/24").via("10.0.0.1").by(wan0).add(router);
    route("13.107.6.8/32").table(255).by(lan0).kind(RouteType::Local).add(router);
    route("13.107.6.0/24").via("10.0.0.1").by(wan0).table(ours().table).add(router);
    let (first, second) = (Some("10.0.0.1"), Some("10.0.1.1"));
    let reject = |destination: &str, kind| LocalRoute { kind, way: None, ..unicast(destination, 5, wan0, None) };
    let mut expected = vec![
        unicast("13.107.0.0/16", 0, wan0, first),
        LocalRoute { table: 1000, ..unicast("13.107.6.0/25", 9, lan0, None) },
        unicast("13.107.6.0/24", 0, wan0, first),
        unicast("13.107.6.0/24", 0, wan1, second),
        unicast("52.112.0.0/16", 0, wan0, Some("2001:db8:0::1")),
        reject("13.107.6.4/32", RouteKind::Blackhole),
        reject("13.107.6.5/32", RouteKind::Unreachable),
        reject("13.107.6.6/32", RouteKind::Prohibit),
        reject("13.107.6.7/32", RouteKind::Throw),
        reject("2620:1ec:c11::4/128", RouteKind::Blackhole),
        LocalRoute {
            source: Some(net("2001:db8:77::/48")),
            ..unicast("2620:1ec::/36", 7, wan1, Some("2001:db8:1::1"))
        },
        unicast("2603:1000::/24", 7, wan0, Some("2001:db8:0::1")),
        unicast("2603:1000::/24", 7, wan1, Some("2001:db8:1::1")),
    ];
    expected.sort();
    scene.on_router(async || {
        let state = Watching::start().until("all routes", is_certain).await;
        assert_eq!(routed(&state), expected);
        assert_eq!(state.routes_omitted, 0);
        let connected: Vec<_> =
            state.routes.iter().filter(|route| route.protocol == 2 && route.destination.addr().is_ipv4()).collect();
        assert_eq!(connected.len(), 2, "those of the uplinks, not that of the client network: {connected:#?}");
    });
}

pub fn sourced_defaults() {
    let scene = Scene::new();
    let wan0 = scene.index("wan0");
    scene.on_router(async || {
        let mut watching = Watching::start();
        watching.until("all routes", is_certain).await;
        route("::/0").from("2001:db8:77::/48").via("fe80::1").by(wan0).metric(9).add(&scene.router);
        let found =
            |state: &RouterState| state.default_via(wan0, Family::Ipv6).copied().filter(|best| best.metric == 9);
        let state = watching.until("a default route for some sources", |state| found(state).is_some()).await;
        let default = found(&state).unwrap();
        assert_eq!(default.source, Some(net("2001:db8:77::/48")));
        assert_eq!(default.gateway, Some("fe80::1".parse().unwrap()));
    });
}

pub fn rules() {
    let scene = Scene::new();
    told::rule(&scene.router, AddressFamily::Inet, 1000, 70_000);
    scene.on_router(async || {
        let mut watching = Watching::start();
        let state = watching.until("all rules", is_certain).await;
        let rule = |family, preference, table| PolicyRule { family, preference, table };
        let (v4, v6) = (Family::Ipv4, Family::Ipv6);
        let standing =
            [rule(v4, 0, 255), rule(v4, 32_766, 254), rule(v4, 32_767, 253), rule(v6, 0, 255), rule(v6, 32_766, 254)];
        assert_eq!(state.rules.iter().filter(|rule| rule.preference != 1000).copied().collect::<Vec<_>>(), standing);
        assert!(state.rules.contains(&rule(v4, 1000, 70_000)));
        told::rule(&scene.router, AddressFamily::Inet6, 1001, 52);
        watching.until("a new rule", |state| state.rules.contains(&rule(v6, 1001, 52))).await;
        told::no_rule(&scene.router, AddressFamily::Inet, 1000, 70_000);
        watching.until("a rule that went", |state| !state.rules.contains(&rule(v4, 1000, 70_000))).await;
    });
}

pub fn objects() {
    let scene = Scene::new();
    // The kernel then tells nothing of a route but the id of its next hop.
    scene.router.sysctl("net/ipv4/nexthop_compat_mode", "0").unwrap();
    let daemon = Kernel { table: 254, ..theirs() };
    let id = |offset| NextHopId(daemon.nexthop_base + offset);
    let [one, two] = [0, 1].map(|uplink| scene.next_hop(uplink, Family::Ipv4));
    let ways = |state: &RouterState| -> Vec<NextHop> {
        let of = |route: &&LocalRoute| route.destination == net("13.107.6.0/24");
        state.routes.iter().filter(of).filter_map(|route| route.way).collect()
    };
    scene.on_router(async || {
        let mut watching = Watching::start();
        watching.until("all routes", is_certain).await;
        let mut socket = FibSocket::open(&daemon).unwrap();
        let set = |offset, way| Change::SetNextHop(id(offset), Family::Ipv4, way);
        let members = |members: &[u32]| Change::SetGroup(id(4), members.iter().map(|member| id(*member)).collect());
        let route = Change::AddRoute(254, net("13.107.6.0/24"), Via::Group(id(4)));
        apply(&mut socket, &[set(0, one), set(2, two), members(&[0, 2]), route]).await;
        watching.until("both members", |state| ways(state) == [one, two]).await;
        apply(&mut socket, &[members(&[2])]).await;
        watching.until("the one that is left", |state| ways(state) == [two]).await;
        apply(&mut socket, &[set(2, one)]).await;
        watching.until("another way under the same id", |state| ways(state) == [one]).await;
        apply(&mut socket, &[Change::DeleteNextHop(id(4))]).await;
        watching.until("the route gone with its next hop", |state| ways(state).is_empty()).await;
    });
}

pub fn followed() {
    let scene = Scene::new();
    let (wan0, wan1) = (scene.index("wan0"), scene.index("wan1"));
    let forms = |destination: &str, gateways: [&str; 2]| {
        let [one, two] = gateways;
        [
            route(destination).metric(5).via(one).by(wan0),
            route(destination).metric(5).via(two).by(wan1),
            route(destination).metric(5).ways(&[(wan0, one), (wan1, two)]),
            route(destination).metric(5).by(wan0),
            route(destination).metric(5).kind(RouteType::BlackHole),
            route(destination).metric(6).via(one).by(wan0),
        ]
    };
    let v4 = ["13.107.6.0/24", "0.0.0.0/0"].map(|destination| forms(destination, ["10.0.0.1", "10.0.1.1"]));
    let v6 = ["2620:1ec::/36", "::/0"].map(|destination| forms(destination, ["2001:db8:0::1", "2001:db8:1::1"]));
    let routes: Vec<_> = v4.into_iter().chain(v6).flatten().collect();
    // To see a failure again, with the same steps.
    let seed = std::env::var("PEERWARD_TEST_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    scene.on_router(async || {
        let mut watching = Watching::start();
        watching.until("all routes", is_certain).await;
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..40 {
            for _ in 0..10 {
                let told = routes[random.usize(..routes.len())].clone();
                told.attempt(random.usize(..6));
            }
            let listed = Watching::start().until("all routes", is_certain).await;
            let same = |state: &RouterState| state.defaults == listed.defaults && state.routes == listed.routes;
            watching.until(&format!("of seed {seed}: {:#?} {:#?}", listed.defaults, listed.routes), same).await;
        }
    });
}

pub fn veiled() {
    let scene = Scene::new();
    let name = || route("2620:1ec::/36").metric(5);
    let reject = name().kind(RouteType::BlackHole);
    let by = |uplink: usize| {
        let NextHop { index, gateway } = scene.next_hop(uplink, Family::Ipv6);
        name().via(&gateway.unwrap().to_string()).by(index)
    };
    let held = |state: &RouterState| -> Vec<RouteKind> {
        state.routes.iter().filter(|route| route.metric == 5).map(|route| route.kind).collect()
    };
    let (way, blackhole) = (RouteKind::Unicast, RouteKind::Blackhole);
    // Without a gateway, all ways go by one event.
    for (gone, left) in [(by(0), vec![way, blackhole]), (name(), vec![blackhole])] {
        scene.on_router(async || {
            for told in [by(0), reject.clone(), by(1)] {
                told.append();
            }
            let mut watching = Watching::start();
            let both = |state: &RouterState| held(state).iter().filter(|kind| **kind == way).count() == 2;
            watching.until("both ways", |state| is_certain(state) && both(state)).await;
            gone.forget();
            watching.until("the black hole too", |state| is_certain(state) && held(state) == left).await;
            while name().forget() {}
            watching.until("nothing left", |state| is_certain(state) && held(state).is_empty()).await;
        });
    }
}

pub fn next_gateway() {
    let scene = Scene::new();
    let wan0 = scene.index("wan0");
    scene.on_router(async || {
        let mut watching = Watching::start();
        watching.until("calm", is_calm).await;
        let gateway = |state: &RouterState, family| state.default_via(wan0, family).and_then(|route| route.gateway);
        for (family, destination, next) in
            [(Family::Ipv4, "0.0.0.0/0", "10.0.0.254"), (Family::Ipv6, "::/0", "fe80::254")]
        {
            let next = route(destination).via(next).by(wan0).metric(100);
            // As a DHCP client does when its lease names another router, and as one does that starts from nothing.
            next.clone().replace(&scene.router);
            let is_next =
                |state: &RouterState| gateway(state, family).is_some_and(|held| held.to_string().ends_with("254"));
            watching.until("the next gateway", is_next).await;
            next.clone().delete(&scene.router);
            watching.until("no gateway", |state| gateway(state, family).is_none()).await;
            next.add(&scene.router);
            watching.until("the gateway again", is_next).await;
        }
        assert!(is_certain(&watching.state.borrow()), "nothing had to be listed for that");
    });
}
