//! Every metric of one report.

use std::{collections::BTreeMap, iter::once};

use super::{
    super::{
        proto::{KeyValue, Metric, Number},
        recorder::PathKey,
        vocabulary::{self as metric, key},
    },
    Moment,
    points::{Metrics, Times, whole},
};
use crate::domain::{
    BootTime, ClassId, Family, PathState,
    view::{ClassView, KernelView, PathView, ReportingView, Snapshot},
};

/// The states that a path can be in; each is reported, so that no series ends when a path leaves a state.
const STATES: [PathState; 4] = [PathState::Up, PathState::Degraded, PathState::Unknown, PathState::Down];

/// Outcome of a probe that did not fail; those that did are called by their failure.
const ANSWERED: &str = "answered";

/// All metrics, and the number of their points.
pub fn all(moment: Moment<'_>, started: BootTime) -> (Vec<Metric>, u64) {
    let Moment { interval, snapshot, reporting, wall } = moment;
    let mut metrics = Metrics::new(Times {
        started: wall.unix_nanos(started),
        from: wall.unix_nanos(interval.from),
        to: wall.unix_nanos(interval.to),
    });
    let names = Names::of(snapshot);
    probes(&mut metrics, moment, &names);
    paths(&mut metrics, &snapshot.paths, &names);
    classes(&mut metrics, moment);
    metrics.numbers(metric::UPTIME, once((Vec::new(), whole(snapshot.uptime_s))));
    kernel(&mut metrics, &snapshot.kernel);
    report(&mut metrics, reporting);
    metrics.finish()
}

/// What the snapshot knows of names that probes carry.
struct Names<'a> {
    interfaces: BTreeMap<&'a str, &'a str>,
    families: BTreeMap<&'a ClassId, Family>,
}

impl<'a> Names<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        let uplinks = snapshot.isps.iter().flat_map(|isp| &isp.uplinks);
        Self {
            interfaces: uplinks.map(|uplink| (uplink.name.as_str(), uplink.interface.as_str())).collect(),
            families: snapshot.classes.iter().map(|class| (&class.id, class.family)).collect(),
        }
    }

    fn path(&self, uplink: &str, isp: &str, class: &ClassId) -> Vec<KeyValue> {
        let mut attributes = vec![
            KeyValue::new(key::UPLINK, uplink),
            KeyValue::new(key::ISP, isp),
            KeyValue::new(key::CLASS, class.as_str()),
        ];
        attributes.extend(self.families.get(class).map(|family| KeyValue::new(key::NETWORK_TYPE, family.as_str())));
        attributes.extend(self.interfaces.get(uplink).map(|&interface| KeyValue::new(key::INTERFACE, interface)));
        attributes
    }

    fn probed(&self, path: &PathKey) -> Vec<KeyValue> {
        self.path(&path.uplink, &path.isp, &path.class)
    }

    fn viewed(&self, path: &PathView) -> Vec<KeyValue> {
        self.path(&path.uplink, &path.isp, &path.class)
    }
}

fn probes(metrics: &mut Metrics, moment: Moment<'_>, names: &Names<'_>) {
    let paths = &moment.interval.paths;
    let by_kind = || {
        let kinds = paths.iter().flat_map(|(path, tally)| tally.probes.iter().map(move |kind| (path, kind)));
        kinds.map(|(path, (kind, tally))| {
            (and(names.probed(path), KeyValue::new(key::PROBE_KIND, kind.as_str())), tally)
        })
    };
    let answered = paths.iter().filter(|(_, tally)| tally.rtt.count() > 0);
    metrics.histograms(metric::PATH_RTT, answered.map(|(path, tally)| (names.probed(path), &tally.rtt)));
    let served = by_kind().filter(|(_, tally)| tally.service_time.count() > 0);
    metrics.histograms(metric::PATH_SERVICE_TIME, served.map(|(kind, tally)| (kind, &tally.service_time)));
    let used = paths.iter().filter(|(_, tally)| tally.handshakes.count() > 0);
    metrics.histograms(metric::PATH_HANDSHAKE_RTT, used.map(|(path, tally)| (names.probed(path), &tally.handshakes)));
    let by_outcome = by_kind().flat_map(|(kind, tally)| {
        let failed = tally.failed.iter().map(|(&failure, &count)| (failure, count));
        once((ANSWERED, tally.answered)).chain(failed).map(move |(outcome, count)| {
            (and(kind.clone(), KeyValue::new(key::PROBE_OUTCOME, outcome)), whole(count))
        })
    });
    metrics.numbers(metric::PATH_PROBES, by_outcome);
}

fn paths(metrics: &mut Metrics, paths: &[PathView], names: &Names<'_>) {
    let mut gauge = |instrument, figure: fn(&PathView) -> Option<f64>| {
        let known = paths.iter().filter_map(|path| Some((names.viewed(path), Number::Double(figure(path)?))));
        metrics.numbers(instrument, known);
    };
    gauge(metric::PATH_LOSS, |path| path.loss_ratio);
    gauge(metric::PATH_LOSS_LOWER, |path| path.loss_bounds.map(|[low, _]| low));
    gauge(metric::PATH_LOSS_UPPER, |path| path.loss_bounds.map(|[_, high]| high));
    gauge(metric::PATH_JITTER, |path| seconds(path.jitter_ms));
    gauge(metric::PATH_JITTER_SMOOTHED, |path| seconds(path.jitter_smoothed_ms));
    let states = paths.iter().flat_map(|path| {
        STATES.map(|state| {
            let attributes = and(names.viewed(path), KeyValue::new(key::PATH_STATE, state.as_str()));
            (attributes, whole(i64::from(path.state == state)))
        })
    });
    metrics.numbers(metric::PATH_STATE, states);
    let selected = paths.iter().map(|path| (names.viewed(path), whole(i64::from(path.selected))));
    metrics.numbers(metric::PATH_SELECTED, selected);
}

fn classes(metrics: &mut Metrics, moment: Moment<'_>) {
    let Moment { interval, snapshot, .. } = moment;
    let attributes = |class: &ClassView| {
        vec![KeyValue::new(key::CLASS, class.id.as_str()), KeyValue::new(key::NETWORK_TYPE, class.family.as_str())]
    };
    let classes = &snapshot.classes;
    metrics.numbers(metric::CLASS_PREFIXES, classes.iter().map(|it| (attributes(it), whole(it.prefixes))));
    metrics.numbers(metric::CLASS_ROUTES, classes.iter().map(|it| (attributes(it), whole(it.routes))));
    let changes = classes.iter().map(|it| {
        let count = interval.changes.get(&it.id).copied().unwrap_or_default();
        (attributes(it), whole(count))
    });
    metrics.numbers(metric::CLASS_CHANGES, changes);
}

fn kernel(metrics: &mut Metrics, kernel: &KernelView) {
    let routes = [("primary", kernel.routes_primary), ("backup", kernel.routes_backup)];
    let routes = routes.map(|(table, count)| (vec![KeyValue::new(key::TABLE, table)], whole(count)));
    metrics.numbers(metric::KERNEL_ROUTES, routes);
    metrics.numbers(metric::KERNEL_IN_STEP, once((Vec::new(), whole(i64::from(kernel.in_step)))));
    metrics.numbers(metric::KERNEL_WRITES, once((Vec::new(), whole(kernel.writes))));
    metrics.numbers(metric::KERNEL_REPAIRS, once((Vec::new(), whole(kernel.repairs))));
    metrics.numbers(metric::KERNEL_OVERRUNS, once((Vec::new(), whole(kernel.overruns))));
    metrics.numbers(metric::FLOWS_RESET, once((Vec::new(), whole(kernel.flows.deleted))));
}

fn report(metrics: &mut Metrics, reporting: &ReportingView) {
    metrics.numbers(metric::QUEUE_SIZE, once((Vec::new(), whole(reporting.queued_bytes))));
    metrics.numbers(metric::QUEUE_BATCHES, once((Vec::new(), whole(reporting.queued_batches))));
    metrics.numbers(metric::REPORT_DROPPED, once((Vec::new(), whole(reporting.dropped_batches))));
    metrics.numbers(metric::REPORT_ACKNOWLEDGED, once((Vec::new(), whole(reporting.acknowledged))));
    metrics.numbers(metric::REPORT_REJECTED, once((Vec::new(), whole(reporting.rejected))));
}

fn seconds(milliseconds: Option<f64>) -> Option<f64> {
    milliseconds.map(|milliseconds| milliseconds / 1e3)
}

fn and(mut attributes: Vec<KeyValue>, one: KeyValue) -> Vec<KeyValue> {
    attributes.push(one);
    attributes
}
