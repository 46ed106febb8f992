//! Adds up what was observed between two reports.

use std::{collections::BTreeMap, sync::Arc};

use super::{Record, histogram::Histogram};
use crate::domain::{BootTime, ClassId, Event, EventKind};

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

/// Probes of one path.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PathTally {
    /// RTT of the answered ones.
    pub rtt: Histogram,
    /// Lost ones.
    pub lost: u64,
}

/// What was observed in a span of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Interval {
    /// Its start.
    pub from: BootTime,
    /// Its end.
    pub to: BootTime,
    /// Probes by path.
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
            Record::Probe { uplink, isp, class, rtt, .. } => {
                let tally = self.interval.paths.entry(PathKey { uplink, isp, class }).or_default();
                match rtt {
                    Some(rtt) => tally.rtt.record(rtt),
                    None => tally.lost += 1,
                }
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
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> BootTime {
        BootTime(Duration::from_secs(seconds))
    }

    fn probe(uplink: &str, rtt_ms: Option<u64>) -> Record {
        Record::Probe {
            at: at(1),
            uplink: uplink.into(),
            isp: "north".into(),
            class: ClassId::new("m365.exchange.ipv4"),
            rtt: rtt_ms.map(Duration::from_millis),
        }
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
            .map(|(path, tally)| (path.uplink.as_ref(), tally.rtt.count(), tally.lost))
            .collect();
        assert_eq!(counts, [("wan0", 2, 1), ("wan1", 1, 0)]);
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
