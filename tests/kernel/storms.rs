//! The picture while the kernel is busy with everything else.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage, CacheInfo},
};
use peerward::{
    domain::{Family, IfIndex, NextHop, ReadState, RouterState},
    kernel::FibSocket,
    plan::{Change, Via},
};
use peerward_lab::{Namespace, veth};

use crate::{
    routes::{is_calm, is_certain},
    scene::{PATIENCE, Scene, Watching, apply, net, on, theirs},
    told::{self, route},
};

/// Runs `storm` on another thread of the router, again and again, during `calm`.
fn during<T>(router: &Namespace, storm: impl Fn(u32) + Send + Sync, calm: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            router.run(|| {
                let mut round = 0;
                while !over.load(Ordering::Relaxed) {
                    storm(round);
                    round += 1;
                }
            });
        });
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(calm));
        over.store(true, Ordering::Relaxed);
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn foreign(number: u32) -> ipnet::IpNet {
    net(&format!("100.{}.{}.{}/32", 64 + number / 65_536, number / 256 % 256, number % 256))
}

/// Fills the main table with routes that do not matter.
async fn fill(count: u32, way: NextHop) {
    let mut socket = FibSocket::open(&theirs()).unwrap();
    let set = |number| Change::AddRoute(254, foreign(number), Via::NextHop(way));
    apply(&mut socket, &(0..count).map(set).collect::<Vec<_>>()).await;
}

fn gateway(state: &RouterState, index: IfIndex) -> Option<String> {
    state.default_via(index, Family::Ipv4)?.gateway.map(|gateway| gateway.to_string())
}

/// Waits until what is followed is what a new listing finds.
async fn settled(watching: &mut Watching, after: &str) {
    let mut listed = Watching::start().until("all routes", is_certain).await;
    let seen = async {
        loop {
            let state = watching.state.borrow_and_update().clone();
            let same = state.defaults == listed.defaults
                && state.routes == listed.routes
                && state.links == listed.links
                && state.rules == listed.rules;
            if same && is_certain(&state) {
                return;
            }
            // What was listed may itself be older by now: addresses of IPv6 become ready by and by.
            _ = tokio::time::timeout(std::time::Duration::from_millis(100), watching.state.changed()).await;
            listed = Watching::start().until("all routes", is_certain).await;
        }
    };
    let seen = tokio::time::timeout(PATIENCE, seen).await;
    assert!(seen.is_ok(), "after {after}: {:#?}", watching.state.borrow());
}

pub fn route_churn() {
    let scene = Scene::new();
    let wan0 = scene.index("wan0");
    let way = scene.next_hop(1, Family::Ipv4);
    scene.on_router(async || fill(20_000, way).await);
    let gateway_of = if let Some(gateway) = way.gateway { gateway.to_string() } else { unreachable!() };
    let wan1 = way.index;
    let churn = move |round: u32| {
        for number in 0..64 {
            let told = route(&foreign((round * 64 + number) % 20_000).to_string()).via(&gateway_of).by(wan1);
            told.metric(round % 2).attempt(if round.is_multiple_of(3) { 5 } else { 3 });
        }
    };
    during(&scene.router, churn, || {
        scene.on_router(async || {
            let mut watching = Watching::start();
            watching.until("a certain picture while others change", is_certain).await;
            route("0.0.0.0/0").via("10.0.0.99").by(wan0).metric(100).replace(&scene.router);
            watching
                .until("the next gateway", |state| gateway(state, wan0).is_some_and(|now| now == "10.0.0.99"))
                .await;
            scene.router.link("wan0").down().unwrap();
            watching.until("the default gone", |state| gateway(state, wan0).is_none()).await;
            watching.until("a certain picture again", is_certain).await;
        });
    });
}

pub fn link_churn() {
    let scene = Scene::new();
    // Several datagrams of links, so that lists are interrupted half-way.
    for number in 0..40 {
        veth(&scene.router.link(format!("a{number}")), &scene.router.link(format!("b{number}"))).unwrap();
    }
    let router = scene.router.clone();
    let churn = move |_| {
        veth(&router.link("come"), &router.link("go")).unwrap();
        router.link("come").delete().unwrap();
    };
    scene.on_router(async || {
        let mut watching = Watching::start();
        watching.until("a complete picture", is_certain).await;
        let router = scene.router.clone();
        during(&router, churn, || {
            on(&router, async || {
                for _ in 0..5 {
                    let state = Watching::start().until("a picture while links come and go", is_certain).await;
                    assert!((0..40).all(|number| state.link_named(&format!("a{number}")).is_some()));
                    assert_eq!(
                        state.defaults.len(),
                        4,
                        "no duplicates, and nothing is missing: {:#?}",
                        state.defaults
                    );
                }
            });
        });
        settled(&mut watching, "the storm").await;
    });
}

pub fn links_and_routes() {
    let scene = Scene::new();
    let (wan0, wan1) = (scene.index("wan0"), scene.index("wan1"));
    let router = &scene.router;
    route("13.107.6.0/24").via("10.0.0.1").by(wan0).add(router);
    route("13.107.7.0/24").via("10.0.0.1").by(wan0).add(router);
    route("52.112.0.0/14").ways(&[(wan0, "10.0.0.1"), (wan1, "10.0.1.1")]).add(router);
    route("2620:1ec:c11::/48").via("2001:db8:0::1").by(wan0).metric(5).add(router);
    route("2603:1000::/25").ways(&[(wan0, "2001:db8:0::1"), (wan1, "2001:db8:1::1")]).metric(5).add(router);
    scene.on_router(async || {
        let mut watching = Watching::start();
        let before = watching.until("a complete picture", is_certain).await;
        assert_eq!(before.routes.iter().filter(|route| route.protocol == 4).count(), 6, "{:#?}", before.routes);
        let wan = || scene.router.link("wan0");
        scene.isps[0].link("port").down().unwrap();
        settled(&mut watching, "carrier went").await;
        scene.isps[0].link("port").up().unwrap();
        settled(&mut watching, "carrier came").await;
        assert_eq!(watching.state.borrow().routes, before.routes, "the kernel kept them all");
        wan().down().unwrap();
        settled(&mut watching, "admin-down").await;
        let away = wan().rename("away").unwrap();
        settled(&mut watching, "the rename").await;
        away.rename("wan0").unwrap();
        settled(&mut watching, "the rename back").await;
        wan().up().unwrap();
        settled(&mut watching, "admin-up").await;
        wan().remove_address(net("10.0.0.2/24")).unwrap();
        settled(&mut watching, "the address went").await;
        wan().delete().unwrap();
        settled(&mut watching, "the interface went").await;
    });
}

pub fn refreshed_addresses() {
    let scene = Scene::new();
    let wan0 = scene.index("wan0");
    scene.on_router(async || {
        let mut watching = Watching::start();
        watching.until("calm", is_calm).await;
        for round in 1..20 {
            say_address(&scene.router, wan0, 1000 + round);
            tokio::task::yield_now().await;
        }
        let last: std::net::IpAddr = "10.0.0.80".parse().unwrap();
        scene.router.link("wan0").add_neighbour(last, [2, 0, 0, 0, 0, 80]).unwrap();
        watching
            .until("what happened after all of these", |state| state.neighbours.contains_key(&(wan0, last)))
            .await;
        assert_eq!(watching.state.borrow().routes_read, ReadState::Fresh, "nothing had to be listed");
    });
}

/// What a router's announcement does to an address every few seconds.
fn say_address(router: &Namespace, index: IfIndex, lifetime: u32) {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet6;
    message.header.prefix_len = 64;
    message.header.index = index.0;
    let mut cache = CacheInfo::default();
    cache.ifa_preferred = lifetime;
    cache.ifa_valid = lifetime;
    message.attributes =
        vec![AddressAttribute::Address("2001:db8:0::2".parse().unwrap()), AddressAttribute::CacheInfo(cache)];
    told::say(router, &RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_REPLACE);
}
