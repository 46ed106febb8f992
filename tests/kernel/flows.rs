//! The table of flows: translated ones are found, and deleted one by one. The kernel's own tools say what is true.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr, UdpSocket},
    process::Command,
    time::Instant,
};

use peerward::{
    domain::Family,
    kernel::{Fate, Flow, FlowSocket, Flows, TrackedFlow, tracked_flows},
};
use peerward_lab::{Namespace, Route};

use super::scene::{MICROSOFT_V4, MICROSOFT_V6, Scene, net};

const CLIENT_V4: &str = "192.168.7.1";
const CLIENT_V6: &str = "2001:db8:7::1";
const ELSEWHERE_V4: &str = "198.51.100.7";
const ELSEWHERE_V6: &str = "2001:db8:ffff::7";
/// Far more flows than the test ever has.
const MANY: usize = 1000;

/// The router's address towards the first ISP, which its rules put on everything that leaves there.
fn translated(family: Family) -> IpAddr {
    if family == Family::Ipv4 { "10.0.0.2" } else { "2001:db8:0::2" }.parse().unwrap()
}

fn run(namespace: &Namespace, command: &str, arguments: &[&str]) -> String {
    let output = namespace.run(|| Command::new(command).args(arguments).output());
    let output = output.unwrap_or_else(|error| panic!("{command} ({error}) is needed: install it as .ci/run does"));
    assert!(output.status.success(), "{command} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A router that translates sources, with flows of its client to Microsoft (two) and elsewhere (one).
fn translating() -> (Scene, Vec<UdpSocket>) {
    let scene = Scene::new();
    for (family, table) in [(Family::Ipv4, "ip"), (Family::Ipv6, "ip6")] {
        let rules = format!(
            "table {table} nat {{ chain out {{ type nat hook postrouting priority srcnat; \
             oifname \"wan0\" snat to {}; }}; }}",
            translated(family)
        );
        run(&scene.router, "nft", &[&rules]);
    }
    for (default, router) in [("0.0.0.0/0", "192.168.7.2"), ("::/0", "2001:db8:7::2")] {
        let route = Route::to(net(default), "port").via(router.parse().unwrap());
        scene.client.add_route(&route).unwrap();
    }
    let to = [MICROSOFT_V4, MICROSOFT_V4, ELSEWHERE_V4, MICROSOFT_V6, MICROSOFT_V6, ELSEWHERE_V6];
    let sockets = to.into_iter().map(|destination| talk(&scene.client, destination)).collect();
    await_flows(&scene, to.len());
    (scene, sockets)
}

fn talk(from: &Namespace, to: &str) -> UdpSocket {
    from.run(|| {
        let to = SocketAddr::new(to.parse().unwrap(), 3478);
        let any: SocketAddr = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }.parse().unwrap();
        let socket = UdpSocket::bind(any).unwrap();
        socket.connect(to).unwrap();
        socket.send(b"hello").unwrap();
        socket
    })
}

/// Entries of the client's flows, as `conntrack` lists them.
fn entries(scene: &Scene) -> Vec<String> {
    let list = |family| run(&scene.router, "conntrack", &["-L", "-f", family, "-p", "udp", "-o", "id"]);
    let both = list("ipv4") + &list("ipv6");
    let of_client = |line: &&str| line.contains(CLIENT_V4) || line.contains(CLIENT_V6);
    both.lines().filter(of_client).map(str::to_owned).collect()
}

/// A packet takes a moment through two interfaces.
fn await_flows(scene: &Scene, count: usize) {
    let deadline = Instant::now() + super::scene::PATIENCE;
    while entries(scene).len() < count {
        assert!(Instant::now() < deadline, "{count} flows expected: {:?}", entries(scene));
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

fn to_microsoft(flow: &Flow) -> Option<()> {
    [MICROSOFT_V4, MICROSOFT_V6].map(|text| text.parse::<IpAddr>().unwrap()).contains(&flow.destination).then_some(())
}

async fn listed(family: Family, limit: usize) -> Flows<()> {
    let mut socket = FlowSocket::open().unwrap();
    socket.translated_to(&BTreeSet::from([translated(family)]), limit, to_microsoft).await.unwrap()
}

async fn delete(flows: &[((), TrackedFlow)]) -> Vec<Fate> {
    FlowSocket::open().unwrap().delete(flows.iter().map(|((), flow)| flow)).await.unwrap()
}

pub fn listed_and_deleted() {
    let (scene, _sockets) = translating();
    let before = entries(&scene);
    scene.on_router(async || {
        assert!(tracked_flows().unwrap() >= 6);
        for (family, client) in [(Family::Ipv4, CLIENT_V4), (Family::Ipv6, CLIENT_V6)] {
            let found = listed(family, MANY).await;
            assert_eq!((found.flows.len(), found.count()), (2, 2), "{found:?}");
            let source: IpAddr = client.parse().unwrap();
            assert!(found.flows.iter().all(|it| it.1.flow.source == source), "{found:?}");
            let mut socket = FlowSocket::open().unwrap();
            let other: IpAddr = if family == Family::Ipv4 { "10.0.1.2" } else { "2001:db8:1::2" }.parse().unwrap();
            assert_eq!(
                socket.translated_to(&BTreeSet::from([other]), MANY, |_| Some(())).await.unwrap(),
                Flows::default()
            );
            let both = BTreeSet::from([other, translated(family)]);
            assert_eq!(socket.translated_to(&both, MANY, to_microsoft).await.unwrap(), found);
            assert_eq!(delete(&found.flows[..1]).await, [Fate::Deleted]);
            assert_eq!(delete(&found.flows).await, [Fate::Gone, Fate::Deleted]);
        }
    });
    let after = entries(&scene);
    let elsewhere: Vec<_> =
        before.iter().filter(|line| line.contains(ELSEWHERE_V4) || line.contains(ELSEWHERE_V6)).collect();
    assert_eq!(
        after.iter().map(|line| id(line)).collect::<Vec<_>>(),
        elsewhere.into_iter().map(|line| id(line)).collect::<Vec<_>>()
    );
}

fn id(line: &str) -> &str {
    line.rsplit_once("id=").unwrap().1.split_whitespace().next().unwrap()
}

pub fn successor() {
    let (scene, sockets) = translating();
    let old = scene.on_router(async || {
        let old = listed(Family::Ipv4, MANY).await.flows;
        assert_eq!(delete(&old).await, [Fate::Deleted, Fate::Deleted]);
        old
    });
    run(&scene.router, "nft", &["flush table ip nat; add rule ip nat out oifname \"wan0\" snat to 10.0.0.77"]);
    for socket in &sockets[..2] {
        socket.send(b"again").unwrap();
    }
    await_flows(&scene, 6);
    scene.on_router(async || assert_eq!(delete(&old).await, [Fate::Gone, Fate::Gone]));
    assert_eq!(entries(&scene).len(), 6, "the entries that took their place stay");
}

pub fn large_table() {
    const FLOWS: usize = 20_000;
    let (scene, sockets) = translating();
    scene.client.run(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        for flow in 0..FLOWS {
            let port = u16::try_from(1024 + flow).unwrap();
            let _ = socket.send_to(b"hello", (MICROSOFT_V4, port));
        }
    });
    drop(sockets);
    scene.on_router(async || {
        let began = Instant::now();
        let found = listed(Family::Ipv4, 100).await;
        eprintln!("{} of {} flows listed in {:?}", found.count(), FLOWS + 2, began.elapsed());
        assert_eq!(found.flows.len(), 100);
        // A busy queue may drop a few of them on the way.
        let sent = FLOWS as u64 + 2;
        assert!((sent / 2..=sent).contains(&found.count()), "{}", found.count());
    });
}
