//! `[report]`: the collector.

use std::{path::PathBuf, time::Duration};

/// `[report]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Base of the collector: `https://HOST[:PORT][/PATH]`; `/v1/metrics` and `/v1/logs` are appended.
    pub endpoint: Endpoint,
    /// PEM file of the trust anchors for the collector.
    pub ca: PathBuf,
    /// PEM file of the client certificate chain.
    pub cert: PathBuf,
    /// PEM file of the client key; not readable by others.
    pub key: PathBuf,
    /// Time between two reports.
    pub interval: Duration,
    /// Bound of the queue of reports that wait, in bytes.
    pub queue_bytes: usize,
}

/// An `https://` address, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path before `/v1/…`, without a slash at its end.
    pub path: String,
}
