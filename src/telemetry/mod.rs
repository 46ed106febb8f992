//! Samples and events upstream: OTLP/HTTP protobuf over mutual TLS 1.3.
//!
//! May know the domain types and `config::Report`. A record leaves the queue only when the collector acknowledged it,
//! refused it for good, or the queue is full (oldest first, counted).

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, watch};

use crate::{
    config::Report,
    domain::{
        BootTime, ClassId, Event,
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
        /// RTT, none when lost.
        rtt: Option<Duration>,
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

/// Reports every `report.interval` until `records` is closed, then sends what is left within a deadline.
pub async fn run(
    _report: Report,
    _identity: Identity,
    _records: mpsc::Receiver<Record>,
    _snapshot: watch::Receiver<Arc<Snapshot>>,
    _status: watch::Sender<ReportingView>,
) {
    todo!()
}
