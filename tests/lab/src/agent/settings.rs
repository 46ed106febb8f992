//! The agent's configuration as the lab writes it: fast, so that tests and people need not wait.

use std::{
    fmt::Write,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{RESOLVER_IPV4, RESOLVER_IPV6};

/// The lab's authority, beside the control socket.
pub(super) const LAB_CA_FILE: &str = "lab-ca.pem";

/// What can be chosen. Everything else keeps the agent's defaults.
#[derive(Debug, Clone)]
pub struct AgentSettings {
    /// Market of the site.
    pub market: String,
    /// Name and partner of each ISP; the uplink of number `n` is `wan<n>`.
    pub isps: Vec<(String, String)>,
    /// Names of the preferred ISPs, best first.
    pub preferred: Vec<String>,
    /// `enforce` or `observe`.
    pub mode: String,
    /// `keep` or `withdraw`.
    pub on_stop: String,
    /// Largest RTT that the SLA allows.
    pub sla_rtt: Duration,
    /// Largest loss that the SLA allows, in percent.
    pub sla_loss_percent: f64,
    /// How long a violation lasts before the path is left.
    pub leave_after: Duration,
    /// How long a better path must have been good before traffic returns.
    pub return_after: Duration,
    /// Between two probes of a path.
    pub probe_interval: Duration,
    /// After which a probe is lost.
    pub probe_timeout: Duration,
    /// Name servers that it asks through its uplinks; all addresses are some in the lab.
    pub resolvers: Vec<IpAddr>,
    /// Further keys of `[probe]`, as they are.
    pub probe_more: String,
    /// Where to report.
    pub report: Option<ReportSettings>,
    /// Further TOML of each uplink, by its number.
    pub uplink_more: Vec<String>,
    /// Further TOML, appended as it is.
    pub more: String,
}

/// Where and how to report.
#[derive(Debug, Clone)]
pub struct ReportSettings {
    /// Base URL of the collector.
    pub endpoint: String,
    /// Trust anchors.
    pub ca: PathBuf,
    /// Client certificate.
    pub cert: PathBuf,
    /// Client key.
    pub key: PathBuf,
    /// Between two reports.
    pub interval: Duration,
}

impl Default for AgentSettings {
    /// Two partners of Japan, the first preferred; the main table prefers the second.
    fn default() -> Self {
        let isps = [("north", "IIJ"), ("south", "KDDI")];
        Self {
            market: "Japan".to_owned(),
            isps: isps.map(|(name, partner)| (name.to_owned(), partner.to_owned())).to_vec(),
            preferred: isps.map(|(name, _)| name.to_owned()).to_vec(),
            mode: "enforce".to_owned(),
            on_stop: "keep".to_owned(),
            sla_rtt: Duration::from_millis(30),
            sla_loss_percent: 2.0,
            leave_after: Duration::from_secs(1),
            return_after: Duration::from_secs(3),
            probe_interval: Duration::from_millis(100),
            probe_timeout: Duration::from_millis(250),
            resolvers: vec![RESOLVER_IPV4, RESOLVER_IPV6],
            probe_more: String::new(),
            report: None,
            uplink_more: Vec::new(),
            more: String::new(),
        }
    }
}

impl AgentSettings {
    /// The file, which trusts the lab's authority and therefore its Microsoft edge.
    pub fn to_toml(&self, socket: &Path) -> String {
        let mut toml = String::new();
        // Writing into a string does not fail.
        let _ = self.write(&mut toml, socket);
        toml
    }

    fn write(&self, to: &mut String, socket: &Path) -> std::fmt::Result {
        writeln!(to, "[site]\nname = \"lab-branch\"\nmarket = {:?}\n", self.market)?;
        for (number, (name, partner)) in self.isps.iter().enumerate() {
            writeln!(to, "[[isp]]\nname = {name:?}\npartner = {partner:?}")?;
            writeln!(to, "[[isp.uplink]]\ninterface = \"wan{number}\"")?;
            writeln!(to, "{}\n", self.uplink_more.get(number).map_or("", String::as_str))?;
        }
        writeln!(to, "[policy]\npreferred = {:?}", self.preferred)?;
        writeln!(to, "leave_after = {}", span(self.leave_after))?;
        writeln!(to, "return_after = {}\n", span(self.return_after))?;
        writeln!(to, "[policy.sla]\nrtt = {}\nloss = \"{}%\"\n", span(self.sla_rtt), self.sla_loss_percent)?;
        writeln!(to, "[probe]\ninterval = {}\ntimeout = {}", span(self.probe_interval), span(self.probe_timeout))?;
        writeln!(to, "window = 20\ndown_after = 3\nup_after = 3")?;
        writeln!(to, "ca = {:?}", text(&socket.with_file_name(LAB_CA_FILE)))?;
        let resolvers: Vec<_> = self.resolvers.iter().map(ToString::to_string).collect();
        writeln!(to, "resolvers = {resolvers:?}\n{}\n", self.probe_more)?;
        if let Some(report) = &self.report {
            writeln!(to, "[report]\nendpoint = {:?}\ninterval = {}", report.endpoint, span(report.interval))?;
            writeln!(
                to,
                "ca = {:?}\ncert = {:?}\nkey = {:?}\n",
                text(&report.ca),
                text(&report.cert),
                text(&report.key)
            )?;
        }
        writeln!(to, "[kernel]\nmode = {:?}\non_stop = {:?}\n", self.mode, self.on_stop)?;
        writeln!(to, "[control]\nsocket = {:?}\n", text(socket))?;
        to.push_str(&self.more);
        Ok(())
    }
}

fn span(span: Duration) -> String {
    format!("\"{}ms\"", span.as_millis())
}

/// A path as text; the lab's own directories are plain ASCII.
fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
