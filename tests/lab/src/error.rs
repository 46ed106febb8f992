//! What can go wrong in the lab: what was tried, on what, and what to do.

use std::{io, path::PathBuf};

/// Why something in the lab did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// The machine does not let this user make namespaces.
    #[error("{what}: {source}; {advice}")]
    Privilege {
        /// What was tried.
        what: String,
        /// What the kernel said.
        source: io::Error,
        /// What to change.
        advice: String,
    },
    /// A system call failed.
    #[error("{what}: {source}")]
    System {
        /// What was tried, on what.
        what: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel refused a netlink request.
    #[error("{what}: {reason}")]
    Netlink {
        /// What was tried, on what.
        what: String,
        /// What the kernel said.
        reason: String,
    },
    /// The `peerward` binary could not be had.
    #[error("no peerward binary: {reason}; set PEERWARD_BIN to one, or run from inside the workspace")]
    Binary {
        /// What was tried and why it failed.
        reason: String,
    },
    /// A certificate or key could not be made or used.
    #[error("{what}: {reason}")]
    Pki {
        /// What was tried, on what.
        what: String,
        /// Why it failed.
        reason: String,
    },
    /// A subcommand of `peerward` failed.
    #[error("`{command}` failed: {reason}")]
    Command {
        /// The command line.
        command: String,
        /// Exit status and what it printed.
        reason: String,
    },
    /// Something did not become true in time.
    #[error("not within {seconds:.1} s: {what}; last seen: {last}")]
    Deadline {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: f64,
        /// What was seen last.
        last: String,
    },
    /// The agent ended although it should run.
    #[error("the agent ended ({status}); its log is {log}:\n{tail}", log = log.display())]
    AgentEnded {
        /// Exit status.
        status: String,
        /// Its log.
        log: PathBuf,
        /// Last lines of it.
        tail: String,
    },
}

impl LabError {
    /// A failed system call.
    pub fn system(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::System { what: what.into(), source: source.into() }
    }

    /// A failure of the PKI.
    pub fn pki(what: impl Into<String>, reason: &impl ToString) -> Self {
        Self::Pki { what: what.into(), reason: reason.to_string() }
    }
}
