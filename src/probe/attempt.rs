//! One probe of any kind: from a target on an uplink to what came of it.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::tcp;
use crate::domain::{Check, ProbeFailure, ProbeOutcome};

/// One probe to make.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Interface that it leaves by, whatever the tables say.
    pub interface: &'a str,
    /// Source address on it; the kernel's choice when absent.
    pub source: Option<IpAddr>,
    /// Where to; the port is 0 for ICMP.
    pub address: SocketAddr,
    /// What counts as an answer.
    pub check: &'a Check,
    /// Loss threshold (RFC 7680 section 2.4).
    pub timeout: Duration,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// The last word; never overdue. The RTT is that of packets (RFC 2681), whatever the service took.
    pub outcome: ProbeOutcome,
    /// From the first packet to the end of the TLS handshake or the first byte of the HTTP answer.
    pub service_time: Option<Duration>,
}

impl Attempt<'_> {
    /// Makes it.
    ///
    /// # Errors
    /// When this machine could not try at all (out of descriptors, ports or memory, not permitted): nothing is learned
    /// about the path. Everything else is an outcome.
    pub async fn carry_out(&self) -> io::Result<Measured> {
        let outcome = match self.check {
            Check::Tcp { .. } => tcp::probe(self.interface, self.source, self.address, self.timeout).await?,
            _ => ProbeOutcome::Failed(ProbeFailure::NotSent),
        };
        Ok(Measured { outcome, service_time: None })
    }
}
