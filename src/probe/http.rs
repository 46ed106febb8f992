//! First byte of an HTTP/1.1 answer, in plain text or over TLS, with a status that was expected.

use std::{io, ops::RangeInclusive};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

use super::{
    attempt::{Attempt, Measured},
    conversation::{Conversation, broken},
};
use crate::domain::ProbeFailure;

/// Most bytes that are read for a status, those of interim answers before it among them.
const MOST_BYTES: u64 = 8 * 1024;
/// Bytes read at a time: more than any status line has.
const AT_A_TIME: usize = 256;

/// What to ask for, and what should come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page<'a> {
    pub secure: bool,
    pub server_name: &'a str,
    pub port: u16,
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
    let Page { path, status, .. } = page;
    let host = page.host();
    let version = env!("CARGO_PKG_VERSION");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: peerward/{version}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.map_err(|error| broken(&error))?;
    stream.flush().await.map_err(|error| broken(&error))?;
    let mut lines = BufReader::with_capacity(AT_A_TIME, stream.take(MOST_BYTES));
    loop {
        match status_of(&line_of(&mut lines).await?) {
            Some(code) if status.contains(&code) => return Ok(()),
            // More is to come, asked for or not (RFC 9110 section 15.2); after 101 it would not be HTTP.
            Some(100 | 102..=199) => while !matches!(&*line_of(&mut lines).await?, b"\r\n" | b"\n") {},
            _ => return Err(ProbeFailure::Unexpected),
        }
    }
}

/// The next line, with its end.
async fn line_of(lines: &mut (impl AsyncBufRead + Unpin)) -> Result<Vec<u8>, ProbeFailure> {
    let mut line = Vec::new();
    lines.read_until(b'\n', &mut line).await.map_err(|error| broken(&error))?;
    if line.ends_with(b"\n") { Ok(line) } else { Err(ProbeFailure::Unexpected) }
}

impl Page<'_> {
    /// The value of `Host` (RFC 9110 section 7.2).
    fn host(&self) -> String {
        let Self { server_name, port, .. } = self;
        let name = if server_name.contains(':') { format!("[{server_name}]") } else { (*server_name).to_owned() };
        let usual = if self.secure { 443 } else { 80 };
        if *port == usual { name } else { format!("{name}:{port}") }
    }
}

/// The code of a status line (RFC 9112 section 4): `HTTP/1.1 204 No Content`.
fn status_of(line: &[u8]) -> Option<u16> {
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
