//! A branch with an agent that is configured but not started, and the doctor's answers on it.

use std::{
    fs,
    process::Output,
    thread::sleep,
    time::{Duration, Instant},
};

use peerward_lab::{Agent, AgentSettings, Branch, Namespace};
use serde_json::Value;

/// Far beyond what anything here takes, because the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Scene {
    pub branch: Branch,
    pub agent: Agent,
}

/// What the doctor said, and how it ended.
pub struct Report {
    pub exit: i32,
    pub findings: Vec<Value>,
}

impl Scene {
    pub fn new() -> Self {
        Self::with(&AgentSettings::default())
    }

    pub fn with(settings: &AgentSettings) -> Self {
        let branch = Branch::builder().build().unwrap();
        let agent = Agent::with_binary(&branch, env!("CARGO_BIN_EXE_peerward").into(), settings).unwrap();
        Self { branch, agent }
    }

    pub fn router(&self) -> &Namespace {
        self.branch.router()
    }

    /// Adds lines to `[kernel]` of the configuration.
    pub fn set_kernel(&self, lines: &str) {
        let file = self.agent.config();
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("[kernel]\n", &format!("[kernel]\n{lines}\n"))).unwrap();
    }

    pub fn doctor(&self) -> Report {
        let config = self.agent.config();
        Report::of(&self.agent.run(&["doctor", "--json", "--config", config.to_str().unwrap()]).unwrap())
    }

    pub fn doctor_without_capabilities(&self) -> Report {
        let arguments = ["doctor", "--json", "--config", self.agent.config().to_str().unwrap()].map(str::to_owned);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Report::of(&self.agent.run_without_capabilities(&arguments).unwrap())
    }

    pub fn wait(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(self) {
            self.agent.check_running().unwrap();
            assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}\n{}", self.agent.log_tail());
            sleep(Duration::from_millis(20));
        }
    }
}

impl Report {
    fn of(output: &Output) -> Self {
        let said = String::from_utf8_lossy(&output.stderr);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
        let findings = report["findings"].as_array().unwrap().clone();
        Self { exit: output.status.code().unwrap(), findings }
    }

    /// Findings of a topic that are worse than ok.
    pub fn bad(&self, topic: &str) -> Vec<&Value> {
        self.findings.iter().filter(|it| it["topic"] == topic && it["severity"] != "ok").collect()
    }

    /// The one finding of a topic that is worse than ok; it must be of this severity and say these words.
    #[track_caller]
    pub fn assert_one(&self, topic: &str, severity: &str, words: &[&str]) {
        let bad = self.bad(topic);
        assert_eq!(bad.len(), 1, "{topic}: {:#?}", self.findings);
        assert_eq!(bad[0]["severity"], severity, "{:#}", bad[0]);
        for word in words {
            assert!(bad[0].to_string().contains(word), "{word:?} is not in {:#}", bad[0]);
        }
        let worst = self.findings[0]["severity"].as_str().unwrap();
        let expected = match worst {
            "error" => 7,
            "warning" => 6,
            _ => 0,
        };
        assert_eq!(self.exit, expected, "the exit code tells the worst, {worst}");
    }

    #[track_caller]
    pub fn assert_well(&self, topic: &str) {
        assert!(self.bad(topic).is_empty(), "{:#?}", self.bad(topic));
        assert!(self.findings.iter().any(|it| it["topic"] == topic), "{topic} was not looked at");
    }
}
