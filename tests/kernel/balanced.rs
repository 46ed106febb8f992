//! A class on two uplinks through one group: real flows of a client, told apart by their source port.

use std::{
    collections::BTreeMap,
    net::UdpSocket,
    thread,
    time::{Duration, Instant},
};

use peerward::{
    domain::Family,
    kernel::FibSocket,
    plan::{Fib, Group, Hashing, NextHopId, difference},
};
use peerward_lab::Route;

use crate::scene::{MICROSOFT_V4, MICROSOFT_V6, PATIENCE, Scene, install, net, ours};

/// Enough that the part of each member shows.
const FLOWS: usize = 200;

/// The scene with a client that sends to Microsoft, and a router that tells flows apart by their ports.
pub fn scene() -> Scene {
    let scene = Scene::new();
    for (default, router) in [("0.0.0.0/0", "192.168.7.2"), ("::/0", "2001:db8:7::2")] {
        scene.client.add_route(&Route::to(net(default), "port").via(router.parse().unwrap())).unwrap();
    }
    for family in ["ipv4", "ipv6"] {
        scene.router.sysctl(&format!("net/{family}/fib_multipath_hash_policy"), "1").unwrap();
    }
    scene
}

/// A second next hop of the second uplink.
pub const TWIN: usize = 2;

/// The plan of the scene with its primary groups on these uplinks, by weight.
pub fn plan(scene: &Scene, weights: &[(usize, u8)]) -> Fib {
    let mut fib = scene.fib(0, 1);
    let base = ours().nexthop_base;
    for (offset, family) in [(0, Family::Ipv4), (1, Family::Ipv6)] {
        let hop = |uplink: usize| NextHopId(base + offset + [0, 2, 4][uplink]);
        fib.next_hops.insert(hop(TWIN), scene.next_hop(1, family));
        let members = weights.iter().map(|(uplink, weight)| (hop(*uplink), *weight)).collect();
        fib.groups.insert(NextHopId(base + 100 + offset), Group { members, hashing: Hashing::Resilient });
    }
    fib
}

fn set(scene: &Scene, fib: &Fib) {
    scene.on_router(async || install(&mut FibSocket::open(&ours()).unwrap(), fib).await);
}

/// One socket for each flow.
fn flows(scene: &Scene, family: Family) -> Vec<UdpSocket> {
    let (any, destination) = match family {
        Family::Ipv4 => ("0.0.0.0:0", MICROSOFT_V4),
        Family::Ipv6 => ("[::]:0", MICROSOFT_V6),
    };
    let open = || {
        let socket = UdpSocket::bind(any).unwrap();
        socket.connect((destination, 9)).unwrap();
        socket
    };
    scene.client.run(|| (0..FLOWS).map(|_| open()).collect())
}

/// The uplink by which each flow leaves, in order: each sends one packet, and is waited for.
fn ways(scene: &Scene, flows: &[UdpSocket]) -> Vec<usize> {
    let sent = || [scene.sent_by("wan0"), scene.sent_by("wan1")];
    let way = |flow: &UdpSocket| {
        let (before, deadline) = (sent(), Instant::now() + PATIENCE);
        // A packet may be refused because of an error that an earlier one met.
        while flow.send(b"x").is_err() {}
        loop {
            let now = sent();
            match [now[0] - before[0], now[1] - before[1]] {
                [0, 0] => assert!(Instant::now() < deadline, "the packet left by no uplink"),
                [0, _] => return 1,
                [_, 0] => return 0,
                // Neighbour discovery, or another packet of the router's own: again.
                _ => return usize::MAX,
            }
            thread::sleep(Duration::from_micros(200));
        }
    };
    flows
        .iter()
        .map(|flow| {
            loop {
                let (first, second) = (way(flow), way(flow));
                if first == second && first != usize::MAX {
                    return first;
                }
            }
        })
        .collect()
}

fn count(ways: &[usize]) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    for way in ways {
        *counts.entry(*way).or_default() += 1;
    }
    counts
}

/// Neither too few nor too many of the flows, for a part of the whole that is expected.
fn is_about(count: usize, part: f64) -> bool {
    (count as f64 / FLOWS as f64 - part).abs() < 0.15
}

pub fn weights() {
    let scene = scene();
    for (weights, part) in [([(0, 3), (1, 1)], 0.75), ([(0, 1), (1, 1)], 0.5), ([(0, 1), (1, 9)], 0.1)] {
        set(&scene, &Fib::default());
        set(&scene, &plan(&scene, &weights));
        for family in Family::BOTH {
            let counts = count(&ways(&scene, &flows(&scene, family)));
            assert!(is_about(counts.get(&0).copied().unwrap_or_default(), part), "{family} {weights:?}: {counts:?}");
        }
    }
}

/// The flows that were on the member that goes are on the other one and its twin at once. All that are in use keep their
/// way when it is back.
pub fn flows_keep_their_way() {
    let scene = scene();
    let (both, one) = (plan(&scene, &[(0, 1), (1, 1)]), plan(&scene, &[(1, 255), (TWIN, 1)]));
    set(&scene, &both);
    let of_both = Family::BOTH.map(|family| flows(&scene, family));
    let first = of_both.each_ref().map(|flows| ways(&scene, flows));
    assert!(first.iter().all(|ways| count(ways).len() == 2), "{first:?}");
    set(&scene, &one);
    for flows in &of_both {
        assert_eq!(count(&ways(&scene, flows)), [(1, FLOWS)].into());
    }
    set(&scene, &both);
    for flows in &of_both {
        let counts = count(&ways(&scene, flows));
        let strayed = counts.get(&0).copied().unwrap_or_default();
        assert!(
            strayed <= FLOWS / 25,
            "flows in use stay where they are, but for the bucket of the twin: {counts:?}"
        );
    }
}

/// The kernel takes a member whose carrier goes out of the group by itself, with no agent running: the others carry on.
pub fn carrier_of_a_member() {
    let scene = scene();
    let both = plan(&scene, &[(0, 1), (1, 1)]);
    set(&scene, &both);
    let of_both = Family::BOTH.map(|family| flows(&scene, family));
    for flows in &of_both {
        assert_eq!(count(&ways(&scene, flows)).len(), 2);
    }
    scene.isps[0].link("port").down().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while scene.router.link("wan0").state().unwrap().unwrap().carrier {
        assert!(Instant::now() < deadline, "carrier is still there");
        thread::sleep(Duration::from_millis(1));
    }
    for flows in &of_both {
        assert_eq!(count(&ways(&scene, flows)), [(1, FLOWS)].into());
    }
    let held = scene.on_router(async || FibSocket::open(&ours()).unwrap().read().await.unwrap());
    let left = NextHopId(ours().nexthop_base + 2);
    let group = &held.groups[&NextHopId(ours().nexthop_base + 100)];
    assert_eq!(group.members.keys().collect::<Vec<_>>(), [&left]);
    assert!(held.in_table(ours().table).count() >= 4, "no route went with the member: {held:?}");
}

/// Another weight or another member is one message for a family, and what is held is read back as it was set.
pub fn read_back() {
    let scene = scene();
    let mut before = plan(&scene, &[(0, 3), (1, 1)]);
    set(&scene, &before);
    for weights in [&[(0, 200), (1, 255)][..], &[(1, 1)], &[(0, 1), (1, 1)]] {
        let next = plan(&scene, weights);
        assert_eq!(difference(&next, &before).len(), 2, "{weights:?}");
        set(&scene, &next);
        let held = scene.on_router(async || FibSocket::open(&ours()).unwrap().read().await.unwrap());
        assert_eq!(held, next);
        before = next;
    }
}
