//! Probe kinds and their schedule. The only code that opens probe sockets; holds no policy.
//!
//! May know the domain types. Every probe leaves by *its* uplink whatever the tables say.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::sync::{mpsc, watch};

use crate::domain::{ClassId, ProbeSample, UplinkId};

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
    /// Targets, rotated; never empty.
    pub targets: Arc<[SocketAddr]>,
}

/// How often, and how long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeSettings {
    /// Mean time between two probes of one path.
    pub interval: Duration,
    /// Loss threshold.
    pub timeout: Duration,
}

/// Probes the paths of the newest list until the receiver of samples is gone. Paths that stay in the list keep their
/// schedule. A full channel makes it wait, never drop.
pub async fn run(
    _settings: ProbeSettings,
    _paths: watch::Receiver<Arc<[ProbePath]>>,
    _samples: mpsc::Sender<ProbeSample>,
) {
    todo!()
}
