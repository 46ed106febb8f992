//! The address of a collector: `https://HOST[:PORT][/PATH]`.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Item, Wrong, quoted, text};
use crate::config::model::Endpoint;

/// Port of OTLP over HTTP, as registered with IANA.
const OTLP_HTTP: u16 = 4318;

const EXAMPLE: &str = "write https://HOST:PORT, such as https://otel.example.net:4318";

/// An endpoint.
pub(in super::super) fn endpoint(item: &Item<'_>) -> Result<Endpoint, Wrong> {
    let written = text(item)?;
    if written.starts_with("http://") {
        return Err(Wrong::new("plain HTTP shows the branch's telemetry to everybody on the way", EXAMPLE));
    }
    let rest = written
        .strip_prefix("https://")
        .ok_or_else(|| Wrong::new(format!("{} is not an https:// address", quoted(&written)), EXAMPLE))?;
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('@') || path.contains(['?', '#']) {
        return Err(Wrong::new("user names, queries and fragments have no meaning here", EXAMPLE));
    }
    if !path.chars().all(|letter| letter.is_ascii_graphic()) {
        return Err(Wrong::new("the path has letters that a URL cannot have", "percent-encode them"));
    }
    let path = path.trim_end_matches('/');
    if let Some(base) = path.strip_suffix("/v1/metrics").or_else(|| path.strip_suffix("/v1/logs")) {
        return Err(Wrong::new(
            "/v1/metrics and /v1/logs are appended by themselves",
            format!("write {}", quoted(&format!("https://{authority}{base}"))),
        ));
    }
    let (host, port) = split_port(authority)
        .filter(|(host, port)| *port != 0 && is_host(host))
        .ok_or_else(|| Wrong::new(format!("{} is not HOST or HOST:PORT", quoted(authority)), EXAMPLE))?;
    Ok(Endpoint { host: host.to_owned(), port, path: path.to_owned() })
}

/// Takes `HOST`, `HOST:PORT`, `[V6]` or `[V6]:PORT` apart.
fn split_port(authority: &str) -> Option<(&str, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, port)
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    match port.strip_prefix(':') {
        // A sign would parse.
        Some(port) => {
            Some((host, port.starts_with(|first: char| first.is_ascii_digit()).then_some(port)?.parse().ok()?))
        }
        None => port.is_empty().then_some((host, OTLP_HTTP)),
    }
}

/// A name that DNS can hold (RFC 1123), or an address.
pub(super) fn is_host(host: &str) -> bool {
    if host.contains(':') {
        return true;
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let numeric = host.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    if numeric {
        return host.parse::<Ipv4Addr>().is_ok();
    }
    host.len() <= 253 && host.split('.').all(label)
}
