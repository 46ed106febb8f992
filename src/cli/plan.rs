//! `peerward plan`: what another configuration would change, with no side effect.

mod gather;
mod render;

use std::path::Path;

use super::{
    arguments::Global,
    asking, candidate,
    failure::Failure,
    output::{Style, print, print_json},
};
use crate::rehearsal;

pub use render::render;

/// What stands for the running agent.
const RUNNING: &str = "running";

/// Tries a configuration and prints what would change.
pub fn run(global: &Global, new: Option<&Path>, against: &str, style: Style) -> Result<(), Failure> {
    let new = candidate::load(new.unwrap_or(global.config_file()))?;
    let outcome = if against == RUNNING {
        gather::beside_running(&new, &asking::snapshot(global)?)?
    } else {
        rehearsal::against_other(&new, &candidate::load(Path::new(against))?)
    };
    if global.json { print_json(&outcome) } else { print(&render(&new.name, &outcome, style)) }
}
