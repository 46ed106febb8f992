//! A router with two uplinks, each to an ISP of its own. Both ISPs own the same targets, so that who was asked tells the
//! way that was taken. The router's own default route points to ISP 0 in both families.

use std::{
    cell::RefCell,
    fs, iter,
    net::{IpAddr, SocketAddr, TcpListener},
    thread,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use peerward_lab::{Namespace, Route, veth};

use crate::prober::PATIENCE;

pub const SERVICE_V4: &str = "203.0.113.1:443";
pub const SERVICE_V6: &str = "[2001:db8:cafe::1]:443";
/// Owned by the ISPs, but nobody listens.
pub const CLOSED: &str = "203.0.113.1:444";
/// The ISPs forward packets to it to nobody.
pub const BLACK_HOLE: &str = "203.0.113.66:443";
/// The ISPs look for it in vain for a moment, and say so. Not at once: an error that comes back within the `connect`
/// call itself, as only this scene can do it, is lost on the socket's own lock.
pub const NOWHERE: &str = "203.0.113.99:443";

/// The scene: `router` with `wan0` and `wan1`, and an ISP behind each.
pub struct Branch {
    pub router: Namespace,
    pub isps: [Isp; 2],
}

impl Branch {
    pub fn new() -> Self {
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
}

/// An ISP that answers for the service itself and tells who called.
pub struct Isp {
    pub namespace: Namespace,
    listeners: [TcpListener; 2],
    callers: RefCell<Vec<IpAddr>>,
}

impl Isp {
    pub fn new(name: &str) -> Self {
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
    pub fn callers(&self) -> Vec<IpAddr> {
        let mut callers = self.callers.borrow_mut();
        for listener in &self.listeners {
            callers.extend(iter::from_fn(|| Some(listener.accept().ok()?.1.ip())));
        }
        callers.clone()
    }

    /// The same, once they satisfy `enough`: on a busy machine the caller can be done before the called.
    pub fn callers_once(&self, enough: impl Fn(&[IpAddr]) -> bool) -> Vec<IpAddr> {
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
pub fn addresses(uplink: usize) -> [IpAddr; 2] {
    [format!("10.0.{uplink}.2"), format!("2001:db8:{uplink}::2")].map(|address| address.parse().unwrap())
}

/// Addresses of the ISP on uplink `uplink`.
fn gateways(uplink: usize) -> [IpAddr; 2] {
    [format!("10.0.{uplink}.1"), format!("2001:db8:{uplink}::1")].map(|address| address.parse().unwrap())
}

pub fn net(address: IpAddr) -> IpNet {
    IpNet::new(address, if address.is_ipv4() { 24 } else { 64 }).unwrap()
}

/// A cable from the router's `interface` to the ISP's `lan`, with addresses, and the targets that do not answer.
pub fn connect(router: &Namespace, interface: &str, isp: &Namespace, uplink: usize) {
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
pub fn add_defaults(router: &Namespace, interface: &str, uplink: usize) {
    for (default, gateway) in ["0.0.0.0/0", "::/0"].into_iter().zip(gateways(uplink)) {
        let metric = 100 + u32::try_from(uplink).unwrap();
        let route = Route::to(default.parse().unwrap(), interface).via(gateway).metric(metric);
        router.add_route(&route).unwrap();
    }
}

/// Connections in `TIME_WAIT` (state 6, linux/tcp_states.h).
pub fn time_waits(namespace: &Namespace) -> usize {
    let table = namespace.run(|| fs::read_to_string("/proc/thread-self/net/tcp")).unwrap();
    table.lines().filter(|line| line.split_whitespace().nth(3) == Some("06")).count()
}
