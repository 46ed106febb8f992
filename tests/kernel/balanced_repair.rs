//! A balanced class when a line goes and comes back, and when the agent starts again: the reconciler, and packets of a
//! client that are told apart flow by flow where they arrive.

use std::{
    net::{IpAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use peerward::{
    agent::{Order, Reconciler, Trust},
    kernel::FibSocket,
    plan::{Fib, NextHopId, Via},
};
use peerward_lab::Route;

use crate::{
    balanced::{TWIN, plan, scene},
    scene::{MICROSOFT_V4, MICROSOFT_V6, PATIENCE, Scene, gateways, net, ours},
};

/// Of each family.
const FLOWS: usize = 100;
/// Packets under way at once: they must fit into the buffer of a socket.
const AT_ONCE: usize = 50;
const PORT: u16 = 9;

/// A client's flows, and who receives them at the two ISPs.
struct Traffic {
    flows: Vec<UdpSocket>,
    listeners: [UdpSocket; 2],
    round: AtomicU32,
}

impl Traffic {
    fn begin(scene: &Scene) -> Self {
        let listeners = scene.isps.each_ref().map(|isp| {
            isp.sysctl("net/ipv6/conf/port/accept_dad", "0").unwrap();
            isp.sysctl_for_all("ipv6", "accept_dad", "0").unwrap();
            let listener = isp.run(|| UdpSocket::bind(("::", PORT)).unwrap());
            listener.set_nonblocking(true).unwrap();
            listener
        });
        for (isp, destination) in [(0, MICROSOFT_V4), (0, MICROSOFT_V6), (1, MICROSOFT_V4), (1, MICROSOFT_V6)] {
            play(scene, isp, destination);
        }
        let destinations = [("0.0.0.0:0", MICROSOFT_V4), ("[::]:0", MICROSOFT_V6)];
        let flow = |(any, destination): (&str, &str)| {
            let socket = UdpSocket::bind(any).unwrap();
            socket.connect((destination, PORT)).unwrap();
            socket
        };
        let flows = scene.client.run(|| {
            let of_each = destinations.into_iter().flat_map(|ends| std::iter::repeat_n(ends, FLOWS));
            of_each.map(flow).collect()
        });
        Self { flows, listeners, round: AtomicU32::new(0) }
    }

    /// Sends one packet of each flow, and says at which ISP it arrived; none if it did not within `patience`.
    fn arrivals(&self, patience: Duration) -> Vec<Option<usize>> {
        let round = self.round.fetch_add(1, Ordering::Relaxed).to_ne_bytes();
        let mut seen = vec![None; self.flows.len()];
        for first in (0..self.flows.len()).step_by(AT_ONCE) {
            let last = self.flows.len().min(first + AT_ONCE);
            for number in first..last {
                let text = [round, u32::try_from(number).unwrap().to_ne_bytes()].concat();
                // A packet may be refused because of an error that an earlier one met.
                while self.flows[number].send(&text).is_err() {}
            }
            let deadline = Instant::now() + patience;
            while seen[first..last].contains(&None) && Instant::now() < deadline {
                self.receive(round, &mut seen);
                thread::sleep(Duration::from_micros(200));
            }
        }
        seen
    }

    fn receive(&self, round: [u8; 4], seen: &mut [Option<usize>]) {
        for (isp, listener) in self.listeners.iter().enumerate() {
            let mut text = [0; 8];
            while let Ok(8) = listener.recv(&mut text) {
                let (of_round, number) = text.split_at(4);
                if of_round == round {
                    seen[u32::from_ne_bytes(number.try_into().unwrap()) as usize] = Some(isp);
                }
            }
        }
    }

    /// The ISP of each flow, once every packet arrives.
    fn ways(&self) -> Vec<usize> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let arrivals = self.arrivals(Duration::from_secs(1));
            if let Some(ways) = arrivals.iter().copied().collect() {
                return ways;
            }
            assert!(Instant::now() < deadline, "packets are lost: {arrivals:?}");
        }
    }
}

/// Lets an ISP take what is for an address of Microsoft's.
fn play(scene: &Scene, isp: usize, destination: &str) {
    let host = IpNet::from(destination.parse::<IpAddr>().unwrap());
    scene.isps[isp].add_route(&Route::to(host, "port").local()).unwrap();
}

/// What is planned while the first uplink has no carrier: the kernel would refuse its next hops.
fn without_first(mut fib: Fib) -> Fib {
    let gone = gateways(0);
    fib.next_hops.retain(|_, next_hop| next_hop.gateway.is_none_or(|gateway| !gone.contains(&gateway)));
    fib.routes.retain(|_, via| !matches!(via, Via::NextHop(_)));
    fib
}

fn order(fib: &Fib, serial: u64) -> Order {
    Order { fib: Arc::new(fib.clone()), write: true, serial }
}

fn both(scene: &Scene) -> Fib {
    plan(scene, &[(0, 1), (1, 1)])
}

pub fn adoption() {
    let scene = scene();
    for weights in [&[(0, 3), (1, 1)][..], &[(1, 255), (TWIN, 1)], &[(0, 255), (1, 255)]] {
        let fib = plan(&scene, weights);
        scene.on_router(async || {
            let (mut first, _status) = Reconciler::open(&ours()).await.unwrap();
            assert!(first.carry_out(&order(&fib, 1), Trust::LastSeen).await.in_step);
        });
        scene.on_router(async || {
            let (mut second, _status) = Reconciler::open(&ours()).await.unwrap();
            for trust in [Trust::LastSeen, Trust::ReadAgain] {
                let status = second.carry_out(&order(&fib, 1), trust).await;
                assert_eq!(
                    (status.in_step, status.writes, status.repairs()),
                    (true, 0, 0),
                    "{weights:?}: {status:#?}"
                );
            }
        });
    }
}

/// The cable of the first uplink is pulled; returns the ISP of each flow once all arrive again.
fn cut(scene: &Scene, traffic: &Traffic, before: &[usize]) -> Vec<usize> {
    scene.isps[0].link("port").down().unwrap();
    let began = Instant::now();
    loop {
        let arrivals = traffic.arrivals(Duration::from_millis(500));
        for (flow, (was, is)) in before.iter().zip(&arrivals).enumerate() {
            assert!(*was == 0 || *is == Some(1), "flow {flow} of the uplink that stays is at {is:?}");
        }
        if let Some(ways) = arrivals.into_iter().collect() {
            return ways;
        }
        assert!(began.elapsed() < PATIENCE, "the flows of the uplink that is gone do not go on");
    }
}

/// The line is there again as it was.
fn mend(scene: &Scene) {
    let port = scene.isps[0].link("port");
    port.up().unwrap();
    // What the ISP's end lost: all of IPv6.
    port.add_address(net("2001:db8:0::1/64")).unwrap();
    play(scene, 0, MICROSOFT_V6);
}

pub fn carrier_and_return() {
    let scene = scene();
    let (both, one) = (both(&scene), without_first(plan(&scene, &[(1, 255), (TWIN, 1)])));
    let traffic = Traffic::begin(&scene);
    scene.on_router(async || {
        let (mut reconciler, _status) = Reconciler::open(&ours()).await.unwrap();
        assert!(reconciler.carry_out(&order(&both, 1), Trust::LastSeen).await.in_step);
        let before = traffic.ways();
        assert!(before.contains(&0) && before.contains(&1), "{before:?}");

        // The kernel alone; then the plan of an agent that knows.
        assert_eq!(cut(&scene, &traffic, &before), vec![1; before.len()]);
        let status = reconciler.carry_out(&order(&one, 2), Trust::LastSeen).await;
        assert!(status.in_step, "{status:#?}");
        assert_eq!(traffic.arrivals(Duration::from_secs(1)), vec![Some(1); before.len()]);

        mend(&scene);
        let began = Instant::now();
        while !reconciler.carry_out(&order(&both, 3), Trust::ReadAgain).await.in_step {
            assert!(began.elapsed() < PATIENCE, "the group is not repaired");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let held = FibSocket::open(&ours()).unwrap().read().await.unwrap();
        let group = |fib: &Fib| fib.groups[&NextHopId(ours().nexthop_base + 100)].clone();
        assert_eq!(group(&held), group(&both));
        let strayed = traffic.ways().iter().filter(|isp| **isp == 0).count();
        assert!(strayed <= before.len() / 10, "flows in use stay where they are: {strayed} moved back");
        let writes = reconciler.carry_out(&order(&both, 3), Trust::ReadAgain).await.writes;
        assert_eq!(reconciler.carry_out(&order(&both, 3), Trust::ReadAgain).await.writes, writes, "it is at rest");
    });
}
