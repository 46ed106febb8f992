//! Hands what happens to the task that reports, where reporting is configured.

use std::sync::Arc;

use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use crate::{
    config::Config,
    domain::{
        Event, ProbeOutcome, ProbeSample, UplinkId,
        view::{ReportingView, Snapshot},
    },
    passive::Handshake,
    telemetry::{self, Identity, Record},
};

/// What may wait for the task.
const RECORDS: usize = 4096;

/// The way to the task; leads nowhere when reporting is not configured. Never waits: what does not fit is dropped, and
/// counted.
pub struct Reporting {
    task: Option<(mpsc::Sender<Record>, watch::Receiver<ReportingView>)>,
    /// Name and ISP of every uplink, as records carry them.
    names: Vec<(Arc<str>, Arc<str>)>,
    dropped: u64,
}

/// Starts the task, if it is configured.
pub fn start(config: &Config, snapshot: watch::Receiver<Arc<Snapshot>>) -> (Reporting, Option<JoinHandle<()>>) {
    let names = config
        .uplink_ids()
        .map(|id| (Arc::from(config.uplink(id).name.as_str()), Arc::from(config.isp_name_of(id))))
        .collect();
    let Some(report) = config.report.clone() else { return (Reporting { task: None, names, dropped: 0 }, None) };
    let identity = Identity {
        site: config.site.name.clone(),
        market: config.site.market.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let (records, receiver) = mpsc::channel(RECORDS);
    let (status_sender, status) = watch::channel(ReportingView::default());
    let task = tokio::spawn(telemetry::run(report, identity, receiver, snapshot, status_sender));
    (Reporting { task: Some((records, status)), names, dropped: 0 }, Some(task))
}

impl Reporting {
    /// One probe result, if it is the last word on the probe.
    pub fn sample(&mut self, sample: &ProbeSample) {
        let Some((uplink, isp)) = self.named(sample.uplink) else { return };
        let outcome = match sample.outcome {
            ProbeOutcome::Answered(rtt) => Ok(rtt),
            ProbeOutcome::Failed(failure) => Err(failure),
            // The last word on it is yet to come.
            ProbeOutcome::Overdue => return,
        };
        let (class, kind, service_time) = (sample.class.clone(), sample.kind, sample.service_time);
        self.record(Record::Probe { at: sample.sent_at, uplink, isp, class, kind, outcome, service_time });
    }

    /// Handshakes of users.
    pub fn handshakes(&mut self, batch: Vec<Handshake>) {
        for Handshake { uplink, class, rtt } in batch {
            let Some((uplink, isp)) = self.named(uplink) else { continue };
            self.record(Record::Handshake { uplink, isp, class, rtt });
        }
    }

    /// Something that happened.
    pub fn event(&mut self, event: Event) {
        self.record(Record::Event(event));
    }

    /// How it goes; absent when it is not configured.
    pub fn view(&self) -> Option<ReportingView> {
        let (_, status) = self.task.as_ref()?;
        Some(ReportingView { dropped_records: self.dropped, ..status.borrow().clone() })
    }

    /// Name and ISP of an uplink, where they are of use.
    fn named(&self, uplink: UplinkId) -> Option<(Arc<str>, Arc<str>)> {
        self.task.as_ref()?;
        self.names.get(usize::from(uplink.0)).cloned()
    }

    fn record(&mut self, record: Record) {
        let Some((records, _)) = &self.task else { return };
        if records.try_send(record).is_err() {
            if self.dropped == 0 {
                log::warn!("reporting does not keep up: samples and events are dropped, `status --json` counts them");
            }
            self.dropped += 1;
        }
    }
}
