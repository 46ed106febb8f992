//! Asking the running agent: finds its socket, asks, and turns a refusal into a failure.

use std::path::{Path, PathBuf};

use super::{
    arguments::Global,
    failure::{Code, Failure},
};
use crate::{
    config,
    domain::view::Snapshot,
    local::{self, Answer, Request},
};

/// Socket of an agent whose configuration says nothing else, or cannot be read.
const DEFAULT_SOCKET: &str = "/run/peerward/control.sock";

/// Where to ask, and what should be said if nobody is there.
struct Place {
    socket: PathBuf,
    hint: Option<String>,
}

/// The newest snapshot of the running agent.
pub fn snapshot(global: &Global) -> Result<Snapshot, Failure> {
    match ask(global, &Request::Snapshot)? {
        Answer::Snapshot(snapshot) => Ok(*snapshot),
        _ => Err(mismatch()),
    }
}

/// Asks the running agent; what it refuses is a failure.
pub fn ask(global: &Global, request: &Request) -> Result<Answer, Failure> {
    let place = place(global)?;
    let answer = local::ask(&place.socket, request).map_err(|error| {
        let failure = Failure::from(error);
        match place.hint {
            Some(hint) if failure.code() == Code::NoAgent => failure.with_hint(hint),
            _ => failure,
        }
    })?;
    match answer {
        Answer::Error { reason } => Err(Failure::new(Code::Failed, format_args!("the agent says: {reason}"))),
        answer => Ok(answer),
    }
}

/// An answer to another question than the one asked.
pub fn mismatch() -> Failure {
    Failure::new(
        Code::Failed,
        "the agent answered another question; restart it so that it has this command's version",
    )
}

/// `--socket`, else that of the configuration. A configuration that was named must be good; the default one is only a
/// hint, because people may ask who cannot read it.
fn place(global: &Global) -> Result<Place, Failure> {
    if let Some(socket) = &global.socket {
        return Ok(Place { socket: socket.clone(), hint: None });
    }
    match config::load(global.config_file()) {
        Ok(config) => Ok(Place { socket: config.control.socket, hint: None }),
        Err(error) if global.config.is_some() => Err(Failure::new(Code::Config, error)),
        Err(error) => Ok(Place { socket: Path::new(DEFAULT_SOCKET).to_owned(), hint: Some(hint(&error)) }),
    }
}

fn hint(error: &config::ConfigError) -> String {
    format!("this is the default socket, because the configuration could not be used:\n{error}")
}
