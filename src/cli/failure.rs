//! How a command ends when it does not do what was asked: a stable exit code, and one reason on standard error.

use std::{
    fmt::Display,
    io::{Write, stderr},
    process::ExitCode,
};

use super::logging;
use crate::local::LocalError;

/// Stable exit codes, as listed in `--help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// It was tried and did not work.
    Failed = 1,
    /// Wrong usage.
    Usage = 2,
    /// No agent answers on the control socket.
    NoAgent = 3,
    /// The configuration, or a file that it names, is refused.
    Config = 4,
    /// Permission denied.
    Denied = 5,
    /// `doctor` found a warning, and nothing worse.
    Warned = 6,
    /// `doctor` found an error.
    Ill = 7,
}

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    code: Code,
    /// None when the command has already said it, as data.
    reason: Option<String>,
}

impl Failure {
    /// A failure with its reason: what, on what, and what to do.
    pub fn new(code: Code, reason: impl Display) -> Self {
        Self { code, reason: Some(reason.to_string()) }
    }

    /// A failure that the command has already told in its output.
    pub fn already_told(code: Code) -> Self {
        Self { code, reason: None }
    }

    /// The same, with one more hint at its end.
    pub fn with_hint(self, hint: impl Display) -> Self {
        Self { reason: self.reason.map(|reason| format!("{reason}\n{hint}")), ..self }
    }

    /// Which exit code it leads to.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Tells it: to the log where there is one, else to standard error.
    pub fn report(self) -> ExitCode {
        if let Some(reason) = self.reason {
            if log::log_enabled!(log::Level::Error) {
                log::error!("{reason}");
            } else {
                // Nothing is left to tell it to when standard error is closed.
                let _ = stderr().write_all(logging::before_start(&format!("error: {reason}")).as_bytes());
            }
        }
        ExitCode::from(self.code as u8)
    }
}

impl From<LocalError> for Failure {
    fn from(error: LocalError) -> Self {
        let code = match &error {
            LocalError::NoAgent(_) => Code::NoAgent,
            error if error.is_permission() => Code::Denied,
            _ => Code::Failed,
        };
        Self::new(code, error)
    }
}
