//! One probe of any kind: from a target on an uplink to what came of it.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{http, icmp, own_ports::OwnPorts, stun, tcp, tls, trust::TrustAnchors};
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
    /// Loss threshold (RFC 7680 section 2.4). A conversation over TCP may take six times as long: two more for the
    /// service, and all of it again when large packets seem not to get through.
    pub timeout: Duration,
    /// Who may vouch for a server; without, checks that need it cannot be sent.
    pub trust: Option<&'a TrustAnchors>,
    /// Where local TCP ports are noted.
    pub ports: Option<&'a OwnPorts>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// The last word; never overdue. The RTT is that of packets (RFC 2681), whatever the service took.
    pub outcome: ProbeOutcome,
    /// From the first packet to the end of the TLS handshake or the first byte of the HTTP answer.
    pub service_time: Option<Duration>,
}

impl Measured {
    /// Not answered.
    pub(super) fn failed(failure: ProbeFailure) -> Self {
        ProbeOutcome::Failed(failure).into()
    }
}

impl From<ProbeOutcome> for Measured {
    fn from(outcome: ProbeOutcome) -> Self {
        Self { outcome, service_time: None }
    }
}

impl Attempt<'_> {
    /// Makes it.
    ///
    /// # Errors
    /// When this machine could not try at all (out of descriptors, ports or memory, not permitted): nothing is learned
    /// about the path. Everything else is an outcome.
    pub async fn carry_out(&self) -> io::Result<Measured> {
        match self.check {
            Check::Tcp { .. } => tcp::probe(self).await.map(Measured::from),
            Check::Tls { server_name } => tls::probe(self, server_name).await,
            Check::Http { secure, server_name, path, status } => {
                let port = self.address.port();
                http::probe(self, http::Page { secure: *secure, server_name, port, path, status }).await
            }
            Check::Icmp => icmp::probe(self, None).await.map(Measured::from),
            Check::Stun => stun::probe(self).await.map(Measured::from),
        }
    }

    /// Makes an ICMP echo of so many bytes after the ICMP header, whatever the check; the packet must not be fragmented on
    /// the way.
    ///
    /// # Errors
    /// As [`Self::carry_out`].
    pub async fn echo(&self, size: u16) -> io::Result<Measured> {
        icmp::probe(self, Some(size)).await.map(Measured::from)
    }
}
