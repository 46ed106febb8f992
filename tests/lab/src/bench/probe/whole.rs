//! Processor time of the whole agent: its schedule, its statistics and its decisions along with its probes.

use std::{path::Path, thread::sleep, time::Instant};

use super::{
    super::{
        process::time_of_tasks,
        report::{Report, Row},
    },
    extent::Extent,
    settled::{self, Profile},
    witness::Witness,
};
use crate::{Branch, LabError};

/// Uplinks of the branch.
const ISPS: usize = 3;

/// Lets it run for a while, once everything has settled.
pub(super) fn run(binary: &Path, extent: &Extent, report: &mut Report) -> Result<(), LabError> {
    for profile in extent.profiles.iter().copied().filter(|profile| *profile != Profile::Quiet) {
        let branch = Branch::builder().isps(ISPS).build()?;
        let mut agent = settled::start(&branch, binary, profile)?;
        // Without what a start costs.
        sleep(extent.idle / 4);
        let id = agent.pid().unwrap_or_default();
        let witnesses: Vec<_> = (0..ISPS).map(|isp| Witness::start(&branch.uplink(isp))).collect::<Result<_, _>>()?;
        let (before, began) = (time_of_tasks(id, None), Instant::now());
        sleep(extent.idle);
        let (used, took) = (time_of_tasks(id, None).saturating_sub(before), began.elapsed());
        let probes = witnesses.into_iter().map(|it| it.stop().map(|wire| wire.sent)).sum::<Result<usize, _>>()?;
        agent.check_running()?;
        agent.terminate()?;
        report.row(&Row {
            subject: format!("the whole agent, profile {profile}, {ISPS} uplinks"),
            took: Some(used.mul_f64(1000.0 / probes.max(1) as f64)),
            repetitions: 1,
            rss_mib: None,
            note: format!(
                "{:.1} probes/s; {:.2} % of one core",
                probes as f64 / took.as_secs_f64(),
                100.0 * used.as_secs_f64() / took.as_secs_f64()
            ),
        });
    }
    Ok(())
}
