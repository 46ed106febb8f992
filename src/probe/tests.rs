//! The task on loopback; what needs real interfaces is in `tests/probe.rs`, what needs other clocks beside the runner.

use std::{
    future::Future,
    net::{SocketAddr, TcpListener},
};

use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::*;
use crate::{
    clock::boot_time,
    domain::{ProbeFailure, ProbeOutcome},
};

const PATIENCE: Duration = Duration::from_secs(20);
const INTERVAL: Duration = Duration::from_millis(100);

fn settings() -> ProbeSettings {
    ProbeSettings {
        interval: INTERVAL,
        timeout: Duration::from_millis(800),
        resolvers: Arc::from([]),
        trust: None,
        ports: Arc::default(),
    }
}

struct Task {
    paths: watch::Sender<Arc<[ProbePath]>>,
    samples: mpsc::Receiver<ProbeSample>,
    handle: JoinHandle<()>,
}

fn start(list: Vec<ProbePath>, capacity: usize) -> Task {
    let (paths, list) = watch::channel(Arc::from(list));
    let (sender, samples) = mpsc::channel(capacity);
    Task { paths, samples, handle: tokio::spawn(run(settings(), list, sender)) }
}

async fn next(samples: &mut mpsc::Receiver<ProbeSample>) -> ProbeSample {
    soon(samples.recv()).await.expect("the task ended")
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("nothing happened")
}

/// With ten targets, so that the ceiling for each lets ten probes a second pass.
fn path(class: &str, interface: &str, port: u16) -> ProbePath {
    ProbePath {
        uplink: UplinkId(0),
        class: ClassId::new(class),
        interface: interface.to_owned(),
        source: None,
        family: Family::Ipv4,
        resolvers: Arc::from([]),
        targets: (1..=10).map(|last| Target::tcp(([127, 0, 0, last], port).into())).collect(),
    }
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test]
async fn samples_name_their_path_and_target_and_carry_the_time_of_sending() {
    let (_listener, port) = listener();
    let before = boot_time();
    let mut task = start(vec![path("a", "lo", port)], 8);
    let (first, second) = (next(&mut task.samples).await, next(&mut task.samples).await);
    assert_eq!((first.uplink, first.class.as_str(), first.target), (UplinkId(0), "a", 0));
    assert_eq!(first.address, Some(SocketAddr::from(([127, 0, 0, 1], port))));
    assert!(matches!(first.outcome, ProbeOutcome::Answered(_)), "{first:?}");
    assert!(before <= first.sent_at && first.sent_at < second.sent_at && second.sent_at <= boot_time());
}

#[tokio::test]
async fn it_ends_when_nobody_takes_samples_any_more_even_without_paths() {
    let task = start(vec![], 8);
    drop(task.samples);
    soon(task.handle).await.unwrap();
}

#[tokio::test]
async fn it_goes_on_with_the_last_list_when_nobody_sends_lists_any_more() {
    let (_listener, port) = listener();
    let mut task = start(vec![path("a", "lo", port)], 1);
    drop(task.paths);
    for _ in 0..5 {
        next(&mut task.samples).await;
    }
}

#[tokio::test]
async fn a_new_list_takes_effect_while_it_runs() {
    let (_listener, port) = listener();
    let mut task = start(vec![path("old", "lo", port)], 1);
    next(&mut task.samples).await;
    task.paths.send(Arc::from(vec![path("new", "lo", port)])).unwrap();
    // At most one sample waits in the channel and one with the task; then the old path is not heard of again.
    while next(&mut task.samples).await.class.as_str() == "old" {}
    for _ in 0..5 {
        assert_eq!(next(&mut task.samples).await.class.as_str(), "new");
    }
}

#[tokio::test]
async fn a_full_channel_makes_it_wait_and_what_it_missed_is_not_made_up_for() {
    let (_listener, port) = listener();
    let mut task = start(vec![path("a", "lo", port)], 1);
    sleep(INTERVAL * 25).await;
    let resumed = boot_time();
    let mut old = 0;
    while next(&mut task.samples).await.sent_at < resumed {
        old += 1;
    }
    // One in the channel, one in the task's hand, and those already under way.
    assert!(old <= 2 + 8, "{old} probes while nobody listened");
}

#[tokio::test]
async fn a_missing_interface_is_reported_at_the_ordinary_rate() {
    let (_listener, port) = listener();
    let mut task = start(vec![path("a", "no-such-wan", port)], 64);
    let first = next(&mut task.samples).await;
    let mut last = first.clone();
    for _ in 0..20 {
        last = next(&mut task.samples).await;
        assert_eq!(last.outcome, ProbeOutcome::Failed(ProbeFailure::NotSent));
    }
    assert!(last.sent_at.since(first.sent_at) >= INTERVAL * 10);
}
