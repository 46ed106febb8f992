//! From a name to a connection: DNS, TCP, TLS 1.3, HTTP/1.1, within one deadline.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    net::{TcpStream, lookup_host},
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{credentials, diagnosis, failure::Failure};
use crate::config::{Endpoint, Report};

/// Deadline of everything up to the end of the TLS handshake.
const CONNECT: Duration = Duration::from_secs(5);

/// Addresses of one name that are tried.
const ADDRESSES: usize = 4;

/// How long the end of a broken connection may take to tell why it broke.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Bound of the head of an answer.
const HEAD_LIMIT: usize = 16 << 10;

/// An HTTP connection inside TLS; closed when dropped.
#[derive(Debug)]
pub struct Connection {
    peer: String,
    requests: SendRequest<Full<Bytes>>,
    driver: JoinHandle<Result<(), hyper::Error>>,
    answered: bool,
}

impl Connection {
    /// Opens a connection with the certificate files as they are now.
    pub async fn open(report: &Report) -> Result<Self, Failure> {
        let config = credentials::load(report)?;
        let peer = authority(&report.endpoint);
        let Ok(stream) = timeout(CONNECT, secure(report, config)).await else {
            return Err(Failure::TooSlow { peer, what: "set up a connection", seconds: CONNECT.as_secs() });
        };
        let (requests, driver) = http1::Builder::new()
            .max_buf_size(HEAD_LIMIT)
            .handshake(TokioIo::new(stream?))
            .await
            .map_err(|error| Failure::Broken { peer: peer.clone(), reason: error.to_string() })?;
        Ok(Self { peer, requests, driver: tokio::spawn(driver), answered: false })
    }

    /// Whether it can carry another request, as far as is known.
    pub fn is_open(&self) -> bool {
        !self.requests.is_closed()
    }

    /// Sends a request; the head of its answer.
    pub async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
        report: &Report,
    ) -> Result<Response<Incoming>, Failure> {
        let sent = async {
            self.requests.ready().await?;
            self.requests.send_request(request).await
        };
        match sent.await {
            Ok(response) => {
                self.answered = true;
                Ok(response)
            }
            Err(error) => Err(self.why_broken(&error, report).await),
        }
    }

    /// In TLS 1.3 a refused client certificate shows only after the handshake, on the first read, and that read may be
    /// the driver's: both errors are asked for the cause.
    async fn why_broken(&mut self, error: &hyper::Error, report: &Report) -> Failure {
        let peer = self.peer.clone();
        if let Some(reason) = diagnosis::of_error(error, report) {
            return Failure::Tls { peer, reason };
        }
        if let Ok(Ok(Err(driver_error))) = timeout(LAST_WORDS, &mut self.driver).await
            && let Some(reason) = diagnosis::of_error(&driver_error, report)
        {
            return Failure::Tls { peer, reason };
        }
        let mut reason = diagnosis::chain(error);
        if !self.answered {
            reason.push_str(&diagnosis::closed_before_any_answer(report));
        }
        Failure::Broken { peer, reason }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// `HOST:PORT` as in URLs.
pub fn authority(endpoint: &Endpoint) -> String {
    let Endpoint { host, port, .. } = endpoint;
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

async fn secure(report: &Report, config: Arc<ClientConfig>) -> Result<TlsStream<TcpStream>, Failure> {
    let endpoint = &report.endpoint;
    let peer = authority(endpoint);
    let name = ServerName::try_from(endpoint.host.clone())
        .map_err(|error| Failure::Endpoint { peer: peer.clone(), reason: error.to_string() })?;
    let stream = dial(&resolve(endpoint).await?, &peer).await?;
    // Batches are single writes: waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    TlsConnector::from(config)
        .connect(name, stream)
        .await
        .map_err(|error| Failure::Tls { peer, reason: diagnosis::of_handshake(&error, report) })
}

async fn resolve(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, Failure> {
    let host = endpoint.host.clone();
    let addresses: Vec<SocketAddr> = lookup_host((host.as_str(), endpoint.port))
        .await
        .map_err(|error| Failure::Resolve { host: host.clone(), reason: error.to_string() })?
        .take(ADDRESSES)
        .collect();
    if addresses.is_empty() {
        return Err(Failure::Resolve { host, reason: "the name has no address".to_owned() });
    }
    Ok(addresses)
}

/// Tries one address after the other. Each gets its share of the time, so that a first one that swallows packets (IPv6
/// without a way out, most often) does not hide the second.
async fn dial(addresses: &[SocketAddr], peer: &str) -> Result<TcpStream, Failure> {
    let deadline = Instant::now() + CONNECT;
    let mut last = Failure::TooSlow { peer: peer.to_owned(), what: "answer", seconds: CONNECT.as_secs() };
    for (position, address) in (0u32..).zip(addresses) {
        let left = u32::try_from(addresses.len()).unwrap_or(u32::MAX).saturating_sub(position).max(1);
        let share = deadline.saturating_duration_since(Instant::now()) / left;
        match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => {
                last = Failure::Connect { peer: peer.to_owned(), reason: diagnosis::of_connect(&error, *address) };
            }
            Err(_) => {
                let reason = format!("{address} does not answer; check firewalls on the way and the address");
                last = Failure::Connect { peer: peer.to_owned(), reason };
            }
        }
    }
    Err(last)
}
