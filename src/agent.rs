//! Composition: starts the tasks, wires the channels, shuts down in order. Knows all, decides nothing.

use crate::config::Config;

/// Why the agent could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// TODO.
    #[error("x")]
    Placeholder,
}

/// Runs the agent until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start.
pub fn run(_config: Config) -> Result<(), AgentError> {
    todo!()
}
