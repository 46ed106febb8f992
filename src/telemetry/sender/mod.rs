//! Carries batches over HTTP/1.1 and mutual TLS 1.3; the only code here that opens sockets.
//!
//! One connection, kept alive and used again; the certificate files are read for each new one. Every step has a
//! deadline, every answer a bound.

mod answer;
mod connect;
mod credentials;
mod diagnosis;
mod failure;

use hyper::{Request, body::Bytes};
use tokio::time::timeout;

use super::{
    line::{Courier, Verdict},
    queue::Batch,
};
use crate::config::Report;
use answer::Answer;
use connect::Connection;
use failure::Failure;

/// Deadline from sending a request to the end of its answer.
const REQUEST: std::time::Duration = std::time::Duration::from_secs(10);

/// Media type of OTLP/HTTP.
const PROTOBUF: &str = "application/x-protobuf";

/// Sends to the endpoint of one `[report]`.
#[derive(Debug)]
pub struct Sender {
    report: Report,
    user_agent: String,
    idle: Option<Connection>,
}

impl Sender {
    /// A sender that is not connected yet.
    pub fn new(report: Report, version: &str) -> Self {
        Self { report, user_agent: format!("peerward/{version}"), idle: None }
    }

    async fn exchange(&mut self, batch: &Batch) -> Result<Answer, Failure> {
        if let Some(connection) = self.idle.take().filter(Connection::is_open) {
            match self.exchange_on(connection, batch).await {
                // Between two requests the collector may close whenever it likes: once more, on a new connection.
                Err(Failure::Broken { .. }) => {}
                result => return result,
            }
        }
        let connection = Connection::open(&self.report).await?;
        self.exchange_on(connection, batch).await
    }

    async fn exchange_on(&mut self, mut connection: Connection, batch: &Batch) -> Result<Answer, Failure> {
        let request = self.request(batch)?;
        let answer = async {
            let response = connection.send(request, &self.report).await?;
            Answer::read(response).await
        };
        let answer = match timeout(REQUEST, answer).await {
            Ok(answer) => answer?,
            Err(_) => return Err(Failure::no_answer(&self.report.endpoint, REQUEST)),
        };
        self.idle = Some(connection);
        Ok(answer)
    }

    fn request(&self, batch: &Batch) -> Result<Request<http_body_util::Full<Bytes>>, Failure> {
        let endpoint = &self.report.endpoint;
        Request::post(format!("{}{}", endpoint.path, batch.signal.path()))
            .header("host", connect::authority(endpoint))
            .header("user-agent", &self.user_agent)
            .header("content-type", PROTOBUF)
            .header("content-encoding", "gzip")
            .body(http_body_util::Full::from(batch.body.clone()))
            .map_err(|error| Failure::Endpoint { peer: connect::authority(endpoint), reason: error.to_string() })
    }
}

impl Courier for Sender {
    async fn deliver(&mut self, batch: &Batch) -> Verdict {
        match self.exchange(batch).await {
            Ok(answer) => answer.verdict(batch),
            Err(failure) => Verdict::Retry { after: None, reason: failure.to_string() },
        }
    }
}
