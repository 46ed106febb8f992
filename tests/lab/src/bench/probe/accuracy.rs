//! What measurers say of paths, held against what passed the wire.

use std::{collections::BTreeMap, time::Duration};

use super::{
    super::report::{Report, Row, median},
    condition::Condition,
    extent::Extent,
    measurer::{Estimate, Measurer, lost_share},
    ours,
    witness::{Wire, Witness},
};
use crate::{Branch, LabError};

/// One measurer on one path.
struct Verdict {
    condition: Condition,
    /// Median told less median on the wire, milliseconds.
    error_ms: f64,
    /// Median told less median configured, milliseconds.
    off_ms: f64,
    /// Loss told less loss on the wire, percentage points.
    loss_error_pp: f64,
    /// Loss told less loss configured.
    loss_off_pp: f64,
}

/// What each measurer was worth, by its name.
#[derive(Default)]
struct Findings {
    verdicts: BTreeMap<&'static str, Vec<Verdict>>,
    /// Why it was not measured with.
    missing: BTreeMap<&'static str, String>,
}

/// Measures every path with every measurer.
pub(super) fn run(extent: &Extent, report: &mut Report) -> Result<(), LabError> {
    report
        .part("accuracy", &format!("Median RTT and loss against the wire, {} probes of each by each", extent.probes));
    let branch = Branch::builder().isps(1).precise().build()?;
    let mut findings = Findings::default();
    for condition in &extent.conditions {
        condition.apply(branch.fabric());
        ours::warm_up(branch.router()).map_err(|reason| LabError::Netlink { what: condition.to_string(), reason })?;
        let mut on_wire = Vec::new();
        let mut notes = Vec::new();
        for measurer in Measurer::ALL {
            if findings.missing.contains_key(measurer.name()) {
                continue;
            }
            match compared(measurer, &branch, extent)? {
                Ok((told, wire)) => {
                    let verdict = Verdict::of(*condition, &told, &wire);
                    notes.push(format!("{} {:+.3}", measurer.name(), verdict.error_ms));
                    on_wire.extend(wire.rtts);
                    findings.verdicts.entry(measurer.name()).or_default().push(verdict);
                }
                Err(reason) => {
                    findings.missing.insert(measurer.name(), reason);
                }
            }
        }
        report.row(&Row {
            subject: condition.to_string(),
            took: Some(median(&on_wire)),
            repetitions: on_wire.len(),
            rss_mib: None,
            note: format!("{} ms", notes.join(", ")),
        });
    }
    findings.conclude(report);
    Ok(())
}

/// One series: what the measurer told, and what passed the wire meanwhile; the reason when there is nothing to compare.
fn compared(
    measurer: Measurer,
    branch: &Branch,
    extent: &Extent,
) -> Result<Result<(Estimate, Wire), String>, LabError> {
    let witness = Witness::start(&branch.uplink(0))?;
    let told = measurer.measure(branch.router(), extent.series(extent.probes));
    let wire = witness.stop()?;
    Ok(told.and_then(|told| match told.rtts.len() {
        answers if wire.rtts.is_empty() => Err(format!("told {answers} answers, and the wire none")),
        _ => Ok((told, wire)),
    }))
}

impl Findings {
    fn conclude(&self, report: &mut Report) {
        let mut loss_error = None;
        for measurer in Measurer::ALL {
            let subject = format!("{}: error of its median RTT", measurer.name());
            if let Some(reason) = self.missing.get(measurer.name()) {
                report.missing(&subject, reason);
                continue;
            }
            let verdicts = self.verdicts.get(measurer.name()).map_or(&[][..], Vec::as_slice);
            let errors = || verdicts.iter().map(|verdict| verdict.error_ms.abs());
            let worst = errors().fold(0.0, f64::max);
            let calm = verdicts.iter().filter(|verdict| verdict.condition.jitter.is_zero());
            let configured = calm.map(|verdict| verdict.off_ms.abs()).fold(0.0, f64::max);
            let loss_worst = verdicts.iter().map(|verdict| verdict.loss_error_pp.abs()).fold(0.0, f64::max);
            let loss_off =
                verdicts.iter().map(|verdict| verdict.loss_off_pp).sum::<f64>() / verdicts.len().max(1) as f64;
            report.row(&Row {
            subject,
            took: Some(milliseconds(middle(errors().collect()))),
            repetitions: verdicts.len(),
            rss_mib: None,
            note: format!(
                "worst {worst:.3} ms; against the configured delay, no jitter: worst {configured:.3} ms; loss: worst \
                 {loss_worst:.2} pp, against the configured one {loss_off:+.2} pp on average"
            ),
        });
            if let Some(figure) = measurer.error_figure() {
                report.figure(figure, worst);
            }
            if measurer.is_ours() {
                loss_error = Some(loss_worst.max(loss_error.unwrap_or_default()));
            }
        }
        if let Some(error) = loss_error {
            report.figure("loss_error_pp", error);
        }
    }
}

impl Verdict {
    fn of(condition: Condition, told: &Estimate, wire: &Wire) -> Self {
        let ms = |span: Duration| span.as_secs_f64() * 1e3;
        let told_ms = ms(median(&told.rtts));
        let on_wire = lost_share(wire.sent, wire.rtts.len());
        Self {
            condition,
            error_ms: told_ms - ms(median(&wire.rtts)),
            off_ms: told_ms - ms(condition.median()),
            loss_error_pp: (told.loss() - on_wire) * 100.0,
            loss_off_pp: (told.loss() - condition.loss) * 100.0,
        }
    }
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn milliseconds(value: f64) -> Duration {
    Duration::from_secs_f64(value.max(0.0) / 1e3)
}
