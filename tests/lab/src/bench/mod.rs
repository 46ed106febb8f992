//! Benchmarks beside the programs that people use for the same: each figure is a ratio within one run.
//!
//! Unlike the rest of the lab, this part knows the agent's library too: what it measures of Peerward's kernel edge
//! runs in this process. Everything happens in network namespaces that a benchmark makes and takes down again.
//!
//! | file | its one idea |
//! |---|---|
//! | `scale` | how large a run is |
//! | `data` | the routes and service tags of `benches/data` |
//! | `wire` | raw netlink: loading a million routes, receiving a dump and looking at nothing |
//! | `process` | other programs: found, started, ended, their memory and processor time |
//! | `ip`, `bird`, `zebra` | the three that are compared with |
//! | `report` | rows for people, JSON for machines, and the flat summary |
//! | `site` | a router with two ISPs |
//! | `swap`, `read` | one benchmark each |

mod bird;
mod data;
mod ip;
mod process;
mod read;
mod report;
mod scale;
mod site;
mod swap;
mod wire;
mod zebra;

use std::{path::PathBuf, process::ExitCode};

use crate::LabError;
use report::Report;
use scale::Scale;

/// Switches of the benchmarks.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// What is measured
    suite: Suite,
    /// One JSON object a line; the last one is the flat summary
    #[arg(long)]
    json: bool,
    /// Few routes and no repetitions: shows that the benchmarks work, and nothing about speed
    #[arg(long)]
    quick: bool,
    /// Only this part; may be given several times
    #[arg(long, value_name = "PART")]
    only: Vec<Part>,
}

/// A collection of benchmarks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Suite {
    /// Reading, programming and moving routes
    Kernel,
}

/// One benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Move all routes to another ISP
    Swap,
    /// Read a full BGP table
    Read,
}

impl Options {
    /// The quick run with JSON, for a test.
    pub fn quick_json() -> Self {
        Self { suite: Suite::Kernel, json: true, quick: true, only: Vec::new() }
    }

    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

/// Runs them with this binary of the agent, or with the workspace's own, built if need be. Success only if all could be
/// measured; another program that is not installed is no failure.
pub fn run(options: &Options, binary: Option<PathBuf>) -> ExitCode {
    let mut report = Report::new(options.json);
    let done = play(options, binary, &mut report);
    if let Err(error) = &done {
        report.failure(&error.to_string());
    }
    report.summary();
    if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn play(options: &Options, _binary: Option<PathBuf>, report: &mut Report) -> Result<(), LabError> {
    let Suite::Kernel = options.suite;
    let scale = if options.quick { Scale::quick() } else { Scale::full() };
    if options.wants(Part::Swap) {
        swap::run(&scale, report)?;
    }
    if options.wants(Part::Read) {
        let full = read::FullTable::load(&scale, report)?;
        read::run(&full, &scale, report)?;
    }
    Ok(())
}
