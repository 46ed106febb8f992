//! A router with two uplinks and a client network, and what is put on it.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use peerward::{
    config::{Kernel, Mode},
    domain::{Family, IfIndex, Interest, NextHop, RouterState},
    kernel::{Doubt, FibSocket, Lookup, watch_router},
    plan::{Change, Fib, Group, NextHopId, Rule, Selector, Via, difference},
};
use peerward_lab::{LOCAL, Namespace, Route, veth};
use tokio::{sync::watch, time::timeout};

/// Far beyond what anything here takes, because the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const MICROSOFT_V4: &str = "13.107.6.152";
pub const MICROSOFT_V6: &str = "2620:1ec:c11::152";
pub const CLIENT_V4: &str = "192.168.7.50";
pub const CLIENT_V6: &str = "2001:db8:7::50";

/// How the agent is configured.
pub fn ours() -> Kernel {
    Kernel { mode: Mode::Enforce, nexthop_base: 7_700_000, ..Kernel::default() }
}

/// Another program that works in the same tables, under its own protocol number.
pub fn theirs() -> Kernel {
    Kernel { protocol: 99, nexthop_base: 9_900_000, ..ours() }
}

/// `router` with `wan0` and `wan1`, each to an ISP, and `lan0` to a client.
pub struct Scene {
    pub router: Namespace,
    pub isps: [Namespace; 2],
    pub client: Namespace,
}

impl Scene {
    /// Packets that the router sent by an interface so far.
    pub fn sent_by(&self, interface: &str) -> u64 {
        // Column 10 after the name, "packets" of "Transmit".
        let table = self.router.run(|| std::fs::read_to_string("/proc/thread-self/net/dev").unwrap());
        let row = table.lines().find_map(|line| line.trim().strip_prefix(&format!("{interface}:"))).unwrap();
        row.split_whitespace().nth(9).unwrap().parse().unwrap()
    }

    pub fn new() -> Self {
        let router = Namespace::new("router").unwrap();
        router.sysctl("net/ipv4/ip_forward", "1").unwrap();
        router.sysctl_for_all("ipv6", "forwarding", "1").unwrap();
        // Link-local addresses, and the routes that come with them, are there as soon as the cable is.
        router.sysctl_for_all("ipv6", "accept_dad", "0").unwrap();
        let isps = [Namespace::new("isp0").unwrap(), Namespace::new("isp1").unwrap()];
        for (number, isp) in isps.iter().enumerate() {
            cable(&router, &format!("wan{number}"), isp, &[format!("10.0.{number}"), format!("2001:db8:{number}:")]);
            for (default, gateway) in ["0.0.0.0/0", "::/0"].into_iter().zip(gateways(number)) {
                let metric = 100 + u32::try_from(number).unwrap();
                let route = Route::to(net(default), &format!("wan{number}")).via(gateway).metric(metric);
                router.add_route(&route).unwrap();
            }
        }
        let client = Namespace::new("client").unwrap();
        cable(&router, "lan0", &client, &["192.168.7".to_owned(), "2001:db8:7:".to_owned()]);
        wait_for_link_local_addresses(&router);
        Self { router, isps, client }
    }

    /// Runs a conversation with the kernel of the router.
    pub fn on_router<T: Send>(&self, conversation: impl AsyncFnOnce() -> T + Send) -> T {
        on(&self.router, conversation)
    }

    /// Index of an interface of the router.
    pub fn index(&self, interface: &str) -> IfIndex {
        IfIndex(self.router.link(interface).state().unwrap().expect(interface).index)
    }

    pub fn next_hop(&self, uplink: usize, family: Family) -> NextHop {
        let [v4, v6] = gateways(uplink);
        let gateway = Some(if family == Family::Ipv4 { v4 } else { v6 });
        NextHop { index: self.index(&format!("wan{uplink}")), gateway }
    }

    /// The Microsoft prefixes by `primary`, with `backup` behind it, as the agent would have it.
    pub fn fib(&self, primary: usize, backup: usize) -> Fib {
        let mut fib = Fib::default();
        let own = ours();
        for (family, offset) in [(Family::Ipv4, 0), (Family::Ipv6, 1)] {
            let id = |number| NextHopId(own.nexthop_base + number + offset);
            for (uplink, number) in [(0, 0), (1, 2)] {
                fib.next_hops.insert(id(number), self.next_hop(uplink, family));
            }
            let member = |uplink: usize| Group::of_one(id(if uplink == 0 { 0 } else { 2 }));
            fib.groups.insert(id(100), member(primary));
            fib.groups.insert(id(102), member(backup));
            for prefix in prefixes(family) {
                fib.routes.insert((own.table, prefix), Via::Group(id(100)));
                fib.routes.insert((own.backup_table, prefix), Via::Group(id(102)));
            }
            let default = net(if family == Family::Ipv4 { "0.0.0.0/0" } else { "::/0" });
            fib.routes.insert((own.probe_table, default), Via::NextHop(self.next_hop(0, family)));
            fib.rules.extend(rules(family, &own));
        }
        fib
    }

    /// Where the kernel forwards a packet of the client to.
    pub async fn forwarded(&self, socket: &mut FibSocket, destination: &str) -> Lookup {
        let destination: IpAddr = destination.parse().unwrap();
        let client = if destination.is_ipv4() { CLIENT_V4 } else { CLIENT_V6 };
        socket.lookup(destination, Some((self.index("lan0"), client.parse().unwrap()))).await.unwrap()
    }
}

/// The three of the interfaces; the kernel sets them when it notices the carrier.
fn wait_for_link_local_addresses(router: &Namespace) {
    let deadline = Instant::now() + PATIENCE;
    let are_there = || {
        let own = router.routes(LOCAL).unwrap();
        // One of each interface, and one for any router on each link (RFC 4291, subnet-router anycast).
        own.iter().filter(|row| net("fe80::/10").contains(&row.destination)).count() >= 6
    };
    while !are_there() {
        assert!(Instant::now() < deadline, "no link-local addresses");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn cable(router: &Namespace, interface: &str, other: &Namespace, networks: &[String; 2]) {
    let (near, far) = (router.link(interface), other.link("port"));
    veth(&near, &far).unwrap();
    for (network, separator, length) in [(&networks[0], ".", 24), (&networks[1], ":", 64)] {
        for (link, host) in [(&near, "2"), (&far, "1")] {
            let address = format!("{network}{separator}{host}/{length}");
            link.add_address(net(&address)).unwrap();
        }
    }
    near.up().unwrap();
    far.up().unwrap();
}

fn rules(family: Family, own: &Kernel) -> BTreeSet<Rule> {
    let source = if family == Family::Ipv4 { "10.0.0.2" } else { "2001:db8:0::2" };
    let clients = net(if family == Family::Ipv4 { "192.168.128.0/17" } else { "2001:db8:80::/41" });
    [
        (own.probe_rule_preference, Selector::OwnUnlessDefault, 254),
        (own.probe_rule_preference + 1, Selector::OutputInterface("wan0".to_owned()), own.probe_table),
        (own.probe_rule_preference + 1, Selector::Source(source.parse().unwrap()), own.probe_table),
        (own.probe_rule_preference + 2, Selector::From(clients), own.probe_table + 1),
        (own.rule_preference, Selector::Forwarded, own.table),
        (own.backup_rule_preference, Selector::Forwarded, own.backup_table),
    ]
    .into_iter()
    .map(|(preference, selector, table)| Rule { family, preference, selector, table })
    .collect()
}

pub fn gateways(uplink: usize) -> [IpAddr; 2] {
    [format!("10.0.{uplink}.1"), format!("2001:db8:{uplink}::1")].map(|address| address.parse().unwrap())
}

pub fn prefixes(family: Family) -> [IpNet; 2] {
    match family {
        Family::Ipv4 => [net("13.107.6.0/24"), net("52.112.0.0/14")],
        Family::Ipv6 => [net("2620:1ec:c11::/48"), net("2603:1000::/25")],
    }
}

pub fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// Runs a conversation with the kernel of a namespace.
pub fn on<T: Send>(namespace: &Namespace, conversation: impl AsyncFnOnce() -> T + Send) -> T {
    namespace.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(conversation())
    })
}

/// Leads the kernel from what it holds to `desired`; nothing may be refused.
pub async fn install(socket: &mut FibSocket, desired: &Fib) {
    let observed = socket.read().await.unwrap();
    let changes = difference(desired, &observed);
    apply(socket, &changes).await;
}

/// Applies changes of which none may be refused.
pub async fn apply(socket: &mut FibSocket, changes: &[Change]) {
    let applied = socket.apply(changes).await;
    assert_eq!((applied.refused, applied.done + applied.already), (0, changes.len()), "{applied:?}");
}

/// What of the router's routes can matter to the agent.
pub fn interest() -> Arc<Interest> {
    let destinations = Family::BOTH.into_iter().flat_map(prefixes).collect();
    Arc::new(Interest { destinations, interfaces: vec!["wan0".to_owned(), "wan1".to_owned()] })
}

/// The picture of the router as the agent would follow it.
pub struct Watching {
    pub state: watch::Receiver<Arc<RouterState>>,
    pub doubt: watch::Receiver<Doubt>,
}

impl Watching {
    /// Starts to follow the picture on this runtime.
    pub fn start() -> Self {
        let (state_in, state) = watch::channel(Arc::default());
        let (doubt_in, doubt) = watch::channel(Doubt::default());
        tokio::spawn(async move { watch_router(ours(), interest(), state_in, doubt_in).await.unwrap() });
        Self { state, doubt }
    }

    /// Waits until the picture satisfies `right`, and returns it.
    pub async fn until(&mut self, what: &str, right: impl Fn(&RouterState) -> bool) -> Arc<RouterState> {
        let seen = timeout(PATIENCE, self.state.wait_for(|state| right(state))).await;
        let seen = seen.map(|state| Arc::clone(&state.unwrap()));
        seen.unwrap_or_else(|_| panic!("never seen: {what}; last seen: {:#?}", self.state.borrow()))
    }

    /// Waits until the counters satisfy `right`.
    pub async fn until_doubt(&mut self, what: &str, right: impl Fn(&Doubt) -> bool) -> Doubt {
        let seen = timeout(PATIENCE, self.doubt.wait_for(|doubt| right(doubt))).await.map(|doubt| *doubt.unwrap());
        seen.unwrap_or_else(|_| panic!("never seen: {what}; last seen: {:?}", self.doubt.borrow()))
    }
}
