//! The picture of the router, followed while it changes.

use std::{net::IpAddr, time::Duration};

use netlink_packet_core::NetlinkMessage;
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{LinkAttribute, LinkMessage},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use peerward::{
    config::Kernel,
    domain::{DefaultRoute, Family, IfIndex, NeighbourState, NextHop, ReadState, RouterState},
    kernel::FibSocket,
    plan::{Change, NextHopId, Via},
};
use peerward_lab::{Route, veth};

use crate::scene::{Scene, Watching, apply, gateways, net, on, ours, theirs};

fn is_fresh(state: &RouterState) -> bool {
    state.read == ReadState::Fresh
}

pub fn holds_it_all() {
    let scene = Scene::new();
    let wan0 = scene.index("wan0");
    let resolved: IpAddr = "10.0.0.77".parse().unwrap();
    scene.router.link("wan0").add_neighbour(resolved, [2, 0, 0, 0, 0, 77]).unwrap();
    scene.on_router(async || {
        let mut watching = Watching::start();
        let state = watching.until("a complete picture", is_fresh).await;
        let link = state.link_named("wan0").unwrap();
        assert_eq!((link.index, link.admin_up, link.carrier), (wan0, true, true));
        for (family, address) in [(Family::Ipv4, "10.0.0.2"), (Family::Ipv6, "2001:db8:0::2")] {
            assert_eq!(state.source_on(wan0, family), Some(address.parse().unwrap()));
        }
        assert!(
            state.addresses.iter().any(|held| held.index == wan0 && held.net.addr().is_ipv6() && !held.global),
            "link-local addresses are there, and not global"
        );
        for (family, gateway) in [Family::Ipv4, Family::Ipv6].into_iter().zip(gateways(0)) {
            let expected =
                DefaultRoute { family, index: wan0, gateway: Some(gateway), metric: 100, table: 254, source: None };
            assert_eq!(state.default_via(wan0, family), Some(&expected));
            let metrics: Vec<_> =
                state.defaults.iter().filter(|route| route.family == family).map(|route| route.metric).collect();
            assert_eq!(metrics, [100, 101], "best first");
        }
        assert_eq!(state.neighbours.get(&(wan0, resolved)), Some(&NeighbourState::Resolved));
        // And follows.
        let added: IpAddr = "10.0.0.78".parse().unwrap();
        scene.router.link("wan0").add_neighbour(added, [2, 0, 0, 0, 0, 78]).unwrap();
        watching.until("a new neighbour", |state| state.neighbours.contains_key(&(wan0, added))).await;
        scene.router.link("lan0").add_address(net("192.168.8.1/24")).unwrap();
        let has = |state: &RouterState, text| state.addresses.iter().any(|held| held.net == net(text));
        watching.until("a new address", |state| has(state, "192.168.8.1/24")).await;
        scene.router.link("lan0").remove_address(net("192.168.8.1/24")).unwrap();
        watching.until("an address that went", |state| !has(state, "192.168.8.1/24")).await;
        let vpn = Route::to(net("::/0"), "lan0").metric(7).table(52);
        scene.router.add_route(&vpn).unwrap();
        let has_vpn = |state: &RouterState| state.defaults.iter().any(|route| route.table == 52 && route.metric == 7);
        watching.until("a new default route of another table", has_vpn).await;
        scene.router.delete_route(&vpn).unwrap();
        watching.until("a default route that went", |state| !has_vpn(state)).await;
    });
}

fn carrier_of(state: &RouterState, name: &str) -> bool {
    state.link_named(name).is_some_and(|link| link.carrier)
}

pub fn carrier() {
    let scene = Scene::new();
    scene.on_router(async || {
        let mut watching = Watching::start();
        watching.until("a complete picture", |state| is_fresh(state) && carrier_of(state, "wan0")).await;
        let before = watching.doubt.borrow().touched;
        scene.isps[0].link("port").down().unwrap();
        let cut = watching.until("the cut", |state| !carrier_of(state, "wan0")).await;
        assert!(cut.link_named("wan0").unwrap().admin_up, "no carrier is not admin-down");
        watching.until_doubt("doubt about our tables", |doubt| doubt.touched > before).await;
        scene.isps[0].link("port").up().unwrap();
        watching.until("the return", |state| carrier_of(state, "wan0")).await;
    });
}

pub fn admin_down() {
    let scene = Scene::new();
    let wan0 = scene.index("wan0");
    scene.on_router(async || {
        let mut watching = Watching::start();
        let has_default = |state: &RouterState| state.default_via(wan0, Family::Ipv4).is_some();
        watching.until("a complete picture", |state| is_fresh(state) && has_default(state)).await;
        scene.router.link("wan0").down().unwrap();
        let down = watching.until("the default gone", |state| !has_default(state)).await;
        assert!(!down.link_named("wan0").unwrap().admin_up);
    });
}

pub fn names() {
    let scene = Scene::new();
    let wan1 = scene.index("wan1");
    scene.on_router(async || {
        let mut watching = Watching::start();
        let index_of = |state: &RouterState, name: &str| state.link_named(name).map(|link| link.index);
        watching.until("a complete picture", |state| is_fresh(state) && index_of(state, "wan1") == Some(wan1)).await;
        scene.router.link("wan1").down().unwrap();
        let renamed = scene.router.link("wan1").rename("dsl").unwrap();
        let state = watching.until("the new name", |state| index_of(state, "dsl").is_some()).await;
        assert_eq!((index_of(&state, "dsl"), index_of(&state, "wan1")), (Some(wan1), None));
        renamed.delete().unwrap();
        let state = watching.until("the interface gone", |state| index_of(state, "dsl").is_none()).await;
        assert!(state.addresses.iter().all(|address| address.index != wan1), "its addresses went with it");
        assert!(state.defaults.iter().all(|route| route.index != wan1), "its routes went with it");
        veth(&scene.router.link("wan1"), &scene.isps[1].link("port")).unwrap();
        let state = watching.until("a new interface", |state| index_of(state, "wan1").is_some()).await;
        assert_ne!(index_of(&state, "wan1"), Some(wan1));
    });
}

pub fn next_hop_objects() {
    let scene = Scene::new();
    // The kernel then tells nothing of a route but the id of its next hop.
    scene.router.sysctl("net/ipv4/nexthop_compat_mode", "0").unwrap();
    let daemon = Kernel { table: 254, ..theirs() };
    let base = daemon.nexthop_base;
    let [one, two] = [0, 1].map(|uplink| scene.next_hop(uplink, Family::Ipv4));
    scene.on_router(async || {
        let mut socket = FibSocket::open(&daemon).unwrap();
        apply(
            &mut socket,
            &[
                Change::SetNextHop(NextHopId(base), Family::Ipv4, one),
                Change::SetNextHop(NextHopId(base + 2), Family::Ipv4, two),
                Change::SetGroup(NextHopId(base + 4), [NextHopId(base), NextHopId(base + 2)].into_iter().collect()),
                Change::AddRoute(254, net("0.0.0.0/0"), Via::Group(NextHopId(base + 4))),
            ],
        )
        .await;
        let state = Watching::start().until("a complete picture", is_fresh).await;
        let ways: Vec<_> = state
            .defaults
            .iter()
            .filter(|route| route.family == Family::Ipv4 && route.metric == 0)
            .map(|route| NextHop { index: route.index, gateway: route.gateway })
            .collect();
        assert_eq!(ways, [one, two]);
    });
}

pub fn own_tables() {
    let scene = Scene::new();
    scene.on_router(async || {
        let mut watching = Watching::start();
        let before = watching.until("a complete picture", is_fresh).await;
        let mut socket = FibSocket::open(&ours()).unwrap();
        let default = Via::NextHop(scene.next_hop(0, Family::Ipv4));
        apply(&mut socket, &[Change::AddRoute(ours().probe_table, net("0.0.0.0/0"), default)]).await;
        let doubt = watching.until_doubt("our own write", |doubt| doubt.touched > 0).await;
        // Another program overwrites it.
        let route = Route::to(net("0.0.0.0/0"), "wan0").table(ours().probe_table).via(gateways(0)[0]);
        scene.router.replace_route(&route).unwrap();
        watching.until_doubt("the loss", |now| now.touched > doubt.touched).await;
        assert_eq!(watching.state.borrow().defaults, before.defaults);
    });
}

pub fn overrun() {
    let scene = Scene::new();
    let stalled = scene.router.clone();
    let via = NextHop { index: scene.index("wan1"), gateway: None };
    scene.on_router(async || {
        let mut watching = Watching::start();
        watching.until("a complete picture", is_fresh).await;
        // This thread waits for another, so that the watcher cannot read, while more happens than its queue holds.
        on(&stalled, async || flood(via).await);
        scene.router.link("wan0").down().unwrap();
        // The link first: the routes take longer.
        let link_first = |state: &RouterState| {
            is_fresh(state) && !admin_up(state, "wan0") && state.routes_read == ReadState::Stale
        };
        watching.until("the link, before the routes were listed", link_first).await;
        watching.until_doubt("the overrun", |doubt| doubt.overruns > 0).await;
        watching
            .until("a complete picture again", |state| {
                is_fresh(state) && state.routes_read == ReadState::Fresh && !admin_up(state, "wan0")
            })
            .await;
    });
}

fn admin_up(state: &RouterState, name: &str) -> bool {
    state.link_named(name).is_some_and(|link| link.admin_up)
}

async fn flood(via: NextHop) {
    let mut socket = FibSocket::open(&ours()).unwrap();
    let prefix =
        |number: u32| net(&format!("100.{}.{}.{}/32", 64 + number / 65536, number / 256 % 256, number % 256));
    let routes: Vec<_> = (0..60_000).map(|number| (ours().table, prefix(number))).collect();
    let add: Vec<_> = routes.iter().map(|(table, net)| Change::AddRoute(*table, *net, Via::NextHop(via))).collect();
    apply(&mut socket, &add).await;
}

pub fn forged() {
    let scene = Scene::new();
    let wan0 = scene.index("wan0");
    scene.on_router(async || {
        let mut watching = Watching::start();
        watching.until("a complete picture", is_fresh).await;
        // Events of the scene's own making may still be on their way.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let before = *watching.doubt.borrow();
        assert!(forge_deletion(wan0) > 0, "somebody listens");
        let real: IpAddr = "10.0.0.79".parse().unwrap();
        scene.router.link("wan0").add_neighbour(real, [2, 0, 0, 0, 0, 79]).unwrap();
        let state = watching.until("the real event", |state| state.neighbours.contains_key(&(wan0, real))).await;
        assert!(state.links.contains_key(&wan0), "the forged event was believed");
        assert_eq!(*watching.doubt.borrow(), before);
    });
}

/// Tells every subscriber of this namespace that an interface is gone, as no kernel does; returns how many were told.
fn forge_deletion(index: IfIndex) -> usize {
    let mut gone = LinkMessage::default();
    gone.header.index = index.0;
    gone.attributes.push(LinkAttribute::IfName("wan0".to_owned()));
    let mut message = NetlinkMessage::from(RouteNetlinkMessage::DelLink(gone));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    let mut socket = Socket::new(NETLINK_ROUTE).unwrap();
    socket.bind_auto().unwrap();
    let table = std::fs::read_to_string("/proc/thread-self/net/netlink").unwrap();
    let port = |line: &str| {
        let columns: Vec<_> = line.split_whitespace().collect();
        let (protocol, port, groups) = (columns[1], columns[2].parse::<u32>().unwrap(), columns[3]);
        (protocol == "0" && port != 0 && groups != "00000000").then_some(port)
    };
    let subscribers: Vec<_> = table.lines().skip(1).filter_map(port).collect();
    for port in &subscribers {
        socket.send_to(&bytes, &SocketAddr::new(*port, 0), 0).unwrap();
    }
    subscribers.len()
}
