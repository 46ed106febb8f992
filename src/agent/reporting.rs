//! Starts the task that reports, where reporting is configured.

use std::sync::Arc;

use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use crate::{
    config::Config,
    domain::{
        UplinkId,
        view::{ReportingView, Snapshot},
    },
    telemetry::{self, Identity, Record},
};

/// Where records go, and what came of it.
pub type Reporting = (mpsc::Sender<Record>, watch::Receiver<ReportingView>);

/// `None` when it is not configured.
pub fn start(config: &Config, snapshot: watch::Receiver<Arc<Snapshot>>) -> Option<(Reporting, JoinHandle<()>)> {
    let report = config.report.clone()?;
    let identity = Identity {
        site: config.site.name.clone(),
        market: config.site.market.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let (records, receiver) = mpsc::channel(4096);
    let (status_sender, status) = watch::channel(ReportingView::default());
    let task = tokio::spawn(telemetry::run(report, identity, receiver, snapshot, status_sender));
    Some(((records, status), task))
}

/// Name and ISP of every uplink, as records carry them.
pub fn uplink_names(config: &Config) -> Vec<(Arc<str>, Arc<str>)> {
    config
        .uplink_ids()
        .map(|id: UplinkId| (Arc::from(config.uplink(id).name.as_str()), Arc::from(config.isp_name_of(id))))
        .collect()
}
