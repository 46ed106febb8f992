//! The real agent with its real defaults, started on a branch where all is well, and settled there.

use std::{
    fmt, fs,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{Agent, AgentSettings, Branch, LabError};

/// Until every path of an agent that has just started is known.
const SETTLING: Duration = Duration::from_secs(240);

/// Between two questions while it settles.
const ASKING: Duration = Duration::from_millis(500);

/// A profile of `[probe]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Profile {
    Fast,
    Normal,
    Quiet,
}

/// Starts one and waits until every path is known and the preferred uplink carries every class.
pub(super) fn start(branch: &Branch, binary: &Path, profile: Profile) -> Result<Agent, LabError> {
    let isps = ["north", "south", "east"].into_iter().zip(["IIJ", "KDDI", "NTT"]).take(branch.isp_count());
    let isps: Vec<_> = isps.map(|(name, partner)| (name.to_owned(), partner.to_owned())).collect();
    let preferred = isps.iter().map(|(name, _)| name.clone()).collect();
    let settings = AgentSettings { isps, preferred, on_stop: "withdraw".to_owned(), ..AgentSettings::default() };
    let mut agent = Agent::with_binary(branch, binary.to_owned(), &settings)?;
    profile.configure(&agent)?;
    agent.start()?;
    settle(&mut agent)?;
    Ok(agent)
}

/// Waits until everything is as it should be. Asked seldom: what is measured next must not wait for the answers.
fn settle(agent: &mut Agent) -> Result<(), LabError> {
    let began = Instant::now();
    loop {
        let status = agent.status();
        if status.as_ref().is_ok_and(is_settled) {
            return Ok(());
        }
        agent.check_running()?;
        if began.elapsed() > SETTLING {
            return Err(LabError::Deadline {
                what: "every path is known, those by wan0 are up, and wan0 carries all".to_owned(),
                seconds: SETTLING.as_secs_f64(),
                last: agent.log_tail(),
            });
        }
        sleep(ASKING);
    }
}

/// Whether every path has a verdict, those by the preferred uplink a good one, and it carries every class.
fn is_settled(status: &serde_json::Value) -> bool {
    let list = |name: &str| status.get(name).and_then(|list| list.as_array()).map_or(&[][..], Vec::as_slice);
    let is = |view: &serde_json::Value, key: &str, value: &str| view.get(key).is_some_and(|held| *held == *value);
    let good = |path: &serde_json::Value| {
        is(path, "state", "up") || (is(path, "state", "degraded") && !is(path, "uplink", "wan0"))
    };
    let there = list("classes").iter().all(|class| is(class, "in_kernel", "wan0"));
    !list("classes").is_empty() && there && list("paths").iter().all(good)
}

impl Profile {
    /// Every profile.
    pub(super) const ALL: [Self; 3] = [Self::Fast, Self::Normal, Self::Quiet];

    /// Writes it into the agent's configuration in place of the lab's own hurry.
    fn configure(self, agent: &Agent) -> Result<(), LabError> {
        const HURRIED: [&str; 5] = ["interval", "timeout", "window", "down_after", "up_after"];
        let path = agent.config();
        let text = fs::read_to_string(&path)
            .map_err(|source| LabError::system(format!("read {}", path.display()), source))?;
        let mut section = "";
        let mut lines = Vec::new();
        for line in text.lines() {
            if line.starts_with('[') {
                section = line;
            }
            let key = line.split(" = ").next().unwrap_or_default();
            let hurried = section == "[probe]" && HURRIED.contains(&key);
            let policy = section == "[policy]" && key == "leave_after";
            if !hurried && !policy {
                lines.push(line.to_owned());
            }
            if line == "[probe]" {
                lines.push(format!("profile = \"{self}\""));
            }
        }
        agent.write_config(&(lines.join("\n") + "\n"))
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fast => "fast",
            Self::Normal => "normal",
            Self::Quiet => "quiet",
        })
    }
}
