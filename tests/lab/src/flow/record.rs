//! What became of each request of a flow, and how to read an outage out of it.

use std::time::{Duration, Instant};

/// How long an answer may take before its request counts as lost: longer than any path of the lab.
pub(super) const PATIENCE: Duration = Duration::from_millis(400);

/// What a flow went through since a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct GapReport {
    /// Requests sent, those left out that may still be answered.
    pub sent: u64,
    /// Requests answered.
    pub received: u64,
    /// Requests that were not.
    pub lost: u64,
    /// Longest time in which requests were sent and none was answered; zero when nothing was lost. Measured between
    /// the sending of the answered requests on both sides, so that a longer delay alone is no gap.
    #[serde(rename = "longest_gap_ms", serialize_with = "as_milliseconds")]
    pub longest_gap: Duration,
}

fn as_milliseconds<S: serde::Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(milliseconds(*span))
}

/// Milliseconds to one decimal, as people are shown them.
pub(crate) fn milliseconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 10_000.0).round() / 10.0
}

/// One request.
#[derive(Debug, Clone, Copy)]
struct Request {
    sent_at: Instant,
    answered_at: Option<Instant>,
}

/// All requests of a flow; a request's number is its position.
#[derive(Debug, Default)]
pub(super) struct Record {
    requests: Vec<Request>,
    mark: usize,
}

impl Record {
    /// Notes a request and returns its number.
    pub(super) fn send(&mut self, now: Instant) -> u64 {
        self.requests.push(Request { sent_at: now, answered_at: None });
        self.requests.len() as u64 - 1
    }

    /// Notes an answer. Duplicates and numbers that were never sent change nothing.
    pub(super) fn answer(&mut self, number: u64, now: Instant) {
        let request = usize::try_from(number).ok().and_then(|number| self.requests.get_mut(number));
        if let Some(request) = request {
            request.answered_at.get_or_insert(now);
        }
    }

    /// Reports will begin with the requests that are under way now: those after the newest answered one, for paths
    /// keep their order. An event that follows takes them with it.
    pub(super) fn mark(&mut self, now: Instant) {
        let under_way = |request: &&Request| {
            request.answered_at.is_none() && now.saturating_duration_since(request.sent_at) <= PATIENCE
        };
        self.mark = self.requests.len() - self.requests.iter().rev().take_while(under_way).count();
    }

    pub(super) fn report(&self, now: Instant) -> GapReport {
        let mut report = GapReport::default();
        let since_mark = self.requests.get(self.mark..).unwrap_or_default();
        // An outage that begins with the first request began, at the latest, with the one before.
        let mut last_good = self.mark.checked_sub(1).and_then(|before| self.requests.get(before)).map(|r| r.sent_at);
        let mut last_lost = None;
        for request in since_mark {
            let settled = now.saturating_duration_since(request.sent_at) > PATIENCE;
            if request.answered_at.is_some() {
                if last_lost.take().is_some() {
                    report.stretch(last_good, request.sent_at);
                }
                last_good = Some(request.sent_at);
                report.received += 1;
            } else if settled {
                last_good.get_or_insert(request.sent_at);
                last_lost = Some(request.sent_at);
                report.lost += 1;
            } else {
                continue;
            }
            report.sent += 1;
        }
        if let Some(last_lost) = last_lost {
            report.stretch(last_good, last_lost);
        }
        report
    }

    /// Round-trip times of the answered requests since the mark, sorted.
    pub(super) fn round_trips(&self) -> Vec<Duration> {
        let since_mark = self.requests.get(self.mark..).unwrap_or_default();
        let mut trips: Vec<_> =
            since_mark.iter().filter_map(|request| Some(request.answered_at? - request.sent_at)).collect();
        trips.sort_unstable();
        trips
    }
}

impl GapReport {
    fn stretch(&mut self, from: Option<Instant>, to: Instant) {
        let gap = from.map_or(Duration::ZERO, |from| to.saturating_duration_since(from));
        self.longest_gap = self.longest_gap.max(gap);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Requests 2 ms apart, of which those in `lost` get no answer, and the time after the last.
    fn record(count: u64, lost: std::ops::Range<u64>) -> (Record, Instant) {
        let (mut record, start) = (Record::default(), Instant::now());
        for step in 0..count {
            let sent_at = start + MS * 2 * u32::try_from(step).unwrap();
            let number = record.send(sent_at);
            if !lost.contains(&step) {
                record.answer(number, sent_at + 8 * MS);
            }
        }
        (record, start + MS * 2 * u32::try_from(count).unwrap())
    }

    #[test]
    fn a_gap_reaches_from_the_last_answered_request_to_the_next_one() {
        let (record, now) = record(100, 40..50);
        let report = record.report(now + 1000 * MS);
        assert_eq!((report.sent, report.received, report.lost), (100, 90, 10));
        assert_eq!(report.longest_gap, 22 * MS);
    }

    #[test]
    fn nothing_lost_is_no_gap() {
        let (record, now) = record(100, 0..0);
        assert_eq!(record.report(now + 1000 * MS).longest_gap, Duration::ZERO);
        assert_eq!(record.round_trips()[50], 8 * MS);
    }

    #[test]
    fn an_outage_that_lasts_counts_until_its_newest_loss() {
        let (record, now) = record(100, 50..100);
        let report = record.report(now + 1000 * MS);
        assert_eq!(report.lost, 50);
        assert!(report.longest_gap == 100 * MS);
    }

    #[test]
    fn what_may_still_be_answered_is_neither_lost_nor_sent() {
        let (record, now) = record(100, 98..100);
        let report = record.report(now);
        assert_eq!((report.sent, report.lost), (98, 0));
    }

    #[test]
    fn a_mark_forgets_what_was_before() {
        let (mut record, now) = record(100, 40..50);
        record.mark(now);
        assert_eq!(record.report(now + 1000 * MS), GapReport::default());
    }

    #[test]
    fn a_mark_keeps_what_is_under_way() {
        let (mut record, now) = record(100, 96..100);
        record.mark(now);
        let report = record.report(now + 1000 * MS);
        assert_eq!((report.sent, report.lost), (4, 4));
        assert_eq!(report.longest_gap, 8 * MS);
    }

    #[test]
    fn duplicates_and_foreign_numbers_are_ignored() {
        let (mut record, now) = record(10, 0..0);
        record.answer(3, now);
        record.answer(10, now);
        record.answer(u64::MAX, now);
        assert_eq!(record.report(now).received, 10);
    }
}
