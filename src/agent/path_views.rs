//! Pure: paths as people and machines see them.

use super::engine::Engine;
use crate::{
    domain::{
        BootTime, ClassId, ProbeOutcome, UplinkId,
        view::{PathReport, PathView, TargetView, TrendPoint, WindowView, milliseconds},
    },
    passive::Handshakes,
    quality::{HistoryFigures, PathQuality, TargetFigures, TrendStep},
};

/// Every path with its figures, by class and uplink.
pub fn paths(engine: &Engine, now: BootTime) -> Vec<PathView> {
    engine.paths.iter().map(|((class, uplink), path)| view(engine, class, *uplink, path, now)).collect()
}

/// Every path with all that is known of it.
pub fn reports(engine: &Engine, known: Option<&Handshakes>, now: BootTime) -> Vec<PathReport> {
    engine
        .paths
        .iter()
        .map(|((class, uplink), path)| PathReport {
            path: view(engine, class, *uplink, path, now),
            targets: targets(engine, class, path, now),
            windows: path.history(now).iter().map(window).collect(),
            trend: path.trend(now).map(trend).to_vec(),
            handshakes: known.and_then(|known| known.of(*uplink, class)).cloned(),
        })
        .collect()
}

fn view(engine: &Engine, class: &ClassId, uplink: UplinkId, path: &PathQuality, now: BootTime) -> PathView {
    let figures = path.figures();
    let decision = engine.decisions.get(class);
    let in_charge = decision.is_some_and(|it| it.shares.iter().any(|share| share.uplink == uplink));
    let measurable = engine.targets.get(class).is_some_and(|targets| !targets.is_empty());
    PathView {
        uplink: engine.config.uplink(uplink).name.clone(),
        isp: engine.config.isp_name_of(uplink).to_owned(),
        class: class.clone(),
        state: path.state(),
        selected: in_charge,
        rtt_min_ms: figures.rtt_min.map(milliseconds),
        rtt_ms: figures.rtt_median.map(milliseconds),
        rtt_p95_ms: figures.rtt_p95.map(milliseconds),
        rtt_p99_ms: figures.rtt_p99.map(milliseconds),
        jitter_ms: figures.jitter.map(milliseconds),
        jitter_smoothed_ms: figures.jitter_smoothed.map(milliseconds),
        loss_ratio: figures.loss,
        loss_bounds: figures.loss_bounds.map(|(low, high)| [low, high]),
        service_ms: figures.service_median.map(milliseconds),
        probes: figures.probes,
        age_s: figures.last_sent.map(|sent| now.since(sent).as_secs_f64()),
        since_s: now.since(path.since()).as_secs(),
        evidence: if measurable {
            path.evidence()
        } else {
            "nothing to measure: [probe.targets] names no target of this family for the service".to_owned()
        },
    }
}

fn targets(engine: &Engine, class: &ClassId, path: &PathQuality, now: BootTime) -> Vec<TargetView> {
    let listed = engine.targets.get(class).into_iter().flat_map(|targets| targets.iter());
    listed
        .zip(path.targets())
        .map(|(target, TargetFigures { rtt_median, last, last_sent, silent })| TargetView {
            target: target.to_string(),
            rtt_ms: rtt_median.map(milliseconds),
            last: last.map(in_words),
            age_s: last_sent.map(|sent| now.since(sent).as_secs_f64()),
            silent,
        })
        .collect()
}

fn in_words(outcome: ProbeOutcome) -> String {
    match outcome {
        ProbeOutcome::Answered(_) => "answered".to_owned(),
        ProbeOutcome::Failed(failure) => failure.to_string(),
        ProbeOutcome::Overdue => "overdue".to_owned(),
    }
}

fn window(figures: &HistoryFigures) -> WindowView {
    WindowView {
        span: figures.span.to_owned(),
        covered_s: figures.covered.as_secs(),
        probes: figures.probes,
        lost: figures.lost,
        loss_ratio: figures.loss(),
        loss_bounds: figures.loss_bounds.map(|(low, high)| [low, high]),
        rtt_min_ms: figures.rtt_min.map(milliseconds),
        rtt_ms: figures.rtt_median.map(milliseconds),
        rtt_p95_ms: figures.rtt_p95.map(milliseconds),
        rtt_p99_ms: figures.rtt_p99.map(milliseconds),
        jitter_ms: figures.jitter.map(milliseconds),
    }
}

fn trend(step: TrendStep) -> TrendPoint {
    TrendPoint { rtt_ms: step.rtt_median.map(milliseconds), loss_ratio: step.loss }
}
