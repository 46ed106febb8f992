//! `peerward run`: the agent itself.

use super::{
    arguments::Global,
    failure::{Code, Failure},
    logging::{self, Level},
};
use crate::{
    agent::{self, AgentError},
    config,
};

/// Runs the agent until it is told to stop.
pub fn run(global: &Global, log_level: Option<Level>) -> Result<(), Failure> {
    // Before the log starts: findings quote lines of the file, which people read better without a time on each.
    let mut config = config::load(global.config_file()).map_err(|error| Failure::new(Code::Config, error))?;
    logging::start(log_level, global.json)?;
    if let Some(socket) = &global.socket {
        config.control.socket.clone_from(socket);
    }
    agent::run(config, global.config_file()).map_err(failure)
}

/// What a supervisor may tell apart: a file to be mended or a privilege to be granted is not cured by a restart.
pub(super) fn failure(error: AgentError) -> Failure {
    match error {
        AgentError::Local(error) => error.into(),
        AgentError::Catalogue(error) => Failure::new(Code::Config, error),
        AgentError::Trust(error) => Failure::new(Code::Config, error),
        error @ AgentError::NotPrivileged { .. } => Failure::new(Code::Denied, error),
        error => Failure::new(Code::Failed, error),
    }
}
