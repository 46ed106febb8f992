//! Probe kinds and their schedule. The only code that opens probe sockets; holds no policy.
//!
//! May know the domain types. Every probe leaves by *its* uplink whatever the tables say.
//!
//! | file | its one idea |
//! |---|---|
//! | `schedule` | pure: which path is probed when, at which target; never a burst |
//! | `tcp` | one TCP-connect probe: from a socket on the uplink to an outcome |
//! | `tcp_info` | the one system call that no safe crate offers: the kernel's own RTT of a connection |
//! | `resolve`, `dns` | looks a name up through the uplink itself |
//! | this file | the task: starts what is due, hands over what is done |
//!
//! An uplink needs a route out of its interface for its probes: the probe tables of [`crate::plan`], or in `observe`
//! any default route by that interface, of whatever metric. Without one, IPv4 looks for the target on the link itself
//! and times out, and IPv6 cannot send at all: both say truthfully that no packet gets through there.
//!
//! Binding to an interface needs no privilege since Linux 5.7, and `CAP_NET_RAW` before it.

mod attempt;
mod dns;
mod resolve;
mod schedule;
mod tcp;
mod tcp_info;

use std::{
    future, io,
    net::{IpAddr, SocketAddr},
    panic,
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    task::{JoinError, JoinSet},
    time::sleep,
};

pub use self::resolve::{ResolveError, resolve};
use self::{
    attempt::{Attempt, Measured},
    schedule::{Assignment, Schedule},
};
use crate::{
    clock::boot_time,
    domain::{BootTime, ClassId, Family, Host, ProbeSample, Target, UplinkId},
};

/// Least time between two warnings that probes fail for a reason of this machine.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(60);

/// One path to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbePath {
    /// Uplink.
    pub uplink: UplinkId,
    /// Class.
    pub class: ClassId,
    /// Interface of the uplink.
    pub interface: String,
    /// Source address on it.
    pub source: Option<IpAddr>,
    /// Family of the class: names of targets are looked up for it.
    pub family: Family,
    /// Name servers to ask through this uplink, where the settings name none.
    pub resolvers: Arc<[IpAddr]>,
    /// Targets, rotated; a path without any is not probed.
    pub targets: Arc<[Target]>,
}

/// How often, and how long to wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeSettings {
    /// Mean time between two probes of one path while nothing is amiss; at least 10 ms.
    pub interval: Duration,
    /// Loss threshold: an answer after it counts as lost (RFC 7680 section 2.4).
    pub timeout: Duration,
    /// Name servers for the names of targets; those of each path when empty.
    pub resolvers: Arc<[IpAddr]>,
}

/// Probes the paths of the newest list until the receiver of samples is gone. Paths that stay in the list keep their
/// schedule, whatever else of them changes; results of paths that left it are not delivered. A full channel makes it
/// wait, never drop: meanwhile no probe is started, and the slots missed are not made up for.
///
/// Samples come in the order in which probes end, not in which they were sent. A probe that fails for a reason of
/// this machine (out of file descriptors, not permitted) yields no sample, because it says nothing about the path; it
/// is logged.
pub async fn run(
    settings: ProbeSettings,
    mut paths: watch::Receiver<Arc<[ProbePath]>>,
    samples: mpsc::Sender<ProbeSample>,
) {
    let mut schedule = Schedule::new(settings.interval, fastrand::u64(..));
    schedule.replace(&paths.borrow_and_update(), boot_time());
    let mut listed_by_someone = true;
    let mut running = JoinSet::new();
    let mut complaints = Complaints::default();
    loop {
        while let Some(assignment) = schedule.pop_due(boot_time()) {
            running.spawn(carry_out(assignment, settings.timeout));
        }
        tokio::select! {
            () = samples.closed() => return,
            changed = paths.changed(), if listed_by_someone => match changed {
                Ok(()) => schedule.replace(&paths.borrow_and_update(), boot_time()),
                Err(_) => listed_by_someone = false,
            },
            Some(ended) = running.join_next() => {
                let report = ended.unwrap_or_else(repeat_panic);
                let listed = schedule.finished(&report.assignment);
                let sample = report.into_sample(&mut complaints).filter(|_| listed);
                if let Some(sample) = sample && samples.send(sample).await.is_err() {
                    return;
                }
            }
            () = sleep_until(schedule.next_due()) => {}
        }
    }
}

/// Waits until a time, or for ever when there is none.
async fn sleep_until(time: Option<BootTime>) {
    match time {
        Some(time) => sleep(time.since(boot_time())).await,
        None => future::pending().await,
    }
}

/// A probe that is over.
struct Report {
    assignment: Assignment,
    sent_at: BootTime,
    address: SocketAddr,
    result: io::Result<Measured>,
}

/// Sends one probe and waits for what comes of it.
async fn carry_out(assignment: Assignment, timeout: Duration) -> Report {
    let sent_at = boot_time();
    let path = &assignment.path;
    let target = &assignment.target;
    let address = match target.host {
        Host::Address(address) => SocketAddr::new(address, target.port),
        Host::Name(_) => SocketAddr::from(([0, 0, 0, 0], 0)),
    };
    let attempt = Attempt { interface: &path.interface, source: path.source, address, check: &target.check, timeout };
    let result = attempt.carry_out().await;
    Report { assignment, sent_at, address, result }
}

impl Report {
    fn into_sample(self, complaints: &mut Complaints) -> Option<ProbeSample> {
        let Self { assignment: Assignment { path, position, target }, sent_at, address, result } = self;
        match result {
            Ok(Measured { outcome, service_time }) => Some(ProbeSample {
                uplink: path.uplink,
                class: path.class.clone(),
                target: position,
                kind: target.check.kind(),
                address: Some(address),
                sent_at,
                outcome,
                service_time,
            }),
            Err(error) => {
                complaints.say(sent_at, &path.interface, address, &error);
                None
            }
        }
    }
}

/// Keeps a failure that hits every probe from filling the log.
#[derive(Default)]
struct Complaints {
    last: Option<BootTime>,
}

impl Complaints {
    fn say(&mut self, now: BootTime, interface: &str, target: SocketAddr, error: &io::Error) {
        if self.last.is_some_and(|last| !now.at_least_after(last, COMPLAINT_INTERVAL)) {
            return;
        }
        self.last = Some(now);
        log::warn!(
            "cannot probe {target} through {interface}: {error}; paths stay unmeasured. Check the agent's limit of \
             open files and, on kernels before 5.7, its CAP_NET_RAW"
        );
    }
}

/// A panic of a probe is a defect of this program and ends it as any other would; probes are never cancelled while
/// this task runs.
fn repeat_panic(error: JoinError) -> Report {
    panic::resume_unwind(error.into_panic())
}

#[cfg(test)]
mod tests;
