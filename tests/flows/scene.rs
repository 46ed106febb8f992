//! A branch whose router translates addresses, with ISPs that let only their own through; flows of its client, and what
//! the kernel's own tools say of them.

use std::{
    net::IpAddr,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use libtest_mimic::Failed;
use peerward_lab::{
    Agent, AgentSettings, Branch, ClientFlow, INTERNET_IPV4, LabError, MICROSOFT_IPV4, MICROSOFT_IPV6, Namespace,
};
use serde_json::Value;

pub const MS: Duration = Duration::from_millis(1);
/// The preferred ISP; the main table prefers the other.
pub const NORTH: usize = 0;
pub const SOUTH: usize = 1;
/// One that the agent does not prefer, where there are three.
pub const EAST: usize = 2;

/// Far beyond what anything here takes, because the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);
/// A packet older than this says nothing about the way of the next one.
const RECENT: Duration = Duration::from_millis(100);

/// How the router translates.
#[derive(Debug, Clone, Copy)]
pub enum Translation {
    /// To a fixed address per uplink (`snat`): the kernel never looks at an entry again.
    Fixed,
    /// To the address of the interface at that moment (`masquerade`).
    Masquerade,
}

pub struct Scene {
    pub branch: Branch,
    pub agent: Agent,
    /// To Microsoft, IPv4 and IPv6.
    pub flows: Vec<ClientFlow>,
    /// To a host that nobody steers.
    pub internet: ClientFlow,
}

impl Scene {
    /// The agent runs and its preferred ISP carries Microsoft; `kernel` are further keys of its section.
    pub fn settled(translation: Translation, settings: &AgentSettings, kernel: &str) -> Result<Self, Failed> {
        let mut scene = Self::set(translation, settings, kernel)?;
        scene.wait_until_on(NORTH)?;
        Ok(scene)
    }

    /// The client talks already when the agent starts: by the main table, by the other ISP.
    pub fn set(translation: Translation, settings: &AgentSettings, kernel: &str) -> Result<Self, Failed> {
        let branch = Branch::builder().isps(settings.isps.len()).build()?;
        translate(&branch, translation)?;
        let flow = |to| ClientFlow::udp(branch.client(), to, 5 * MS);
        let flows = vec![flow(MICROSOFT_IPV4)?, flow(MICROSOFT_IPV6)?];
        let internet = flow(INTERNET_IPV4)?;
        let agent = Agent::with_binary(&branch, env!("CARGO_BIN_EXE_peerward").into(), settings)?;
        let toml = settings.to_toml(&agent.socket()).replace("[kernel]\n", &format!("[kernel]\n{kernel}\n"));
        agent.write_config(&toml)?;
        let mut scene = Self { branch, agent, flows, internet };
        scene.wait("everything leaves by the other ISP at first", |scene| Ok(scene.are_seen_on(SOUTH)))?;
        scene.agent.start()?;
        Ok(scene)
    }

    pub fn wait(&mut self, what: &str, condition: impl Fn(&Self) -> Result<bool, Failed>) -> Result<(), Failed> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.agent.check_running()?;
            if condition(self)? {
                return Ok(());
            }
            if Instant::now() > deadline {
                let status =
                    self.agent.status().map_or_else(|error| error.to_string(), |status| format!("{status:#}"));
                let table = self.table().unwrap_or_default().join("\n");
                return Err(format!("not within 30 s: {what}\n{status}\n{table}\n{}", self.agent.log_tail()).into());
            }
            sleep(10 * MS);
        }
    }

    /// All of Microsoft is there in the kernel, and the flows leave by that ISP, with its address. To see the packets is not
    /// enough: probes have the same addresses.
    pub fn wait_until_on(&mut self, isp: usize) -> Result<(), Failed> {
        self.wait(&format!("Microsoft leaves by wan{isp} with its address"), |scene| {
            Ok(scene.agent.is_held_on(isp) && scene.are_seen_on(isp))
        })
    }

    pub fn are_seen_on(&self, isp: usize) -> bool {
        self.flows.iter().all(|flow| self.is_seen_on(isp, flow.destination()))
    }

    pub fn is_seen_on(&self, isp: usize, destination: IpAddr) -> bool {
        let seen = self.branch.fabric().seen(address(isp, destination.is_ipv6()), destination);
        seen.is_some_and(|seen| seen.isp == isp && seen.at.elapsed() < RECENT)
    }

    pub fn mark(&self) {
        self.flows.iter().chain([&self.internet]).for_each(ClientFlow::mark);
    }

    /// The longest time that a flow to Microsoft went without answers.
    pub fn longest_gap(&self) -> Duration {
        self.flows.iter().map(|flow| flow.settled_since_mark().longest_gap).max().unwrap_or_default()
    }

    /// `kernel.flows` of the status.
    pub fn moved(&self) -> Result<Value, LabError> {
        self.agent.status().map(|mut status| status["kernel"]["flows"].take())
    }

    pub fn deleted(&self) -> Result<u64, LabError> {
        Ok(self.moved()?["deleted"].as_u64().unwrap_or_default())
    }

    /// The kernel's table of flows, as `conntrack` lists it.
    pub fn table(&self) -> Result<Vec<String>, Failed> {
        let list = |family| run(self.branch.router(), "conntrack", &["-L", "-f", family, "-o", "id"]);
        let both = list("ipv4")? + &list("ipv6")?;
        Ok(both.lines().map(str::to_owned).collect())
    }

    /// Ids of the entries of UDP flows from `source` to `destination`.
    pub fn entries(&self, source: IpAddr, destination: IpAddr) -> Result<Vec<String>, Failed> {
        let ends = format!(" src={source} dst={destination} ");
        let rows = self.table()?.into_iter().filter(|row| row.starts_with("udp") && row.contains(&ends));
        Ok(rows.filter_map(|row| Some(row.rsplit_once("id=")?.1.trim().to_owned())).collect())
    }
}

/// The router's address towards an ISP.
fn address(isp: usize, ipv6: bool) -> IpAddr {
    let text = match (isp, ipv6) {
        (0, false) => "203.0.113.2",
        (0, true) => "2001:db8:100::2",
        (1, false) => "203.0.113.6",
        (1, true) => "2001:db8:101::2",
        (_, false) => "203.0.113.10",
        (_, true) => "2001:db8:102::2",
    };
    text.parse().unwrap_or_else(|_| unreachable!("constant and right"))
}

fn translate(branch: &Branch, translation: Translation) -> Result<(), Failed> {
    for isp in 0..branch.isp_count() {
        branch.fabric().isp(isp).filter_sources(Some(branch.isp_networks(isp).to_vec()));
    }
    for (table, ipv6) in [("ip", false), ("ip6", true)] {
        let mut rules = format!("table {table} nat {{ chain out {{ type nat hook postrouting priority srcnat;\n");
        for isp in 0..branch.isp_count() {
            let to = match translation {
                Translation::Fixed => format!("snat to {}", address(isp, ipv6)),
                Translation::Masquerade => "masquerade".to_owned(),
            };
            rules.extend(["oifname wan", &isp.to_string(), " ", &to, "\n"]);
        }
        run(branch.router(), "nft", &[&(rules + "}\n}")])?;
    }
    Ok(())
}

pub fn run(namespace: &Namespace, command: &str, arguments: &[&str]) -> Result<String, Failed> {
    let output = namespace.run(|| Command::new(command).args(arguments).output());
    let output = output.map_err(|error| format!("{command} is needed ({error}): install it as .ci/run does"))?;
    if !output.status.success() {
        return Err(format!("{command} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
