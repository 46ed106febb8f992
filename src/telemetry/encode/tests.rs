//! Shapes and sizes of batches. That others understand them is tested against the lab's collector.

use std::{io::Read, sync::Arc, time::Duration};

use flate2::read::GzDecoder;

use super::*;
use crate::{
    domain::{
        ClassId, EventKind, Family, PathState, ProbeFailure, ProbeKind,
        view::{ClassView, IspView, PathView, UplinkView},
    },
    telemetry::{
        Record,
        proto::{AggregationTemporality, Data, LogRecord, Metric, Value},
        recorder::Recorder,
        vocabulary::{self, Kind},
    },
};

fn at(seconds: u64) -> BootTime {
    BootTime(Duration::from_secs(seconds))
}

/// Boot at second 1000 of the epoch.
fn wall() -> WallClock {
    WallClock::new(at(0), std::time::UNIX_EPOCH + Duration::from_secs(1000))
}

fn encoder() -> Encoder {
    let identity =
        Identity { site: "akl-07".to_owned(), market: "New Zealand".to_owned(), version: "1.2.3".to_owned() };
    Encoder::new(&identity, at(5))
}

fn unpacked<M: Message + Default>(batch: &Batch) -> M {
    let mut bytes = Vec::new();
    GzDecoder::new(batch.body.as_ref()).read_to_end(&mut bytes).unwrap();
    M::decode(bytes.as_slice()).unwrap()
}

fn metrics_of(batch: &Batch) -> Vec<Metric> {
    let request: ExportMetricsServiceRequest = unpacked(batch);
    request.resource_metrics.into_iter().flat_map(|it| it.scope_metrics).flat_map(|it| it.metrics).collect()
}

fn log_records_of(batch: &Batch) -> Vec<LogRecord> {
    let request: ExportLogsServiceRequest = unpacked(batch);
    request.resource_logs.into_iter().flat_map(|it| it.scope_logs).flat_map(|it| it.log_records).collect()
}

fn points(metric: &Metric) -> usize {
    match metric.data.as_ref().unwrap() {
        Data::Gauge(gauge) => gauge.data_points.len(),
        Data::Sum(sum) => sum.data_points.len(),
        Data::ExponentialHistogram(histogram) => histogram.data_points.len(),
    }
}

fn class_name(number: usize) -> ClassId {
    ClassId::new(&format!("m365.service{number}.ipv4"))
}

/// `uplinks` × `classes` paths, all measured.
fn snapshot(uplinks: usize, classes: usize) -> Snapshot {
    let names: Vec<String> = (0..uplinks).map(|number| format!("wan{number}")).collect();
    let uplink = |name: &String| UplinkView {
        name: name.clone(),
        interface: name.clone(),
        state: PathState::Up,
        reason: String::new(),
        next_hop_ipv4: None,
        next_hop_ipv6: None,
        rtt_ms: None,
        loss_ratio: None,
    };
    let isp = IspView {
        name: "north".to_owned(),
        partner: None,
        qualified: true,
        qualification: String::new(),
        uplinks: names.iter().map(uplink).collect(),
    };
    let paths = (0..classes).flat_map(|class| names.iter().map(move |name| path(name, class_name(class)))).collect();
    let classes = (0..classes).map(class).collect();
    Snapshot { isps: vec![isp], classes, paths, ..Snapshot::default() }
}

fn class(number: usize) -> ClassView {
    ClassView {
        id: class_name(number),
        family: Family::Ipv4,
        service: "exchange".to_owned(),
        region: None,
        prefixes: 14,
        routes: 9,
        uplink: None,
        isp: None,
        shares: Vec::new(),
        backup: None,
        reason: String::new(),
        since_s: 0,
        candidates: Vec::new(),
        in_kernel: None,
        kept: 0,
        kept_prefixes: Vec::new(),
    }
}

fn path(uplink: &str, class: ClassId) -> PathView {
    PathView {
        uplink: uplink.to_owned(),
        isp: "north".to_owned(),
        class,
        state: PathState::Up,
        selected: true,
        rtt_min_ms: None,
        rtt_ms: None,
        rtt_p95_ms: None,
        rtt_p99_ms: None,
        jitter_smoothed_ms: Some(0.27),
        loss_bounds: Some([0.0, 0.161]),
        service_ms: None,
        jitter_ms: Some(0.25),
        loss_ratio: Some(0.0),
        probes: 20,
        age_s: None,
        since_s: 0,
        evidence: String::new(),
    }
}

/// Seconds 10 to 20 with `probes` probes of each kind and as many handshakes on each path of `snapshot`, RTT around 12 ms.
fn interval(snapshot: &Snapshot, probes: u64) -> Interval {
    let mut recorder = Recorder::new(at(10));
    let mut random = fastrand::Rng::with_seed(7);
    let mut rtt = || Duration::from_micros(random.u64(12_000..12_500));
    for path in &snapshot.paths {
        let (uplink, isp): (Arc<str>, Arc<str>) = (path.uplink.as_str().into(), path.isp.as_str().into());
        for kind in [ProbeKind::Tcp, ProbeKind::Tls].repeat(usize::try_from(probes).unwrap()) {
            recorder.record(Record::Probe {
                at: at(11),
                uplink: Arc::clone(&uplink),
                isp: Arc::clone(&isp),
                class: path.class.clone(),
                kind,
                outcome: Ok(rtt()),
                service_time: (kind == ProbeKind::Tls).then(|| 3 * rtt()),
            });
        }
        for _ in 0..probes {
            let (uplink, isp, class) = (Arc::clone(&uplink), Arc::clone(&isp), path.class.clone());
            recorder.record(Record::Handshake { uplink, isp, class, rtt: rtt() });
        }
    }
    recorder.take_interval(at(20))
}

fn encoded(snapshot: &Snapshot, interval: &Interval) -> Batch {
    let (reporting, wall) = (ReportingView::default(), wall());
    encoder().metrics(Moment { interval, snapshot, reporting: &reporting, wall: &wall })
}

#[test]
fn every_metric_of_the_table_is_sent_as_the_table_says() {
    let snapshot = snapshot(1, 1);
    let metrics = metrics_of(&encoded(&snapshot, &interval(&snapshot, 1)));
    let sent: Vec<&str> = metrics.iter().map(|metric| metric.name.as_str()).collect();
    assert_eq!(sent, vocabulary::ALL.map(|it| it.name));

    for (metric, instrument) in metrics.iter().zip(vocabulary::ALL) {
        let shape = match metric.data.as_ref().unwrap() {
            Data::Gauge(_) => Kind::Gauge,
            Data::ExponentialHistogram(it) if it.aggregation_temporality() == AggregationTemporality::Delta => {
                Kind::DeltaHistogram
            }
            Data::Sum(it) => match (it.aggregation_temporality(), it.is_monotonic) {
                (AggregationTemporality::Cumulative, false) => Kind::UpDownCounter,
                (AggregationTemporality::Cumulative, true) => Kind::Counter,
                (AggregationTemporality::Delta, true) => Kind::DeltaCounter,
                other => panic!("{} is a sum of {other:?}", metric.name),
            },
            other @ Data::ExponentialHistogram(_) => panic!("{} is {other:?}", metric.name),
        };
        assert_eq!((shape, metric.unit.as_str()), (instrument.kind, instrument.unit), "{}", metric.name);
    }
}

#[test]
fn deltas_cover_the_interval_and_totals_the_life_of_the_agent() {
    let snapshot = snapshot(1, 1);
    let second = |value: u64| value * 1_000_000_000;
    for metric in metrics_of(&encoded(&snapshot, &interval(&snapshot, 1))) {
        let times = match metric.data.unwrap() {
            Data::ExponentialHistogram(it) => {
                (it.data_points[0].start_time_unix_nano, it.data_points[0].time_unix_nano)
            }
            Data::Sum(it) => (it.data_points[0].start_time_unix_nano, it.data_points[0].time_unix_nano),
            Data::Gauge(it) => (it.data_points[0].start_time_unix_nano, it.data_points[0].time_unix_nano),
        };
        let instrument = vocabulary::ALL.into_iter().find(|it| it.name == metric.name).unwrap();
        let start = match instrument.kind {
            Kind::Gauge => 0,
            Kind::UpDownCounter | Kind::Counter => second(1005),
            Kind::DeltaCounter | Kind::DeltaHistogram => second(1010),
        };
        assert_eq!(times, (start, second(1020)), "{}", metric.name);
    }
}

#[test]
fn the_batch_knows_how_many_points_it_holds() {
    let snapshot = snapshot(3, 4);
    let batch = encoded(&snapshot, &interval(&snapshot, 5));
    assert_eq!(batch.items, metrics_of(&batch).iter().map(points).sum::<usize>() as u64);
}

#[test]
fn what_has_no_figure_has_no_point() {
    let mut snapshot = snapshot(1, 1);
    snapshot.paths[0].loss_ratio = None;
    snapshot.paths[0].loss_bounds = None;
    snapshot.paths[0].jitter_ms = None;
    snapshot.paths[0].jitter_smoothed_ms = None;
    let metrics = metrics_of(&encoded(&snapshot, &interval(&snapshot, 0)));
    let told: Vec<&str> = metrics.iter().map(|metric| metric.name.as_str()).collect();
    let of_paths: Vec<&str> = told.into_iter().filter(|name| name.starts_with("peering.path.")).collect();
    assert_eq!(of_paths, ["peering.path.state", "peering.path.selected"]);
}

#[test]
fn failures_are_called_as_in_json_and_the_documentation() {
    for failure in ProbeFailure::ALL {
        assert_eq!(serde_json::to_value(failure).unwrap(), failure.as_str());
        let document = include_str!("../../../docs/telemetry.md");
        assert!(document.contains(&format!("`{}`", failure.as_str())), "{failure:?} is not in the documentation");
    }
}

#[test]
fn an_agent_that_knows_nothing_yet_still_reports_itself() {
    let snapshot = Snapshot::default();
    let metrics = metrics_of(&encoded(&snapshot, &interval(&snapshot, 0)));
    assert!(metrics.iter().all(|metric| metric.name.starts_with("peering.agent.")));
    assert!(!metrics.is_empty());
}

#[test]
fn three_uplinks_with_ten_classes_stay_within_25_bytes_per_point() {
    let snapshot = snapshot(3, 10);
    let batch = encoded(&snapshot, &interval(&snapshot, 10));
    let per_point = batch.body.len() as f64 / batch.items as f64;
    assert!(per_point < 25.0, "{per_point:.1} bytes for each of {} points", batch.items);
}

#[test]
fn events_keep_their_fields_and_types() {
    let kind = EventKind::UplinkChanged {
        uplink: "wan0".to_owned(),
        isp: "north".to_owned(),
        usable: false,
        reason: "no carrier".to_owned(),
    };
    let batch = encoder().events(&[Event { at: at(11), kind: kind.clone() }], &wall(), at(12));
    assert_eq!(batch.items, 1);
    let [record] = log_records_of(&batch).try_into().unwrap();
    assert_eq!((record.event_name.as_str(), record.severity_text.as_str()), ("UplinkChanged", "Warning"));
    assert_eq!(record.time_unix_nano, 1_011_000_000_000);
    assert_eq!(record.observed_time_unix_nano, 1_012_000_000_000);
    let attribute = |key: &str| record.attributes.iter().find(|it| it.key == key).cloned();
    assert_eq!(attribute("peering.usable"), Some(KeyValue::new("peering.usable", Value::Bool(false))));
    assert_eq!(attribute("peering.uplink"), Some(KeyValue::new("peering.uplink", "wan0")));
    assert_eq!(record.attributes.len(), 4);
}
