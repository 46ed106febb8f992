//! What arrives when everything is as it should be.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use peerward::domain::{EventKind, ProbeFailure, ProbeKind};
use peerward_lab::collector::{Collector, quantile};

use crate::agent::{CLASS, Office, PATIENCE, Reporting, listener};

const PATH: [(&str, &str); 5] = [
    ("peering.uplink", "wan0"),
    ("peering.isp", "north"),
    ("peering.class", CLASS),
    ("network.type", "ipv4"),
    ("network.interface.name", "ppp0"),
];

fn with<'a>(attributes: &[(&'a str, &'a str)], key: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    [attributes, &[(key, value)]].concat()
}

/// An agent that reports to a collector, both started.
fn scene() -> (Office, Collector, Reporting) {
    let office = Office::open();
    let collector = Collector::start(listener(), &office.collector()).unwrap();
    let reporting = Reporting::start(office.report_to(collector.address()));
    (office, collector, reporting)
}

fn moved() -> EventKind {
    EventKind::PrefixActivePath {
        class: peerward::domain::ClassId::new(CLASS),
        prefixes: 14,
        from: None,
        to: Some("wan0".to_owned()),
        isp: Some("north".to_owned()),
        reason: "preferred in New Zealand".to_owned(),
    }
}

#[test]
fn probes_arrive_as_a_histogram_and_counts_of_their_path() {
    let (_office, collector, reporting) = scene();
    (1..=100).for_each(|number| reporting.probe(Some(Duration::from_micros(10_000 + 20 * number))));
    (0..7).for_each(|_| reporting.probe(None));
    reporting.stop();

    let store = collector.store();
    let rtt = store.histogram("peering.path.rtt", &PATH).unwrap();
    assert_eq!(rtt.count, 100);
    assert!((rtt.mean() - 0.011_01).abs() < 1e-9, "mean {}", rtt.mean());
    assert!((rtt.min - 0.010_02).abs() < 1e-9 && (rtt.max - 0.012).abs() < 1e-9, "{rtt:?}");
    let tcp = with(&PATH, "peering.probe.kind", "tcp");
    let probes = |outcome| store.sum("peering.path.probes", &with(&tcp, "peering.probe.outcome", outcome));
    assert_eq!((probes("answered"), probes("timeout")), (100.0, 7.0));
    assert!(store.malformed.is_empty(), "{:?}", store.malformed);
}

#[test]
fn kinds_failures_services_and_users_each_have_a_series_of_their_own() {
    let (_office, collector, reporting) = scene();
    let ms = Duration::from_millis;
    reporting.probe_of(ProbeKind::Tls, Ok(ms(10)), Some(ms(32)));
    reporting.probe_of(ProbeKind::Tls, Err(ProbeFailure::Untrusted), None);
    reporting.probe_of(ProbeKind::Icmp, Ok(ms(9)), None);
    (0..3).for_each(|_| reporting.handshake(ms(12)));
    reporting.stop();

    let store = collector.store();
    let probes = |kind, outcome| {
        let path = with(&PATH, "peering.probe.kind", kind);
        store.sum("peering.path.probes", &with(&path, "peering.probe.outcome", outcome))
    };
    let counted = [("tls", "answered"), ("tls", "untrusted"), ("icmp", "answered"), ("tls", "timeout")];
    assert_eq!(counted.map(|(kind, outcome)| probes(kind, outcome)), [1.0, 1.0, 1.0, 0.0]);
    let tls = with(&PATH, "peering.probe.kind", "tls");
    let service = store.histogram("peering.path.service_time", &tls).unwrap();
    assert_eq!((service.count, service.max), (1, 0.032));
    let users = store.histogram("peering.path.handshake.rtt", &PATH).unwrap();
    assert_eq!((users.count, users.min), (3, 0.012));
    assert_eq!(store.histogram("peering.path.rtt", &PATH).unwrap().count, 2);
    assert!(store.malformed.is_empty(), "{:?}", store.malformed);
}

#[test]
fn quantiles_of_the_histogram_are_those_of_the_probes() {
    let office = Office::open();
    let collector = Collector::start(listener(), &office.collector()).unwrap();
    let mut report = office.report_to(collector.address());
    // One interval: the quantile is asked of one point.
    report.interval = Duration::from_secs(3600);
    let reporting = Reporting::start(report);
    (1..=1000).for_each(|number| reporting.probe(Some(Duration::from_micros(10 * number))));
    reporting.stop();

    let store = collector.store();
    let points = store.histogram_points("peering.path.rtt", &PATH);
    let [point] = points.as_slice() else { panic!("{} points", points.len()) };
    for (share, seconds) in [(0.5, 0.005), (0.95, 0.0095), (0.99, 0.0099)] {
        let found = quantile(point, share).unwrap();
        // From 10 µs to 10 ms in 80 buckets: none is wider than 19 %.
        assert!((found / seconds - 1.0).abs() < 0.19, "{share} quantile is {found} s, not {seconds} s");
    }
}

#[test]
fn the_picture_of_the_agent_arrives_with_units_and_resource() {
    let (_office, collector, reporting) = scene();
    reporting.wait_for_recovery();
    reporting.stop();

    let store = collector.store();
    let latest = |name, attributes: &[_]| store.latest(name, attributes);
    assert_eq!(latest("peering.path.loss", &PATH), Some(0.125));
    assert_eq!(latest("peering.path.jitter", &PATH), Some(0.0015));
    assert_eq!(latest("peering.path.loss_lower_bound", &PATH), Some(0.022));
    assert_eq!(latest("peering.path.loss_upper_bound", &PATH), Some(0.471));
    assert_eq!(latest("peering.path.jitter_smoothed", &PATH), Some(0.00125));
    assert_eq!(latest("peering.path.selected", &PATH), Some(1.0));
    let states = ["up", "degraded", "unknown", "down"];
    let states = states.map(|state| latest("peering.path.state", &with(&PATH, "peering.path.state", state)));
    assert_eq!(states, [Some(0.0), Some(1.0), Some(0.0), Some(0.0)]);
    let class = [("peering.class", CLASS), ("network.type", "ipv4")];
    assert_eq!(latest("peering.class.prefixes", &class), Some(14.0));
    assert_eq!(latest("peering.class.routes", &class), Some(9.0));
    assert_eq!(latest("peering.agent.uptime", &[]), Some(77.0));
    assert_eq!(latest("peering.agent.kernel.routes", &[("peering.table", "primary")]), Some(9.0));
    assert_eq!(latest("peering.agent.kernel.writes", &[]), Some(31.0));
    assert_eq!(latest("peering.agent.kernel.in_step", &[]), Some(1.0));

    let units = store.metric_units();
    assert_eq!((units["peering.path.jitter"].as_str(), units["peering.path.loss"].as_str()), ("s", "1"));
    let resource = store.resource();
    assert_eq!(resource["service.name"], "peerward");
    assert_eq!(resource["service.version"], "9.8.7");
    assert_eq!((resource["peering.site"].as_str(), resource["peering.market"].as_str()), ("akl-07", "New Zealand"));
    assert!(resource["service.instance.id"].starts_with("akl-07/"));
}

#[test]
fn an_event_arrives_without_waiting_for_the_interval() {
    let office = Office::open();
    let collector = Collector::start(listener(), &office.collector()).unwrap();
    let mut report = office.report_to(collector.address());
    report.interval = Duration::from_secs(3600);
    let reporting = Reporting::start(report);
    reporting.event(moved());
    collector.wait_until("the event", PATIENCE, |store| store.events().len() == 1).unwrap();

    let [event] = collector.store().events_named("PrefixActivePath").try_into().unwrap();
    assert_eq!((event.severity.as_str(), event.severity_number), ("Information", 9));
    assert_eq!(event.body, moved().to_string());
    let attribute = |name: &str| event.attributes.get(name).map(String::as_str);
    assert_eq!(attribute("peering.class"), Some(CLASS));
    assert_eq!(attribute("peering.isp"), Some("north"));
    assert_eq!(attribute("peering.prefixes"), Some("14"));
    assert_eq!(attribute("peering.reason"), Some("preferred in New Zealand"));
    assert_eq!((attribute("peering.from"), attribute("peering.event")), (None, None));
    let age = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() - u128::from(event.time_unix_nano);
    assert!(age < PATIENCE.as_nanos(), "wall time is wrong by {age} ns");
}

#[test]
fn moves_of_a_class_are_counted() {
    let (_office, collector, reporting) = scene();
    (0..3).for_each(|_| reporting.event(moved()));
    reporting.stop();
    assert_eq!(collector.store().sum("peering.class.changes", &[("peering.class", CLASS)]), 3.0);
}

#[test]
fn one_connection_carries_all_reports() {
    let (_office, collector, reporting) = scene();
    collector.wait_until("ten reports", PATIENCE, |store| store.requests >= 10).unwrap();
    reporting.stop();
    assert_eq!(collector.store().connections, 1);
}

#[test]
fn what_is_left_is_sent_when_the_agent_stops() {
    let office = Office::open();
    let collector = Collector::start(listener(), &office.collector()).unwrap();
    let mut report = office.report_to(collector.address());
    report.interval = Duration::from_secs(3600);
    let reporting = Reporting::start(report);
    reporting.probe(Some(Duration::from_millis(12)));
    reporting.event(moved());
    let status = reporting.stop();

    assert_eq!((status.state.as_str(), status.queued_batches), ("ok", 0));
    let store = collector.store();
    assert_eq!(store.samples() as u64, status.acknowledged);
    assert_eq!((store.histogram("peering.path.rtt", &PATH).unwrap().count, store.events().len()), (1, 1));
}
