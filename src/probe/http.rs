//! First byte of an HTTP/1.1 answer, in plain text or over TLS, with a status that was expected.

use std::{io, ops::RangeInclusive};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{
    attempt::{Attempt, Measured},
    conversation::{Conversation, broken},
};
use crate::domain::ProbeFailure;

/// Longest status line that is waited for, in bytes: more than any server sends.
const LONGEST_STATUS_LINE: usize = 256;

/// What to ask for, and what should come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page<'a> {
    pub secure: bool,
    pub server_name: &'a str,
    pub path: &'a str,
    pub status: &'a RangeInclusive<u16>,
}

/// One probe that is over with the status line.
///
/// # Errors
/// As [`super::tcp::connect`].
pub(super) async fn probe(attempt: &Attempt<'_>, page: Page<'_>) -> io::Result<Measured> {
    let proof = match (page.secure, attempt.trust, ServerName::try_from(page.server_name.to_owned())) {
        (false, _, _) => None,
        (true, Some(trust), Ok(name)) => Some((trust.https(), name)),
        _ => return Ok(Measured::failed(ProbeFailure::NotSent)),
    };
    Conversation { proof, page: Some(page) }.hold(attempt).await
}

/// Asks for the page and waits for its status.
///
/// # Errors
/// What came instead.
pub(super) async fn fetch(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    page: Page<'_>,
) -> Result<(), ProbeFailure> {
    let Page { server_name, path, .. } = page;
    let host = if server_name.contains(':') { format!("[{server_name}]") } else { server_name.to_owned() };
    let version = env!("CARGO_PKG_VERSION");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: peerward/{version}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.map_err(|error| broken(&error))?;
    stream.flush().await.map_err(|error| broken(&error))?;
    match status_of(stream).await? {
        Some(status) if page.status.contains(&status) => Ok(()),
        _ => Err(ProbeFailure::Unexpected),
    }
}

/// Reads until the status line is there.
async fn status_of(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<u16>, ProbeFailure> {
    let mut read = Vec::with_capacity(LONGEST_STATUS_LINE);
    let mut limited = stream.take(LONGEST_STATUS_LINE as u64);
    while !read.contains(&b'\n') {
        if limited.read_buf(&mut read).await.map_err(|error| broken(&error))? == 0 {
            return Ok(None);
        }
    }
    Ok(status(&read))
}

/// The code of a status line (RFC 9112 section 4): `HTTP/1.1 204 No Content`.
fn status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let (minor, rest) = rest.split_first()?;
    let (code, rest) = rest.strip_prefix(b" ")?.split_at_checked(3)?;
    let ends = rest.first().is_some_and(u8::is_ascii_whitespace);
    if !minor.is_ascii_digit() || !code.iter().all(u8::is_ascii_digit) || !ends {
        return None;
    }
    std::str::from_utf8(code).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
