//! Adds up what was observed between two reports.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{Record, histogram::Histogram};
use crate::domain::{BootTime, ClassId, Event, EventKind, ProbeFailure, ProbeKind};

/// A path by its names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PathKey {
    /// Uplink.
    pub uplink: Arc<str>,
    /// ISP.
    pub isp: Arc<str>,
    /// Class.
    pub class: ClassId,
}

/// What one path met.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PathTally {
    /// RTT of the answered probes, of whatever kind.
    pub rtt: Histogram,
    /// Probes by kind.
    pub probes: BTreeMap<ProbeKind, KindTally>,
    /// RTT of users' handshakes.
    pub handshakes: Histogram,
}

/// Probes of one kind on one path.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KindTally {
    /// Answered ones.
    pub answered: u64,
    /// The others, by what went wrong: as rarely as it does, there is no entry.
    pub failed: BTreeMap<&'static str, u64>,
    /// What the service took.
    pub service_time: Histogram,
}

impl PathTally {
    fn probe(&mut self, kind: ProbeKind, outcome: Result<Duration, ProbeFailure>, service_time: Option<Duration>) {
        let probes = self.probes.entry(kind).or_default();
        match outcome {
            Ok(rtt) => {
                probes.answered += 1;
                self.rtt.record(rtt);
            }
            Err(failure) => *probes.failed.entry(failure.as_str()).or_default() += 1,
        }
        if let Some(time) = service_time {
            probes.service_time.record(time);
        }
    }
}

/// What was observed in a span of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Interval {
    /// Its start.
    pub from: BootTime,
    /// Its end.
    pub to: BootTime,
    /// Probes and handshakes by path.
    pub paths: BTreeMap<PathKey, PathTally>,
    /// How often each class changed its uplink.
    pub changes: BTreeMap<ClassId, u64>,
}

/// The open interval, and the events that were not handed on yet.
#[derive(Debug)]
pub struct Recorder {
    interval: Interval,
    events: Vec<Event>,
}

impl Recorder {
    /// Begins at `now`.
    pub fn new(now: BootTime) -> Self {
        Self { interval: Interval::beginning(now), events: Vec::new() }
    }

    /// Counts one record.
    pub fn record(&mut self, record: Record) {
        match record {
            Record::Probe { uplink, isp, class, kind, outcome, service_time, .. } => {
                self.path(PathKey { uplink, isp, class }).probe(kind, outcome, service_time);
            }
            Record::Handshake { uplink, isp, class, rtt } => {
                self.path(PathKey { uplink, isp, class }).handshakes.record(rtt);
            }
            Record::Event(event) => self.record_event(event),
        }
    }

    /// Events that were not handed on yet.
    pub fn pending_events(&self) -> usize {
        self.events.len()
    }

    /// Hands on the events.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Closes the interval at `now` and opens the next.
    pub fn take_interval(&mut self, now: BootTime) -> Interval {
        let mut interval = std::mem::replace(&mut self.interval, Interval::beginning(now));
        interval.to = now;
        interval
    }

    fn path(&mut self, path: PathKey) -> &mut PathTally {
        self.interval.paths.entry(path).or_default()
    }

    fn record_event(&mut self, event: Event) {
        if let EventKind::PrefixActivePath { class, .. } = &event.kind {
            *self.interval.changes.entry(class.clone()).or_default() += 1;
        }
        self.events.push(event);
    }
}

impl Interval {
    fn beginning(from: BootTime) -> Self {
        Self { from, to: from, paths: BTreeMap::new(), changes: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> BootTime {
        BootTime(Duration::from_secs(seconds))
    }

    fn millis(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    fn probe_of(uplink: &str, kind: ProbeKind, outcome: Result<u64, ProbeFailure>, service: Option<u64>) -> Record {
        Record::Probe {
            at: at(1),
            uplink: uplink.into(),
            isp: "north".into(),
            class: ClassId::new("m365.exchange.ipv4"),
            kind,
            outcome: outcome.map(millis),
            service_time: service.map(millis),
        }
    }

    fn probe(uplink: &str, rtt_ms: Option<u64>) -> Record {
        probe_of(uplink, ProbeKind::Tcp, rtt_ms.ok_or(ProbeFailure::Timeout), None)
    }

    fn handshake(uplink: &str, rtt_ms: u64) -> Record {
        Record::Handshake {
            uplink: uplink.into(),
            isp: "north".into(),
            class: ClassId::new("m365.exchange.ipv4"),
            rtt: millis(rtt_ms),
        }
    }

    /// The one path of the interval.
    fn only_path(mut recorder: Recorder) -> PathTally {
        let paths: Vec<_> = recorder.take_interval(at(10)).paths.into_values().collect();
        let [path] = paths.try_into().unwrap();
        path
    }

    fn moved() -> Event {
        let kind = EventKind::PrefixActivePath {
            class: ClassId::new("m365.exchange.ipv4"),
            prefixes: 3,
            from: None,
            to: Some("wan0".to_owned()),
            isp: Some("north".to_owned()),
            reason: "preferred".to_owned(),
        };
        Event { at: at(2), kind }
    }

    #[test]
    fn probes_are_counted_by_path_and_outcome() {
        let mut recorder = Recorder::new(at(0));
        for (uplink, rtt_ms) in [("wan0", Some(10)), ("wan0", None), ("wan1", Some(20)), ("wan0", Some(12))] {
            recorder.record(probe(uplink, rtt_ms));
        }

        let interval = recorder.take_interval(at(10));
        let counts: Vec<(&str, u64, u64)> = interval
            .paths
            .iter()
            .map(|(path, tally)| {
                let tcp = &tally.probes[&ProbeKind::Tcp];
                (path.uplink.as_ref(), tally.rtt.count(), tcp.failed.values().sum())
            })
            .collect();
        assert_eq!(counts, [("wan0", 2, 1), ("wan1", 1, 0)]);
    }

    #[test]
    fn kinds_and_failures_are_told_apart() {
        let mut recorder = Recorder::new(at(0));
        recorder.record(probe_of("wan0", ProbeKind::Tls, Ok(10), Some(31)));
        recorder.record(probe_of("wan0", ProbeKind::Tls, Err(ProbeFailure::Untrusted), None));
        recorder.record(probe_of("wan0", ProbeKind::Tls, Err(ProbeFailure::Untrusted), None));
        recorder.record(probe_of("wan0", ProbeKind::Icmp, Err(ProbeFailure::Timeout), None));

        let path = only_path(recorder);
        let (tls, icmp) = (&path.probes[&ProbeKind::Tls], &path.probes[&ProbeKind::Icmp]);
        assert_eq!((tls.answered, icmp.answered), (1, 0));
        assert_eq!(tls.failed.clone().into_iter().collect::<Vec<_>>(), [("untrusted", 2)]);
        assert_eq!(icmp.failed.clone().into_iter().collect::<Vec<_>>(), [("timeout", 1)]);
        assert_eq!((tls.service_time.count(), tls.service_time.max()), (1, Some(0.031)));
        assert_eq!(path.rtt.max(), Some(0.01), "the service takes longer than the path");
    }

    #[test]
    fn handshakes_of_users_are_never_mixed_with_probes() {
        let mut recorder = Recorder::new(at(0));
        recorder.record(handshake("wan0", 40));
        recorder.record(probe("wan0", Some(10)));
        let path = only_path(recorder);
        assert_eq!((path.rtt.count(), path.rtt.max()), (1, Some(0.01)));
        assert_eq!((path.handshakes.count(), path.handshakes.min()), (1, Some(0.04)));
    }

    #[test]
    fn intervals_touch_and_begin_empty() {
        let mut recorder = Recorder::new(at(0));
        recorder.record(probe("wan0", None));
        let first = recorder.take_interval(at(10));
        let second = recorder.take_interval(at(20));
        assert_eq!((first.from, first.to, second.from, second.to), (at(0), at(10), at(10), at(20)));
        assert!(second.paths.is_empty());
    }

    #[test]
    fn moves_of_a_class_are_counted_and_handed_on_as_events() {
        let mut recorder = Recorder::new(at(0));
        recorder.record(Record::Event(moved()));
        recorder.record(Record::Event(moved()));
        assert_eq!(recorder.take_events(), [moved(), moved()]);
        assert_eq!(recorder.pending_events(), 0);
        assert_eq!(recorder.take_interval(at(10)).changes.into_values().collect::<Vec<_>>(), [2]);
    }
}
