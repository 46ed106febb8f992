//! Where the kernel says that packets go.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use peerward::kernel::FibSocket;

use crate::scene::{CLIENT_V4, MICROSOFT_V4, MICROSOFT_V6, Scene, gateways, install, ours};

pub fn forwarded_and_own() {
    let scene = Scene::new();
    scene.on_router(async || {
        let mut socket = FibSocket::open(&ours()).unwrap();
        // Steered to the uplink that the main table does not prefer.
        install(&mut socket, &scene.fib(1, 0)).await;
        let expected = gateways(1);
        for (destination, gateway) in [MICROSOFT_V4, MICROSOFT_V6].into_iter().zip(expected) {
            let way = scene.forwarded(&mut socket, destination).await;
            assert_eq!(way.table, ours().table);
            assert_eq!((way.interface, way.gateway), (Some(scene.index("wan1")), Some(gateway)));
            let own = socket.lookup(destination.parse().unwrap(), None).await.unwrap();
            assert_eq!(
                (own.table, own.interface),
                (254, Some(scene.index("wan0"))),
                "the router's own is left alone"
            );
        }
        for destination in ["198.51.100.7", "2001:db8:5555::7"] {
            let way = scene.forwarded(&mut socket, destination).await;
            assert_eq!(
                (way.table, way.interface),
                (254, Some(scene.index("wan0"))),
                "what is not Microsoft's is not"
            );
        }
    });
}

pub fn own_networks() {
    let scene = Scene::new();
    scene.on_router(async || {
        let mut socket = FibSocket::open(&ours()).unwrap();
        install(&mut socket, &scene.fib(0, 1)).await;
    });
    // By a bound socket, because a look-up of the router's own packets takes no source address.
    for (destination, interface) in [("192.168.7.1", "lan0"), (MICROSOFT_V4, "wan0")] {
        let before = scene.sent_by(interface);
        scene.router.run(|| {
            let socket = std::net::UdpSocket::bind("10.0.0.2:0").unwrap();
            (0..50).for_each(|_| _ = socket.send_to(b"x", (destination, 9)).unwrap());
        });
        // The first ones wait until the neighbour is resolved.
        let deadline = Instant::now() + Duration::from_secs(5);
        while scene.sent_by(interface) < before + 50 {
            assert!(Instant::now() < deadline, "to {destination} not by {interface}");
            sleep(Duration::from_millis(10));
        }
    }
}

pub fn no_way() {
    let scene = Scene::new();
    for interface in ["wan0", "wan1"] {
        scene.router.link(interface).down().unwrap();
    }
    scene.on_router(async || {
        let mut socket = FibSocket::open(&ours()).unwrap();
        let from = Some((scene.index("lan0"), CLIENT_V4.parse().unwrap()));
        for from in [from, None] {
            let error = socket.lookup(MICROSOFT_V4.parse().unwrap(), from).await.unwrap_err().to_string();
            assert!(error.contains(MICROSOFT_V4), "{error}");
        }
    });
}
