//! What is ours: written, read, moved, withdrawn.

use ipnet::IpNet;
use peerward::{
    config::Kernel,
    domain::{Family, NextHop},
    kernel::{FibSocket, KernelError},
    plan::{Change, Fib, Group, NextHopId, Rule, Selector, Via, difference},
};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

use crate::scene::{MICROSOFT_V4, MICROSOFT_V6, Scene, apply, install, net, ours, prefixes, theirs};

pub fn round_trip() {
    let scene = Scene::new();
    let desired = scene.fib(0, 1);
    let observed = scene.on_router(async || {
        let mut socket = FibSocket::open(&ours()).unwrap();
        install(&mut socket, &desired).await;
        socket.read().await.unwrap()
    });
    assert_eq!(observed, desired);
    assert_eq!(difference(&desired, &observed), []);
    // As another program sees it.
    let rows = scene.router.routes(ours().table).unwrap();
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| row.protocol == 77 && row.nexthop.is_some()));
    let steering: Vec<_> = scene.router.rules().unwrap().into_iter().filter(|rule| rule.preference == 7700).collect();
    assert_eq!(steering.len(), 2);
    assert!(steering.iter().all(|rule| rule.inverted && rule.iif.as_deref() == Some("lo") && rule.table == 7700));
}

pub fn group_replace() {
    let scene = Scene::new();
    scene.on_router(async || {
        let mut socket = FibSocket::open(&ours()).unwrap();
        install(&mut socket, &scene.fib(0, 1)).await;
        assert_eq!(scene.forwarded(&mut socket, MICROSOFT_V4).await.interface, Some(scene.index("wan0")));
        let moved = scene.fib(1, 1);
        let changes = difference(&moved, &socket.read().await.unwrap());
        assert_eq!(changes.len(), 2, "one message for each family: {changes:?}");
        apply(&mut socket, &changes).await;
        for destination in [MICROSOFT_V4, MICROSOFT_V6] {
            let way = scene.forwarded(&mut socket, destination).await;
            assert_eq!((way.table, way.interface), (ours().table, Some(scene.index("wan1"))));
        }
    });
}

pub fn standing_backup() {
    let scene = Scene::new();
    scene.on_router(async || {
        let mut socket = FibSocket::open(&ours()).unwrap();
        install(&mut socket, &scene.fib(0, 1)).await;
        scene.isps[0].link("port").down().unwrap();
        let gone = |fib: &Fib| fib.routes.keys().all(|(table, _)| *table != ours().table);
        while !gone(&socket.read().await.unwrap()) {
            tokio::task::yield_now().await;
        }
        for destination in [MICROSOFT_V4, MICROSOFT_V6] {
            let way = scene.forwarded(&mut socket, destination).await;
            assert_eq!((way.table, way.interface), (ours().backup_table, Some(scene.index("wan1"))));
        }
    });
}

/// What another program put into our tables, and a rule that looks like ours.
fn foreign(scene: &Scene) -> Fib {
    let mut fib = Fib::default();
    let base = theirs().nexthop_base;
    fib.next_hops.insert(NextHopId(base), scene.next_hop(1, Family::Ipv4));
    fib.groups.insert(NextHopId(base + 2), Group::of_one(NextHopId(base)));
    fib.routes.insert((ours().table, net("198.51.100.0/24")), Via::Group(NextHopId(base + 2)));
    let via = NextHop { index: scene.index("wan1"), gateway: None };
    fib.routes.insert((ours().backup_table, net("2001:db8:ffff::/48")), Via::NextHop(via));
    fib.rules.insert(Rule {
        family: Family::Ipv4,
        preference: ours().rule_preference,
        selector: Selector::OutputInterface("wan1".to_owned()),
        table: ours().table,
    });
    fib
}

pub fn withdraw() {
    let scene = Scene::new();
    let foreign = foreign(&scene);
    scene.on_router(async || {
        let mut them = FibSocket::open(&theirs()).unwrap();
        install(&mut them, &foreign).await;
        let mut us = FibSocket::open(&ours()).unwrap();
        assert_eq!(us.read().await.unwrap(), Fib::default(), "foreign objects are not ours");
        install(&mut us, &scene.fib(0, 1)).await;
        assert_eq!(them.read().await.unwrap(), foreign, "writing ours does not touch theirs");
        install(&mut us, &Fib::default()).await;
        assert_eq!(us.read().await.unwrap(), Fib::default());
        assert_eq!(them.read().await.unwrap(), foreign, "withdrawing ours does not touch theirs");
        // Even a deletion that names a route of theirs.
        apply(&mut us, &[Change::DeleteRoute(ours().table, net("198.51.100.0/24"))]).await;
        assert_eq!(them.read().await.unwrap(), foreign);
    });
}

pub fn partial_failure() {
    let scene = Scene::new();
    let base = ours().nexthop_base;
    let nowhere = NextHopId(base + 900);
    let route = |number: u32, group| Change::AddRoute(ours().table, numbered(number), Via::Group(group));
    scene.on_router(async || {
        let mut socket = FibSocket::open(&ours()).unwrap();
        apply(
            &mut socket,
            &[
                Change::SetNextHop(NextHopId(base), Family::Ipv4, scene.next_hop(0, Family::Ipv4)),
                Change::SetGroup(NextHopId(base + 100), Group::of_one(NextHopId(base))),
            ],
        )
        .await;
        // More than fit into a batch, every tenth to a group that does not exist.
        let changes: Vec<_> = (0..200)
            .map(|number| route(number, if number % 10 == 3 { nowhere } else { NextHopId(base + 100) }))
            .collect();
        let applied = socket.apply(&changes).await;
        assert_eq!((applied.done, applied.refused), (180, 20));
        assert_eq!(applied.accomplished(&changes).count(), 180);
        let (change, error) = applied.first_refusal.unwrap();
        assert_eq!(change, route(3, nowhere));
        let text = error.to_string();
        assert!(text.contains("add route 100.64.3.0/24 of table 7700 by next-hop group 7700900"), "{text}");
        assert_eq!(socket.read().await.unwrap().routes.len(), 180);
    });
}

pub fn held_back() {
    let scene = Scene::new();
    scene.on_router(async || {
        let mut socket = FibSocket::open(&ours()).unwrap();
        let fib = scene.fib(0, 1);
        install(&mut socket, &fib).await;
        let (route, _) = fib.routes.iter().find(|((table, _), _)| *table == ours().table).unwrap();
        // The successor, which is shorter, is refused, and so its predecessor must stay; what has nothing to do with it
        // goes.
        let nowhere = NextHopId(ours().nexthop_base + 900);
        let around = route.1.supernet().unwrap();
        let elsewhere = (ours().backup_table, net("198.51.100.0/24"));
        let group = *fib.groups.keys().next().unwrap();
        apply(&mut socket, &[Change::AddRoute(elsewhere.0, elsewhere.1, Via::Group(group))]).await;
        let changes = [
            Change::AddRoute(ours().table, around, Via::Group(nowhere)),
            Change::DeleteRoute(route.0, route.1),
            Change::DeleteRoute(elsewhere.0, elsewhere.1),
        ];
        let applied = socket.apply(&changes).await;
        assert_eq!((applied.done, applied.refused, applied.held_back), (1, 1, 1));
        assert_eq!(socket.read().await.unwrap(), fib);
    });
}

pub fn dead_routes() {
    let scene = Scene::new();
    scene.router.sysctl_for_all("ipv4", "ignore_routes_with_linkdown", "1").unwrap();
    scene.on_router(async || install(&mut FibSocket::open(&ours()).unwrap(), &scene.fib(0, 1)).await);
    scene.isps[0].link("port").down().unwrap();
    scene.on_router(async || {
        let mut socket = FibSocket::open(&ours()).unwrap();
        let probe_default = (ours().probe_table, net("0.0.0.0/0"));
        let held = socket.read().await.unwrap();
        assert!(held.routes.contains_key(&probe_default), "a dead route is still ours: {held:#?}");
        install(&mut socket, &Fib::default()).await;
    });
    assert_eq!(scene.router.routes(ours().probe_table).unwrap(), []);
}

pub fn taken_ids() {
    let scene = Scene::new();
    scene.on_router(async || {
        let intruder = Kernel { protocol: 99, ..ours() };
        let mut them = FibSocket::open(&intruder).unwrap();
        let id = NextHopId(ours().nexthop_base);
        let set = |uplink| Change::SetNextHop(id, Family::Ipv4, scene.next_hop(uplink, Family::Ipv4));
        apply(&mut them, &[set(0)]).await;
        let theirs = them.read().await.unwrap();
        let mut us = FibSocket::open(&ours()).unwrap();
        assert_eq!(us.read().await.unwrap(), Fib::default());
        let (_, error) = us.apply(&[set(1)]).await.first_refusal.unwrap();
        assert!(error.to_string().contains("a program with route protocol 99 holds that id"), "{error}");
        assert_eq!(them.read().await.unwrap(), theirs, "it is not touched");
    });
}

/// The id of the second line's next hop is somebody else's, who points it at the first line.
pub fn taken_member() {
    let scene = Scene::new();
    scene.on_router(async || {
        let id = NextHopId(ours().nexthop_base + 2);
        let mut them = FibSocket::open(&theirs_in_our_range()).unwrap();
        apply(&mut them, &[Change::SetNextHop(id, Family::Ipv4, scene.next_hop(0, Family::Ipv4))]).await;
        let mut us = FibSocket::open(&ours()).unwrap();
        let plan = scene.fib(1, 0);
        let observed = us.read().await.unwrap();
        let applied = us.apply(&difference(&plan, &observed)).await;
        assert!(applied.refused > 0, "{applied:?}");
        let held = us.read().await.unwrap();
        let in_primary =
            |family| held.in_table(ours().table).filter(|(net, _)| Family::of_net(*net) == family).count();
        assert_eq!(in_primary(Family::Ipv4), 0, "nothing is led by a stranger");
        assert_eq!(in_primary(Family::Ipv6), 2, "what has nothing to do with it stands");

        // It lasts, and still the rest is kept in step.
        let mut smaller = plan.clone();
        smaller.routes.remove(&(ours().table, prefixes(Family::Ipv6)[0]));
        us.apply(&difference(&smaller, &held)).await;
        let kept = us.read().await.unwrap();
        assert!(!kept.routes.contains_key(&(ours().table, prefixes(Family::Ipv6)[0])), "withdrawn all the same");
    });
}

/// The class should move to a next hop whose id is somebody else's, and have no backup any more.
pub fn kept_backup() {
    let scene = Scene::new();
    scene.on_router(async || {
        let taken = NextHopId(ours().nexthop_base + 4);
        let mut us = FibSocket::open(&ours()).unwrap();
        let before = scene.fib(0, 1);
        install(&mut us, &before).await;
        let mut them = FibSocket::open(&theirs_in_our_range()).unwrap();
        apply(&mut them, &[Change::SetNextHop(taken, Family::Ipv4, scene.next_hop(1, Family::Ipv4))]).await;
        let mut plan = before.clone();
        plan.next_hops.insert(taken, scene.next_hop(1, Family::Ipv4));
        plan.groups.insert(NextHopId(ours().nexthop_base + 100), Group::of_one(taken));
        plan.routes.retain(|(table, _), _| *table != ours().backup_table);
        let observed = us.read().await.unwrap();
        let applied = us.apply(&difference(&plan, &observed)).await;
        assert_eq!((applied.refused, applied.held_back > 0), (2, true), "{applied:?}");
        let held = us.read().await.unwrap();
        let of = |fib: &Fib, family| -> Vec<_> {
            fib.in_table(ours().backup_table).filter(|(net, _)| Family::of_net(*net) == family).collect()
        };
        assert_eq!(of(&held, Family::Ipv4), of(&before, Family::Ipv4), "the backup of what could not move stays");
        assert_eq!(of(&held, Family::Ipv6), []);
    });
}

/// Routes were moved, and before what they left behind was tidied up something newer was wanted.
pub fn kept_shadows() {
    let scene = Scene::new();
    scene.on_router(async || {
        let mut us = FibSocket::open(&ours()).unwrap();
        let before = scene.fib(0, 1);
        install(&mut us, &before).await;
        let via = |number| Via::Group(NextHopId(ours().nexthop_base + number));
        let prefix = prefixes(Family::Ipv4)[0];
        let moved = Change::MoveRoute { table: ours().table, prefix, from: via(100), to: via(102) };
        let mut asked = 0;
        // Once before the route is moved, and then not.
        let applied = us.apply_until(&[moved], &mut || std::mem::replace(&mut asked, 1) > 0).await;
        assert!(applied.interrupted, "{applied:?}");
        let rows =
            || scene.router.routes(ours().table).unwrap().iter().filter(|row| row.destination == prefix).count();
        assert_eq!(rows(), 2, "the old one stands behind the new one");
        let members = before.groups[&NextHopId(ours().nexthop_base + 100)].clone();
        apply(&mut us, &[Change::SetGroup(NextHopId(ours().nexthop_base + 100), members)]).await;
        assert_eq!(rows(), 2, "it may carry the traffic again: nobody has looked since");
        us.read().await.unwrap();
        assert_eq!(us.leftovers(), 1);
    });
}

fn theirs_in_our_range() -> Kernel {
    Kernel { protocol: 99, ..ours() }
}

fn numbered(number: u32) -> IpNet {
    net(&format!("100.{}.{}.0/24", 64 + number / 256, number % 256))
}

pub fn adoption() {
    let scene = Scene::new();
    let desired = scene.fib(0, 1);
    scene.on_router(async || install(&mut FibSocket::open(&ours()).unwrap(), &desired).await);
    scene.on_router(async || {
        let adopted = FibSocket::open(&ours()).unwrap().read().await.unwrap();
        assert_eq!(difference(&desired, &adopted), [], "the second agent has nothing to write");
    });
}

pub fn idempotence() {
    let scene = Scene::new();
    let fib = scene.fib(0, 1);
    scene.on_router(async || {
        let mut socket = FibSocket::open(&ours()).unwrap();
        let build = difference(&fib, &Fib::default());
        apply(&mut socket, &build).await;
        let again = socket.apply(&build).await;
        assert_eq!(again.refused, fib.routes.len(), "a route that is there is somebody's: {again:?}");
        assert_eq!(socket.read().await.unwrap(), fib);
        let remove = difference(&Fib::default(), &fib);
        apply(&mut socket, &remove).await;
        apply(&mut socket, &remove).await;
        assert_eq!(socket.read().await.unwrap(), Fib::default());
    });
}

pub fn on_link() {
    let scene = Scene::new();
    let base = ours().nexthop_base;
    let far = |gateway: &str| NextHop { index: scene.index("wan0"), gateway: Some(gateway.parse().unwrap()) };
    let mut fib = Fib::default();
    for (family, offset, gateway) in [(Family::Ipv4, 0, "203.0.113.9"), (Family::Ipv6, 1, "2001:db8:9999::9")] {
        fib.next_hops.insert(NextHopId(base + offset), far(gateway));
        fib.groups.insert(NextHopId(base + 100 + offset), Group::of_one(NextHopId(base + offset)));
        fib.routes.insert((ours().table, prefixes(family)[0]), Via::Group(NextHopId(base + 100 + offset)));
        let default = net(if family == Family::Ipv4 { "0.0.0.0/0" } else { "::/0" });
        fib.routes.insert((ours().probe_table, default), Via::NextHop(far(gateway)));
    }
    scene.on_router(async || {
        let mut socket = FibSocket::open(&ours()).unwrap();
        // No default that a gateway could be resolved through.
        install(&mut socket, &fib).await;
        assert_eq!(socket.read().await.unwrap(), fib);
    });
}

pub fn no_capability() {
    let scene = Scene::new();
    let changes = difference(&scene.fib(0, 1), &Fib::default());
    scene.on_router(async || {
        let none = CapabilitySet::empty();
        set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none }).unwrap();
        let mut socket = FibSocket::open(&ours()).unwrap();
        assert_eq!(socket.read().await.unwrap(), Fib::default(), "reading needs no capability");
        let applied = socket.apply(&changes).await;
        assert_eq!((applied.done, applied.refused), (0, changes.len() - applied.held_back));
        let (_, error) = applied.first_refusal.unwrap();
        assert!(matches!(error, KernelError::Privilege { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("CAP_NET_ADMIN") && text.contains("setcap"), "{text}");
    });
}
