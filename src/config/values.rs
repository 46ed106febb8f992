//! How single values are read: types, units and ranges, with the sentence that helps when they do not fit.

use std::{
    fmt::Display,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use ipnet::IpNet;
use toml::de::DeValue;

use super::{
    finding::{Wrong, suggest},
    model::{Endpoint, NextHopSpec},
    reader::Item,
};
use crate::domain::reserved;

/// A string that says something.
pub(super) fn text(item: &Item<'_>) -> Result<String, Wrong> {
    match &item.value {
        DeValue::String(text) if !text.trim().is_empty() => Ok(text.clone().into_owned()),
        DeValue::String(_) => Err(Wrong::new("is empty", "give it a text")),
        other => Err(Wrong::new(format!("is of type {}", other.type_str()), "write a string in quotes")),
    }
}

/// `true` or `false`.
pub(super) fn flag(item: &Item<'_>) -> Result<bool, Wrong> {
    match item.value {
        DeValue::Boolean(flag) => Ok(flag),
        ref other => {
            Err(Wrong::new(format!("is of type {}", other.type_str()), "write true or false, without quotes"))
        }
    }
}

/// A whole number in a range.
pub(super) fn number<T>(range: RangeInclusive<T>) -> impl Fn(&Item<'_>) -> Result<T, Wrong>
where
    T: TryFrom<u64> + PartialOrd + Display,
{
    move |item| {
        let fix = || format!("use a whole number from {} to {}", range.start(), range.end());
        let DeValue::Integer(integer) = &item.value else {
            return Err(Wrong::new(format!("is of type {}", item.value.type_str()), fix()));
        };
        let parsed =
            u64::from_str_radix(integer.as_str(), integer.radix()).ok().and_then(|value| T::try_from(value).ok());
        parsed
            .filter(|value| range.contains(value))
            .ok_or_else(|| Wrong::new(format!("{} is out of range", integer.as_str()), fix()))
    }
}

/// A time with its unit, such as `"250ms"`.
pub(super) fn duration(range: RangeInclusive<Duration>) -> impl Fn(&Item<'_>) -> Result<Duration, Wrong> {
    move |item| {
        let fix = || {
            format!(
                "use a time from \"{}\" to \"{}\", with a unit: ms, s, m, h",
                in_units(*range.start()),
                in_units(*range.end())
            )
        };
        let DeValue::String(written) = &item.value else {
            return Err(Wrong::new(format!("is of type {}", item.value.type_str()), fix()));
        };
        let span = from_units(written).ok_or_else(|| Wrong::new(format!("\"{written}\" is not a time"), fix()))?;
        if range.contains(&span) {
            Ok(span)
        } else {
            Err(Wrong::new(format!("\"{written}\" is out of range"), fix()))
        }
    }
}

/// A share, such as `"2%"`.
pub(super) fn percent(item: &Item<'_>) -> Result<f64, Wrong> {
    let fix = "use a share from \"0%\" to \"100%\", such as \"2%\" or \"0.5%\"";
    let DeValue::String(written) = &item.value else {
        return Err(Wrong::new(format!("is of type {}", item.value.type_str()), fix));
    };
    let share: Option<f64> = written.strip_suffix('%').and_then(|number| number.trim().parse().ok());
    share
        .filter(|share| (0.0..=100.0).contains(share))
        .map(|share| share / 100.0)
        .ok_or_else(|| Wrong::new(format!("\"{written}\" is not a share"), fix))
}

/// One of some words.
pub(super) fn one_of<T: Copy>(words: &[(&str, T)]) -> impl Fn(&Item<'_>) -> Result<T, Wrong> {
    move |item| {
        let written = text(item)?;
        words.iter().find(|(word, _)| *word == written).map(|(_, value)| *value).ok_or_else(|| {
            Wrong::new(
                format!("\"{written}\" is not known here"),
                suggest(&written, words.iter().map(|(word, _)| *word)),
            )
        })
    }
}

/// Name of a network interface.
pub(super) fn interface(item: &Item<'_>) -> Result<String, Wrong> {
    let name = text(item)?;
    // The kernel's IFNAMSIZ is 16 with the closing zero; it refuses these characters (dev_valid_name).
    let bad = name.len() > 15
        || name == "."
        || name == ".."
        || name.contains(|letter: char| "/:".contains(letter) || letter.is_whitespace());
    if bad {
        return Err(Wrong::new(
            format!("\"{name}\" cannot be the name of an interface"),
            "use a name as `ip link` shows it: at most 15 bytes, no space, slash or colon",
        ));
    }
    Ok(name)
}

/// A path; a relative one is taken from the folder of the configuration.
pub(super) fn path(base: &Path) -> impl Fn(&Item<'_>) -> Result<PathBuf, Wrong> {
    move |item| Ok(base.join(text(item)?))
}

/// `"auto"`, `"off"`, or a gateway of the family.
pub(super) fn next_hop<A: FromStr + Gateway>(item: &Item<'_>) -> Result<NextHopSpec<A>, Wrong> {
    let written = text(item)?;
    match written.as_str() {
        "auto" => Ok(NextHopSpec::Auto),
        "off" => Ok(NextHopSpec::Disabled),
        _ => match written.parse::<A>() {
            Ok(gateway) if gateway.can_be_one() => Ok(NextHopSpec::Gateway(gateway)),
            Ok(_) => Err(Wrong::new(
                format!("\"{written}\" cannot be a gateway"),
                "use the address of the ISP's router on this link, or \"auto\"",
            )),
            Err(_) => Err(Wrong::new(
                format!("\"{written}\" is not an {} address", A::FAMILY),
                "use \"auto\", \"off\", or the address of the gateway",
            )),
        },
    }
}

/// What an address must be to be a gateway.
pub(super) trait Gateway {
    const FAMILY: &'static str;
    fn can_be_one(&self) -> bool;
}

impl Gateway for Ipv4Addr {
    const FAMILY: &'static str = "IPv4";
    fn can_be_one(&self) -> bool {
        !self.is_unspecified() && !self.is_multicast() && !self.is_broadcast() && !self.is_loopback()
    }
}

impl Gateway for Ipv6Addr {
    const FAMILY: &'static str = "IPv6";
    fn can_be_one(&self) -> bool {
        !self.is_unspecified() && !self.is_multicast() && !self.is_loopback()
    }
}

/// An address of the internet.
pub(super) fn address(item: &Item<'_>) -> Result<IpAddr, Wrong> {
    let written = text(item)?;
    let address: IpAddr = written
        .parse()
        .map_err(|_| Wrong::new(format!("\"{written}\" is not an address"), "use an IPv4 or IPv6 address"))?;
    match reserved(IpNet::from(address)) {
        None => Ok(address),
        Some(what) => Err(Wrong::new(format!("\"{written}\" is {what}"), "use an address of the public internet")),
    }
}

/// A prefix of the internet.
pub(super) fn prefix(item: &Item<'_>) -> Result<IpNet, Wrong> {
    let written = text(item)?;
    let net: IpNet = written
        .parse()
        .or_else(|_| written.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| Wrong::new(format!("\"{written}\" is not a prefix"), "write ADDRESS/LENGTH"))?;
    if net.trunc() != net {
        return Err(Wrong::new(
            format!("\"{written}\" has bits beyond its length"),
            format!("write \"{}\"", net.trunc()),
        ));
    }
    match reserved(net) {
        None => Ok(net),
        Some(what) => Err(Wrong::new(format!("\"{written}\" is {what}, which is never steered"), "remove it")),
    }
}

/// `https://HOST[:PORT][/PATH]`.
pub(super) fn endpoint(item: &Item<'_>) -> Result<Endpoint, Wrong> {
    let written = text(item)?;
    let example = "write https://HOST:PORT, such as https://otel.example.net:4318";
    if written.starts_with("http://") {
        return Err(Wrong::new("plain HTTP shows the branch's telemetry to everybody on the way", example));
    }
    let rest = written
        .strip_prefix("https://")
        .ok_or_else(|| Wrong::new(format!("\"{written}\" is not an https:// address"), example))?;
    let (authority, path) =
        rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, format!("/{path}")));
    if authority.contains('@') || path.contains(['?', '#', ' ']) {
        return Err(Wrong::new("user names, queries and fragments have no meaning here", example));
    }
    let wrong = || Wrong::new(format!("\"{authority}\" is not HOST or HOST:PORT"), example);
    let (host, port) = split_port(authority).ok_or_else(wrong)?;
    if host.is_empty() || port == 0 {
        return Err(wrong());
    }
    Ok(Endpoint { host: host.to_owned(), port, path: path.trim_end_matches('/').to_owned() })
}

/// Takes `HOST`, `HOST:PORT`, `[V6]` or `[V6]:PORT` apart. The default port is that of OTLP/HTTP.
fn split_port(authority: &str) -> Option<(&str, u16)> {
    const OTLP_HTTP: u16 = 4318;
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        host.parse::<Ipv6Addr>().ok()?;
        return match port.strip_prefix(':') {
            Some(port) => Some((host, port.parse().ok()?)),
            None => port.is_empty().then_some((host, OTLP_HTTP)),
        };
    }
    match authority.split_once(':') {
        Some((host, port)) => Some((host, port.parse().ok()?)),
        None => Some((authority, OTLP_HTTP)),
    }
}

const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

fn from_units(written: &str) -> Option<Duration> {
    let split = written.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = written.split_at(split);
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit.trim())?;
    Some(Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(*factor)?))
}

/// A time in the largest unit that shows it whole: the form that the configuration reads.
pub(super) fn in_units(span: Duration) -> String {
    let milliseconds = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let (unit, factor) = UNITS
        .iter()
        .rev()
        .find(|(_, factor)| milliseconds >= *factor && milliseconds.is_multiple_of(*factor))
        .unwrap_or(&UNITS[0]);
    format!("{}{unit}", milliseconds / factor)
}
