//! The HTTP side: TLS, one task per connection, OTLP's rules for requests and answers.

use std::{io::Read, net::TcpListener, sync::Arc};

use flate2::read::GzDecoder;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::{
    logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse},
    metrics::v1::{ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse},
};
use prost::Message;
use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier, version};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::oneshot,
};
use tokio_rustls::TlsAcceptor;

use super::{Answer, Shared, Transport};
use crate::LabError;

/// Largest body taken, compressed and not.
const BODY_LIMIT: usize = 16 << 20;

/// OTLP/HTTP's content type.
const PROTOBUF: &str = "application/x-protobuf";

/// TLS as `transport` says; none for plain HTTP.
pub(super) fn acceptor(transport: &Transport<'_>) -> Result<Option<TlsAcceptor>, LabError> {
    let (identity, version) = match transport {
        Transport::MutualTls(identity) => (identity, &version::TLS13),
        Transport::OldTls(identity) => (identity, &version::TLS12),
        Transport::Plain => return Ok(None),
    };
    let failed = |reason: &dyn ToString| LabError::pki("use the collector's identity", &reason.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(identity.client_authority.clone()).map_err(|error| failed(&error))?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| failed(&error))?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .map_err(|error| failed(&error))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.chain.clone(), identity.key.clone_key())
        .map_err(|error| failed(&error))?;
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

/// Serves until `stopped` ends. The runtime, and with it every connection, ends with this call.
pub(super) fn serve_blocking(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime.and_then(|runtime| {
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tokio::select! {
                () = accept(&listener, tls, shared) => {}
                _ = stopped => {}
            }
            Ok(())
        })
    });
    if let Err(error) = result {
        eprintln!("the collector ended: {error}");
    }
}

async fn accept(listener: &tokio::net::TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    loop {
        // A peer that is gone before it was accepted is no reason to end.
        if let Ok((stream, _)) = listener.accept().await {
            shared.store().connections += 1;
            tokio::spawn(connection(stream, tls.clone(), Arc::clone(&shared)));
        }
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let Some(tls) = tls else { return serve(stream, shared).await };
    match tls.accept(stream).await {
        Ok(stream) => serve(stream, shared).await,
        Err(error) => shared.store().failed_handshakes.push(error.to_string()),
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, shared: Arc<Shared>) {
    let service = service_fn(|request| respond(request, Arc::clone(&shared)));
    // Clients come and go; a connection that ends early tells the test nothing.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// An answer, or no answer at all: hyper closes the connection on an error.
async fn respond(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Full<Bytes>>, Disconnected> {
    let path = request.uri().path().to_owned();
    let body = match read(request).await {
        Ok(body) => body,
        Err((status, reason)) => {
            shared.store().malformed.push(format!("{path}: {reason}"));
            return Ok(failure(status, None, &reason));
        }
    };
    let answer = shared.script().take();
    let taken = matches!(answer, Answer::Accept | Answer::Partial { .. });
    match keep(&path, &body, taken, &shared) {
        Ok(()) => answered(&path, answer),
        Err(reason) => {
            shared.store().malformed.push(format!("{path}: {reason}"));
            Ok(failure(StatusCode::BAD_REQUEST, None, &reason))
        }
    }
}

/// Why the connection is closed: it was told so.
#[derive(Debug, thiserror::Error)]
#[error("disconnected on purpose")]
struct Disconnected;

/// The body of a request as OTLP/HTTP wants it, unpacked.
async fn read(request: Request<Incoming>) -> Result<Vec<u8>, (StatusCode, String)> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if request.method() != Method::POST {
        return Err((StatusCode::METHOD_NOT_ALLOWED, format!("method {}", request.method())));
    }
    if header(CONTENT_TYPE) != PROTOBUF {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("content type {:?}", header(CONTENT_TYPE))));
    }
    if header(CONTENT_ENCODING) != "gzip" {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("encoding {:?}", header(CONTENT_ENCODING))));
    }
    let bad = |reason: String| (StatusCode::BAD_REQUEST, reason);
    let packed =
        Limited::new(request.into_body(), BODY_LIMIT).collect().await.map_err(|error| bad(error.to_string()))?;
    let mut body = Vec::new();
    GzDecoder::new(packed.to_bytes().as_ref())
        .take(BODY_LIMIT as u64)
        .read_to_end(&mut body)
        .map_err(|error| bad(format!("gzip: {error}")))?;
    Ok(body)
}

/// Decodes in any case, so that a malformed request is found even when it is then refused.
fn keep(path: &str, body: &[u8], taken: bool, shared: &Shared) -> Result<(), String> {
    let mut store = shared.store();
    match path {
        "/v1/metrics" => {
            let request = ExportMetricsServiceRequest::decode(body).map_err(|error| error.to_string())?;
            store.requests += 1;
            if taken {
                store.metrics.push(request);
            }
        }
        "/v1/logs" => {
            let request = ExportLogsServiceRequest::decode(body).map_err(|error| error.to_string())?;
            store.requests += 1;
            if taken {
                store.logs.push(request);
            }
        }
        other => return Err(format!("unknown path {other}")),
    }
    Ok(())
}

fn answered(path: &str, answer: Answer) -> Result<Response<Full<Bytes>>, Disconnected> {
    match answer {
        Answer::Accept => Ok(success(path, None)),
        Answer::Partial { rejected, message } => Ok(success(path, Some((rejected, message)))),
        Answer::Status { status, retry_after, message } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Ok(failure(status, retry_after, &message))
        }
        Answer::Page(text) => Ok(response(StatusCode::OK, None, "text/html", text.into_bytes())),
        Answer::Disconnect => Err(Disconnected),
    }
}

fn success(path: &str, partial: Option<(i64, String)>) -> Response<Full<Bytes>> {
    let body = if path == "/v1/logs" {
        let partial_success = partial.map(|(rejected_log_records, error_message)| ExportLogsPartialSuccess {
            rejected_log_records,
            error_message,
        });
        ExportLogsServiceResponse { partial_success }.encode_to_vec()
    } else {
        let partial_success = partial.map(|(rejected_data_points, error_message)| ExportMetricsPartialSuccess {
            rejected_data_points,
            error_message,
        });
        ExportMetricsServiceResponse { partial_success }.encode_to_vec()
    };
    response(StatusCode::OK, None, PROTOBUF, body)
}

fn failure(status: StatusCode, retry_after: Option<u32>, message: &str) -> Response<Full<Bytes>> {
    /// `google.rpc.Status`, as OTLP/HTTP answers failures.
    #[derive(Clone, PartialEq, Message)]
    struct Status {
        #[prost(int32, tag = "1")]
        code: i32,
        #[prost(string, tag = "2")]
        message: String,
    }
    let body = Status { code: 0, message: message.to_owned() }.encode_to_vec();
    response(status, retry_after, PROTOBUF, body)
}

fn response(status: StatusCode, retry_after: Option<u32>, content: &str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut builder = Response::builder().status(status).header(CONTENT_TYPE, content);
    if let Some(seconds) = retry_after {
        builder = builder.header(RETRY_AFTER, seconds);
    }
    builder.body(Full::from(body)).unwrap_or_default()
}
