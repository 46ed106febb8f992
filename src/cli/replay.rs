//! `peerward replay`: policies over a recording.

mod render;

use std::{path::Path, sync::Arc};

use super::{
    arguments::{Global, Replayed},
    failure::{Code, Failure},
    output::{Style, print, print_json},
};
use crate::{
    catalogue::{Catalogue, Rules},
    config, recording,
    replay::{Policy, Replay},
};

pub use render::render;

/// Replays and prints what came of it.
pub fn run(global: &Global, asked: &Replayed, style: Style) -> Result<(), Failure> {
    let mut files: Vec<&Path> = asked.configs.iter().map(AsRef::as_ref).collect();
    if files.is_empty() {
        files.push(global.config_file());
    }
    let policies = files.into_iter().map(policy).collect::<Result<_, _>>()?;
    let mut replay = Replay::new(policies);
    let faults = recording::read(&asked.samples, &mut |entry| replay.take(entry))
        .map_err(|error| Failure::new(Code::Failed, error))?;
    let report = replay.report(&faults);
    if global.json { print_json(&report) } else { print(&render(&report, style)) }
}

fn policy(file: &Path) -> Result<Policy, Failure> {
    let config = config::load(file).map_err(|error| Failure::new(Code::Config, error))?;
    let catalogue = Catalogue::load_by(&config.destinations, &Rules::of(&config))
        .map_err(|error| Failure::new(Code::Config, error))?;
    Ok(Policy { name: file.display().to_string(), config, catalogue: Arc::new(catalogue) })
}
