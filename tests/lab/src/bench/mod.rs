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
//! | `steering` | what the agent would write for all service tags |
//! | `swap`, `program`, `carrier`, `read`, `reconcile`, `memory` | one benchmark each |
//! | `select` | what policy costs |
//! | `probe` | how well and at what cost paths are measured, beside `ping` and `fping` |

mod bird;
mod carrier;
mod data;
mod ip;
mod memory;
mod probe;
mod process;
mod program;
mod read;
mod reconcile;
mod report;
mod scale;
mod select;
mod site;
mod steering;
mod swap;
mod wire;
mod zebra;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

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
    /// Measuring paths
    Probe,
    /// Classes and decisions
    Select,
}

impl Suite {
    /// Keys of its summary.
    fn figures(self) -> &'static [&'static str] {
        match self {
            Self::Kernel => &KERNEL_FIGURES,
            Self::Probe => &probe::FIGURES,
            Self::Select => &select::FIGURES,
        }
    }
}

const KERNEL_FIGURES: [&str; 16] = [
    "read_ratio_discard",
    "read_cpu_ratio_discard",
    "read_ratio_iproute",
    "read_ratio_bird",
    "read_ratio_frr",
    "program_ratio_ip_batch",
    "swap_ratio_ip_batch_50k",
    "swap_ratio_ip_batch_50k_compat1",
    "swap_us_1k",
    "swap_us_1k_compat1",
    "swap_us_200k",
    "swap_us_200k_compat1",
    "carrier_backup_ms",
    "carrier_lost_packets",
    "reconcile_ms_beside_1m",
    "rss_mib_1m",
];

/// One benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Move all routes to another ISP
    Swap,
    /// Program everything in the service tags
    Program,
    /// Cut a cable
    Carrier,
    /// Read a full BGP table
    Read,
    /// Look at everything of ours beside a full BGP table
    Reconcile,
    /// Memory of the agent beside a full BGP table
    Memory,
    /// Round-trip times and loss against the wire (suite `probe`, as all that follow)
    Accuracy,
    /// Processor time of probes
    Cost,
    /// How soon a black hole and loss are found
    Detection,
    /// Watching the handshakes of users
    Passive,
    /// Memory of a path's history
    History,
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

/// Runs them with this binary of the agent, or with the workspace's own, built if need be. Success only if all could be
/// measured; another program that is not installed is no failure.
pub fn run(options: &Options, binary: Option<PathBuf>) -> ExitCode {
    let mut report = Report::new(options.json, options.suite.figures());
    let done = play(options, binary, &mut report);
    if let Err(error) = &done {
        report.failure(&error.to_string());
    }
    report.summary();
    if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn play(options: &Options, binary: Option<PathBuf>, report: &mut Report) -> Result<(), LabError> {
    if options.suite == Suite::Select {
        return select::play(options.quick, report);
    }
    // Built first, and not while something is measured.
    let binary = binary.map_or_else(crate::find_binary, Ok)?;
    match options.suite {
        Suite::Kernel => play_kernel(options, &binary, report),
        Suite::Probe => probe::play(options, &binary, report),
        Suite::Select => Ok(()),
    }
}

fn play_kernel(options: &Options, binary: &Path, report: &mut Report) -> Result<(), LabError> {
    let scale = if options.quick { Scale::quick() } else { Scale::full() };
    if options.wants(Part::Swap) {
        swap::run(&scale, report)?;
    }
    if options.wants(Part::Program) {
        program::run(&scale, report)?;
    }
    if options.wants(Part::Carrier) {
        carrier::run(binary, &scale, report)?;
    }
    if [Part::Read, Part::Reconcile, Part::Memory].iter().any(|part| options.wants(*part)) {
        beside_full_table(options, binary, &scale, report)?;
    }
    Ok(())
}

/// Last, because the kernel is busy for a while with taking such a table down.
fn beside_full_table(options: &Options, binary: &Path, scale: &Scale, report: &mut Report) -> Result<(), LabError> {
    let full = read::FullTable::load(scale, report)?;
    if options.wants(Part::Read) {
        read::run(&full, scale, report)?;
    }
    if options.wants(Part::Reconcile) {
        reconcile::beside_full_table(&full, scale, report)?;
    }
    if options.wants(Part::Memory) {
        memory::run(&full, binary, scale, report)?;
    }
    Ok(())
}
