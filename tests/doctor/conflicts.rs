//! One conflict at a time, as the kernel shows it.

use std::time::Duration;

use ipnet::IpNet;
use peerward::{
    config::Kernel,
    domain::{Family, IfIndex, NextHop},
    kernel::FibSocket,
    plan::{Change, NextHopId},
};
use peerward_lab::{CLIENT_IPV4, ClientFlow, MICROSOFT_IPV4, Namespace, Route, RouteRow};
use serde_json::Value;

use crate::{
    foreign::ForeignRule,
    scene::{Report, Scene},
};

/// What depends on the machine that the test runs on.
const OF_THE_MACHINE: [&str; 3] = ["networkd", "network-manager", "protocol"];

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn default_by(interface: &str, table: u32) -> Route {
    Route::to(net("0.0.0.0/0"), interface).table(table)
}

/// Runs a conversation with the kernel of a namespace.
fn talk<T: Send>(namespace: &Namespace, conversation: impl AsyncFnOnce() -> T + Send) -> T {
    namespace.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(conversation())
    })
}

pub fn sound() {
    let report = Scene::new().doctor();
    let bad: Vec<_> = (report.findings.iter())
        .filter(|finding| !OF_THE_MACHINE.iter().any(|topic| finding["topic"] == *topic))
        .filter(|finding| ["warning", "error", "skipped"].iter().any(|word| finding["severity"] == *word))
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    for topic in ["uplinks", "lan", "tables", "rules", "next-hops", "kernel", "forwarding", "rp-filter", "agents"] {
        report.assert_well(topic);
    }
}

pub fn changes_nothing() {
    let scene = Scene::new();
    scene.router().add_route(&default_by("wan1", 7700)).unwrap();
    ForeignRule::lookup(7700).preference(7700).add_to(scene.router());
    let held = || {
        let router = scene.router();
        let routes: Vec<_> = [254, 7700, 7701, 7710].map(|table| router.routes(table).unwrap()).concat();
        (routes, router.rules().unwrap(), router.nexthops().unwrap())
    };
    let before = held();
    let (with, without) = (scene.doctor(), scene.doctor_without_capabilities());
    assert_eq!(held(), before);
    // Whose network namespace a process of another test is in, is not for everybody to see.
    let but_agents = |report: &Report| -> Vec<Value> {
        report.findings.iter().filter(|finding| finding["topic"] != "agents").cloned().collect()
    };
    assert_eq!(but_agents(&with), but_agents(&without));
    assert_eq!((with.exit, without.exit), (7, 7));
    assert!(!scene.agent.socket().exists(), "it binds no socket");
}

pub fn foreign_routes() {
    let scene = Scene::new();
    scene.router().add_route(&default_by("wan1", 7700)).unwrap();
    scene.doctor().assert_one("tables", "error", &["table 7700", "1 of ", "0.0.0.0/0", "table = 8000"]);
    let scene = Scene::new();
    scene.router().add_route(&Route::to(net("2001:db8:77::/48"), "wan1").table(7701)).unwrap();
    scene.doctor().assert_one("tables", "error", &["table 7701", "IPv6", "2001:db8:77::/48", "ip -6 route show"]);
    let scene = Scene::new();
    scene.router().add_route(&Route::to(net("192.0.2.0/24"), "wan1").table(7711)).unwrap();
    scene.doctor().assert_one("tables", "warning", &["table 7711", "measure the wrong path"]);
}

pub fn our_preference() {
    let scene = Scene::new();
    ForeignRule::lookup(100).preference(7700).add_to(scene.router());
    ForeignRule::lookup(100).preference(7700).ipv6().add_to(scene.router());
    scene.doctor().assert_one("rules", "warning", &["`7700: from all lookup 100` (both families)", "720"]);
}

pub fn mwan3() {
    let scene = Scene::new();
    for (number, interface) in [(1, "wan0"), (2, "wan1")] {
        scene.router().add_route(&default_by(interface, number)).unwrap();
        ForeignRule::lookup(number).preference(1000 + number).on_interface(interface).add_to(scene.router());
        let mark = 0x100 * number;
        ForeignRule::lookup(number).preference(2000 + number).mark(mark, 0x3f00).add_to(scene.router());
        let rest = ForeignRule::lookup(0).unreachable().preference(3000 + number);
        rest.mark(mark, 0x3f00).add_to(scene.router());
    }
    let words = [
        "mwan3",
        "`2001: from all fwmark 0x100/0x3f00 lookup 1`",
        "`3002: from all fwmark 0x200/0x3f00 unreachable`",
        "probe_rule_preference = 720, rule_preference = 730, backup_rule_preference = 731",
    ];
    scene.doctor().assert_one("rules", "warning", &words);
    scene.set_kernel("probe_rule_preference = 720\nrule_preference = 730\nbackup_rule_preference = 731");
    scene.doctor().assert_well("rules");
}

pub fn tailscale() {
    let scene = Scene::new();
    let bypass = |rule: ForeignRule| rule.mark(0x8_0000, 0xff_0000);
    bypass(ForeignRule::lookup(254)).preference(5210).add_to(scene.router());
    bypass(ForeignRule::lookup(253)).preference(5230).add_to(scene.router());
    bypass(ForeignRule::lookup(0).unreachable()).preference(5250).add_to(scene.router());
    ForeignRule::lookup(52).preference(5270).add_to(scene.router());
    scene.router().add_route(&Route::to(net("100.100.100.100/32"), "wan1").table(52)).unwrap();
    scene.doctor().assert_well("rules");
    scene.router().add_route(&default_by("wan1", 52)).unwrap();
    scene.doctor().assert_one("rules", "error", &["Tailscale", "`5270: from all lookup 52`", "720"]);
}

/// Not only what is said, but that it is true.
pub fn wireguard() {
    let mut scene = Scene::new();
    scene.agent.start().unwrap();
    let _flow = ClientFlow::udp(scene.branch.client(), MICROSOFT_IPV4, Duration::from_millis(5)).unwrap();
    scene.wait("Microsoft leaves by wan0", |scene| scene.branch.way_now(MICROSOFT_IPV4) == Some(0));
    scene.doctor().assert_well("rules");

    // As `wg-quick up` does.
    let main = scene.router().routes(254).unwrap();
    let by_wan1 = |row: &&RouteRow| row.interface.as_deref() == Some("wan1") && row.destination == net("0.0.0.0/0");
    let gateway = main.iter().find(by_wan1).unwrap().gateway.unwrap();
    scene.router().add_route(&default_by("wan1", 51_820).via(gateway)).unwrap();
    ForeignRule::lookup(51_820).mark(0xca6c, u32::MAX).inverted().add_to(scene.router());
    ForeignRule::lookup(254).without_default().add_to(scene.router());
    let words = ["`7689: not from all fwmark 0xca6c lookup 51820`", "without a preference", "above 7701"];
    scene.doctor().assert_one("rules", "error", &words);
    scene.wait("the tunnel has it", |scene| scene.branch.way_now(MICROSOFT_IPV4) == Some(1));
}

pub fn specifics() {
    let scene = Scene::new();
    scene.router().add_route(&Route::to(IpNet::from(MICROSOFT_IPV4), "wan1").table(220)).unwrap();
    ForeignRule::lookup(220).preference(220).add_to(scene.router());
    scene.doctor().assert_one("rules", "advice", &["strongSwan", "1 route inside steered space"]);
}

pub fn our_number() {
    let scene = Scene::new();
    ForeignRule::lookup(900).preference(9000).protocol(77).add_to(scene.router());
    scene.doctor().assert_one("protocol", "warning", &["`9000: from all lookup 900`", "protocol = 78"]);
}

pub fn taken_ids() {
    let scene = Scene::new();
    let index = IfIndex(scene.router().link("wan0").state().unwrap().unwrap().index);
    talk(scene.router(), async || {
        let mut them = FibSocket::open(&Kernel { protocol: 11, ..Kernel::default() }).unwrap();
        let id = NextHopId(Kernel::default().nexthop_base + 4);
        let applied = them.apply(&[Change::SetNextHop(id, Family::Ipv4, NextHop { index, gateway: None })]).await;
        assert_eq!(applied.refused, 0, "{applied:?}");
    });
    let words = ["): 1, such as 1996488708 of zebra (protocol 11)", "nexthop_base = 0x78000000"];
    scene.doctor().assert_one("next-hops", "warning", &words);
}

/// Not only what is said, but that it is true.
pub fn reverse_path() {
    let mut scene = Scene::new();
    let strict = ["on wan1", "probes are fine", "when a class moves", "net.ipv4.conf.wan1.rp_filter=2"];
    scene.router().sysctl("net/ipv4/conf/wan1/rp_filter", "1").unwrap();
    scene.doctor().assert_one("rp-filter", "advice", &strict);
    scene.agent.start().unwrap();
    let _flow = ClientFlow::udp(scene.branch.client(), MICROSOFT_IPV4, Duration::from_millis(5)).unwrap();
    scene.wait("Microsoft leaves by wan0", |scene| scene.branch.way_now(MICROSOFT_IPV4) == Some(0));
    let probed = |scene: &Scene| {
        let status = scene.agent.status().unwrap_or_default();
        let paths = status["paths"].as_array().cloned().unwrap_or_default();
        paths.iter().any(|path| path["uplink"] == "wan1" && path["state"] == "up")
    };
    scene.wait("probes by wan1 are answered", probed);
    let accepts = |interface: &str| accepts_answer(scene.router(), interface);
    assert_eq!((accepts("wan0"), accepts("wan1")), (true, false), "the client's answers");

    scene.router().sysctl("net/ipv4/conf/all/rp_filter", "1").unwrap();
    scene.router().sysctl("net/ipv4/conf/wan1/rp_filter", "2").unwrap();
    scene.doctor().assert_one("rp-filter", "advice", &["on wan0"]);
    assert!(accepts("wan1"), "2 of the interface wins over 1 of all");
    scene.router().sysctl("net/ipv4/conf/all/rp_filter", "2").unwrap();
    scene.doctor().assert_well("rp-filter");
}

/// Whether the router lets in an answer of Microsoft's to a client by an interface.
fn accepts_answer(router: &Namespace, interface: &str) -> bool {
    let index = IfIndex(router.link(interface).state().unwrap().unwrap().index);
    talk(router, async || {
        let mut socket = FibSocket::open(&Kernel::default()).unwrap();
        socket.lookup(CLIENT_IPV4, Some((index, MICROSOFT_IPV4))).await.is_ok()
    })
}

pub fn settings() {
    let scene = Scene::new();
    scene.router().sysctl("net/ipv4/nexthop_compat_mode", "1").unwrap();
    scene.doctor().assert_one("compat-mode", "advice", &["45 ms", "nexthop_compat_mode=0"]);
    scene.router().sysctl("net/ipv4/nexthop_compat_mode", "0").unwrap();
    scene.doctor().assert_well("compat-mode");
    scene.router().sysctl("net/ipv4/ip_forward", "0").unwrap();
    scene.doctor().assert_one("forwarding", "error", &["net.ipv4.ip_forward = 0", "ip_forward=1"]);
}

pub fn uplinks() {
    let scene = Scene::new();
    scene.router().link("wan1").down().unwrap();
    scene.doctor().assert_one("uplinks", "warning", &["wan1: is switched off", "ip link set wan1 up"]);
    scene.router().link("wan1").rename("ppp0").unwrap();
    scene.doctor().assert_one("uplinks", "warning", &["there is no interface wan1", "ppp0"]);

    let scene = Scene::new();
    for default in scene.router().routes(254).unwrap().into_iter().filter(|row| row.destination.prefix_len() == 0) {
        if default.interface.as_deref() == Some("wan1") {
            let route = Route::to(default.destination, "wan1").via(default.gateway.unwrap()).metric(default.metric);
            scene.router().delete_route(&route).unwrap();
        }
    }
    scene.doctor().assert_one("uplinks", "warning", &["wan1: has no IPv4 default route and no IPv6 default route"]);
}
