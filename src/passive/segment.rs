//! The header of a TCP segment that opens a connection, or answers such a one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a segment does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Asks for a connection: SYN.
    Ask,
    /// Grants it: SYN and ACK.
    Grant,
    /// Refuses it: RST and ACK, with the sequence number 0 that a closed port answers with (RFC 9293 section 3.10.7.1).
    Refuse,
}

/// One such segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// What it does.
    pub act: Act,
    /// Who asks: the source of a request, the destination of an answer.
    pub client: SocketAddr,
    /// Who is asked.
    pub server: SocketAddr,
    /// The sequence number that the server's answer confirms, at least.
    pub confirms: u32,
}

const TCP: u8 = 6;
const IPV6_HEADER: usize = 40;
/// The part of a TCP header that every segment has.
const TCP_HEADER: usize = 20;

/// FIN, SYN, RST and ACK. The others say nothing here: ECN sets two of them on SYNs.
const TELLING_FLAGS: u8 = 0x17;

impl Segment {
    /// Reads a packet that begins with its IP header. `None` when it is anything else, cut off, a fragment, or goes the
    /// wrong way: requests leave by the uplink, answers come by it.
    pub fn parse(packet: &[u8], outgoing: bool) -> Option<Self> {
        let (source, destination, tcp) = match packet.first()? >> 4 {
            4 => ipv4(packet)?,
            6 => ipv6(packet)?,
            _ => return None,
        };
        let tcp: &[u8; TCP_HEADER] = tcp.first_chunk()?;
        let [s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, _, flags, ..] = *tcp;
        let source = SocketAddr::new(source, u16::from_be_bytes([s0, s1]));
        let destination = SocketAddr::new(destination, u16::from_be_bytes([d0, d1]));
        let sequence = u32::from_be_bytes([q0, q1, q2, q3]);
        let confirms = u32::from_be_bytes([a0, a1, a2, a3]);
        let (act, client, server, confirms) = match (flags & TELLING_FLAGS, outgoing) {
            (0x02, true) => (Act::Ask, source, destination, sequence.wrapping_add(1)),
            (0x12, false) => (Act::Grant, destination, source, confirms),
            (0x14, false) if sequence == 0 => (Act::Refuse, destination, source, confirms),
            _ => return None,
        };
        Some(Self { act, client, server, confirms })
    }
}

fn ipv4(packet: &[u8]) -> Option<(IpAddr, IpAddr, &[u8])> {
    let [version, _, _, _, _, _, f0, f1, _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] =
        *packet.first_chunk()?;
    let header = usize::from(version & 0xf) * 4;
    // More fragments, or not the first one.
    let fragment = u16::from_be_bytes([f0, f1]) & 0x3fff != 0;
    if protocol != TCP || fragment || header < 20 {
        return None;
    }
    let source = Ipv4Addr::new(s0, s1, s2, s3);
    let destination = Ipv4Addr::new(d0, d1, d2, d3);
    Some((source.into(), destination.into(), packet.get(header..)?))
}

fn ipv6(packet: &[u8]) -> Option<(IpAddr, IpAddr, &[u8])> {
    let (header, tcp) = packet.split_at_checked(IPV6_HEADER)?;
    let next: u8 = *header.get(6)?;
    let source: [u8; 16] = *header.get(8..)?.first_chunk()?;
    let destination: [u8; 16] = *header.get(24..)?.first_chunk()?;
    (next == TCP).then_some((Ipv6Addr::from(source).into(), Ipv6Addr::from(destination).into(), tcp))
}

#[cfg(test)]
pub(super) mod tests;
