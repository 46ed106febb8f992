//! Why a batch could not be carried: what, on what, and what to do about it.

use std::{io, path::PathBuf, time::Duration};

use super::connect::authority;
use crate::config::Endpoint;

/// Each of these may pass: the batch is kept and tried again.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A certificate or key file cannot be read.
    #[error("cannot read {}: {source}; check [report] and the permissions of the file", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file is something else than it should be.
    #[error("{} {reason}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// The key can be read by others.
    #[error("key {0} can be read by others (mode {mode:04o}); run: chmod 600 {0}", file.display())]
    LooseKey {
        /// The file.
        file: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The endpoint cannot be used as it is written.
    #[error("endpoint {peer} cannot be used: {reason}; correct `endpoint` in [report]")]
    Endpoint {
        /// Host and port.
        peer: String,
        /// Why.
        reason: String,
    },
    /// The name has no address.
    #[error("cannot find the address of {host}: {reason}; check `endpoint` in [report] and the DNS of this router")]
    Resolve {
        /// Name.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// No TCP connection.
    #[error("cannot connect to {peer}: {reason}")]
    Connect {
        /// Host and port.
        peer: String,
        /// What happened, and what to do.
        reason: String,
    },
    /// No TLS session, or the other side ended it for a reason that it gave.
    #[error("no secure connection to {peer}: {reason}")]
    Tls {
        /// Host and port.
        peer: String,
        /// What happened, and what to do.
        reason: String,
    },
    /// The connection broke before the answer was complete.
    #[error("connection to {peer} broke: {reason}")]
    Broken {
        /// Host and port.
        peer: String,
        /// What happened.
        reason: String,
    },
    /// A deadline passed.
    #[error(
        "{peer} did not {what} within {seconds} s; check that the collector is healthy and the way to it is free"
    )]
    TooSlow {
        /// Host and port.
        peer: String,
        /// What it should have done.
        what: &'static str,
        /// Deadline.
        seconds: u64,
    },
    /// The answer is larger than any honest one.
    #[error("{0}; check that `endpoint` in [report] is an OTLP collector")]
    Answer(String),
}

impl Failure {
    /// A request that was not answered in time.
    pub fn no_answer(endpoint: &Endpoint, deadline: Duration) -> Self {
        Self::TooSlow { peer: authority(endpoint), what: "answer", seconds: deadline.as_secs() }
    }
}
