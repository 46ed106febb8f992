//! The kernel is kept equal to what is ordered.

use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use ipnet::IpNet;

use peerward::{
    agent::{FibStatus, Order, Reconciler, Trust},
    domain::Family,
    kernel::{Doubt, FibSocket},
    plan::{Change, Fib, Group, NextHopId, Rule, Selector, Via, difference},
};
use tokio::{
    sync::watch,
    time::{advance, pause, timeout},
};

use crate::scene::{PATIENCE, Scene, apply, install, net, ours};

const MINUTE: Duration = Duration::from_secs(61);

fn order(fib: &Fib, serial: u64) -> Order {
    Order { fib: Arc::new(fib.clone()), write: true, serial }
}

/// Changes made behind the reconciler's back.
async fn behind_its_back(changes: &[Change]) {
    FibSocket::open(&ours()).unwrap().apply(changes).await;
}

fn rules_of(fib: &Fib) -> Vec<Change> {
    fib.rules.iter().cloned().map(Change::DeleteRule).collect()
}

pub fn damage() {
    let scene = Scene::new();
    let fib = scene.fib(0, 1);
    let table = ours().table;
    let group = NextHopId(ours().nexthop_base + 100);
    let routes_of = |wanted: u32| -> Vec<Change> {
        let keys = fib.routes.keys().filter(|(table, _)| *table == wanted);
        keys.map(|(table, prefix)| Change::DeleteRoute(*table, *prefix)).collect()
    };
    let strange = net("20.1.0.0/16");
    let damages = [
        ("every rule, as netifd and systemd-networkd do when they start again", rules_of(&fib), fib.rules.len()),
        ("a table", routes_of(table), 4),
        ("a group, which takes its routes along", vec![Change::DeleteNextHop(group)], 3),
        ("a next hop, which takes its groups along", vec![Change::DeleteNextHop(NextHopId(group.0 - 100))], 4),
        ("everything", difference(&Fib::default(), &fib), fib.objects()),
        ("a strange route under our number", vec![Change::AddRoute(table, strange, Via::Group(group))], 1),
        ("a group's members", vec![Change::SetGroup(group, Group::of_one(NextHopId(group.0 - 98)))], 1),
    ];
    scene.on_router(async || {
        let (mut reconciler, _status) = Reconciler::open(&ours()).await.unwrap();
        assert!(reconciler.carry_out(&order(&fib, 1), Trust::LastSeen).await.in_step);
        let mut repairs = 0;
        for (what, changes, objects) in damages {
            behind_its_back(&changes).await;
            let status = reconciler.carry_out(&order(&fib, 1), Trust::ReadAgain).await;
            assert!(status.in_step && status.error.is_none(), "{what}: {status:#?}");
            assert_eq!(status.repairs() - repairs, objects as u64, "{what}");
            repairs = status.repairs();
            assert_eq!(FibSocket::open(&ours()).unwrap().read().await.unwrap(), fib, "{what}");
        }
    });
}

pub fn adoption() {
    let scene = Scene::new();
    let fib = scene.fib(0, 1);
    scene.on_router(async || install(&mut FibSocket::open(&ours()).unwrap(), &fib).await);
    scene.on_router(async || {
        let (mut reconciler, _status) = Reconciler::open(&ours()).await.unwrap();
        let mut again = reconciler.carry_out(&order(&fib, 1), Trust::LastSeen).await.clone();
        for trust in [Trust::ReadAgain, Trust::LastSeen] {
            again = reconciler.carry_out(&order(&fib, 2), trust).await.clone();
        }
        assert_eq!((again.in_step, again.writes, again.repairs()), (true, 0, 0), "{again:#?}");
    });
}

pub fn budget() {
    let scene = Scene::new();
    let (fib, other) = (scene.fib(0, 1), scene.fib(1, 0));
    scene.on_router(async || {
        pause();
        let (mut reconciler, _status) = Reconciler::open(&ours()).await.unwrap();
        assert!(reconciler.carry_out(&order(&fib, 1), Trust::LastSeen).await.in_step);
        for round in 0..10 {
            behind_its_back(&rules_of(&fib)).await;
            let status = reconciler.carry_out(&order(&fib, 1), Trust::ReadAgain).await;
            assert!(status.in_step && status.contested.is_none(), "round {round}: {status:#?}");
        }
        behind_its_back(&rules_of(&fib)).await;
        let status = reconciler.carry_out(&order(&fib, 1), Trust::ReadAgain).await.clone();
        assert!(!status.in_step, "it yields: {status:#?}");
        let words = status.contested.unwrap();
        assert!(words.contains("10 repairs within 60 s did not last"), "{words}");
        // A new decision is written all the same, with all that belongs to it.
        assert!(reconciler.carry_out(&order(&other, 2), Trust::LastSeen).await.in_step);
        behind_its_back(&rules_of(&other)).await;
        assert!(!reconciler.carry_out(&order(&other, 2), Trust::ReadAgain).await.in_step);
        // One attempt in a minute; and when nobody undoes it, all is as before.
        advance(MINUTE).await;
        let status = reconciler.carry_out(&order(&other, 2), Trust::ReadAgain).await;
        assert!(status.in_step && status.contested.is_some(), "{status:#?}");
        advance(MINUTE).await;
        let status = reconciler.carry_out(&order(&other, 2), Trust::ReadAgain).await;
        assert!(status.in_step && status.contested.is_none(), "{status:#?}");
        behind_its_back(&rules_of(&other)).await;
        assert!(reconciler.carry_out(&order(&other, 2), Trust::ReadAgain).await.in_step);
    });
}

pub fn refused_plan() {
    let scene = Scene::new();
    let fib = scene.fib(0, 1);
    let private = Via::Group(NextHopId(ours().nexthop_base + 100));
    let [bad, moved] = [scene.fib(0, 1), scene.fib(1, 1)].map(|mut plan| {
        plan.routes.insert((ours().table, net("10.0.0.0/8")), private);
        plan
    });
    scene.on_router(async || {
        let (mut reconciler, _status) = Reconciler::open(&ours()).await.unwrap();
        let writes = reconciler.carry_out(&order(&fib, 1), Trust::LastSeen).await.writes;
        let status = reconciler.carry_out(&order(&bad, 2), Trust::LastSeen).await;
        let words = status.error.as_ref().unwrap();
        assert!(words.contains("10.0.0.0/8 in table 7700 is private space"), "{words}");
        assert_eq!((status.writes, status.in_step), (writes, false));
        assert_eq!(FibSocket::open(&ours()).unwrap().read().await.unwrap(), fib, "what stood still does");
        // A dead path is left all the same: what moves is not what is refused.
        assert!(reconciler.carry_out(&order(&moved, 3), Trust::LastSeen).await.error.is_some());
        assert_eq!(FibSocket::open(&ours()).unwrap().read().await.unwrap(), scene.fib(1, 1));
        assert!(reconciler.carry_out(&order(&fib, 4), Trust::LastSeen).await.in_step);
    });
}

/// 60,000 routes beside those of the scene.
fn large(scene: &Scene) -> Fib {
    let mut fib = scene.fib(0, 1);
    let group = Via::Group(NextHopId(ours().nexthop_base + 100));
    for number in 0..60_000_u32 {
        let prefix = net(&format!("20.{}.{}.0/24", number >> 8, number & 0xff));
        fib.routes.insert((ours().table, prefix), group);
    }
    fib
}

pub fn interruption() {
    let scene = Scene::new();
    let (long, urgent) = (large(&scene), scene.fib(1, 0));
    scene.on_router(async || {
        let (reconciler, mut status) = Reconciler::open(&ours()).await.unwrap();
        let (orders, receiver) = watch::channel(Some(order(&scene.fib(0, 1), 1)));
        let (_doubts, doubt) = watch::channel(Doubt::default());
        let task = tokio::spawn(reconciler.run(receiver, doubt));
        orders.send_replace(Some(order(&scene.fib(0, 1), 2)));
        until(&mut status, |status| status.order == 2 && status.in_step).await;
        orders.send_replace(Some(order(&long, 3)));
        // The kernel has begun to take it.
        let mut spy = FibSocket::open(&ours()).unwrap();
        while spy.read().await.unwrap().routes.len() < 1000 {
            tokio::task::yield_now().await;
        }
        let began = Instant::now();
        orders.send_replace(Some(order(&urgent, 4)));
        let seen = until(&mut status, |status| status.order == 4).await;
        let took = began.elapsed();
        assert!(seen.in_step, "{:?} {:?}", seen.error, seen.failures);
        assert!(seen.writes < 60_000, "{} changes were written before the newer order", seen.writes);
        assert_eq!(spy.read().await.unwrap(), urgent, "after {took:?}");
        drop(orders);
        timeout(PATIENCE, task).await.unwrap().unwrap();
    });
}

pub fn dead_agent() {
    let scene = Scene::new();
    scene.on_router(async || install(&mut FibSocket::open(&ours()).unwrap(), &scene.fib(0, 1)).await);
    // While no agent runs, the line of the chosen uplink is cut and comes back: the kernel restores nothing.
    let line = scene.isps[0].link("port");
    line.down().unwrap();
    // The other end hears of it a moment later, and not at all when it is up again by then.
    while scene.router.link("wan0").state().unwrap().unwrap().running {
        thread::sleep(Duration::from_millis(1));
    }
    line.up().unwrap();
    scene.on_router(async || {
        let fib = scene.fib(0, 1);
        let began = Instant::now();
        let (mut reconciler, _status) = Reconciler::open(&ours()).await.unwrap();
        let lost = difference(&fib, &reconciler.observed()).len();
        assert!(lost > 4, "{lost}");
        // The carrier may take a moment.
        while !reconciler.carry_out(&order(&fib, 1), Trust::ReadAgain).await.in_step {
            assert!(began.elapsed() < PATIENCE);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(FibSocket::open(&ours()).unwrap().read().await.unwrap(), fib);
    });
}

pub fn another_program() {
    let scene = Scene::new();
    let fib = scene.fib(1, 0);
    scene.on_router(async || {
        let (mut reconciler, _status) = Reconciler::open(&ours()).await.unwrap();
        reconciler.carry_out(&order(&fib, 1), Trust::LastSeen).await;
        let mut them = FibSocket::open(&crate::scene::theirs()).unwrap();
        let prefix = crate::scene::prefixes(Family::Ipv4)[0];
        let way = Via::NextHop(scene.next_hop(0, Family::Ipv4));
        // Ours is removed and theirs put there, again and again.
        let mut words = None;
        for _ in 0..20 {
            behind_its_back(&[Change::DeleteRoute(ours().table, prefix)]).await;
            them.apply(&[Change::AddRoute(ours().table, prefix, way)]).await;
            words = reconciler.carry_out(&order(&fib, 1), Trust::ReadAgain).await.contested.clone();
        }
        let words = words.unwrap();
        assert!(words.contains("a program with route protocol 99 has its own in the place of ours"), "{words}");
        apply(&mut them, &[Change::DeleteRoute(ours().table, prefix)]).await;
    });
}

async fn until(status: &mut watch::Receiver<FibStatus>, right: impl Fn(&FibStatus) -> bool) -> FibStatus {
    let seen = timeout(PATIENCE, status.wait_for(|status| right(status))).await;
    let seen = seen.map(|status| status.unwrap().clone());
    seen.unwrap_or_else(|_| panic!("never seen; last: {:?}", status.borrow().error))
}

/// Many prefixes on `primary`, with `backup` behind it; without a line that is gone.
fn many(scene: &Scene, primary: usize, backup: Option<usize>) -> Fib {
    let own = ours();
    let id = |number: u32| NextHopId(own.nexthop_base + number);
    let hop = |uplink: usize| id(if uplink == 0 { 0 } else { 2 });
    let mut fib = Fib::default();
    let sides = [(Some(primary), 100, own.table, own.rule_preference)];
    let behind = [(backup, 102, own.backup_table, own.backup_rule_preference)];
    for (uplink, group, table, preference) in sides.into_iter().chain(behind) {
        let Some(uplink) = uplink else { continue };
        fib.next_hops.insert(hop(uplink), scene.next_hop(uplink, Family::Ipv4));
        fib.groups.insert(id(group), Group::of_one(hop(uplink)));
        for number in 0..20_000_u32 {
            let prefix = IpNet::new(Ipv4Addr::from(0x1400_0000 + number * 256).into(), 24).unwrap();
            fib.routes.insert((table, prefix), Via::Group(id(group)));
        }
        fib.rules.insert(Rule { family: Family::Ipv4, preference, selector: Selector::Forwarded, table });
    }
    fib
}

/// The kernel has moved the traffic to the standing backup by itself; the agent's plan makes that one the first.
pub fn carrier_then_order() {
    let scene = Scene::new();
    let steered = "20.0.77.7";
    let (watching, over) = (AtomicBool::new(false), AtomicBool::new(false));
    let tables = thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            scene.on_router(async || {
                let mut socket = FibSocket::open(&ours()).unwrap();
                let mut tables = BTreeSet::new();
                let began = Instant::now();
                while !over.load(Ordering::Relaxed) && began.elapsed() < PATIENCE {
                    if watching.load(Ordering::Relaxed) {
                        tables.insert(scene.forwarded(&mut socket, steered).await.table);
                    }
                }
                tables
            })
        });
        scene.on_router(async || {
            let (mut reconciler, _status) = Reconciler::open(&ours()).await.unwrap();
            assert!(reconciler.carry_out(&order(&many(&scene, 0, Some(1)), 1), Trust::LastSeen).await.in_step);
            let mut asking = FibSocket::open(&ours()).unwrap();
            assert_eq!(scene.forwarded(&mut asking, steered).await.table, ours().table);
            scene.isps[0].link("port").down().unwrap();
            while scene.forwarded(&mut asking, steered).await.table != ours().backup_table {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            watching.store(true, Ordering::Relaxed);
            // What it has seen is from before the cut, as in the agent when the order is faster than any event.
            assert!(reconciler.carry_out(&order(&many(&scene, 1, None), 2), Trust::LastSeen).await.in_step);
            assert_eq!(scene.forwarded(&mut asking, steered).await.table, ours().table);
            over.store(true, Ordering::Relaxed);
        });
        watcher.join().unwrap()
    });
    assert!(tables.contains(&ours().backup_table), "the watcher was late: {tables:?}");
    assert!(!tables.contains(&254), "for a moment by the main table: {tables:?}");
}
