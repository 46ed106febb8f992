//! One ICMP echo (RFC 792, RFC 4443): from a ping socket where the kernel lets this group have one, else from a raw one.

use std::io;

use rustix::net::sockopt::{Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover};
use socket2::{Protocol, Socket, Type};

use super::{
    attempt::Attempt,
    datagram::{self, Heard},
    token::{unguessable, unguessable_number},
};
use crate::domain::ProbeOutcome;

const HEADER: usize = 8;

/// Bytes of a token that only this probe knows: no old or forged reply has it.
const TOKEN: usize = 16;

/// Most bytes after the header of an echo: what fits into an IPv4 packet.
pub const MOST_PAYLOAD: u16 = 65_507;

/// One probe; with `size`, of so many bytes after the ICMP header, in a packet that must not be fragmented on the way.
///
/// # Errors
/// As [`datagram::exchange`].
pub(super) async fn probe(attempt: &Attempt<'_>, size: Option<u16>) -> io::Result<ProbeOutcome> {
    let (socket, raw) = match open(attempt, size.is_some()) {
        Ok(opened) => opened,
        Err(error) => return datagram::not_sent(error, attempt),
    };
    // A ping socket has the kernel's identifier, whatever is written into the message: it is the socket's port.
    let identifier = match socket.local_addr()?.as_socket() {
        Some(local) if !raw => local.port(),
        _ => unguessable_number(),
    };
    let echo = Echo::new(attempt.address.is_ipv4(), identifier, size);
    // Only raw IPv4 sockets hand out the IP header too.
    let with_header = raw && echo.ipv4;
    let heard = |packet: &[u8]| {
        let message = if with_header { after_ip_header(packet) } else { Some(packet) };
        // Everything else on a raw socket belongs to somebody else's probes.
        if message.is_some_and(|message| echo.is_answered_by(message)) { Heard::Answer } else { Heard::NotOurs }
    };
    datagram::exchange(socket, &echo.request, attempt, heard, |quoted| echo.is_quoted_by(quoted)).await
}

/// A socket on the uplink, and whether it is a raw one.
fn open(attempt: &Attempt<'_>, unfragmented: bool) -> io::Result<(Socket, bool)> {
    let ipv4 = attempt.address.is_ipv4();
    let protocol = if ipv4 { Protocol::ICMPV4 } else { Protocol::ICMPV6 };
    let opened = match datagram::open(attempt, Type::DGRAM, protocol) {
        // EACCES: net.ipv4.ping_group_range leaves this group out (it holds for both families).
        Err(error) if matches!(error.raw_os_error(), Some(libc::EACCES | libc::EPERM | libc::EPROTONOSUPPORT)) => {
            (datagram::open(attempt, Type::RAW, protocol)?, true)
        }
        ping => (ping?, false),
    };
    if unfragmented && ipv4 {
        set_ip_mtu_discover(&opened.0, Ipv4PathMtuDiscovery::PROBE)?;
    } else if unfragmented {
        set_ipv6_mtu_discover(&opened.0, Ipv6PathMtuDiscovery::PROBE)?;
    }
    Ok(opened)
}

/// A request, and how to know what belongs to it.
#[derive(Debug)]
struct Echo {
    ipv4: bool,
    request: Vec<u8>,
}

impl Echo {
    fn new(ipv4: bool, identifier: u16, size: Option<u16>) -> Self {
        let payload = size.map_or(TOKEN, |size| size.min(MOST_PAYLOAD).into());
        let mut request = vec![if ipv4 { 8 } else { 128 }, 0, 0, 0];
        request.extend(identifier.to_be_bytes());
        request.extend(unguessable::<2>());
        request.extend(unguessable::<TOKEN>().into_iter().chain(std::iter::repeat(0)).take(payload));
        // The kernel does it for ICMPv6, whose checksum covers addresses (RFC 4443 section 2.3).
        if ipv4 {
            let sum = checksum(&request);
            if let Some(field) = request.get_mut(2..4) {
                field.copy_from_slice(&sum);
            }
        }
        Self { ipv4, request }
    }

    fn is_answered_by(&self, message: &[u8]) -> bool {
        let reply = if self.ipv4 { 0 } else { 129 };
        message.starts_with(&[reply, 0]) && message.get(4..) == self.request.get(4..)
    }

    /// Whether an ICMP error is about this request: errors quote eight bytes at least.
    fn is_quoted_by(&self, quoted: &[u8]) -> bool {
        quoted.first() == self.request.first() && quoted.get(4..HEADER) == self.request.get(4..HEADER)
    }
}

/// RFC 1071.
fn checksum(message: &[u8]) -> [u8; 2] {
    let words = message.chunks(2).map(|pair| match *pair {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        [high] => u32::from(high) << 8,
        _ => 0,
    });
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    let [_, _, high, low] = (!folded).to_be_bytes();
    [high, low]
}

/// What follows the header of an IPv4 packet.
fn after_ip_header(packet: &[u8]) -> Option<&[u8]> {
    let words = packet.first()? & 0x0f;
    packet.get(usize::from(words) * 4..).filter(|_| words >= 5)
}

#[cfg(test)]
mod tests;
