//! Very many connections.

use std::{net::IpAddr, thread, time::Duration};

use ipnet::IpNet;
use peerward::passive::Settings;
use peerward_lab::{CLIENT_IPV4, Crowd, MICROSOFT_IPV4, Namespace, Route, veth};

use crate::scene::Watching;

const BUDGET: u32 = 300;
const RATE: u32 = 4_000;
const RTT: Duration = Duration::from_millis(20);

/// A router whose only uplink leads to an ISP; neither forwards anything.
fn line() -> [Namespace; 2] {
    let ends = ["router", "isp"].map(|name| Namespace::new(name).unwrap());
    let [router, isp] = &ends;
    let (near, far) = (router.link("wan0"), isp.link("lan"));
    veth(&near, &far).unwrap();
    let addresses: [IpAddr; 2] = ["10.0.0.2", "10.0.0.1"].map(|address| address.parse().unwrap());
    for ((end, link), address) in ends.iter().zip([&near, &far]).zip(addresses) {
        end.sysctl("net/ipv4/conf/all/rp_filter", "0").unwrap();
        end.sysctl("net/ipv4/conf/default/rp_filter", "0").unwrap();
        link.add_address(IpNet::new(address, 24).unwrap()).unwrap();
    }
    near.up().unwrap();
    far.up().unwrap();
    router.add_route(&Route::to(MICROSOFT_IPV4.into(), "wan0").via(addresses[1])).unwrap();
    isp.add_route(&Route::to(CLIENT_IPV4.into(), "lan").via(addresses[0])).unwrap();
    ends
}

pub fn thinned() {
    let [router, isp] = line();
    let settings = Settings { budget: BUDGET, ..Settings::default() };
    let watching = Watching::start_with(&router, settings, &["wan0"], || {});
    watching.wait("wan0 is watched", |known| known.uplinks.iter().any(|(_, state)| state.to_string() == "watching"));
    let crowd = Crowd::start(&router, &isp, RATE, RTT).unwrap();
    let known = watching.wait("a share", |known| known.one_in >= RATE.div_ceil(BUDGET).next_power_of_two() / 2);
    eprintln!("{RATE} connections a second, budget {BUDGET}: one in {}", known.one_in);

    let looked_at = |seconds| {
        let (before, answered) = (watching.known().packets, crowd.answered());
        thread::sleep(Duration::from_secs(seconds));
        (watching.known().packets - before, crowd.answered() - answered)
    };
    let (packets, answered) = looked_at(3);
    eprintln!("{packets} packets looked at while {answered} connections were answered");
    assert!(packets > 0 && packets < answered / 2, "{packets} packets of {answered} connections");
    drop(crowd);

    thread::sleep(Duration::from_secs(4));
    let view = watching.path(0, "v4", |view| view.completed > 100);
    let known = watching.known();
    eprintln!("{view:?}, {} dropped, {} crowded out", known.dropped, known.crowded_out);
    assert!(view.rtt_min_ms.unwrap() >= 20.0 && view.rtt_ms.unwrap() < 60.0, "{view:?}");
    // Packets that the kernel had no room for before the share was right.
    assert!(view.unanswered <= known.dropped, "{view:?}, {} dropped", known.dropped);
}
