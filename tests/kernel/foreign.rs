//! What is not ours, before and after.

use std::collections::BTreeSet;

use peerward::{
    config::Kernel,
    domain::{Family, NextHop},
    kernel::FibSocket,
    plan::{Change, Fib, Group, NextHopId, Rule, Selector, Via, difference},
};
use peerward_lab::{NextHopRow, Route, RouteRow, RuleRow};

use crate::scene::{MICROSOFT_V4, Scene, apply, gateways, install, net, ours, prefixes, theirs};

/// Everything in the router that does not carry our protocol number, as an independent reader sees it.
#[derive(Debug, PartialEq)]
struct Others {
    routes: Vec<RouteRow>,
    rules: Vec<RuleRow>,
    next_hops: Vec<NextHopRow>,
}

impl Others {
    fn of(scene: &Scene) -> Self {
        let tables = [254, 255, ours().table, ours().backup_table, ours().probe_table, ours().probe_table + 9, 900];
        let routes = tables.iter().flat_map(|table| scene.router.routes(*table).unwrap());
        Self {
            // A cable may still be coming up.
            routes: (routes.filter(|row| row.protocol != ours().protocol))
                .map(|row| RouteRow { linkdown: false, ..row })
                .collect(),
            rules: scene
                .router
                .rules()
                .unwrap()
                .into_iter()
                .filter(|row| row.protocol != Some(ours().protocol))
                .collect(),
            next_hops: scene
                .router
                .nexthops()
                .unwrap()
                .into_iter()
                .filter(|row| row.protocol != ours().protocol)
                .collect(),
        }
    }
}

/// Another program that is in our way wherever it can be.
async fn squat(scene: &Scene) {
    let mut them = FibSocket::open(&theirs()).unwrap();
    let mut fib = Fib::default();
    let base = theirs().nexthop_base;
    for (family, offset) in [(Family::Ipv4, 0), (Family::Ipv6, 1)] {
        fib.next_hops.insert(NextHopId(base + offset), scene.next_hop(0, family));
        fib.groups.insert(NextHopId(base + 100 + offset), Group::of_one(NextHopId(base + offset)));
        // Beside ours, and where ours are to be.
        let group = Via::Group(NextHopId(base + 100 + offset));
        let elsewhere = net(if family == Family::Ipv4 { "198.51.100.0/24" } else { "2001:db8:ffff::/48" });
        fib.routes.insert((ours().table, elsewhere), group);
        fib.routes.insert((900, prefixes(family)[0]), group);
        let default = net(if family == Family::Ipv4 { "0.0.0.0/0" } else { "::/0" });
        fib.routes.insert((ours().probe_table + 9, default), Via::NextHop(scene.next_hop(0, family)));
        // The very same rule, but theirs.
        let (preference, table) = (ours().rule_preference, ours().table);
        fib.rules.insert(Rule { family, preference, selector: Selector::Forwarded, table });
        fib.rules.insert(Rule { family, preference, selector: Selector::OutputInterface("wan0".to_owned()), table });
    }
    // In the very place of ours where IPv4 is concerned, and behind it in IPv6.
    for (family, gateway) in [Family::Ipv4, Family::Ipv6].into_iter().zip(gateways(0)) {
        for table in [ours().table, ours().backup_table] {
            scene.router.add_route(&Route::to(prefixes(family)[1], "wan0").via(gateway).table(table)).unwrap();
        }
    }
    let in_our_range = FibSocket::open(&Kernel { protocol: 99, ..ours() });
    let id = NextHopId(ours().nexthop_base + 60_000);
    apply(&mut in_our_range.unwrap(), &[Change::SetNextHop(id, Family::Ipv4, scene.next_hop(1, Family::Ipv4))]).await;
    install(&mut them, &fib).await;
}

/// Small, and good enough to choose plans.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Some plan.
fn some_plan(scene: &Scene, dice: &mut Dice) -> Fib {
    let mut fib = scene.fib(usize::try_from(dice.roll(2)).unwrap(), usize::try_from(dice.roll(2)).unwrap());
    fib.routes.retain(|_, _| dice.roll(5) > 0);
    for (_, via) in fib.routes.iter_mut().filter(|((table, _), _)| *table == ours().table) {
        // To the other group of its family.
        if let (Via::Group(id), 0) = (&mut *via, dice.roll(4)) {
            *via = Via::Group(NextHopId(if (id.0 - ours().nexthop_base) < 102 { id.0 + 2 } else { id.0 - 2 }));
        }
    }
    if dice.roll(6) == 0 { Fib::default() } else { fib }
}

pub fn untouched() {
    let scene = Scene::new();
    scene.on_router(async || squat(&scene).await);
    let before = Others::of(&scene);
    assert!(before.routes.len() > 10 && before.rules.len() > 6 && before.next_hops.len() == 5, "{before:#?}");
    let mut dice = Dice(77);
    for round in 0..40 {
        let (plan, seed) = (some_plan(&scene, &mut dice), dice.roll(1000));
        scene.on_router(async || {
            let mut socket = FibSocket::open(&ours()).unwrap();
            install(&mut socket, &plan).await;
            // Somebody damages ours, and it is repaired.
            let mut dice = Dice(seed);
            let mut damage = difference(&Fib::default(), &plan);
            damage.retain(|_| dice.roll(3) == 0);
            socket.apply(&damage).await;
            install(&mut socket, &plan).await;
            let held = socket.read().await.unwrap();
            assert_eq!((held, socket.leftovers()), (plan, 0), "round {round}");
        });
        assert_eq!(Others::of(&scene), before, "round {round}");
    }
    scene.on_router(async || install(&mut FibSocket::open(&ours()).unwrap(), &Fib::default()).await);
    assert_eq!(Others::of(&scene), before);
}

pub fn overwritten() {
    let scene = Scene::new();
    let fib = scene.fib(1, 0);
    scene.on_router(async || install(&mut FibSocket::open(&ours()).unwrap(), &fib).await);
    let [gateway_v4, gateway_v6] = gateways(0);
    let theirs = |prefix, gateway| Route::to(prefix, "wan0").via(gateway).table(ours().table);
    let (v4, v6) = (prefixes(Family::Ipv4)[0], prefixes(Family::Ipv6)[0]);
    scene.router.replace_route(&theirs(v4, gateway_v4)).unwrap();
    scene.router.replace_route(&theirs(v6, gateway_v6)).unwrap();
    scene.on_router(async || {
        let mut socket = FibSocket::open(&ours()).unwrap();
        let held = socket.read().await.unwrap();
        let changes = difference(&fib, &held);
        assert!(matches!(changes.as_slice(), [Change::AddRoute(_, prefix, _)] if *prefix == v4), "{changes:?}");
        assert!(socket.neighbour(&changes).is_some());
        apply(&mut socket, &changes).await;
        assert_eq!(socket.read().await.unwrap(), fib);
        let way = scene.forwarded(&mut socket, MICROSOFT_V4).await;
        assert_eq!(way.interface, Some(scene.index("wan1")), "ours comes first");
    });
    let rows = scene.router.routes(ours().table).unwrap();
    let foreign: BTreeSet<_> = rows.iter().filter(|row| row.protocol != 77).map(|row| row.destination).collect();
    assert_eq!(foreign, BTreeSet::from([v4, v6]), "theirs is left where it is: {rows:#?}");
}

pub fn gateways_of_others() {
    let scene = Scene::new();
    scene.on_router(async || install(&mut FibSocket::open(&ours()).unwrap(), &scene.fib(0, 1)).await);
    for (destination, gateway) in ["203.0.113.0/24", "2001:db8:77::/48"].into_iter().zip(gateways(0)) {
        scene.router.add_route(&Route::to(net(destination), "wan0").via(gateway)).unwrap();
    }
}

pub fn held_place() {
    let scene = Scene::new();
    let prefix = prefixes(Family::Ipv6)[0];
    let theirs = Route::to(prefix, "wan0").via(gateways(0)[1]).table(ours().table).metric(512);
    scene.router.add_route(&theirs).unwrap();
    let before = Others::of(&scene);
    scene.on_router(async || {
        let mut socket = FibSocket::open(&ours()).unwrap();
        let fib = scene.fib(1, 1);
        let observed = socket.read().await.unwrap();
        let applied = socket.apply(&difference(&fib, &observed)).await;
        assert_eq!(applied.refused, 1);
        let text = applied.first_refusal.unwrap().1.to_string();
        assert!(text.contains("add route 2620:1ec:c11::/48 of table 7700"), "{text}");
        assert!(text.contains("holds a route of the same prefix and metric there; remove it"), "{text}");
    });
    assert_eq!(Others::of(&scene), before);
}

pub fn leftovers() {
    let scene = Scene::new();
    let former = Kernel { table: 900, backup_table: 901, nexthop_base: 5_000_000, ..ours() };
    let misplaced = Kernel { table: 254, ..ours() };
    let plain = NextHop { index: scene.index("wan1"), gateway: None };
    scene.on_router(async || {
        let mut fib = Fib::default();
        let group = NextHopId(former.nexthop_base + 100);
        fib.next_hops.insert(NextHopId(former.nexthop_base), scene.next_hop(0, Family::Ipv4));
        fib.groups.insert(group, Group::of_one(NextHopId(former.nexthop_base)));
        fib.routes.insert((former.table, net("40.96.0.0/13")), Via::Group(group));
        fib.routes.insert((former.table, net("2603:1000::/25")), Via::NextHop(plain));
        for (family, selector) in [
            (Family::Ipv4, Selector::Forwarded),
            (Family::Ipv6, Selector::OutputInterface("wan9".to_owned())),
            (Family::Ipv4, Selector::From(net("10.0.0.0/8"))),
        ] {
            fib.rules.insert(Rule { family, preference: 900, selector, table: former.table });
        }
        install(&mut FibSocket::open(&former).unwrap(), &fib).await;
        let in_main = Change::AddRoute(254, net("198.51.100.0/24"), Via::NextHop(plain));
        apply(&mut FibSocket::open(&misplaced).unwrap(), &[in_main]).await;
    });
    scene.on_router(async || {
        let mut socket = FibSocket::open(&ours()).unwrap();
        let fib = scene.fib(0, 1);
        let observed = socket.read().await.unwrap();
        // Rules are ours whatever they lead to, so these are seen as such; the rest is left over.
        assert_eq!((observed.rules.len(), observed.routes.len(), observed.groups.len()), (3, 0, 0), "{observed:#?}");
        assert_eq!(socket.leftovers(), 4);
        apply(&mut socket, &difference(&fib, &observed)).await;
        let (cleared, refusal) = socket.clear_leftovers().await.unwrap();
        // A route of the group may have gone with it.
        assert!(cleared >= 3 && refusal.is_none(), "{cleared} {refusal:?}");
        assert_eq!(socket.read().await.unwrap(), fib);
        assert_eq!(socket.leftovers(), 0);
    });
    assert_eq!(scene.router.routes(former.table).unwrap(), []);
    let in_main = scene.router.routes(254).unwrap();
    assert!(in_main.iter().any(|row| row.protocol == 77), "nothing of the main table was ever ours: {in_main:#?}");
}
