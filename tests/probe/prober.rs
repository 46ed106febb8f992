//! The prober under test, run inside a router's namespace.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use peerward::{
    domain::{ClassId, Family, ProbeOutcome, ProbeSample, Target, UplinkId},
    probe::{self, ProbePath, ProbeSettings},
};
use peerward_lab::Namespace;
use tokio::sync::{mpsc, watch};

/// Long enough for the slowest machine; nothing waits for its end when all is well.
pub const PATIENCE: Duration = Duration::from_secs(30);
pub const TIMEOUT: Duration = Duration::from_millis(700);
pub const INTERVAL: Duration = Duration::from_millis(50);

/// Probes from `router` until `enough` is satisfied with the samples so far.
pub fn probe(
    router: &Namespace,
    list: Vec<ProbePath>,
    mut enough: impl FnMut(&[ProbeSample]) -> bool + Send,
) -> Vec<ProbeSample> {
    router.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_paths, list) = watch::channel(Arc::from(list));
            let (sender, mut receiver) = mpsc::channel(16);
            let settings = ProbeSettings {
                interval: INTERVAL,
                timeout: TIMEOUT,
                resolvers: Arc::from([]),
                trust: None,
                ports: Arc::default(),
            };
            tokio::spawn(probe::run(settings, list, sender));
            let mut samples = Vec::new();
            let deadline = Instant::now() + PATIENCE;
            while !enough(&samples) {
                assert!(Instant::now() < deadline, "no end, last was {:?}", samples.last());
                let next = tokio::time::timeout(PATIENCE, receiver.recv()).await;
                samples.push(next.expect("no sample").expect("the task ended"));
            }
            samples
        })
    })
}

/// Uplink `wanN` to one target.
pub fn path(uplink: u16, target: &str) -> ProbePath {
    let target: SocketAddr = target.parse().unwrap();
    ProbePath {
        uplink: UplinkId(uplink),
        class: ClassId::new(&target.to_string()),
        interface: format!("wan{uplink}"),
        source: None,
        family: Family::of(target.ip()),
        resolvers: Arc::from([]),
        targets: [Target::tcp(target)].into(),
    }
}

pub fn answered(sample: &ProbeSample) -> bool {
    rtt(sample).is_some()
}

pub fn rtt(sample: &ProbeSample) -> Option<Duration> {
    match sample.outcome {
        ProbeOutcome::Answered(rtt) => Some(rtt),
        ProbeOutcome::Failed(_) | ProbeOutcome::Overdue => None,
    }
}

/// Samples of one uplink and family.
pub fn of(samples: &[ProbeSample], uplink: u16, family: fn(&IpAddr) -> bool) -> Vec<&ProbeSample> {
    samples.iter().filter(|sample| sample.uplink.0 == uplink && family(&sample.address.unwrap().ip())).collect()
}
