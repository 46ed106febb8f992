//! The box, the agent and the client's flows, and what the steps ask of them.

use std::{
    net::IpAddr,
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    Agent, AgentSettings, Branch, ClientFlow, GapReport, INTERNET_IPV4, INTERNET_IPV6, LabError, MICROSOFT_IPV4,
    MICROSOFT_IPV6, PathProfile, Reporting,
};
use serde_json::Value;

/// ISPs by number, as the agent's configuration names them.
pub(super) const ISPS: [&str; 2] = ["north", "south"];
/// The ISP that policy prefers.
pub(super) const PREFERRED: usize = 0;
/// The other one, by which the main table sends everything.
pub(super) const DEFAULT: usize = 1;

const MICROSOFT: [IpAddr; 2] = [MICROSOFT_IPV4, MICROSOFT_IPV6];
const INTERNET: [IpAddr; 2] = [INTERNET_IPV4, INTERNET_IPV6];

/// Between two datagrams of a flow.
const PACE: Duration = Duration::from_millis(2);
/// Between two requests of the TCP flow.
const TCP_PACE: Duration = Duration::from_millis(5);
/// Between two looks while something is waited for.
const GLANCE: Duration = Duration::from_millis(10);
/// Round trips by each ISP when all is well.
const HEALTHY_RTT: [Duration; 2] = [Duration::from_millis(8), Duration::from_millis(14)];

/// Everything on stage.
pub(super) struct Stage {
    // Order matters: flows and agent end before the box that they are in.
    pub(super) agent: Agent,
    pub(super) tcp: ClientFlow,
    microsoft: Vec<ClientFlow>,
    _internet: Vec<ClientFlow>,
    pub(super) reporting: Reporting,
    pub(super) branch: Branch,
}

impl Stage {
    /// Builds the box, puts the agent on it (not started) and lets the client talk.
    pub(super) fn build(binary: PathBuf) -> Result<Self, LabError> {
        let branch = Branch::builder().build()?;
        for isp in [PREFERRED, DEFAULT] {
            heal(&branch, isp);
        }
        let reporting = Reporting::start(&branch)?;
        let settings = AgentSettings { report: Some(reporting.settings()), ..AgentSettings::default() };
        let agent = Agent::with_binary(&branch, binary, &settings)?;
        let flows = |addresses: [IpAddr; 2]| {
            addresses
                .into_iter()
                .map(|address| ClientFlow::udp(branch.client(), address, PACE))
                .collect::<Result<Vec<_>, _>>()
        };
        let microsoft = flows(MICROSOFT)?;
        let internet = flows(INTERNET)?;
        let tcp = ClientFlow::tcp(branch.client(), MICROSOFT_IPV4, TCP_PACE)?;
        Ok(Self { agent, tcp, microsoft, _internet: internet, reporting, branch })
    }

    /// Puts the path of an ISP back to health.
    pub(super) fn heal(&self, isp: usize) {
        heal(&self.branch, isp);
    }

    /// Reports of the client's flows will begin now.
    pub(super) fn mark(&self) {
        self.microsoft.iter().for_each(ClientFlow::mark);
    }

    /// What the client's flows to Microsoft went through since the mark: losses added up, the worst gap.
    pub(super) fn measure(&self) -> GapReport {
        // Waits once until what is under way has arrived; the rest are read at the same moment.
        let mut total = GapReport::default();
        for (position, flow) in self.microsoft.iter().enumerate() {
            let report = if position == 0 { flow.settled_since_mark() } else { flow.since_mark() };
            total.sent += report.sent;
            total.received += report.received;
            total.lost += report.lost;
            total.longest_gap = total.longest_gap.max(report.longest_gap);
        }
        total
    }

    /// Waits until Microsoft traffic of both families leaves by `isp`, and is answered. Returns how long it took.
    pub(super) fn await_microsoft_by(&mut self, isp: usize, patience: Duration) -> Result<Duration, LabError> {
        self.await_path(MICROSOFT, isp, patience)
    }

    /// Waits until other traffic of both families leaves by `isp`.
    pub(super) fn await_internet_by(&mut self, isp: usize, patience: Duration) -> Result<Duration, LabError> {
        self.await_path(INTERNET, isp, patience)
    }

    fn await_path(
        &mut self,
        destinations: [IpAddr; 2],
        isp: usize,
        patience: Duration,
    ) -> Result<Duration, LabError> {
        let started = Instant::now();
        let what = format!("{} and {} leave by {}", destinations[0], destinations[1], name(isp));
        self.wait(&what, patience, |stage| {
            let ways = destinations.map(|destination| stage.branch.way_now(destination));
            if ways.iter().all(|way| *way == Some(isp)) {
                Ok(())
            } else {
                Err(format!("by {} and {}", ways[0].map_or("nothing", name), ways[1].map_or("nothing", name)))
            }
        })?;
        Ok(started.elapsed())
    }

    /// Waits until the agent says, for both families, that Exchange Online is on the uplink of `isp`, in its decision
    /// and in the kernel. Returns its reason.
    pub(super) fn await_decision(&mut self, isp: usize, patience: Duration) -> Result<String, LabError> {
        let uplink = format!("wan{isp}");
        let mut reason = String::new();
        self.wait(&format!("the agent says that exchange is on {uplink}"), patience, |stage| {
            let status = stage.agent.status().map_err(|error| error.to_string())?;
            let classes = exchange_classes(&status);
            let there = |class: &&Value| class["uplink"] == *uplink && class["in_kernel"] == *uplink;
            if let [first, _] = classes.as_slice()
                && classes.iter().all(there)
            {
                first["reason"].as_str().unwrap_or_default().clone_into(&mut reason);
                return Ok(());
            }
            let said: Vec<_> = classes
                .iter()
                .map(|class| {
                    format!("{}: decided {}, in the kernel {}", class["id"], class["uplink"], class["in_kernel"])
                })
                .collect();
            Err(if said.is_empty() { "no class of exchange".to_owned() } else { said.join("; ") })
        })?;
        Ok(reason)
    }

    /// Waits until `look` succeeds; the agent, if it was started, must live on meanwhile.
    pub(super) fn wait(
        &mut self,
        what: &str,
        patience: Duration,
        mut look: impl FnMut(&Self) -> Result<(), String>,
    ) -> Result<(), LabError> {
        let deadline = Instant::now() + patience;
        loop {
            let Err(last) = look(self) else { return Ok(()) };
            self.agent.check_running()?;
            if Instant::now() > deadline {
                return Err(LabError::Deadline { what: what.to_owned(), seconds: patience.as_secs_f64(), last });
            }
            sleep(GLANCE);
        }
    }
}

/// Name of an ISP.
pub(super) fn name(isp: usize) -> &'static str {
    ISPS.get(isp).copied().unwrap_or("?")
}

fn heal(branch: &Branch, isp: usize) {
    let rtt = HEALTHY_RTT.get(isp).copied().unwrap_or_default();
    branch.fabric().isp(isp).set(PathProfile::round_trip(rtt));
}

fn exchange_classes(status: &Value) -> Vec<&Value> {
    let classes = status["classes"].as_array().map(Vec::as_slice).unwrap_or_default();
    classes.iter().filter(|class| class["service"] == "exchange").collect()
}
