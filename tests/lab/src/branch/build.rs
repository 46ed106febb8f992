//! How the box is put together.

use std::{
    fs::File,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use ipnet::IpNet;

use super::{
    Branch, CLIENT_IPV4, CLIENT_IPV6, OPS_IPV4,
    addresses::{
        GATEWAY_IPV6, LAN_ROUTER_IPV4, LAN_ROUTER_IPV6, OPS_ROUTER_IPV4, access, access_ipv4, access_ipv6,
        default_ipv4, default_ipv6, delegated_ipv6, lan, net,
    },
};
use crate::{
    Fabric, LabError, Link, Namespace, PathProfile, Route,
    edge::{Edge, Zone},
    fabric::{Ports, Settings},
    portal,
    route::LOCAL,
    tun, veth,
};

/// An ISP's interface towards the branch.
pub(super) const ACCESS: &str = "access0";
/// An ISP's and the edge's interface towards the fabric.
const FABRIC: &str = "fabric0";

/// Behind every other route to the same prefix.
const WORST_METRIC: u32 = 4096;

/// Round trips through the fabric before anybody turns a knob.
const BASE_RTT: Duration = Duration::from_millis(8);

/// Choices for a [`Branch`].
#[derive(Debug, Clone, Copy)]
pub struct BranchBuilder {
    isps: usize,
    rp_filter: u8,
    seed: u64,
    precise: bool,
}

impl Default for BranchBuilder {
    fn default() -> Self {
        Self { isps: 2, rp_filter: 0, seed: 0x7077, precise: false }
    }
}

impl BranchBuilder {
    /// Number of ISPs, 1 to 8.
    #[must_use]
    pub fn isps(self, isps: usize) -> Self {
        Self { isps: isps.clamp(1, 8), ..self }
    }

    /// `rp_filter` of the branch router: 0 off, 1 strict, 2 loose.
    #[must_use]
    pub fn rp_filter(self, rp_filter: u8) -> Self {
        Self { rp_filter, ..self }
    }

    /// Seed of the emulator's losses and jitter.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Delays within microseconds of what is asked for, at the price of a busy core while packets are under way: for
    /// benchmarks. Without it a packet may come some 0.2 ms late.
    #[must_use]
    pub fn precise(self) -> Self {
        Self { precise: true, ..self }
    }

    /// Builds and starts it.
    ///
    /// # Errors
    /// When the kernel refuses a part; names it.
    pub fn build(self) -> Result<Branch, LabError> {
        let client = Namespace::new("client")?;
        let router = Namespace::new("branch")?;
        let [edge, impostor] = [Namespace::new("edge")?, Namespace::new("portal")?];
        let ops = Namespace::new("ops")?;
        make_router(&router)?;
        router.sysctl_for_all("ipv4", "rp_filter", &self.rp_filter.to_string())?;
        join_lan(&client, &router)?;
        join_ops(&ops, &router)?;
        let isps: Vec<_> = (0..self.isps).map(|isp| Namespace::new(format!("isp{isp}"))).collect::<Result<_, _>>()?;
        let mut at_isps = Vec::new();
        for (isp, namespace) in isps.iter().enumerate() {
            at_isps.push(make_isp(namespace)?);
            plug(&router, namespace, isp)?;
        }
        let ports = Ports { isps: at_isps, edge: make_edge(&edge)?, portal: make_edge(&impostor)? };
        let zone = Arc::new(Zone::default());
        let fabric = Fabric::start(ports, Arc::clone(&zone), Settings { seed: self.seed, precise: self.precise })?;
        for isp in 0..self.isps {
            fabric.isp(isp).set(PathProfile::round_trip(BASE_RTT));
        }
        let portals = portal::start(&impostor, fabric.divert())?;
        let edge = Edge::start(edge, zone)?;
        Ok(Branch { _portals: portals, edge, fabric, client, router, isps, ops })
    }
}

fn make_router(namespace: &Namespace) -> Result<(), LabError> {
    namespace.sysctl("net/ipv4/ip_forward", "1")?;
    namespace.sysctl_for_all("ipv6", "forwarding", "1")
}

/// Makes a veth pair and returns when packets pass it in both directions.
fn join(near: &Link, far: &Link) -> Result<(), LabError> {
    veth(near, far)?;
    near.up()?;
    far.up()?;
    wait_until_running(near)?;
    wait_until_running(far)
}

fn join_lan(client: &Namespace, router: &Namespace) -> Result<(), LabError> {
    let (eth0, lan0) = (client.link("eth0"), router.link("lan0"));
    join(&eth0, &lan0)?;
    lan0.add_address(net(LAN_ROUTER_IPV4, 24))?;
    lan0.add_address(net(LAN_ROUTER_IPV6, 64))?;
    eth0.add_address(net(CLIENT_IPV4, 24))?;
    eth0.add_address(net(CLIENT_IPV6, 64))?;
    client.add_route(&Route::to(default_ipv4(), "eth0").via(LAN_ROUTER_IPV4.into()))?;
    client.add_route(&Route::to(default_ipv6(), "eth0").via(LAN_ROUTER_IPV6.into()))
}

fn join_ops(ops: &Namespace, router: &Namespace) -> Result<(), LabError> {
    let (eth0, mgmt0) = (ops.link("eth0"), router.link("mgmt0"));
    join(&eth0, &mgmt0)?;
    mgmt0.add_address(net(OPS_ROUTER_IPV4, 24))?;
    eth0.add_address(net(OPS_IPV4, 24))
}

/// Prepares an ISP's router, all but its access line.
fn make_isp(namespace: &Namespace) -> Result<File, LabError> {
    make_router(namespace)?;
    // A cut cable is made by setting this end down, which must not cost its IPv6 addresses.
    namespace.sysctl_for_all("ipv6", "keep_addr_on_down", "1")?;
    let file = tun::open(namespace, FABRIC)?;
    namespace.add_route(&Route::to(default_ipv4(), FABRIC))?;
    namespace.add_route(&Route::to(default_ipv6(), FABRIC))?;
    for prefix in lan().into_iter().chain(access()) {
        // While the access line is down, what is on its way to the branch is lost. By the default route it would go
        // back to the edge and reach the branch through another ISP.
        namespace.add_route(&Route::to(prefix, "lo").blackhole().metric(WORST_METRIC))?;
    }
    Ok(file)
}

/// Makes the access line of an ISP and configures both ends.
pub(super) fn plug(router: &Namespace, isp_router: &Namespace, isp: usize) -> Result<(), LabError> {
    let number = number(isp);
    let (wan, access) = (router.link(format!("wan{isp}")), isp_router.link(ACCESS));
    join(&wan, &access)?;
    wan.add_address(net(access_ipv4(number, 2), 30))?;
    wan.add_address(net(access_ipv6(number, 2), 64))?;
    access.add_address(net(access_ipv4(number, 1), 30))?;
    access.add_address(net(access_ipv6(number, 1), 64))?;
    access.add_address(net(GATEWAY_IPV6, 64))?;
    add_isp_routes(isp_router, isp)?;
    add_default_routes(router, isp)
}

/// Sets the ISP's end up again, with what the kernel forgot when it went down.
pub(super) fn mend(isp_router: &Namespace, isp: usize) -> Result<(), LabError> {
    let access = isp_router.link(ACCESS);
    access.up()?;
    // `keep_addr_on_down` does not hold for link-local addresses.
    access.add_address(net(GATEWAY_IPV6, 64))?;
    add_isp_routes(isp_router, isp)
}

/// The ISP's routes to the branch's LAN, and to the networks of other ISPs there: their answers may come by this one.
fn add_isp_routes(isp_router: &Namespace, isp: usize) -> Result<(), LabError> {
    let [lan_ipv4, lan_ipv6] = lan();
    let number = number(isp);
    isp_router.replace_route(&Route::to(lan_ipv4, ACCESS).via(access_ipv4(number, 2).into()))?;
    isp_router.replace_route(&Route::to(lan_ipv6, ACCESS).via(access_ipv6(number, 2).into()))?;
    let [access_ipv4_all, access_ipv6_all] = access();
    isp_router.replace_route(&Route::to(access_ipv4_all, ACCESS).via(access_ipv4(number, 2).into()))?;
    isp_router.replace_route(&Route::to(access_ipv6_all, ACCESS).via(access_ipv6(number, 2).into()))
}

/// The branch's default routes by an uplink. The second ISP has the best metric: what leaves by another was steered.
pub(super) fn add_default_routes(router: &Namespace, isp: usize) -> Result<(), LabError> {
    let number = number(isp);
    let metric = if isp == 1 { 100 } else { 200 + u32::from(number) };
    let wan = format!("wan{isp}");
    router.replace_route(&Route::to(default_ipv4(), &wan).via(access_ipv4(number, 1).into()).metric(metric))?;
    router.replace_route(&Route::to(default_ipv6(), &wan).via(GATEWAY_IPV6.into()).metric(metric))
}

/// Gives the LAN a prefix of an ISP.
pub(super) fn delegate(
    router: &Namespace,
    isp_router: &Namespace,
    client: &Namespace,
    isp: usize,
) -> Result<(IpNet, IpAddr), LabError> {
    let number = number(isp);
    let [at_router, at_client] = [1, 0x10].map(|host| delegated_ipv6(number, host));
    router.link("lan0").add_address(net(at_router, 64))?;
    client.link("eth0").add_address(net(at_client, 64))?;
    let prefix = net(delegated_ipv6(number, 0), 64);
    isp_router.add_route(&Route::to(prefix, ACCESS).via(access_ipv6(number, 2).into()))?;
    Ok((prefix, at_client.into()))
}

/// Sets a default route for packets from the delegated prefix of an ISP alone.
pub(super) fn add_default_route_for_delegated(router: &Namespace, isp: usize) -> Result<(), LabError> {
    let number = number(isp);
    let prefix = net(delegated_ipv6(number, 0), 64);
    let default = Route::to(default_ipv6(), &format!("wan{isp}")).via(GATEWAY_IPV6.into());
    router.add_route(&default.from(prefix).metric(512))
}

/// Prepares the edge: every address is its own (AnyIP), except those of the branch, which lie behind the fabric.
///
/// All of it stands in the local table, because the kernel looks only there for addresses that it may answer from.
fn make_edge(namespace: &Namespace) -> Result<File, LabError> {
    let file = tun::open(namespace, FABRIC)?;
    for prefix in lan().into_iter().chain(access()) {
        namespace.add_route(&Route::to(prefix, FABRIC).table(LOCAL))?;
    }
    namespace.add_route(&Route::to(default_ipv4(), "lo").local())?;
    namespace.add_route(&Route::to(default_ipv6(), "lo").local())?;
    Ok(file)
}

/// The kernel notices a new carrier a moment later (linkwatch) and drops packets until then.
fn wait_until_running(link: &Link) -> Result<(), LabError> {
    let patience = Duration::from_secs(5);
    let deadline = Instant::now() + patience;
    loop {
        let state = link.state()?;
        if state.is_some_and(|state| state.running) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(LabError::Deadline {
                what: format!("{} of {} is operational", link.name(), link.namespace().name()),
                seconds: patience.as_secs_f64(),
                last: format!("{state:?}"),
            });
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the builder bounds the number of ISPs to 8")]
pub(super) fn number(isp: usize) -> u8 {
    isp as u8
}
