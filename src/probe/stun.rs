//! One STUN binding (RFC 8489): a request in one datagram, never repeated, and what a server makes of it.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use socket2::{Protocol, Type};

use super::{
    attempt::Attempt,
    datagram::{self, Heard},
    token::unguessable,
};
use crate::domain::ProbeOutcome;

/// RFC 8489 section 5.
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER: usize = 20;

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;

const MAPPED_ADDRESS: u16 = 0x0001;
const ERROR_CODE: u16 = 0x0009;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
/// As servers before RFC 5389 numbered it, Microsoft's relays among them ([MS-TURN] 2.2.2.9).
const OLD_XOR_MAPPED_ADDRESS: u16 = 0x8020;

type TransactionId = [u8; 12];

/// One probe.
///
/// # Errors
/// As [`datagram::exchange`].
pub(super) async fn probe(attempt: &Attempt<'_>) -> io::Result<ProbeOutcome> {
    let socket = match datagram::open(attempt, Type::DGRAM, Protocol::UDP) {
        Ok(socket) => socket,
        Err(error) => return datagram::not_sent(error, attempt),
    };
    let id: TransactionId = unguessable();
    let heard = |datagram: &[u8]| if is_answer(datagram, &id) { Heard::Answer } else { Heard::Noise };
    // The port is this probe's alone, so an ICMP error that quotes it is about this probe.
    datagram::exchange(socket, &request(&id), attempt, heard, |_| true).await
}

fn request(id: &TransactionId) -> [u8; HEADER] {
    let mut message = [0; HEADER];
    let (head, tail) = message.split_at_mut(8);
    let [kind_high, kind_low] = BINDING_REQUEST.to_be_bytes();
    let [a, b, c, d] = COOKIE;
    head.copy_from_slice(&[kind_high, kind_low, 0, 0, a, b, c, d]);
    tail.copy_from_slice(id);
    message
}

/// Whether it is what a STUN server says to this request: where it came from, or that the server will not tell. Both took
/// the way there and back.
fn is_answer(datagram: &[u8], id: &TransactionId) -> bool {
    let Some((kind, body)) = open(datagram, id) else { return false };
    let Some(attributes) = attributes(body) else { return false };
    let address = |(kind, value): &(u16, &[u8])| match *kind {
        XOR_MAPPED_ADDRESS | OLD_XOR_MAPPED_ADDRESS => mapped(value, Some(id)).is_some_and(is_somewhere),
        MAPPED_ADDRESS => mapped(value, None).is_some_and(is_somewhere),
        _ => false,
    };
    match kind {
        BINDING_SUCCESS => attributes.iter().any(address),
        BINDING_ERROR => attributes.iter().any(|(kind, value)| *kind == ERROR_CODE && value.len() >= 4),
        _ => false,
    }
}

/// Type and attributes of a message of this transaction (RFC 8489 section 5).
fn open<'a>(datagram: &'a [u8], id: &TransactionId) -> Option<(u16, &'a [u8])> {
    let (kind, rest) = number(datagram)?;
    let (length, rest) = number(rest)?;
    let rest = rest.strip_prefix(&COOKIE)?.strip_prefix(id)?;
    (rest.len() == usize::from(length) && length % 4 == 0).then_some((kind, rest))
}

/// Takes a body apart (RFC 8489 section 14); none when its lengths do not fit. A datagram bounds how many there are.
fn attributes(mut body: &[u8]) -> Option<Vec<(u16, &[u8])>> {
    let mut found = Vec::new();
    while !body.is_empty() {
        let (kind, rest) = number(body)?;
        let (length, rest) = number(rest)?;
        found.push((kind, rest.get(..length.into())?));
        body = rest.get(usize::from(length).next_multiple_of(4)..)?;
    }
    Some(found)
}

/// An address as the server saw it (RFC 8489 sections 14.1 and 14.2), disguised by cookie and id where an id is given.
fn mapped(value: &[u8], disguise: Option<&TransactionId>) -> Option<SocketAddr> {
    let [_, family, port_high, port_low, address @ ..] = value else { return None };
    let mut mask = [0; 16];
    if let Some(id) = disguise {
        let (cookie, rest) = mask.split_at_mut(COOKIE.len());
        cookie.copy_from_slice(&COOKIE);
        rest.copy_from_slice(id);
    }
    let [first, second, ..] = mask;
    let port = u16::from_be_bytes([port_high ^ first, port_low ^ second]);
    let plain: Vec<u8> = address.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
    let address: IpAddr = match (family, address.len()) {
        (1, 4) => Ipv4Addr::from(<[u8; 4]>::try_from(plain).ok()?).into(),
        (2, 16) => Ipv6Addr::from(<[u8; 16]>::try_from(plain).ok()?).into(),
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

fn is_somewhere(address: SocketAddr) -> bool {
    !address.ip().is_unspecified() && !address.ip().is_multicast() && address.port() != 0
}

fn number(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u16::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests;
