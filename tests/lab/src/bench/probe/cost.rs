//! Processor time of probes, beside `fping` and `ping` at the same pace.

use std::time::Duration;

use peerward::domain::ProbeKind;

use super::{
    super::report::{Report, Row, median},
    condition::Condition,
    extent::Extent,
    measurer::Measurer,
    ours,
};
use crate::{Branch, LabError, Namespace};

/// The path that they are measured on.
const RTT: Duration = Duration::from_millis(10);

/// Measures all of them.
pub(super) fn run(extent: &Extent, report: &mut Report) -> Result<(), LabError> {
    report.part("cost", "Processor time of 1,000 probes, 100 a second, the kernel's part included");
    let branch = Branch::builder().isps(1).build()?;
    Condition::calm(RTT).apply(branch.fabric());
    ours::warm_up(branch.router()).map_err(|reason| LabError::Netlink { what: "warm up".to_owned(), reason })?;
    for measurer in Measurer::ALL {
        let subject = measurer.name();
        let costs: Result<Vec<_>, _> =
            (0..extent.repetitions.min(3)).map(|_| of_thousand(measurer, branch.router(), extent)).collect();
        match costs {
            Err(reason) => report.missing(subject, &reason),
            Ok(costs) => {
                let cost = median(&costs);
                report.row(&Row {
                    subject: subject.to_owned(),
                    took: Some(cost),
                    repetitions: costs.len(),
                    rss_mib: None,
                    note: String::new(),
                });
                let figure = match measurer {
                    // What fping sends too.
                    Measurer::Peerward(ProbeKind::Icmp) => "cpu_ms_per_1000",
                    Measurer::Fping => "cpu_ms_per_1000_fping",
                    _ => continue,
                };
                report.figure(figure, cost.as_secs_f64() * 1e3);
            }
        }
    }
    Ok(())
}

/// What a thousand probes cost, without what a single one costs: starting a program or a runtime is not measuring.
fn of_thousand(measurer: Measurer, router: &Namespace, extent: &Extent) -> Result<Duration, String> {
    let one = measurer.measure(router, extent.series(1))?.cpu;
    let many = measurer.measure(router, extent.series(extent.counted + 1))?.cpu;
    Ok(many.saturating_sub(one).mul_f64(1000.0 / extent.counted as f64))
}
