//! Samples and events upstream: OTLP/HTTP protobuf over mutual TLS 1.3.
//!
//! [`Record`]s go into the [`recorder`], once per interval it and the latest snapshot are encoded ([`encode`]) into a
//! batch, batches wait in a bounded [`queue`], and one [`sender`] carries them, one after another. A batch leaves the
//! queue only when the collector acknowledged it, refused it for good, or the queue is full (oldest first, counted).
//! Names, units and attributes of all that is reported are in [`vocabulary`] and in `docs/telemetry.md`.
//!
//! May know the domain types and `config::Report`. Must never hold up steering: nothing here is waited for by it.

mod backoff;
mod encode;
mod histogram;
mod line;
mod proto;
mod queue;
mod recorder;
mod reporter;
mod sender;
mod vocabulary;
mod wall;

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, watch};

use crate::{
    config::Report,
    domain::{
        BootTime, ClassId, Event, ProbeFailure, ProbeKind,
        view::{ReportingView, Snapshot},
    },
};

/// What the agent hands over, one by one.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// One probe result, by names.
    Probe {
        /// When it was sent.
        at: BootTime,
        /// Uplink.
        uplink: Arc<str>,
        /// ISP.
        isp: Arc<str>,
        /// Class.
        class: ClassId,
        /// How it was probed.
        kind: ProbeKind,
        /// RTT of the answer, or why there was none.
        outcome: Result<Duration, ProbeFailure>,
        /// Until the TLS handshake was done or the first byte of an HTTP answer was there; for kinds that have it.
        service_time: Option<Duration>,
    },
    /// One handshake of a forwarded connection, by names.
    Handshake {
        /// Uplink.
        uplink: Arc<str>,
        /// ISP.
        isp: Arc<str>,
        /// Class.
        class: ClassId,
        /// From SYN to SYN-ACK, as the uplink saw them.
        rtt: Duration,
    },
    /// Something happened.
    Event(Event),
}

/// Who reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Site.
    pub site: String,
    /// Market.
    pub market: String,
    /// Version of the agent.
    pub version: String,
}

/// Reports every `report.interval`, events within a second, until `records` is closed; then sends what is left within
/// three seconds and returns.
///
/// Never fails: what is wrong is told by `status`, and tried again. Missing or bad certificate files are read again at
/// each new connection, so that they can be put right without a restart.
pub async fn run(
    report: Report,
    identity: Identity,
    records: mpsc::Receiver<Record>,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    status: watch::Sender<ReportingView>,
) {
    let sender = sender::Sender::new(report.clone(), &identity.version);
    reporter::Reporter::new(&report, &identity, sender, snapshot, status).run(records).await;
}
