//! A branch with a running agent, and what it says of its paths.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use libtest_mimic::Failed;
use peerward_lab::{Agent, AgentSettings, Branch};
use serde_json::Value;

pub const MS: Duration = Duration::from_millis(1);
/// The preferred ISP; the main table prefers the other.
pub const NORTH: usize = 0;
pub const SOUTH: usize = 1;
/// Long enough for the slowest machine; nothing waits for its end when all is well.
const PATIENCE: Duration = Duration::from_secs(45);

pub struct Scene {
    pub branch: Branch,
    pub agent: Agent,
}

impl Scene {
    /// The agent runs.
    pub fn set(settings: &AgentSettings) -> Result<Self, Failed> {
        let branch = Branch::builder().build()?;
        let mut agent = Agent::with_binary(&branch, env!("CARGO_BIN_EXE_peerward").into(), settings)?;
        agent.start()?;
        Ok(Self { branch, agent })
    }

    /// The preferred ISP carries all of Microsoft.
    pub fn settled(settings: &AgentSettings) -> Result<Self, Failed> {
        let mut scene = Self::set(settings)?;
        scene.wait_until_on(NORTH)?;
        Ok(scene)
    }

    pub fn wait(&mut self, what: &str, condition: impl Fn(&Self) -> bool) -> Result<(), Failed> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.agent.check_running()?;
            if condition(self) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let paths = self.evidence(NORTH).join("\n");
                let log = self.agent.log_tail();
                return Err(format!("not within {PATIENCE:?}: {what}\n{paths}\n{log}").into());
            }
            sleep(20 * MS);
        }
    }

    /// Every class is held there by the kernel.
    pub fn wait_until_on(&mut self, isp: usize) -> Result<(), Failed> {
        self.wait(&format!("Microsoft is on wan{isp}"), |scene| scene.agent.is_held_on(isp))
    }

    /// `paths --json`, of one uplink.
    pub fn paths(&self, isp: usize) -> Vec<Value> {
        let Ok(answer) = self.agent.ask("paths", &[]) else { return Vec::new() };
        let uplink = format!("wan{isp}");
        let paths = answer["paths"].as_array().cloned().unwrap_or_default();
        paths.into_iter().filter(|path| path["uplink"] == uplink.as_str()).collect()
    }

    pub fn path(&self, isp: usize, class: &str) -> Value {
        self.paths(isp).into_iter().find(|path| path["class"] == class).unwrap_or_default()
    }

    /// State and evidence of each path of an uplink.
    pub fn evidence(&self, isp: usize) -> Vec<String> {
        let words = |path: Value| format!("{} {} {}", path["class"], path["state"], path["evidence"]);
        self.paths(isp).into_iter().map(words).collect()
    }

    /// Whether every path of an uplink is in that state.
    pub fn all_are(&self, isp: usize, state: &str) -> bool {
        let paths = self.paths(isp);
        !paths.is_empty() && paths.iter().all(|path| path["state"] == state)
    }
}
