//! Probes through real interfaces: a router with two uplinks, each to an ISP of its own, and both ISPs own the same
//! targets, so that who was asked tells the way that was taken.
//!
//! The router's own default route points to ISP 0 in both families. Reverse path filters are off: the probe tables
//! that satisfy strict ones are the planner's, and are tested with it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a step that fails is a failed test"
)]

use std::{
    cell::RefCell,
    fs, iter,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use libtest_mimic::{Arguments, Failed, Trial};
use peerward::{
    domain::{ClassId, ProbeFailure, ProbeOutcome, ProbeSample, UplinkId},
    probe::{self, ProbePath, ProbeSettings},
};
use peerward_lab::{Namespace, Route, veth};
use tokio::sync::{mpsc, watch};

/// Long enough for the slowest machine; nothing waits for its end when all is well.
const PATIENCE: Duration = Duration::from_secs(30);
const SETTINGS: ProbeSettings =
    ProbeSettings { interval: Duration::from_millis(50), timeout: Duration::from_millis(700) };

const SERVICE_V4: &str = "203.0.113.1:443";
const SERVICE_V6: &str = "[2001:db8:cafe::1]:443";
/// Owned by the ISPs, but nobody listens.
const CLOSED: &str = "203.0.113.1:444";
/// The ISPs forward packets to it to nobody.
const BLACK_HOLE: &str = "203.0.113.66:443";
/// The ISPs look for it in vain for a moment, and say so. Not at once: an error that comes back within the `connect`
/// call itself, as only this scene can do it, is lost on the socket's own lock.
const NOWHERE: &str = "203.0.113.99:443";

fn main() {
    let arguments = Arguments::from_args();
    let entered = peerward_lab::enter().map_err(|error| error.to_string());
    let trial = |name: &str, test: fn()| {
        let entered = entered.clone();
        Trial::test(name, move || entered.map(|()| test()).map_err(Failed::from))
    };
    let trials = vec![
        trial("each_probe_leaves_by_its_uplink_whatever_the_main_table_prefers", by_its_uplink),
        trial("a_probe_comes_from_the_source_address_that_it_was_given", from_its_source),
        trial("outcomes_tell_refused_lost_and_unreachable_apart", outcomes),
        trial("without_a_route_by_the_interface_nothing_gets_through", without_a_route),
        trial("a_cut_carrier_is_seen_as_loss_and_its_return_as_answers", carrier),
        trial("a_missing_interface_is_not_sent_and_is_probed_once_it_appears", missing_interface),
        trial("no_more_probes_arrive_than_configured_and_they_leave_no_time_wait", rate),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

fn by_its_uplink() {
    let branch = Branch::new();
    branch.router.run(|| TcpStream::connect(SERVICE_V4).expect("the main table leads to ISP 0"));
    branch.isps[0].callers_once(|callers| callers.len() == 1);

    let list = [SERVICE_V4, SERVICE_V6].into_iter().flat_map(|target| [path(0, target), path(1, target)]);
    let samples = branch.probe(list.collect(), |samples| samples.len() >= 40);

    for sample in &samples {
        let ProbeOutcome::Answered(rtt) = sample.outcome else { panic!("{sample:?}") };
        assert!(rtt < SETTINGS.timeout, "{sample:?}");
    }
    for (uplink, isp) in branch.isps.iter().enumerate() {
        let callers =
            isp.callers_once(|callers| callers.iter().any(IpAddr::is_ipv4) && callers.iter().any(IpAddr::is_ipv6));
        assert!(callers.iter().all(|caller| addresses(uplink).contains(caller)), "ISP {uplink}: {callers:?}");
    }
}

fn from_its_source() {
    let branch = Branch::new();
    for (second, target) in [("10.0.1.77", SERVICE_V4), ("2001:db8:1::77", SERVICE_V6)] {
        let second: IpAddr = second.parse().unwrap();
        branch.router.link("wan1").add_address(net(second)).unwrap();
        let list = vec![ProbePath { source: Some(second), ..path(1, target) }];
        branch.probe(list, |samples| samples.iter().filter(|sample| answered(sample)).count() >= 3);
        let callers = branch.isps[1].callers_once(|callers| callers.contains(&second));
        assert!(!callers.iter().any(|caller| addresses(1).contains(caller)), "{callers:?}");
    }
}

fn outcomes() {
    let branch = Branch::new();
    let expected =
        [(CLOSED, ProbeFailure::Refused), (BLACK_HOLE, ProbeFailure::Timeout), (NOWHERE, ProbeFailure::Unreachable)];
    for (target, failure) in expected {
        let samples = branch.probe(vec![path(1, target)], |samples| samples.len() >= 3);
        for sample in samples {
            assert_eq!(sample.outcome, ProbeOutcome::Failed(failure), "{target}");
        }
    }
}

fn without_a_route() {
    let branch = Branch::new();
    let stub = Namespace::new("stub").unwrap();
    connect(&branch.router, "wan2", &stub, 2);
    let samples = branch.probe(vec![path(2, SERVICE_V4), path(2, SERVICE_V6)], |samples| {
        [true, false].iter().all(|v4| samples.iter().filter(|sample| sample.target.is_ipv4() == *v4).count() >= 2)
    });
    for sample in samples {
        // IPv4 believes an interface that it is told and asks for the target on the link; IPv6 has no way at all.
        let failure = if sample.target.is_ipv4() { ProbeFailure::Timeout } else { ProbeFailure::NotSent };
        assert_eq!(sample.outcome, ProbeOutcome::Failed(failure), "{sample:?}");
    }
}

fn carrier() {
    let branch = Branch::new();
    let far_end = branch.isps[1].namespace.link("lan");
    far_end.down().unwrap();
    let samples = branch.probe(vec![path(1, SERVICE_V4)], |samples| samples.len() >= 3);
    assert!(!samples.iter().any(answered), "{samples:?}");
    far_end.up().unwrap();
    branch.probe(vec![path(1, SERVICE_V4)], |samples| samples.iter().filter(|sample| answered(sample)).count() >= 3);
}

fn missing_interface() {
    let branch = Branch::new();
    let isp = Isp::new("late");
    let mut connected = false;
    let samples = branch.probe(vec![path(2, SERVICE_V4)], |samples| {
        if samples.len() == 5 && !connected {
            connected = true;
            connect(&branch.router, "wan2", &isp.namespace, 2);
            add_defaults(&branch.router, "wan2", 2);
        }
        samples.last().is_some_and(answered)
    });
    assert!(samples.iter().take(5).all(|sample| sample.outcome == ProbeOutcome::Failed(ProbeFailure::NotSent)));
    isp.callers_once(|callers| !callers.is_empty());
}

fn rate() {
    let branch = Branch::new();
    let started = Instant::now();
    let seconds = Duration::from_secs(3);
    branch.probe(vec![path(1, SERVICE_V4)], |_| started.elapsed() >= seconds);
    let slots = started.elapsed().div_duration_f64(SETTINGS.interval) + 1.0;
    let arrived = branch.isps[1].callers().len();
    assert!(arrived as f64 <= slots, "{arrived} in {slots} slots");
    assert!(arrived as f64 >= slots / 3.0, "{arrived} in {slots} slots");
    for namespace in [&branch.router, &branch.isps[1].namespace] {
        assert_eq!(time_waits(namespace), 0, "in {}", namespace.name());
    }
}

/// The scene: `router` with `wan0` and `wan1`, and an ISP behind each.
struct Branch {
    router: Namespace,
    isps: [Isp; 2],
}

impl Branch {
    fn new() -> Self {
        let router = Namespace::new("router").unwrap();
        router.sysctl("net/ipv4/conf/all/rp_filter", "0").unwrap();
        router.sysctl("net/ipv4/conf/default/rp_filter", "0").unwrap();
        let isps = [Isp::new("isp0"), Isp::new("isp1")];
        for (uplink, isp) in isps.iter().enumerate() {
            let interface = format!("wan{uplink}");
            connect(&router, &interface, &isp.namespace, uplink);
            add_defaults(&router, &interface, uplink);
        }
        Self { router, isps }
    }

    /// Probes from the router until `enough` is satisfied with the samples so far.
    fn probe(&self, list: Vec<ProbePath>, mut enough: impl FnMut(&[ProbeSample]) -> bool + Send) -> Vec<ProbeSample> {
        self.router.run(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (_paths, list) = watch::channel(Arc::from(list));
                let (sender, mut receiver) = mpsc::channel(16);
                tokio::spawn(probe::run(SETTINGS, list, sender));
                let mut samples = Vec::new();
                let deadline = Instant::now() + PATIENCE;
                while !enough(&samples) {
                    assert!(Instant::now() < deadline, "no end, last was {:?}", samples.last());
                    let next = tokio::time::timeout(PATIENCE, receiver.recv()).await;
                    samples.push(next.expect("no sample").expect("the task ended"));
                }
                samples
            })
        })
    }
}

/// An ISP that answers for the service itself and tells who called.
struct Isp {
    namespace: Namespace,
    listeners: [TcpListener; 2],
    callers: RefCell<Vec<IpAddr>>,
}

impl Isp {
    fn new(name: &str) -> Self {
        let namespace = Namespace::new(name).unwrap();
        namespace.sysctl("net/ipv4/ip_forward", "1").unwrap();
        let listeners = [SERVICE_V4, SERVICE_V6].map(|service| {
            let service: SocketAddr = service.parse().unwrap();
            namespace.link("lo").add_address(service.ip().into()).unwrap();
            let listener = namespace.run(|| TcpListener::bind(service)).unwrap();
            listener.set_nonblocking(true).unwrap();
            listener
        });
        Self { namespace, listeners, callers: RefCell::default() }
    }

    /// Addresses that called so far.
    fn callers(&self) -> Vec<IpAddr> {
        let mut callers = self.callers.borrow_mut();
        for listener in &self.listeners {
            callers.extend(iter::from_fn(|| Some(listener.accept().ok()?.1.ip())));
        }
        callers.clone()
    }

    /// The same, once they satisfy `enough`: on a busy machine the caller can be done before the called.
    fn callers_once(&self, enough: impl Fn(&[IpAddr]) -> bool) -> Vec<IpAddr> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let callers = self.callers();
            if enough(&callers) {
                return callers;
            }
            assert!(Instant::now() < deadline, "not enough calls: {callers:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Addresses of the router on uplink `uplink`.
fn addresses(uplink: usize) -> [IpAddr; 2] {
    [format!("10.0.{uplink}.2"), format!("2001:db8:{uplink}::2")].map(|address| address.parse().unwrap())
}

/// Addresses of the ISP on uplink `uplink`.
fn gateways(uplink: usize) -> [IpAddr; 2] {
    [format!("10.0.{uplink}.1"), format!("2001:db8:{uplink}::1")].map(|address| address.parse().unwrap())
}

fn net(address: IpAddr) -> IpNet {
    IpNet::new(address, if address.is_ipv4() { 24 } else { 64 }).unwrap()
}

/// A cable from the router's `interface` to the ISP's `lan`, with addresses, and the targets that do not answer.
fn connect(router: &Namespace, interface: &str, isp: &Namespace, uplink: usize) {
    let (near, far) = (router.link(interface), isp.link("lan"));
    veth(&near, &far).unwrap();
    for (router, gateway) in addresses(uplink).into_iter().zip(gateways(uplink)) {
        near.add_address(net(router)).unwrap();
        far.add_address(net(gateway)).unwrap();
    }
    near.up().unwrap();
    far.up().unwrap();
    let [black_hole, nowhere] = [BLACK_HOLE, NOWHERE].map(|target| target.parse::<SocketAddr>().unwrap().ip());
    isp.add_route(&Route::to(black_hole.into(), "lan")).unwrap();
    far.add_neighbour(black_hole, [2, 0, 0, 0, 0, 66]).unwrap();
    isp.add_route(&Route::to(nowhere.into(), "lan")).unwrap();
    for (key, value) in [
        ("neigh/lan/mcast_solicit", "1"),
        ("neigh/lan/retrans_time_ms", "50"),
        ("conf/all/send_redirects", "0"),
        ("conf/lan/send_redirects", "0"),
        ("icmp_ratelimit", "0"),
    ] {
        isp.sysctl(&format!("net/ipv4/{key}"), value).unwrap();
    }
}

/// Default routes of both families by `interface`, the worse the higher the number of the uplink.
fn add_defaults(router: &Namespace, interface: &str, uplink: usize) {
    for (default, gateway) in ["0.0.0.0/0", "::/0"].into_iter().zip(gateways(uplink)) {
        let metric = 100 + u32::try_from(uplink).unwrap();
        let route = Route::to(default.parse().unwrap(), interface).via(gateway).metric(metric);
        router.add_route(&route).unwrap();
    }
}

fn path(uplink: u16, target: &str) -> ProbePath {
    ProbePath {
        uplink: UplinkId(uplink),
        class: ClassId::new(target),
        interface: format!("wan{uplink}"),
        source: None,
        targets: [target.parse().unwrap()].into(),
    }
}

fn answered(sample: &ProbeSample) -> bool {
    matches!(sample.outcome, ProbeOutcome::Answered(_))
}

/// Connections in `TIME_WAIT` (state 6, linux/tcp_states.h).
fn time_waits(namespace: &Namespace) -> usize {
    let table = namespace.run(|| fs::read_to_string("/proc/thread-self/net/tcp")).unwrap();
    table.lines().filter(|line| line.split_whitespace().nth(3) == Some("06")).count()
}
