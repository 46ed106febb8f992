//! HTTP/1.1, over TLS or not.

use std::convert::Infallible;

use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::LOCATION,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// Start of the paths that ask for a status: `/status/503`.
const STATUS: &str = "/status/";

/// Where a portal wants its guests.
const LOGIN: &str = "http://login.portal.invalid/";

/// Who answers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Voice {
    /// The service itself: 200, or what the path asks for.
    Service,
    /// A captive portal: log in first (302).
    Portal,
}

/// Answers requests until the client has had enough.
pub(super) async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, voice: Voice) {
    let service = service_fn(async |request| Ok::<_, Infallible>(respond(&request, voice)));
    // Clients come and go; a connection that ends early tells the test nothing.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

fn respond(request: &Request<Incoming>, voice: Voice) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"peerward-lab\n")));
    match voice {
        Voice::Service => *response.status_mut() = wanted(request.uri().path()),
        Voice::Portal => {
            *response.status_mut() = StatusCode::FOUND;
            response.headers_mut().insert(LOCATION, hyper::header::HeaderValue::from_static(LOGIN));
        }
    }
    response
}

fn wanted(path: &str) -> StatusCode {
    let code = path.strip_prefix(STATUS).and_then(|code| code.parse::<u16>().ok());
    code.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::OK)
}
