//! The headers of a captured packet.

use std::{net::SocketAddr, time::Instant};

use crate::fabric::{Ends, field, protocol};

const TCP: u8 = 6;
const UDP: u8 = 17;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// One IP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// When the capture saw it: a moment after it passed.
    pub at: Instant,
    /// Whether it left by the interface; otherwise it arrived there.
    pub outgoing: bool,
    /// Source; the port is 0 where the protocol has none.
    pub source: SocketAddr,
    /// Destination; the port is 0 where the protocol has none.
    pub destination: SocketAddr,
    /// Protocol number: 1 ICMP, 6 TCP, 17 UDP, 58 ICMPv6.
    pub protocol: u8,
    /// Length, IP header included.
    pub bytes: usize,
    /// Flags of TCP.
    pub flags: Option<u8>,
}

impl Packet {
    /// Whether it opens a TCP connection.
    pub fn is_syn(&self) -> bool {
        self.flags.is_some_and(|flags| flags & (SYN | ACK) == SYN)
    }

    /// Whether it accepts a TCP connection.
    pub fn is_syn_ack(&self) -> bool {
        self.flags.is_some_and(|flags| flags & (SYN | ACK) == SYN | ACK)
    }

    /// Whether it refuses or aborts a TCP connection.
    pub fn is_reset(&self) -> bool {
        self.flags.is_some_and(|flags| flags & RST != 0)
    }

    /// Reads the headers; `None` when they are not those of IP.
    pub(super) fn read(headers: &[u8], bytes: usize, outgoing: bool) -> Option<Self> {
        let at = Instant::now();
        let ends = Ends::of(headers)?;
        let protocol = protocol(headers)?;
        let transport = if ends.source.is_ipv4() { usize::from(headers.first()? & 0x0f) * 4 } else { 40 };
        let port = |offset| field::<2>(headers, transport + offset).map_or(0, u16::from_be_bytes);
        let [from, to] = if matches!(protocol, TCP | UDP) { [port(0), port(2)] } else { [0, 0] };
        let flags = if protocol == TCP { headers.get(transport + 13).copied() } else { None };
        let (source, destination) = (SocketAddr::new(ends.source, from), SocketAddr::new(ends.destination, to));
        Some(Self { at, outgoing, source, destination, protocol, bytes, flags })
    }
}
