//! `peerward plan`: what another configuration would change, with no side effect.

mod gather;
mod render;

use std::{path::Path, sync::Arc};

use super::{
    arguments::Global,
    asking,
    failure::{Code, Failure},
    output::{Style, print, print_json},
};
use crate::{
    catalogue::{Catalogue, Rules},
    config,
    rehearsal::{self, Candidate, Outcome},
};

pub use render::render;

/// What stands for the running agent.
const RUNNING: &str = "running";

/// Tries a configuration and prints what would change.
pub fn run(global: &Global, new: Option<&Path>, against: &str, style: Style) -> Result<(), Failure> {
    let new = candidate(new.unwrap_or(global.config_file()))?;
    let outcome = if against == RUNNING {
        gather::beside_running(&new, &asking::snapshot(global)?)?
    } else {
        rehearsal::against_other(&new, &candidate(Path::new(against))?)
    };
    if global.json { print_json(&outcome) } else { print(&told(&new, &outcome, style)) }
}

fn told(new: &Candidate, outcome: &Outcome, style: Style) -> String {
    render(&new.name, outcome, style)
}

fn candidate(file: &Path) -> Result<Candidate, Failure> {
    let config = config::load(file).map_err(|error| Failure::new(Code::Config, error))?;
    let catalogue = Catalogue::load_by(&config.destinations, &Rules::of(&config))
        .map_err(|error| Failure::new(Code::Config, error))?;
    Ok(Candidate { name: file.display().to_string(), config, catalogue: Arc::new(catalogue) })
}
