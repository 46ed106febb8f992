//! From what was observed to request bodies: OTLP protobuf, gzipped.

mod events;
mod metrics;
mod points;

#[cfg(test)]
mod tests;

use std::{fs, io::Write};

use flate2::{Compression, write::GzEncoder};
use hyper::body::Bytes;
use prost::Message;

use super::{
    Identity,
    proto::{
        ExportLogsServiceRequest, ExportMetricsServiceRequest, InstrumentationScope, KeyValue, Resource,
        ResourceLogs, ResourceMetrics, ScopeLogs, ScopeMetrics,
    },
    queue::{Batch, Signal},
    recorder::Interval,
    vocabulary::key,
    wall::WallClock,
};
use crate::domain::{
    BootTime, Event,
    view::{ReportingView, Snapshot},
};

/// Name of the service and of the instrumentation scope.
const SERVICE: &str = "peerward";

/// Encodes in the name of one agent.
#[derive(Debug)]
pub struct Encoder {
    resource: Resource,
    scope: InstrumentationScope,
    started: BootTime,
}

/// What a metrics batch is made of.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// What was counted since the batch before.
    pub interval: &'a Interval,
    /// The agent now.
    pub snapshot: &'a Snapshot,
    /// Reporting now.
    pub reporting: &'a ReportingView,
    /// Wall time.
    pub wall: &'a WallClock,
}

impl Encoder {
    /// An encoder for the agent that started at `started`.
    pub fn new(identity: &Identity, started: BootTime) -> Self {
        Self { resource: resource(identity, &host_name()), scope: scope(identity), started }
    }

    /// One batch with every metric.
    pub fn metrics(&self, moment: Moment<'_>) -> Batch {
        let (metrics, items) = metrics::all(moment, self.started);
        let request = ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(self.resource.clone()),
                scope_metrics: vec![ScopeMetrics { scope: Some(self.scope.clone()), metrics }],
            }],
        };
        Batch { signal: Signal::Metrics, body: pack(&request), items }
    }

    /// One batch with these events.
    pub fn events(&self, events: &[Event], wall: &WallClock, now: BootTime) -> Batch {
        let log_records = events.iter().map(|event| events::log_record(event, wall, now)).collect();
        let request = ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource: Some(self.resource.clone()),
                scope_logs: vec![ScopeLogs { scope: Some(self.scope.clone()), log_records }],
            }],
        };
        Batch { signal: Signal::Logs, body: pack(&request), items: events.len() as u64 }
    }
}

/// Who reports. The instance is named by site and host, not by a random id, so that series survive a restart.
fn resource(identity: &Identity, host: &str) -> Resource {
    let instance = format!("{}/{host}", identity.site);
    let attributes = [
        ("service.name", SERVICE),
        ("service.version", &identity.version),
        ("service.instance.id", &instance),
        ("host.name", host),
        (key::SITE, &identity.site),
        (key::MARKET, &identity.market),
    ];
    Resource { attributes: attributes.map(|(key, value)| KeyValue::new(key, value)).to_vec() }
}

fn scope(identity: &Identity) -> InstrumentationScope {
    InstrumentationScope { name: SERVICE.to_owned(), version: identity.version.clone() }
}

fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}

fn pack(message: &impl Message) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing into memory does not fail.
    let _ = encoder.write_all(&message.encode_to_vec());
    Bytes::from(encoder.finish().unwrap_or_default())
}
