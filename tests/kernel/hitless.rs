//! Nothing is missed while things change: real packets, forwarded by the router as fast as the client can send them.
//!
//! Not look-ups: `RTM_GETROUTE` of IPv6 says "network unreachable" when the route that it found is replaced before the
//! answer is written (`rt->from` is gone in `inet6_rtm_getroute`, 6.18), which no packet ever meets.

use std::{
    net::UdpSocket,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use peerward::{
    domain::Family,
    kernel::FibSocket,
    plan::{Change, Fib, Group, Hashing, NextHopId, Via},
};
use peerward_lab::Route;

use crate::scene::{MICROSOFT_V4, MICROSOFT_V6, PATIENCE, Scene, apply, gateways, install, net, ours, prefixes};

/// What became of the client's packets meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tally {
    /// By the uplink that the tables of ours lead to.
    steered: u64,
    /// By the uplink that only the main table leads to.
    strayed: u64,
    /// Dropped for want of a route.
    dropped: u64,
}

impl Tally {
    fn now(scene: &Scene) -> Self {
        let strayed = scene.isps[0].run(|| figures("snmp", "Udp: ", "NoPorts") + figures_v6("Udp6NoPorts"));
        Self { steered: scene.sent_by("wan1"), strayed, dropped: no_routes(scene) }
    }

    fn since(self, before: Self) -> Self {
        Self {
            steered: self.steered - before.steered,
            strayed: self.strayed - before.strayed,
            dropped: self.dropped - before.dropped,
        }
    }
}

/// Packets of both families that the router dropped because it had no route.
fn no_routes(scene: &Scene) -> u64 {
    scene.router.run(|| figures("netstat", "IpExt: ", "NoRoutes") + figures_v6("NoRoutes"))
}

/// Sum of the counters of a row pair of `/proc/net` whose names end so.
fn figures(file: &str, rows: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap();
    let mut rows = text.lines().filter_map(|line| line.strip_prefix(rows));
    let (names, figures) = (rows.next().unwrap(), rows.next().unwrap());
    let wanted = names.split(' ').zip(figures.split(' ')).filter(|(of, _)| of.ends_with(name));
    wanted.map(|(_, figure)| figure.parse::<u64>().unwrap()).sum()
}

fn figures_v6(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/net/snmp6").unwrap();
    let rows = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row[0].ends_with(name)).map(|row| row[1].parse::<u64>().unwrap()).sum()
}

/// The scene with a client that sends to Microsoft; the main table prefers wan0, everything of ours leads to wan1.
fn scene() -> Scene {
    let scene = Scene::new();
    for (default, router) in [("0.0.0.0/0", "192.168.7.2"), ("::/0", "2001:db8:7::2")] {
        let route = Route::to(net(default), "port").via(router.parse().unwrap());
        scene.client.add_route(&route).unwrap();
    }
    // What strays arrives there, at no port.
    for destination in [MICROSOFT_V4, MICROSOFT_V6] {
        let host = IpNet::from(destination.parse::<std::net::IpAddr>().unwrap());
        scene.isps[0].add_route(&Route::to(host, "port").local()).unwrap();
    }
    scene.on_router(async || install(&mut FibSocket::open(&ours()).unwrap(), &scene.fib(1, 1)).await);
    scene
}

/// Sends in both families until `over`.
fn send(scene: &Scene, over: &AtomicBool) {
    scene.client.run(|| {
        let sockets = [("0.0.0.0:0", MICROSOFT_V4), ("[::]:0", MICROSOFT_V6)]
            .map(|(any, destination)| (UdpSocket::bind(any).unwrap(), destination));
        while !over.load(Ordering::Relaxed) {
            for (socket, destination) in &sockets {
                // A full queue is no matter; what counts is what the router does with what it gets.
                let _ = socket.send_to(b"x", (*destination, 9));
            }
        }
    });
}

/// Does `work` on the router while packets flow; says what became of them.
fn under_traffic(scene: &Scene, work: impl AsyncFnOnce(&mut FibSocket) + Send) -> Tally {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| send(scene, &over));
        // The first packets wait for neighbours.
        let (begin, deadline) = (scene.sent_by("wan1"), Instant::now() + PATIENCE);
        while scene.sent_by("wan1") < begin + 1000 {
            assert!(Instant::now() < deadline, "no packet is steered");
            thread::sleep(Duration::from_millis(10));
        }
        let before = Tally::now(scene);
        scene.on_router(async || work(&mut FibSocket::open(&ours()).unwrap()).await);
        let tally = Tally::now(scene).since(before);
        over.store(true, Ordering::Relaxed);
        tally
    })
}

/// Without its standing backup, which would hide a gap; three hundred times over, because a gap is short.
pub fn moved_routes() {
    let scene = scene();
    for (family, offset) in [(Family::Ipv4, 0), (Family::Ipv6, 1)] {
        let group = |number| Via::Group(NextHopId(ours().nexthop_base + number + offset));
        let (table, prefix) = (ours().table, prefixes(family)[0]);
        let tally = under_traffic(&scene, async |socket| {
            socket.read().await.unwrap();
            apply(socket, &[Change::DeleteRoute(ours().backup_table, prefix)]).await;
            let moves = [(group(100), group(102)), (group(102), group(100))];
            for (from, to) in moves.into_iter().cycle().take(300) {
                apply(socket, &[Change::MoveRoute { table, prefix, from, to }]).await;
            }
            assert_eq!(socket.read().await.unwrap().routes[&(table, prefix)], group(100));
            assert_eq!(socket.leftovers(), 0);
        });
        assert_eq!((tally.strayed, tally.dropped), (0, 0), "{family}: {tally:?}");
    }
}

/// Leads the kernel to a plan as the agent does: the difference, then what is left over.
async fn lead(socket: &mut FibSocket, plan: &Fib) {
    install(socket, plan).await;
    socket.clear_leftovers().await.unwrap();
}

/// No packet may be dropped while the kernel is led through `plans`, over and over; a default route of the main table
/// would hide a gap, so there is none.
fn led_through(scene: &Scene, plans: &[Fib], turns: usize) -> Tally {
    for uplink in [0, 1] {
        for (default, gateway) in ["0.0.0.0/0", "::/0"].into_iter().zip(gateways(uplink)) {
            let metric = 100 + u32::try_from(uplink).unwrap();
            let route = Route::to(net(default), &format!("wan{uplink}")).via(gateway).metric(metric);
            scene.router.delete_route(&route).unwrap();
        }
    }
    led_on(scene, plans, turns)
}

/// The same, when there is no default route any more.
fn led_on(scene: &Scene, plans: &[Fib], turns: usize) -> Tally {
    let tally = under_traffic(scene, async |socket| {
        for plan in plans.iter().cycle().take(turns) {
            lead(socket, plan).await;
        }
    });
    assert_eq!(tally.dropped, 0, "{tally:?}");
    tally
}

pub fn swapped() {
    let scene = scene();
    led_through(&scene, &[scene.fib(0, 1), scene.fib(1, 0), scene.fib(0, 0), scene.fib(1, 1)], 100);
}

/// The prefixes of both tables, each cut into halves.
fn halved(plan: &Fib) -> Fib {
    let mut halves = Fib { routes: std::collections::BTreeMap::new(), ..plan.clone() };
    for ((table, prefix), via) in &plan.routes {
        let length = prefix.prefix_len();
        let cut = if length == 0 { length } else { length + 1 };
        halves.routes.extend(prefix.subnets(cut).unwrap().map(|half| ((*table, half), *via)));
    }
    halves
}

pub fn aggregated() {
    let scene = scene();
    let whole = scene.fib(1, 1);
    let tally = led_through(&scene, &[halved(&whole), whole], 60);
    assert_eq!(tally.strayed, 0, "{tally:?}");
}

/// The same plan under other ids.
fn renumbered(plan: &Fib, by: u32) -> Fib {
    let other = |id: &NextHopId| NextHopId(id.0 + by);
    Fib {
        next_hops: plan.next_hops.iter().map(|(id, next_hop)| (other(id), *next_hop)).collect(),
        groups: (plan.groups.iter())
            .map(|(id, group)| (other(id), group.members.keys().map(other).collect()))
            .collect(),
        routes: (plan.routes.iter())
            .map(|(key, via)| (*key, if let Via::Group(id) = via { Via::Group(other(id)) } else { *via }))
            .collect(),
        rules: plan.rules.clone(),
    }
}

pub fn adopted_under_other_ids() {
    let scene = scene();
    let plan = scene.fib(1, 1);
    let tally = led_through(&scene, &[renumbered(&plan, 1000), plan], 60);
    assert_eq!(tally.strayed, 0, "{tally:?}");
}

/// A plan without its standing backup, which would hide a gap.
fn alone(mut plan: Fib) -> Fib {
    plan.routes.retain(|(table, _), _| *table != ours().backup_table);
    plan
}

/// The class of the scene by weight on both uplinks, where there is a weight: in a group under an id of its own, because
/// the kernel refuses to change the kind of the ordinary one.
fn shared_out(scene: &Scene, weights: [u8; 2]) -> Fib {
    let mut plan = alone(scene.fib(1, 1));
    for (family, offset) in [(Family::Ipv4, 0), (Family::Ipv6, 1)] {
        let id = |number| NextHopId(ours().nexthop_base + number + offset);
        let members = [id(0), id(2)].into_iter().zip(weights).filter(|(_, weight)| *weight > 0).collect();
        plan.groups.remove(&id(100));
        plan.groups.insert(id(104), Group { members, hashing: Hashing::Resilient });
        plan.routes.extend(prefixes(family).map(|prefix| ((ours().table, prefix), Via::Group(id(104)))));
    }
    plan
}

pub fn weights() {
    let scene = scene();
    let plans = [[3, 1], [1, 1], [1, 200], [0, 1], [1, 0]].map(|weights| shared_out(&scene, weights));
    led_through(&scene, &plans, 100);
}

pub fn balanced() {
    let scene = scene();
    let ordinary = |uplink| alone(scene.fib(uplink, uplink));
    let plans = [shared_out(&scene, [3, 1]), ordinary(1), shared_out(&scene, [1, 3]), ordinary(0)];
    led_through(&scene, &plans, 60);
    // On one uplink before and after, it never is on the other.
    scene.on_router(async || lead(&mut FibSocket::open(&ours()).unwrap(), &ordinary(1)).await);
    let tally = led_on(&scene, &[shared_out(&scene, [0, 1]), ordinary(1)], 60);
    assert_eq!(tally.strayed, 0, "{tally:?}");
}
