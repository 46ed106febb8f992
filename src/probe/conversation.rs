//! One probe that goes on after the TCP handshake: TLS, HTTP, or HTTP over TLS.
//!
//! The RTT is that of the TCP handshake; the time until the conversation is over is the service's. A connection that is
//! accepted and then silent is tried once more with small segments: if these get through, large packets do not (an MTU
//! hole: a tunnel or a PPPoE line on which somebody drops "fragmentation needed").

use std::{io, sync::Arc};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::time;

use super::{
    attempt::{Attempt, Measured},
    http::{self, Page},
    tcp::{self, Connection},
    tls,
};
use crate::domain::{ProbeFailure, ProbeOutcome};

/// Bytes of a segment that every path carries: the minimal reassembly of IPv4 (RFC 9293 section 3.7.1) and the minimal
/// MTU of IPv6 (RFC 8200 section 5), less the headers.
const SMALL_SEGMENT_IPV4: u32 = 536;
const SMALL_SEGMENT_IPV6: u32 = 1220;

/// How much longer than an answer to SYN the service may take, in timeouts: two more round trips, and its own work.
const SERVICE_TIMEOUTS: u32 = 2;

/// Who must answer, and what.
#[derive(Debug)]
pub(super) struct Conversation<'a> {
    /// Over TLS with a server that proves this name.
    pub proof: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// With this page.
    pub page: Option<Page<'a>>,
}

impl Conversation<'_> {
    /// Connects and talks; asks about the MTU when there is silence.
    ///
    /// # Errors
    /// As [`tcp::connect`].
    pub async fn hold(&self, attempt: &Attempt<'_>) -> io::Result<Measured> {
        let measured = self.try_once(attempt, None).await?;
        if measured.outcome != ProbeOutcome::Failed(ProbeFailure::Stalled) {
            return Ok(measured);
        }
        let segment = if attempt.address.is_ipv4() { SMALL_SEGMENT_IPV4 } else { SMALL_SEGMENT_IPV6 };
        let again = self.try_once(attempt, Some(segment)).await?;
        Ok(match again.outcome {
            ProbeOutcome::Answered(_) => Measured::failed(ProbeFailure::MtuHole),
            ProbeOutcome::Failed(failure @ (ProbeFailure::Untrusted | ProbeFailure::Unexpected)) => {
                Measured::failed(failure)
            }
            _ => measured,
        })
    }

    async fn try_once(&self, attempt: &Attempt<'_>, segment: Option<u32>) -> io::Result<Measured> {
        let connection = match tcp::connect(attempt, segment).await? {
            Ok(connection) => connection,
            Err((failure, _)) => return Ok(Measured::failed(failure)),
        };
        let (rtt, started) = (connection.rtt, connection.started);
        Ok(match time::timeout(attempt.timeout * SERVICE_TIMEOUTS, self.talk(connection)).await {
            Ok(Ok(())) => Measured { outcome: ProbeOutcome::Answered(rtt), service_time: Some(started.elapsed()) },
            Ok(Err(failure)) => Measured::failed(failure),
            Err(_) => Measured::failed(ProbeFailure::Stalled),
        })
    }

    async fn talk(&self, connection: Connection) -> Result<(), ProbeFailure> {
        let mut plain = connection.stream;
        match (&self.proof, self.page) {
            (None, None) => Ok(()),
            (None, Some(page)) => http::fetch(&mut plain, page).await,
            (Some((config, name)), page) => {
                let mut proven = tls::handshake(plain, Arc::clone(config), name.clone()).await?;
                match page {
                    Some(page) => http::fetch(&mut proven, page).await,
                    None => Ok(()),
                }
            }
        }
    }
}

/// What it means that a conversation broke off.
pub(super) fn broken(error: &io::Error) -> ProbeFailure {
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return match tls {
            rustls::Error::InvalidCertificate(_) => ProbeFailure::Untrusted,
            _ => ProbeFailure::Unexpected,
        };
    }
    match error.kind() {
        // Accepted, and hung up on: what filters by server name does so.
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            ProbeFailure::Unexpected
        }
        _ => tcp::failure_of(error).unwrap_or(ProbeFailure::Unexpected),
    }
}

#[cfg(test)]
mod tests;
