//! `peerward replay`: policies over a recording.

mod render;

use std::path::Path;

use super::{
    arguments::{Global, Replayed},
    candidate,
    failure::{Code, Failure},
    output::{Style, print, print_json},
};
use crate::{recording, replay::Replay};

pub use render::render;

/// Replays and prints what came of it.
pub fn run(global: &Global, asked: &Replayed, style: Style) -> Result<(), Failure> {
    let mut files: Vec<&Path> = asked.configs.iter().map(AsRef::as_ref).collect();
    if files.is_empty() {
        files.push(global.config_file());
    }
    let policies = files.into_iter().map(candidate::load).collect::<Result<_, _>>()?;
    let mut replay = Replay::new(policies);
    let faults = recording::read(&asked.samples, &mut |entry| replay.take(entry))
        .map_err(|error| Failure::new(Code::Failed, error))?;
    let report = replay.report(&faults);
    if global.json { print_json(&report) } else { print(&render(&report, style)) }
}
