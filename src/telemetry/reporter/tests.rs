//! The loop in virtual time, with a courier that does as it is told.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::*;
use crate::{domain::ClassId, telemetry::queue::Signal};

const TAKEN: Verdict = Verdict::Acknowledged { rejected: 0, note: None };
const SECOND: Duration = Duration::from_secs(1);

/// What the courier was given, and when.
type Log = Arc<Mutex<Vec<(Instant, Batch)>>>;

/// Takes `pace` for each batch, and judges by the script, then for good by `standing`.
struct Scripted {
    script: VecDeque<Verdict>,
    standing: Verdict,
    pace: Duration,
    log: Log,
}

impl Courier for Scripted {
    async fn deliver(&mut self, batch: &Batch) -> Verdict {
        self.log.lock().unwrap().push((Instant::now(), batch.clone()));
        sleep(self.pace).await;
        self.script.pop_front().unwrap_or_else(|| self.standing.clone())
    }
}

struct Scene {
    records: mpsc::Sender<Record>,
    status: watch::Receiver<ReportingView>,
    log: Log,
    task: JoinHandle<()>,
    _snapshot: watch::Sender<Arc<Snapshot>>,
}

impl Scene {
    fn start(interval: Duration, script: impl IntoIterator<Item = Verdict>, standing: Verdict) -> Self {
        Self::start_bounded(interval, 1 << 20, script, standing)
    }

    fn start_bounded(
        interval: Duration,
        queue_bytes: usize,
        script: impl IntoIterator<Item = Verdict>,
        standing: Verdict,
    ) -> Self {
        let log = Log::default();
        let pace = Duration::from_millis(10);
        let courier = Scripted { script: script.into_iter().collect(), standing, pace, log: Arc::clone(&log) };
        let (records, incoming) = mpsc::channel(64);
        let (snapshots, snapshot) = watch::channel(Arc::new(Snapshot::default()));
        let (publish, status) = watch::channel(ReportingView::default());
        let reporter = Reporter::new(&report(interval, queue_bytes), &identity(), courier, snapshot, publish);
        let task = tokio::spawn(reporter.run(incoming));
        Self { records, status, log, task, _snapshot: snapshots }
    }

    async fn event(&self) {
        let kind = EventKind::PrefixWithdrawal { class: ClassId::new("m365.exchange.ipv4") };
        self.records.send(Record::Event(Event { at: boot_time(), kind })).await.unwrap();
    }

    /// Moments at which batches were given to the courier.
    fn attempts(&self) -> Vec<Instant> {
        self.log.lock().unwrap().iter().map(|(at, _)| *at).collect()
    }

    /// Log records given to the courier.
    fn log_records(&self) -> u64 {
        let log = self.log.lock().unwrap();
        log.iter().filter(|(_, batch)| batch.signal == Signal::Logs).map(|(_, batch)| batch.items).sum()
    }

    fn status(&self) -> ReportingView {
        self.status.borrow().clone()
    }

    /// Closes the channel; how long the room took to end.
    async fn stop(self) -> (Duration, ReportingView) {
        let start = Instant::now();
        drop(self.records);
        self.task.await.unwrap();
        (start.elapsed(), self.status.borrow().clone())
    }
}

fn report(interval: Duration, queue_bytes: usize) -> Report {
    Report {
        endpoint: Endpoint { host: "2001:db8::1".to_owned(), port: 4318, path: "/otlp".to_owned() },
        ca: "ca.pem".into(),
        cert: "cert.pem".into(),
        key: "key.pem".into(),
        interval,
        queue_bytes,
    }
}

fn identity() -> Identity {
    Identity { site: "akl-07".to_owned(), market: "New Zealand".to_owned(), version: "1.2.3".to_owned() }
}

fn later(after: Option<Duration>) -> Verdict {
    Verdict::Retry { after, reason: "away".to_owned() }
}

fn gaps(attempts: &[Instant]) -> impl Iterator<Item = Duration> {
    attempts.windows(2).map(|pair| pair[1] - pair[0])
}

#[tokio::test(start_paused = true)]
async fn metrics_are_sent_once_per_interval() {
    let scene = Scene::start(10 * SECOND, [], TAKEN);
    sleep(100 * SECOND).await;
    assert_eq!(scene.attempts().len(), 10);
    assert!(scene.status().acknowledged > 0);
}

#[tokio::test(start_paused = true)]
async fn before_the_first_answer_the_state_is_starting() {
    let scene = Scene::start(10 * SECOND, [], TAKEN);
    tokio::task::yield_now().await;
    let status = scene.status();
    assert_eq!(status.state, "starting");
    assert_eq!(status.endpoint, "https://[2001:db8::1]:4318/otlp");
}

#[tokio::test(start_paused = true)]
async fn events_do_not_wait_for_the_interval_but_travel_together() {
    let scene = Scene::start(3600 * SECOND, [], TAKEN);
    sleep(FIRST_DELAY).await;
    let before = scene.attempts().len();
    scene.event().await;
    scene.event().await;
    sleep(SECOND).await;
    assert_eq!(scene.log_records(), 2);
    assert!(scene.attempts().len() <= before + 2, "two events in one batch, and at most one report beside it");
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_events_is_cut_into_batches() {
    let scene = Scene::start(3600 * SECOND, [], TAKEN);
    sleep(FIRST_DELAY).await;
    for _ in 0..3 * EVENTS_PER_BATCH {
        scene.event().await;
    }
    sleep(EVENT_DELAY / 2).await;
    assert_eq!(scene.log_records(), 3 * EVENTS_PER_BATCH as u64);
    let log = scene.log.lock().unwrap();
    assert!(log.iter().all(|(_, batch)| batch.items <= EVENTS_PER_BATCH as u64));
}

#[tokio::test(start_paused = true)]
async fn attempts_during_an_outage_thin_out_but_do_not_end() {
    let scene = Scene::start(10 * SECOND, [], later(None));
    sleep(3600 * SECOND).await;
    let attempts = scene.attempts();
    assert!(gaps(&attempts).all(|gap| gap <= 61 * SECOND), "some gap is longer than the cap");
    // Full jitter under a cap of 60 s: 120 an hour on average.
    assert!((60..400).contains(&attempts.len()), "{} attempts in an hour", attempts.len());
    assert_eq!(scene.status().state, "failing");
    assert_eq!(scene.status().error.as_deref(), Some("away"));
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_everything_is_sent_in_order_one_after_another() {
    let outage = std::iter::repeat_n(later(None), 12);
    let scene = Scene::start(10 * SECOND, outage, TAKEN);
    sleep(1200 * SECOND).await;

    let log = scene.log.lock().unwrap().clone();
    let attempts: Vec<Instant> = log.iter().map(|(at, _)| *at).collect();
    assert!(gaps(&attempts).all(|gap| gap >= Duration::from_millis(10)), "two batches were under way at once");
    // Each delivered batch once, in order: the refused one is tried until it is taken.
    let mut delivered: Vec<Batch> = log.into_iter().skip(12).map(|(_, batch)| batch).collect();
    delivered.dedup();
    assert_eq!(delivered.len(), 120);
    let status = scene.status();
    assert_eq!((status.state.as_str(), status.error, status.queued_batches), ("ok", None, 0));
    assert_eq!(status.acknowledged, delivered.iter().map(|batch| batch.items).sum::<u64>());
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_waited_out() {
    let scene = Scene::start(SECOND, [later(Some(30 * SECOND))], TAKEN);
    sleep(60 * SECOND).await;
    let attempts = scene.attempts();
    assert!(attempts[1] - attempts[0] >= 30 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn the_queue_holds_its_bound_and_the_loss_is_told_when_the_collector_is_back() {
    let outage = std::iter::repeat_n(later(None), 200);
    let bound = 8 << 10;
    let scene = Scene::start_bounded(10 * SECOND, bound, outage, TAKEN);
    for _ in 0..360 {
        sleep(10 * SECOND).await;
        assert!(scene.status().queued_bytes <= bound + 1024, "one batch may be under way beside the queue");
    }
    sleep(4 * 3600 * SECOND).await;
    let status = scene.status();
    assert!(status.dropped_batches > 100, "{status:?}");
    assert_eq!(status.state, "ok");
    assert_eq!(scene.log_records(), 1, "one SamplesDropped event");
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_good_is_counted_and_not_sent_again() {
    let refused = Verdict::Refused { reason: "no such tenant".to_owned() };
    let scene = Scene::start(10 * SECOND, [refused], TAKEN);
    sleep(60 * SECOND).await;
    let log = scene.log.lock().unwrap().clone();
    assert_ne!(log[0].1, log[1].1);
    assert_eq!(scene.status().rejected, log[0].1.items);
}

#[tokio::test(start_paused = true)]
async fn stopping_sends_what_is_left_at_once_in_spite_of_back_off() {
    let scene = Scene::start(3600 * SECOND, [later(Some(300 * SECOND))], TAKEN);
    sleep(FIRST_DELAY).await;
    scene.event().await;
    sleep(SECOND).await;
    scene.event().await;
    assert_eq!(scene.status().state, "failing");
    let (took, status) = scene.stop().await;
    assert!(took < SECOND, "took {took:?}");
    assert_eq!((status.queued_batches, status.state.as_str()), (0, "ok"));
}

#[tokio::test(start_paused = true)]
async fn stopping_does_not_wait_for_a_collector_that_is_away() {
    let scene = Scene::start(10 * SECOND, [], later(None));
    sleep(600 * SECOND).await;
    let (took, status) = scene.stop().await;
    assert!(took <= FLUSH_DEADLINE + SECOND, "took {took:?}");
    assert!(status.queued_batches > 0);
}

#[tokio::test(start_paused = true)]
async fn agents_that_start_together_do_not_report_together() {
    let scenes: Vec<Scene> = (0..100).map(|_| Scene::start(10 * SECOND, [], TAKEN)).collect();
    let start = Instant::now();
    sleep(10 * SECOND).await;
    let early = scenes.iter().filter(|scene| scene.attempts()[0] - start < SECOND).count();
    // A tenth of the interval: 10 on average; more than 40 is out of all probability.
    assert!(early < 40, "{early} of 100 reported within the first second");
}
