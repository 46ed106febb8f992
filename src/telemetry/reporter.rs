//! The loop: takes records in, makes batches, sends them one after another.

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use tokio::{
    select,
    sync::{mpsc, watch},
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until},
};

use super::{
    Identity, Record,
    backoff::Backoff,
    encode::{Encoder, Moment},
    line::{Courier, Line, Verdict},
    queue::{Batch, Queue},
    recorder::Recorder,
    wall::WallClock,
};
use crate::{
    clock::boot_time,
    config::{Endpoint, Report},
    domain::{
        Event, EventKind,
        view::{ReportingView, Snapshot},
    },
};

/// How long an event waits for others to travel with.
const EVENT_DELAY: Duration = Duration::from_millis(500);

/// Events that travel without waiting for more.
const EVENTS_PER_BATCH: usize = 256;

/// How long what is left may take to be sent at the end.
const FLUSH_DEADLINE: Duration = Duration::from_secs(3);

/// Bound of the random delay before the first batch: a whole town may get its power back at one moment.
const FIRST_DELAY: Duration = Duration::from_secs(5);

/// Reports for one agent over one line.
#[derive(Debug)]
pub struct Reporter<C> {
    interval: Duration,
    encoder: Encoder,
    wall: WallClock,
    recorder: Recorder,
    queue: Queue,
    line: Line<C>,
    backoff: Backoff,
    /// Nothing is sent before.
    send_at: Instant,
    /// When pending events are made into a batch.
    events_at: Option<Instant>,
    /// When to give up what is left; set once `records` is closed.
    end_at: Option<Instant>,
    /// Dropped batches that were told upstream.
    drops_told: u64,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    view: ReportingView,
    status: watch::Sender<ReportingView>,
}

/// What woke the loop.
enum Wake {
    Record(Option<Record>),
    IntervalOver,
    EventsDue,
    SendDue,
    Delivered(Batch, Verdict),
    End,
}

impl<C: Courier> Reporter<C> {
    /// A reporter that has not started.
    pub fn new(
        report: &Report,
        identity: &Identity,
        courier: C,
        snapshot: watch::Receiver<Arc<Snapshot>>,
        status: watch::Sender<ReportingView>,
    ) -> Self {
        let now = boot_time();
        let first_delay = report.interval.min(FIRST_DELAY).mul_f64(fastrand::f64());
        let view = ReportingView {
            endpoint: address_of(&report.endpoint),
            state: "starting".to_owned(),
            ..ReportingView::default()
        };
        Self {
            interval: report.interval,
            encoder: Encoder::new(identity, now),
            wall: WallClock::new(now, std::time::SystemTime::now()),
            recorder: Recorder::new(now),
            queue: Queue::new(report.queue_bytes),
            line: Line::new(courier),
            backoff: Backoff::default(),
            send_at: Instant::now() + first_delay,
            events_at: None,
            end_at: None,
            drops_told: 0,
            snapshot,
            view,
            status,
        }
    }

    /// Runs until `records` is closed and what is left was sent or given up.
    pub async fn run(mut self, mut records: mpsc::Receiver<Record>) {
        let mut ticks = self.ticks();
        while !self.is_done() {
            self.send_next();
            self.publish();
            match self.wait(&mut records, &mut ticks).await {
                Wake::Record(Some(record)) => self.take(record),
                Wake::Record(None) => self.close(),
                Wake::IntervalOver => self.queue_metrics(),
                Wake::EventsDue => self.queue_events(),
                Wake::SendDue => {}
                Wake::Delivered(batch, verdict) => self.judge(batch, verdict),
                Wake::End => break,
            }
        }
        self.publish();
        let left = self.view.queued_batches;
        if left > 0 {
            log::warn!("reporting: stopped with {left} batches that {} did not take", self.view.endpoint);
        }
    }

    /// Intervals with a phase of their own, so that the reports of a fleet do not arrive together.
    fn ticks(&self) -> Interval {
        let phase = self.interval.mul_f64(fastrand::f64());
        let mut ticks = interval_at(Instant::now() + phase, self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        ticks
    }

    async fn wait(&mut self, records: &mut mpsc::Receiver<Record>, ticks: &mut Interval) -> Wake {
        let open = self.end_at.is_none();
        let never = Instant::now() + Duration::from_secs(86_400);
        let waits_to_send = self.line.is_free() && !self.queue.is_empty();
        select! {
            (batch, verdict) = self.line.delivered() => Wake::Delivered(batch, verdict),
            record = records.recv(), if open => Wake::Record(record),
            _ = ticks.tick(), if open => Wake::IntervalOver,
            () = sleep_until(self.events_at.unwrap_or(never)), if self.events_at.is_some() => Wake::EventsDue,
            () = sleep_until(self.send_at), if waits_to_send => Wake::SendDue,
            () = sleep_until(self.end_at.unwrap_or(never)), if !open => Wake::End,
        }
    }

    fn is_done(&self) -> bool {
        let nothing_left = self.queue.is_empty() && self.line.is_free() && self.recorder.pending_events() == 0;
        self.end_at.is_some() && nothing_left
    }

    fn take(&mut self, record: Record) {
        self.recorder.record(record);
        let pending = self.recorder.pending_events();
        if pending >= EVENTS_PER_BATCH {
            self.queue_events();
        } else if pending > 0 && self.events_at.is_none() {
            self.events_at = Some(Instant::now() + EVENT_DELAY);
        }
    }

    /// The last chance: what is left is tried at once, whatever the back-off says.
    fn close(&mut self) {
        self.queue_metrics();
        self.queue_events();
        let now = Instant::now();
        self.send_at = now;
        self.end_at = Some(now + FLUSH_DEADLINE);
    }

    fn queue_metrics(&mut self) {
        let now = boot_time();
        self.wall.observe(now, std::time::SystemTime::now());
        let interval = self.recorder.take_interval(now);
        let snapshot = Arc::clone(&self.snapshot.borrow());
        let moment = Moment { interval: &interval, snapshot: &snapshot, reporting: &self.view, wall: &self.wall };
        let batch = self.encoder.metrics(moment);
        self.queue.push(batch);
    }

    fn queue_events(&mut self) {
        self.events_at = None;
        let events = self.recorder.take_events();
        if !events.is_empty() {
            let now = boot_time();
            self.wall.observe(now, std::time::SystemTime::now());
            let batch = self.encoder.events(&events, &self.wall, now);
            self.queue.push(batch);
        }
    }

    fn send_next(&mut self) {
        if !self.line.is_free() || Instant::now() < self.send_at {
            return;
        }
        if let Some(Err(batch)) = self.queue.take().map(|batch| self.line.send(batch)) {
            self.queue.put_back(batch);
        }
    }

    fn judge(&mut self, batch: Batch, verdict: Verdict) {
        match verdict {
            Verdict::Acknowledged { rejected, note } => {
                self.view.acknowledged += batch.items.saturating_sub(rejected);
                self.view.rejected += rejected.min(batch.items);
                self.backoff.reset();
                self.succeeded(note);
                self.tell_drops();
            }
            Verdict::Refused { reason } => {
                self.view.rejected += batch.items;
                self.failed(reason, None);
            }
            Verdict::Retry { after, reason } => {
                self.queue.put_back(batch);
                self.failed(reason, after);
            }
        }
    }

    fn succeeded(&mut self, note: Option<String>) {
        if self.view.state != "ok" {
            log::info!("reporting to {} works", self.view.endpoint);
        }
        if let Some(note) = note.as_ref().filter(|note| Some(*note) != self.view.error.as_ref()) {
            log::warn!("reporting to {}: {note}", self.view.endpoint);
        }
        "ok".clone_into(&mut self.view.state);
        self.view.error = note;
    }

    fn failed(&mut self, reason: String, wish: Option<Duration>) {
        if self.view.error.as_ref() != Some(&reason) {
            log::warn!("reporting to {}: {reason}", self.view.endpoint);
        }
        "failing".clone_into(&mut self.view.state);
        self.view.error = Some(reason);
        self.send_at = Instant::now() + self.backoff.after_failure(wish, fastrand::f64());
    }

    /// Told once the collector is back: while it is away the message itself would be dropped.
    fn tell_drops(&mut self) {
        let batches = self.queue.dropped().batches - self.drops_told;
        if batches > 0 {
            self.drops_told += batches;
            self.take(Record::Event(Event { at: boot_time(), kind: EventKind::SamplesDropped { batches } }));
        }
    }

    fn publish(&mut self) {
        self.view.queued_batches = self.queue.len() + usize::from(!self.line.is_free());
        self.view.queued_bytes = self.queue.bytes() + self.line.bytes();
        self.view.dropped_batches = self.queue.dropped().batches;
        self.status.send_if_modified(|status| {
            let changed = *status != self.view;
            if changed {
                status.clone_from(&self.view);
            }
            changed
        });
    }
}

/// The endpoint as people write it.
fn address_of(endpoint: &Endpoint) -> String {
    let Endpoint { host, port, path } = endpoint;
    if host.contains(':') { format!("https://[{host}]:{port}{path}") } else { format!("https://{host}:{port}{path}") }
}
