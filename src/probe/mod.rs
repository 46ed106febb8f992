//! Probe kinds and their schedule. The only code that opens probe sockets; holds no policy.
//!
//! May know the domain types. Every probe leaves by *its* uplink whatever the tables say.
//!
//! | file | its one idea |
//! |---|---|
//! | `schedule` | pure: which path is probed when, at which target; never a burst |
//! | `courses` | pure: all paths, how far apart their probes are, and who wants to be first |
//! | `course` | pure: one path of the schedule: its slots on its grid |
//! | `turns` | pure: whose turn it is among the targets of a path |
//! | `doubt` | pure: when a path is worth quick probes, and how many |
//! | `ceiling` | pure: the rate that no configuration lifts |
//! | `expectation` | pure: how long an answer usually takes |
//! | `addresses` | pure: where the names of targets lead, and when to ask again |
//! | `flights` | pure: the probes under way, and which are overdue |
//! | `resolve`, `dns` | looks a name up through the uplink itself |
//! | `runner` | the task: starts what is due, hands over what is done |
//! | `attempt` | one probe of any kind: from a target on an uplink to what came of it |
//! | `uplink_socket` | a socket that leaves by one uplink and no other |
//! | `tcp` | one TCP handshake |
//! | `conversation`, `tls`, `http` | what goes on after it: a name proven, a page asked for, an MTU hole found |
//! | `trust` | whom probes believe |
//! | `own_ports` | which connections are ours |
//! | `icmp`, `stun` | one echo, one binding: what is asked and what is an answer; `datagram` sends it and waits |
//! | `token` | what nobody can guess, and so tells an answer from a forged one |
//! | `timestamps` | pure: the kernel's stamps of packets, where the clock was not set meanwhile |
//! | `tcp_info` | the one system call that no safe crate offers: the kernel's own RTT of a connection |
//!
//! An uplink needs a route out of its interface for its probes: the probe tables of [`crate::plan`], or in `observe`
//! any default route by that interface, of whatever metric. Without one, IPv4 looks for the target on the link itself
//! and times out, and IPv6 cannot send at all: both say truthfully that no packet gets through there.
//!
//! Binding to an interface needs no privilege since Linux 5.7, and `CAP_NET_RAW` before it.

mod addresses;
mod attempt;
mod ceiling;
mod complaints;
mod conversation;
mod course;
mod courses;
mod datagram;
mod dns;
mod doubt;
mod expectation;
mod flights;
mod http;
mod icmp;
mod own_ports;
mod resolve;
mod runner;
mod schedule;
mod stun;
mod tcp;
mod tcp_info;
mod timestamps;
mod tls;
mod token;
mod trust;
mod turns;
mod uplink_socket;

use std::{net::IpAddr, sync::Arc, time::Duration};

use tokio::sync::{mpsc, watch};

use self::runner::{Runner, Surroundings};
pub use self::{
    attempt::{Attempt, Measured},
    icmp::MOST_PAYLOAD,
    own_ports::OwnPorts,
    resolve::{ResolveError, resolve},
    trust::{TrustAnchors, TrustError},
};
use crate::domain::{ClassId, Family, ProbeSample, Target, UplinkId};

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
#[derive(Debug, Clone)]
pub struct ProbeSettings {
    /// Mean time between two probes of one path while nothing is amiss; at least 10 ms.
    pub interval: Duration,
    /// Loss threshold: an answer after it counts as lost (RFC 7680 section 2.4).
    pub timeout: Duration,
    /// Name servers for the names of targets; those of each path when empty.
    pub resolvers: Arc<[IpAddr]>,
    /// Who may vouch for targets that must prove their name.
    pub trust: Option<Arc<TrustAnchors>>,
    /// Where the local TCP ports of probes are noted.
    pub ports: Arc<OwnPorts>,
}

/// Least time between two probes of one address by one uplink, in the long run; nothing lifts it.
pub const LEAST_INTERVAL: Duration = ceiling::TARGET.gap;

/// How often each of so many paths is probed at least while nothing is amiss, whatever interval is wished: the ceiling
/// stretches it, and a path may have a single target.
pub fn pace(interval: Duration, paths: usize) -> Duration {
    let crowd = ceiling::CALM_GAP.saturating_mul(u32::try_from(paths).unwrap_or(u32::MAX));
    interval.max(crowd).max(LEAST_INTERVAL)
}

/// Probes the paths of the newest list until the receiver of samples is gone. Paths that stay in the list keep their
/// schedule, whatever else of them changes; results of paths that left it are not delivered. A full channel makes it
/// wait, never drop: meanwhile no probe is started, and the slots missed are not made up for.
///
/// A probe without an answer when one usually comes is told as [`ProbeOutcome::Overdue`], and again, with the same time and
/// target, when its last word is known. Samples come in the order in which probes end, not in which they were sent. A
/// probe that fails for a reason of this machine (out of file descriptors, not permitted) yields no sample, because it
/// says nothing about the path; it is logged. Nor does one that was under way in a suspend. A target whose name has no
/// usable address yields a sample without one, at most every ten seconds.
///
/// [`ProbeOutcome::Overdue`]: crate::domain::ProbeOutcome::Overdue
pub async fn run(
    settings: ProbeSettings,
    paths: watch::Receiver<Arc<[ProbePath]>>,
    samples: mpsc::Sender<ProbeSample>,
) {
    Runner::new(settings, samples, Surroundings::default()).run(paths).await;
}

#[cfg(test)]
mod tests;
