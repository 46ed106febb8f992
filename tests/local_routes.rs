//! The router's own routes under a running agent: what they keep, what they allow, and where they lead an uplink.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a step that fails is a failed test")]

use std::{
    net::IpAddr,
    process::ExitCode,
    thread::sleep,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use libtest_mimic::{Arguments, Failed, Trial};
use peerward_lab::{Agent, AgentSettings, Branch, ClientFlow, LabError, MICROSOFT_IPV4, OPS_IPV4, Route};

const BINARY: &str = env!("CARGO_BIN_EXE_peerward");
const MS: Duration = Duration::from_millis(1);

fn main() -> Result<ExitCode, LabError> {
    peerward_lab::enter()?;
    let trials = vec![
        Trial::test("a_tunnels_route_keeps_its_prefix_and_gives_it_back_when_it_goes", tunnel),
        Trial::test("a_tunnel_without_carrier_still_keeps_its_prefix", dead_tunnel),
        Trial::test("a_null_route_stays_in_charge", null_route),
        Trial::test("an_uplink_that_needs_routes_is_used_while_the_isp_announces_them", require_route),
        Trial::test("a_new_gateway_is_followed", new_gateway),
        Trial::test("an_uplink_is_followed_to_its_new_name_and_back", renamed),
    ];
    Ok(libtest_mimic::run(&Arguments::from_args(), trials).exit_code())
}

struct Scene {
    branch: Branch,
    agent: Agent,
    flow: ClientFlow,
}

impl Scene {
    fn set(settings: &AgentSettings) -> Result<Self, Failed> {
        let branch = Branch::builder().build()?;
        let mut agent = Agent::with_binary(&branch, BINARY.into(), settings)?;
        agent.start()?;
        let flow = ClientFlow::udp(branch.client(), MICROSOFT_IPV4, 5 * MS)?;
        Ok(Self { branch, agent, flow })
    }

    fn settled() -> Result<Self, Failed> {
        let mut scene = Self::set(&AgentSettings::default())?;
        scene.wait("Microsoft leaves by wan0", |scene| scene.leaves_by() == Some(0))?;
        Ok(scene)
    }

    fn leaves_by(&self) -> Option<usize> {
        self.branch.way_now(MICROSOFT_IPV4)
    }

    fn explain(&self, address: &str) -> serde_json::Value {
        self.agent.ask("explain", &[address]).unwrap_or_default()
    }

    fn wait(&mut self, what: &str, condition: impl Fn(&Self) -> bool) -> Result<Duration, Failed> {
        let began = Instant::now();
        while !condition(self) {
            self.agent.check_running()?;
            if began.elapsed() > Duration::from_secs(30) {
                let status = self.agent.status().map_or_else(|error| error.to_string(), |it| format!("{it:#}"));
                return Err(format!("not within 30 s: {what}\n{status}\n{}", self.agent.log_tail()).into());
            }
            sleep(2 * MS);
        }
        Ok(began.elapsed())
    }
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// Somebody else's way to a prefix: by the management network, which is no uplink.
fn tunnel_route(prefix: &str) -> Route {
    Route::to(net(prefix), "mgmt0").via(OPS_IPV4).metric(20)
}

fn tunnel() -> Result<(), Failed> {
    let mut scene = Scene::settled()?;
    let router = scene.branch.router();
    router.add_route(&tunnel_route("13.107.6.152/32"))?;
    let taken = scene.wait("the tunnel is in charge", |scene| scene.leaves_by().is_none())?;
    eprintln!("given up after {} ms", taken.as_millis());
    let told = scene.explain("13.107.6.152");
    assert!(told["kept"]["why"].as_str().unwrap().contains("mgmt0"), "{told:#}");
    assert_eq!(told["kernel_lookup"]["interface"], "mgmt0", "{told:#}");
    let beside = scene.explain("13.107.6.153");
    assert_eq!(beside["kernel_lookup"]["uplink"], "wan0", "not one address more: {beside:#}");
    let routes = scene.agent.ask("routes", &[])?;
    let kept = routes["classes"].as_array().unwrap().iter().filter(|class| class["kept"] == 1).count();
    assert_eq!(kept, 1, "{routes:#}");

    scene.branch.router().delete_route(&tunnel_route("13.107.6.152/32"))?;
    let back = scene.wait("Microsoft is steered again", |scene| scene.leaves_by() == Some(0))?;
    eprintln!("taken back after {} ms", back.as_millis());
    Ok(())
}

/// The kernel goes on sending into it: what is meant for the tunnel must not leak to an ISP.
fn dead_tunnel() -> Result<(), Failed> {
    let mut scene = Scene::settled()?;
    let router = scene.branch.router();
    router.add_route(&tunnel_route("13.107.6.152/32"))?;
    scene.wait("the tunnel is in charge", |scene| scene.leaves_by().is_none())?;
    scene.branch.ops().link("eth0").down()?;
    scene.wait("the carrier is seen to be lost", |scene| {
        let state = scene.branch.router().link("mgmt0").state();
        state.is_ok_and(|state| state.is_some_and(|state| !state.running))
    })?;
    let until = Instant::now() + Duration::from_secs(1);
    while Instant::now() < until {
        assert_eq!(scene.leaves_by(), None, "leaked");
        sleep(5 * MS);
    }
    assert!(scene.explain("13.107.6.152")["kept"]["why"].as_str().unwrap().contains("mgmt0"));
    Ok(())
}

fn null_route() -> Result<(), Failed> {
    let mut scene = Scene::settled()?;
    scene.branch.router().add_route(&Route::to(net("13.107.6.0/24"), "lo").blackhole())?;
    scene.wait("the packets are dropped, as the owner wants it", |scene| scene.leaves_by().is_none())?;
    assert!(scene.explain("13.107.6.152")["kept"]["why"].as_str().unwrap().contains("blackhole"));
    Ok(())
}

fn require_route() -> Result<(), Failed> {
    let settings = AgentSettings { uplink_more: vec!["require_route = true".to_owned()], ..AgentSettings::default() };
    let mut scene = Scene::set(&settings)?;
    scene.wait("the first ISP announces nothing, the second is used", |scene| scene.leaves_by() == Some(1))?;
    let announced = |half: &str| Route::to(net(half), "wan0").via("203.0.113.1".parse().unwrap());
    for half in ["0.0.0.0/1", "128.0.0.0/1"] {
        scene.branch.router().add_route(&announced(half))?;
        // The rest of the internet shall not follow.
    }
    scene.wait("announced: the preferred ISP is used", |scene| {
        scene.explain("13.107.6.152")["class"]["in_kernel"] == "wan0"
    })?;
    scene.branch.router().delete_route(&announced("0.0.0.0/1"))?;
    let left = scene.wait("withdrawn: left at once", |scene| scene.leaves_by() == Some(1))?;
    eprintln!("left {} ms after the withdrawal", left.as_millis());
    Ok(())
}

/// The gateway moves to another address, as when a DHCP lease is renewed from another router.
fn new_gateway() -> Result<(), Failed> {
    let mut scene = Scene::settled()?;
    let (old, new): (IpAddr, IpAddr) = ("203.0.113.1".parse().unwrap(), "203.0.113.201".parse().unwrap());
    let access = scene.branch.isp(0).link("access0");
    access.add_address(net("203.0.113.201/30"))?;
    let router = scene.branch.router();
    router.link("wan0").add_address(net("203.0.113.202/30"))?;
    let default = |gateway| Route::to(net("0.0.0.0/0"), "wan0").via(gateway);
    router.add_route(&default(new).metric(50))?;
    router.delete_route(&default(old).metric(200))?;
    let by_new = |scene: &Scene| scene.explain("13.107.6.152")["kernel_lookup"]["gateway"] == "203.0.113.201";
    let followed = scene.wait("the new gateway is used", by_new)?;
    eprintln!("followed after {} ms", followed.as_millis());
    scene.wait("packets leave by it", |scene| scene.leaves_by() == Some(0))?;
    scene.flow.mark();
    sleep(300 * MS);
    assert_eq!(scene.flow.settled_since_mark().lost, 0);
    Ok(())
}

fn renamed() -> Result<(), Failed> {
    let mut scene = Scene::settled()?;
    let wan = scene.branch.uplink(0);
    wan.down()?;
    let away = wan.rename("was-wan0")?;
    away.up()?;
    scene.wait("another name is another interface", |scene| scene.leaves_by() == Some(1))?;
    away.down()?;
    away.rename("wan0")?.up()?;
    scene.branch.add_default_routes(0)?;
    scene.wait("it is back under its name", |scene| scene.leaves_by() == Some(0))?;
    Ok(())
}
