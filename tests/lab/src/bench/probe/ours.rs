//! The agent's own probes, run in this process: the very code that the agent runs, without its schedule, whose ceiling
//! would make a benchmark last for hours.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use peerward::{
    domain::{Check, ProbeKind, ProbeOutcome},
    probe::{Attempt, Measured},
};
use tokio::{
    runtime::Builder,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::{
    super::process,
    measurer::{Estimate, Series},
};
use crate::{MICROSOFT_IPV4, Namespace, TCP_PORT};

/// The one way out.
const UPLINK: &str = "wan0";

/// Port of Teams' relays.
const STUN_PORT: u16 = 3478;

/// Measures by one kind.
pub(super) fn measure(router: &Namespace, kind: ProbeKind, series: Series) -> Result<Estimate, String> {
    let (check, port) = match kind {
        ProbeKind::Tcp => (Check::Tcp { refusal_answers: false }, TCP_PORT),
        ProbeKind::Icmp => (Check::Icmp, 0),
        ProbeKind::Stun => (Check::Stun, STUN_PORT),
        ProbeKind::Tls | ProbeKind::Http => return Err(format!("{kind} is not compared with anything")),
    };
    let address = SocketAddr::new(MICROSOFT_IPV4, port);
    router
        .run(|| -> io::Result<Estimate> {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let before = process::thread_time();
            let mut estimate = runtime.block_on(send(Arc::new(check), address, series))?;
            estimate.cpu = process::thread_time().saturating_sub(before);
            Ok(estimate)
        })
        .map_err(|error| error.to_string())
}

async fn send(check: Arc<Check>, address: SocketAddr, series: Series) -> io::Result<Estimate> {
    let mut ticks = interval(series.pace);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut running = JoinSet::new();
    let mut estimate = Estimate::default();
    while estimate.sent < series.count {
        tokio::select! {
            _ = ticks.tick() => {
                running.spawn(attempt(Arc::clone(&check), address, series.timeout));
                estimate.sent += 1;
            }
            Some(ended) = running.join_next() => estimate.take(ended?)?,
        }
    }
    while let Some(ended) = running.join_next().await {
        estimate.take(ended?)?;
    }
    Ok(estimate)
}

async fn attempt(check: Arc<Check>, address: SocketAddr, timeout: Duration) -> io::Result<Measured> {
    Attempt { interface: UPLINK, source: None, address, check: &check, timeout, trust: None, ports: None }
        .carry_out()
        .await
}

impl Estimate {
    fn take(&mut self, measured: io::Result<Measured>) -> io::Result<()> {
        if let ProbeOutcome::Answered(rtt) = measured?.outcome {
            self.rtts.push(rtt);
        }
        Ok(())
    }
}

/// Makes the router know its neighbours; the reason if nothing is answered for some seconds.
pub(super) fn warm_up(router: &Namespace) -> Result<(), String> {
    let began = Instant::now();
    let one = Series { count: 1, pace: Duration::from_millis(1), timeout: Duration::from_millis(900) };
    while began.elapsed() < Duration::from_secs(10) {
        if !measure(router, ProbeKind::Tcp, one)?.rtts.is_empty() {
            return Ok(());
        }
    }
    Err("the edge does not answer".to_owned())
}
