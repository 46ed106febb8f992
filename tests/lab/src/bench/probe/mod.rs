//! How well, how soon and at what cost the agent measures paths, beside `ping` and `fping` in the same run.
//!
//! | file | its one idea |
//! |---|---|
//! | `condition` | a path with known delay, jitter and loss |
//! | `witness` | the truth: when packets really passed the router's interface, by the kernel's clock |
//! | `measurer` | whoever measures the path: a kind of the agent's probes, `ping`, `fping` |
//! | `ours`, `others` | the agent's own probes, run in this process; other people's programs |
//! | `settled` | the real agent with its real defaults, where all is well |
//! | `accuracy`, `cost`, `whole`, `detection`, `passive`, `history` | one benchmark each |
//! | `extent` | how large a run is |

mod accuracy;
mod condition;
mod cost;
mod detection;
mod extent;
mod history;
mod measurer;
mod others;
mod ours;
mod passive;
mod settled;
mod whole;
mod witness;

use std::path::Path;

use super::{Options, Part, report::Report};
use crate::LabError;
use extent::Extent;

/// Keys of the summary.
pub(super) const FIGURES: [&str; 12] = [
    "median_error_ms_tcp",
    "median_error_ms_icmp",
    "median_error_ms_stun",
    "median_error_ms_ping",
    "median_error_ms_fping",
    "loss_error_pp",
    "cpu_ms_per_1000",
    "cpu_ms_per_1000_fping",
    "blackhole_detect_ms_fast",
    "blackhole_detect_ms_normal",
    "passive_cpu_percent_10k",
    "bytes_per_path",
];

/// Runs the parts that are wanted.
pub(super) fn play(options: &Options, binary: &Path, report: &mut Report) -> Result<(), LabError> {
    let extent = if options.quick { Extent::quick() } else { Extent::full() };
    if options.wants(Part::Accuracy) {
        accuracy::run(&extent, report)?;
    }
    if options.wants(Part::Cost) {
        cost::run(&extent, report)?;
        whole::run(binary, &extent, report)?;
    }
    if options.wants(Part::Detection) {
        detection::run(binary, &extent, report)?;
    }
    if options.wants(Part::Passive) {
        passive::run(&extent, report)?;
    }
    if options.wants(Part::History) {
        history::run(&extent, report);
    }
    Ok(())
}
