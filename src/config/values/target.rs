//! What is measured: `tcp:HOST:PORT`, `icmp:HOST`, `stun:HOST:PORT`, `tls:HOST:PORT`, `http(s)://HOST:PORT/PATH`.

use std::{
    net::{IpAddr, Ipv6Addr},
    ops::RangeInclusive,
    sync::Arc,
};

use super::{Item, Wrong, endpoint::is_host, network::public, quoted, text};
use crate::domain::{Check, Host, Target};

/// Port of STUN over UDP (RFC 8489 section 18.6), on which Teams media relays answer too.
const STUN_PORT: u16 = 3478;
const TLS_PORT: u16 = 443;
const HTTP_PORT: u16 = 80;
/// Codes that count when none are named: success.
const SUCCESS: RangeInclusive<u16> = 200..=299;

const EXAMPLE: &str = "write an address, or such as \"tcp:13.107.6.152:443\", \"icmp:13.107.6.152\", \
                       \"stun:worldaz.tr.teams.microsoft.com\", \"tls:outlook.office365.com\", \"https://HOST/PATH\"";

/// A target in its text form; `port` is that of a bare address or name.
pub(in super::super) fn target(port: u16) -> impl Fn(&Item<'_>) -> Result<Target, Wrong> {
    move |item| {
        let target = parse(&text(item)?, port)?;
        if let Host::Address(address) = target.host {
            public(address)?;
        }
        Ok(target)
    }
}

/// Codes such as `"204"` or `"200-399"`.
pub(in super::super) fn status(item: &Item<'_>) -> Result<RangeInclusive<u16>, Wrong> {
    let written = text(item)?;
    let (first, last) = written.split_once('-').unwrap_or((&written, &written));
    let code = |text: &str| text.trim().parse::<u16>().ok().filter(|code| (100..=599).contains(code));
    match (code(first), code(last)) {
        (Some(first), Some(last)) if first <= last => Ok(first..=last),
        _ => Err(Wrong::new(
            format!("{} is no status code", quoted(&written)),
            "write a code or a range, such as \"204\" or \"200-399\"",
        )),
    }
}

/// The form that [`status`] reads.
pub(in super::super) fn in_codes(status: &RangeInclusive<u16>) -> String {
    if status.start() == status.end() {
        return status.start().to_string();
    }
    format!("{}-{}", status.start(), status.end())
}

/// Whether nothing but the text form is needed to say it.
pub(in super::super) fn is_plain(target: &Target) -> bool {
    match &target.check {
        Check::Tcp { refusal_answers } => !refusal_answers,
        Check::Icmp | Check::Stun => true,
        Check::Tls { server_name } => **server_name == *target.host.to_string(),
        Check::Http { server_name, status, .. } => **server_name == *target.host.to_string() && *status == SUCCESS,
    }
}

/// Reads the text form.
pub(in super::super) fn parse(written: &str, port: u16) -> Result<Target, Wrong> {
    let wrong = || Wrong::new(format!("{} is no target", quoted(written)), EXAMPLE);
    if let Some(rest) = written.strip_prefix("https://") {
        return http(rest, true).ok_or_else(wrong);
    }
    if let Some(rest) = written.strip_prefix("http://") {
        return http(rest, false).ok_or_else(wrong);
    }
    let tcp = Check::Tcp { refusal_answers: false };
    if let Some((host, None)) = place(written) {
        return Ok(Target { host, port, check: tcp, within: None });
    }
    let (kind, rest) = written.split_once(':').ok_or_else(wrong)?;
    let (host, own_port) = place(rest).ok_or_else(wrong)?;
    let (port, check) = match (kind, own_port) {
        ("tcp", own_port) => (own_port.unwrap_or(port), tcp),
        ("icmp", None) => (0, Check::Icmp),
        ("stun", own_port) => (own_port.unwrap_or(STUN_PORT), Check::Stun),
        ("tls", own_port) => (own_port.unwrap_or(TLS_PORT), Check::Tls { server_name: host.to_string().into() }),
        _ => return Err(wrong()),
    };
    Ok(Target { host, port, check, within: None })
}

fn http(rest: &str, secure: bool) -> Option<Target> {
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = place(authority)?;
    let path: Arc<str> = if path.is_empty() { "/".into() } else { path.into() };
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) || path.contains('#') {
        return None;
    }
    let check = Check::Http { secure, server_name: host.to_string().into(), path, status: SUCCESS };
    Some(Target { host, port: port.unwrap_or(if secure { TLS_PORT } else { HTTP_PORT }), check, within: None })
}

/// Takes `HOST`, `HOST:PORT`, an address, `[V6]` or `[V6]:PORT` apart.
fn place(written: &str) -> Option<(Host, Option<u16>)> {
    if let Ok(address) = written.parse::<IpAddr>() {
        return Some((Host::Address(address), None));
    }
    let (host, port) = match written.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (Host::Address(host.parse::<Ipv6Addr>().ok()?.into()), port)
        }
        None => {
            let (host, port) = written.split_at(written.find(':').unwrap_or(written.len()));
            (named(host)?, port)
        }
    };
    match port.strip_prefix(':') {
        None => port.is_empty().then_some((host, None)),
        Some(digits) => {
            let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u16>().ok())??;
            (number != 0).then_some((host, Some(number)))
        }
    }
}

fn named(host: &str) -> Option<Host> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(Host::Address(address));
    }
    // A single word would be taken for a kind that was misspelt, and leads nowhere in the public DNS.
    let name = host.strip_suffix('.').unwrap_or(host).to_lowercase();
    (name.contains('.') && is_host(&name)).then(|| Host::Name(name.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_text_form_that_reads_back() {
        for (written, printed) in [
            ("13.107.6.152", "tcp:13.107.6.152:443"),
            ("2620:1ec:4::152", "tcp:[2620:1ec:4::152]:443"),
            ("Outlook.Office365.com.", "tcp:outlook.office365.com:443"),
            ("tcp:13.107.6.152", "tcp:13.107.6.152:443"),
            ("tcp:[2620:1ec:4::152]:8443", "tcp:[2620:1ec:4::152]:8443"),
            ("icmp:2620:1ec:4::152", "icmp:2620:1ec:4::152"),
            ("icmp:[2620:1ec:4::152]", "icmp:2620:1ec:4::152"),
            ("stun:52.112.0.1", "stun:52.112.0.1:3478"),
            ("stun:worldaz.tr.teams.microsoft.com:3479", "stun:worldaz.tr.teams.microsoft.com:3479"),
            ("tls:outlook.office365.com", "tls:outlook.office365.com:443"),
            ("https://outlook.office365.com", "https://outlook.office365.com:443/"),
            ("http://13.107.4.52:8080/a?b=c", "http://13.107.4.52:8080/a?b=c"),
            ("https://[2620:1ec:4::152]/x", "https://[2620:1ec:4::152]:443/x"),
        ] {
            let target = parse(written, 443).unwrap_or_else(|_| panic!("{written} was refused"));
            assert_eq!(target.to_string(), printed);
            assert_eq!(parse(printed, 1).ok(), Some(target), "{printed}");
        }
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for written in [
            "",
            "word",
            "tcp:",
            "tcp:word",
            "udp:13.107.6.152",
            "icmp:13.107.6.152:7",
            "stun:13.107.6.152:0",
            "tls:13.107.6.152:65536",
            "tls:a.b:+1",
            "https://",
            "https://a b/",
            "https://a.b/\u{e9}",
            "http://user@a.b/",
            "tcp:[13.107.6.152]:1",
            "[2620::1",
            "https://a.b/#x",
            "tcp:13.107.6.152:443:1",
            "1.2.3.4.5",
        ] {
            assert!(parse(written, 443).is_err(), "{written}");
        }
    }
}
