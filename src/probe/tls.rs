//! TLS handshake: the server must prove its name, so that no captive portal or proxy passes for it.

use std::{io, sync::Arc};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    attempt::{Attempt, Measured},
    conversation::{Conversation, broken},
};
use crate::domain::ProbeFailure;

/// One probe that is over with the handshake.
///
/// # Errors
/// As [`super::tcp::connect`].
pub(super) async fn probe(attempt: &Attempt<'_>, server_name: &str) -> io::Result<Measured> {
    let (Some(trust), Ok(name)) = (attempt.trust, ServerName::try_from(server_name.to_owned())) else {
        return Ok(Measured::failed(ProbeFailure::NotSent));
    };
    Conversation { proof: Some((trust.tls(), name)), page: None }.hold(attempt).await
}

/// Makes the server prove its name.
///
/// # Errors
/// Why it could not.
pub(super) async fn handshake(
    stream: TcpStream,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
) -> Result<TlsStream<TcpStream>, ProbeFailure> {
    TlsConnector::from(config).connect(name, stream).await.map_err(|error| broken(&error))
}
