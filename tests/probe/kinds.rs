//! Every kind of probe, in both families: by which way it leaves, and whose answers count. Seen on the wire.

use std::{
    io::Write,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use peerward::{
    config::TrustSource,
    domain::{Check, ProbeFailure, ProbeOutcome},
    probe::{Attempt, Measured, TrustAnchors},
};
use peerward_lab::{
    Branch, Capture, HTTP_PORT, MICROSOFT_IPV4, MICROSOFT_IPV6, Packet, PathProfile, Route, TCP_PORT, lab_ca_pem,
};

use crate::prober::PATIENCE;

const NAME: &str = "outlook.office365.com";
const STUN_PORT: u16 = 3478;
const TIMEOUT: Duration = Duration::from_secs(5);

/// A kind with its port and its protocol on the wire, IPv4's and IPv6's.
struct Kind {
    check: Check,
    port: u16,
    protocols: [u8; 2],
}

impl Kind {
    fn all() -> Vec<Self> {
        let http = |secure| Check::Http { secure, server_name: NAME.into(), path: "/".into(), status: 200..=299 };
        let over_tcp = |check, port| Self { check, port, protocols: [6, 6] };
        vec![
            over_tcp(Check::Tcp { refusal_answers: false }, TCP_PORT),
            Self { check: Check::Icmp, port: 0, protocols: [1, 58] },
            Self { check: Check::Stun, port: STUN_PORT, protocols: [17, 17] },
            over_tcp(Check::Tls { server_name: NAME.into() }, TCP_PORT),
            over_tcp(http(false), HTTP_PORT),
            over_tcp(http(true), TCP_PORT),
        ]
    }

    fn protocol(&self, target: IpAddr) -> u8 {
        self.protocols[usize::from(target.is_ipv6())]
    }
}

/// A branch whose router filters no reverse paths, with a recording of both uplinks.
struct Scene {
    branch: Branch,
    captures: [Capture; 2],
    trust: Arc<TrustAnchors>,
}

impl Scene {
    fn new() -> Self {
        let branch = Branch::builder().build().unwrap();
        for interface in ["all", "default", "wan0", "wan1"] {
            branch.router().sysctl(&format!("net/ipv4/conf/{interface}/rp_filter"), "0").unwrap();
        }
        let captures = [0, 1].map(|isp| Capture::start(&branch.uplink(isp)).unwrap());
        let mut anchors = tempfile::NamedTempFile::new().unwrap();
        anchors.write_all(lab_ca_pem().unwrap().as_bytes()).unwrap();
        let trust = TrustAnchors::load(&TrustSource::File(anchors.path().to_owned())).unwrap().unwrap();
        Self { branch, captures, trust }
    }

    fn probe(
        &self,
        kind: &Kind,
        uplink: usize,
        source: Option<IpAddr>,
        target: IpAddr,
        timeout: Duration,
    ) -> Measured {
        let attempt = Attempt {
            interface: &format!("wan{uplink}"),
            source,
            address: SocketAddr::new(target, kind.port),
            check: &kind.check,
            timeout,
            trust: Some(&self.trust),
            ports: None,
        };
        self.branch.router().run(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(attempt.carry_out()).unwrap()
        })
    }

    /// Probes every kind by every uplink in both families, and sees each on its own uplink and on no other.
    fn each_leaves_by_its_own(&self, sources: impl Fn(usize, IpAddr) -> Option<IpAddr>) {
        for kind in Kind::all() {
            for (uplink, target) in [0, 1].into_iter().flat_map(|uplink| targets().map(|target| (uplink, target))) {
                self.captures.iter().for_each(Capture::clear);
                let source = sources(uplink, target);
                let measured = self.probe(&kind, uplink, source, target, TIMEOUT);
                let what = format!("{:?} to {target} by wan{uplink}", kind.check);
                assert!(measured.outcome.rtt().is_some_and(|rtt| rtt < TIMEOUT), "{what}: {measured:?}");
                let is_it = |packet: &Packet| {
                    packet.protocol == kind.protocol(target)
                        && packet.outgoing
                        && packet.destination.ip() == target
                        && packet.destination.port() == kind.port
                        && source.is_none_or(|source| packet.source.ip() == source)
                };
                self.captures[uplink].wait(PATIENCE, |packets| packets.iter().any(is_it)).expect(&what);
                // What a server still says to a probe that is over, the kernel refuses on its own, by the main table.
                let to_target =
                    |packet: &Packet| packet.outgoing && packet.destination.ip() == target && !packet.is_reset();
                assert_eq!(self.captures[1 - uplink].count(to_target), 0, "{what}");
                if source.is_some() {
                    let others = |packet: &Packet| to_target(packet) && !is_it(packet);
                    assert_eq!(self.captures[uplink].count(others), 0, "{what}");
                }
            }
        }
    }
}

fn targets() -> [IpAddr; 2] {
    [MICROSOFT_IPV4, MICROSOFT_IPV6]
}

pub fn by_its_uplink() {
    Scene::new().each_leaves_by_its_own(|_, _| None);
}

pub fn whatever_routes_say() {
    let scene = Scene::new();
    // Host routes lead each target to the other uplink than the default; half of the probes go against them.
    for (target, isp) in targets().into_iter().zip([1, 0]) {
        let [ipv4, ipv6] = scene.branch.isp_networks(isp);
        let network = if target.is_ipv4() { ipv4 } else { ipv6 };
        let gateway = network.hosts().next().unwrap();
        let route = Route::to(target.into(), &format!("wan{isp}")).via(gateway);
        scene.branch.router().add_route(&route).unwrap();
    }
    scene.each_leaves_by_its_own(|_, _| None);
}

pub fn from_its_source() {
    let scene = Scene::new();
    let second = |uplink: usize, target: IpAddr| -> IpAddr {
        // Of the LAN, to which every ISP of the branch in a box knows the way.
        let text = if target.is_ipv4() {
            format!("192.168.77.{}", 200 + uplink)
        } else {
            format!("2001:db8:77::{}", 200 + uplink)
        };
        text.parse().unwrap()
    };
    for (uplink, target) in [0, 1].into_iter().flat_map(|uplink| targets().map(|target| (uplink, target))) {
        let address = second(uplink, target);
        scene.branch.uplink(uplink).add_address(address.into()).unwrap();
    }
    scene.each_leaves_by_its_own(|uplink, target| Some(second(uplink, target)));
}

pub fn answers_by_the_other() {
    let scene = Scene::new();
    let timeout = Duration::from_millis(300);
    for kind in Kind::all() {
        for target in targets() {
            scene.branch.fabric().isp(0).return_by(Some(1));
            scene.captures.iter().for_each(Capture::clear);
            let measured = scene.probe(&kind, 0, None, target, timeout);
            let what = format!("{:?} to {target}", kind.check);
            assert_eq!(measured.outcome, ProbeOutcome::Failed(ProbeFailure::Timeout), "{what}");
            let answer = |packet: &Packet| {
                !packet.outgoing && packet.source.ip() == target && packet.protocol == kind.protocol(target)
            };
            scene.captures[1].wait(PATIENCE, |packets| packets.iter().any(answer)).expect(&what);
            scene.branch.fabric().isp(0).return_by(None);
            let measured = scene.probe(&kind, 0, None, target, TIMEOUT);
            assert!(measured.outcome.rtt().is_some(), "{what}: {measured:?}");
        }
    }
}

pub fn interface_gone() {
    for kind in Kind::all() {
        let scene = Scene::new();
        scene.branch.fabric().isp(1).set(PathProfile::default().blackhole());
        std::thread::scope(|scope| {
            let probing = scope.spawn(|| scene.probe(&kind, 1, None, MICROSOFT_IPV4, Duration::from_secs(1)));
            std::thread::sleep(Duration::from_millis(300));
            scene.branch.unplug(1).unwrap();
            let measured = probing.join().unwrap();
            assert!(matches!(measured.outcome, ProbeOutcome::Failed(_)), "{:?}: {measured:?}", kind.check);
        });
        let measured = scene.probe(&kind, 1, None, MICROSOFT_IPV4, TIMEOUT);
        assert_eq!(measured.outcome, ProbeOutcome::Failed(ProbeFailure::NotSent), "{:?}", kind.check);
    }
}

pub fn rtt_of_its_path() {
    let scene = Scene::new();
    let (rtt, most) = (Duration::from_millis(40), Duration::from_millis(90));
    scene.branch.fabric().isp(0).set(PathProfile::round_trip(rtt));
    for kind in Kind::all() {
        for target in targets() {
            let measured =
                (0..3).map(|_| scene.probe(&kind, 0, None, target, TIMEOUT).outcome.rtt().unwrap()).min().unwrap();
            assert!((rtt..most).contains(&measured), "{:?} to {target}: {measured:?}", kind.check);
        }
    }
}

/// An open `ping_group_range` lets ICMP be sent without `CAP_NET_RAW`; raw sockets are the way when it is closed.
pub fn ping_sockets() {
    let scene = Scene::new();
    let kind = Kind { check: Check::Icmp, port: 0, protocols: [1, 58] };
    for range in ["0 4294967294", "0 2147483647", "1 0"] {
        if scene.branch.router().sysctl("net/ipv4/ping_group_range", range).is_err() {
            continue;
        }
        for target in targets() {
            let measured = scene.probe(&kind, 0, None, target, TIMEOUT);
            assert!(measured.outcome.rtt().is_some(), "range {range}, {target}: {measured:?}");
        }
    }
}
