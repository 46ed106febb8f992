//! The real agent, run and asked from outside as a user would.

mod binary;
mod settings;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

pub use binary::find as find_binary;
pub use settings::{AgentSettings, ReportSettings};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::{Branch, LabError, Namespace, lab_ca_pem, privilege};

/// How long the agent may take to end after SIGTERM.
const TERMINATION: Duration = Duration::from_secs(10);

/// Lines of the log that an error shows.
const LOG_TAIL: usize = 20;

/// One agent on the branch router. Killed when dropped; its files go with it.
#[derive(Debug)]
pub struct Agent {
    binary: PathBuf,
    router: Namespace,
    directory: TempDir,
    child: Option<Child>,
}

impl Agent {
    /// Prepares an agent with this configuration, not yet started; finds or builds the binary.
    ///
    /// # Errors
    /// When there is no binary, or the files cannot be written.
    pub fn new(branch: &Branch, settings: &AgentSettings) -> Result<Self, LabError> {
        Self::with_binary(branch, find_binary()?, settings)
    }

    /// Prepares an agent that runs this very binary.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn with_binary(branch: &Branch, binary: PathBuf, settings: &AgentSettings) -> Result<Self, LabError> {
        let directory = TempDir::with_prefix("peerward-lab-")
            .map_err(|source| LabError::system("create a directory for the agent", source))?;
        let agent = Self { binary, router: branch.router().clone(), directory, child: None };
        let ca = agent.directory.path().join(settings::LAB_CA_FILE);
        fs::write(&ca, lab_ca_pem()?)
            .map_err(|source| LabError::system(format!("write {}", ca.display()), source))?;
        agent.write_config(&settings.to_toml(&agent.socket()))?;
        Ok(agent)
    }

    /// Replaces the configuration file; the agent reads it at its next start.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_config(&self, toml: &str) -> Result<(), LabError> {
        let path = self.config();
        fs::write(&path, toml).map_err(|source| LabError::system(format!("write {}", path.display()), source))
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.directory.path().join("peerward.toml")
    }

    /// Its control socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("control.sock")
    }

    /// What it printed, all starts one after the other.
    pub fn log(&self) -> PathBuf {
        self.directory.path().join("peerward.log")
    }

    /// The binary that runs.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Starts `peerward run` on the branch router.
    ///
    /// # Errors
    /// When it cannot be started, or runs already.
    pub fn start(&mut self) -> Result<(), LabError> {
        if self.child.is_some() {
            return Err(self.command_error("run", "it was started already".to_owned()));
        }
        let path = self.log();
        let log = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|log| Ok((log.try_clone()?, log)))
            .map_err(|source| LabError::system(format!("open {}", path.display()), source))?;
        let mut command = self.command(&["run", "--config"]);
        command.arg(self.config()).stdin(Stdio::null()).stdout(log.0).stderr(log.1);
        self.child = Some(self.router.spawn(&mut command)?);
        Ok(())
    }

    /// Kills it with SIGKILL: it has no chance to clean up.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> Result<(), LabError> {
        let mut child = self.take_child("kill")?;
        child.kill().and_then(|()| child.wait()).map_err(|source| LabError::system("kill the agent", source))?;
        Ok(())
    }

    /// Asks it to end with SIGTERM and waits for it.
    ///
    /// # Errors
    /// When it does not run, or does not end within 10 s.
    pub fn terminate(&mut self) -> Result<ExitStatus, LabError> {
        let mut child = self.take_child("terminate")?;
        let pid = Pid::from_child(&child);
        kill_process(pid, Signal::TERM).map_err(|source| LabError::system("terminate the agent", source))?;
        let deadline = Instant::now() + TERMINATION;
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) if Instant::now() < deadline => sleep(Duration::from_millis(5)),
                Ok(None) => {
                    self.child = Some(child);
                    return Err(LabError::Deadline {
                        what: "the agent ends after SIGTERM".to_owned(),
                        seconds: TERMINATION.as_secs_f64(),
                        last: self.log_tail(),
                    });
                }
                Err(source) => return Err(LabError::system("wait for the agent", source)),
            }
        }
    }

    /// Makes sure that it still runs.
    ///
    /// # Errors
    /// When it ended, with the end of its log.
    pub fn check_running(&mut self) -> Result<(), LabError> {
        let Some(child) = &mut self.child else { return Ok(()) };
        match child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => {
                self.child = None;
                Err(LabError::AgentEnded { status: status.to_string(), log: self.log(), tail: self.log_tail() })
            }
            Err(source) => Err(LabError::system("look at the agent", source)),
        }
    }

    /// Process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Answer of `peerward status --json`.
    ///
    /// # Errors
    /// When no agent answers, or the answer is no JSON.
    pub fn status(&self) -> Result<Value, LabError> {
        self.ask("status", &[])
    }

    /// Waits until `holds` is true of the status, and returns that status.
    ///
    /// # Errors
    /// When it does not become true in time, or the agent ends.
    pub fn await_status(
        &mut self,
        what: &str,
        patience: Duration,
        mut holds: impl FnMut(&Value) -> bool,
    ) -> Result<Value, LabError> {
        let deadline = Instant::now() + patience;
        loop {
            let last = match self.status() {
                Ok(status) if holds(&status) => return Ok(status),
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            };
            self.check_running()?;
            if Instant::now() > deadline {
                return Err(LabError::Deadline { what: what.to_owned(), seconds: patience.as_secs_f64(), last });
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Answer of `peerward SUBCOMMAND ARGUMENTS --json` on the control socket.
    ///
    /// # Errors
    /// When the command fails, or the answer is no JSON.
    pub fn ask(&self, subcommand: &str, arguments: &[&str]) -> Result<Value, LabError> {
        let socket = self.socket();
        let mut all = vec![subcommand];
        all.extend(arguments);
        all.extend(["--json", "--socket"]);
        let mut command = self.command(&all);
        command.arg(socket);
        let output = self.output(subcommand, command)?;
        if !output.status.success() {
            let reason = format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
            return Err(self.command_error(subcommand, reason));
        }
        serde_json::from_slice(&output.stdout)
            .map_err(|error| self.command_error(subcommand, format!("no JSON on standard output: {error}")))
    }

    /// Runs any command line of the binary on the branch router.
    ///
    /// # Errors
    /// When it cannot be started; a failing exit status is no error here.
    pub fn run(&self, arguments: &[&str]) -> Result<Output, LabError> {
        self.output(arguments.first().unwrap_or(&""), self.command(arguments))
    }

    /// The same, by a process of the same user that has no capability at all.
    ///
    /// # Errors
    /// When it cannot be started; a failing exit status is no error here.
    pub fn run_without_capabilities(&self, arguments: &[&str]) -> Result<Output, LabError> {
        let mut command = self.command(arguments);
        self.router
            .run(|| {
                // Root gets its capabilities back at exec, but for those outside of the bounding set.
                privilege::empty_bounding_set()?;
                command.output()
            })
            .map_err(|source| self.command_error(arguments.first().unwrap_or(&""), source.to_string()))
    }

    /// Where the kernel holds each class: an uplink, or null; none before the agent answers and has classes.
    pub fn places(&self) -> Option<Vec<Value>> {
        let status = self.status().ok()?;
        let classes = status.get("classes")?.as_array().filter(|classes| !classes.is_empty())?;
        Some(classes.iter().map(|class| class.get("in_kernel").cloned().unwrap_or_default()).collect())
    }

    /// Whether the kernel holds every class on the uplink of that ISP, counted from 0.
    pub fn is_held_on(&self, isp: usize) -> bool {
        let uplink = format!("wan{isp}");
        self.places().is_some_and(|places| places.iter().all(|place| *place == uplink.as_str()))
    }

    /// Last lines of the log.
    pub fn log_tail(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines.get(lines.len().saturating_sub(LOG_TAIL)..).unwrap_or_default().join("\n")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments);
        command
    }

    fn output(&self, subcommand: &str, mut command: Command) -> Result<Output, LabError> {
        self.router.run(|| command.output()).map_err(|source| self.command_error(subcommand, source.to_string()))
    }

    fn take_child(&mut self, verb: &str) -> Result<Child, LabError> {
        self.child.take().ok_or_else(|| self.command_error(verb, "the agent does not run".to_owned()))
    }

    fn command_error(&self, subcommand: &str, reason: String) -> LabError {
        LabError::Command { command: format!("{} {subcommand}", self.binary.display()), reason }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
