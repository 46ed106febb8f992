//! UDP datagrams that are answered where the edge would be, without a socket: it would answer from an address of its
//! own choice, because all are its own.

use std::net::{IpAddr, SocketAddr};

use super::packet::{Ends, field, swap, udp_layout};
use crate::edge::{DNS_PORT, STUN_PORT, Zone, answer_binding, answer_query};

/// Length of a UDP header.
const HEADER: usize = 8;

/// The packet that answers a DNS query or a STUN request; `None` when it is neither.
pub(super) fn answer(packet: &[u8], zone: &Zone) -> Option<Vec<u8>> {
    let (_, _, transport) = udp_layout(packet)?;
    let source_port = u16::from_be_bytes(field::<2>(packet, transport)?);
    let port = u16::from_be_bytes(field::<2>(packet, transport + 2)?);
    let length = usize::from(u16::from_be_bytes(field::<2>(packet, transport + 4)?));
    let asked = packet.get(transport + HEADER..transport + length)?;
    let source = SocketAddr::new(Ends::of(packet)?.source, source_port);
    let payload = match port {
        DNS_PORT => answer_query(asked, zone),
        STUN_PORT => answer_binding(asked, source),
        _ => None,
    }?;
    with_payload(packet, &payload)
}

/// A datagram back to the sender of this one.
fn with_payload(packet: &[u8], payload: &[u8]) -> Option<Vec<u8>> {
    let (addresses, width, transport) = udp_layout(packet)?;
    let mut reply = packet.get(..transport + HEADER)?.to_vec();
    reply.extend(payload);
    swap(&mut reply, addresses, width);
    swap(&mut reply, transport, 2);
    let whole = u16::try_from(reply.len()).ok()?;
    let datagram = whole - u16::try_from(transport).ok()?;
    put(&mut reply, transport + 4, datagram);
    put(&mut reply, transport + 6, 0);
    let ends = Ends::of(&reply)?;
    let sum = match ends.source {
        IpAddr::V4(_) => {
            put(&mut reply, 2, whole);
            put(&mut reply, 10, 0);
            let sum = checksum(&[reply.get(..transport)?]);
            put(&mut reply, 10, sum);
            transport_sum(&reply, addresses, width, transport, datagram)?
        }
        IpAddr::V6(_) => {
            put(&mut reply, 4, datagram);
            transport_sum(&reply, addresses, width, transport, datagram)?
        }
    };
    // Zero would say that there is none (RFC 768).
    put(&mut reply, transport + 6, if sum == 0 { 0xffff } else { sum });
    Some(reply)
}

/// Sum over the pseudo-header (RFC 768, RFC 8200 section 8.1) and the datagram; its layout does not matter to a sum.
fn transport_sum(packet: &[u8], addresses: usize, width: usize, transport: usize, length: u16) -> Option<u16> {
    const UDP: u8 = 17;
    let [high, low] = length.to_be_bytes();
    let both = packet.get(addresses..addresses + 2 * width)?;
    Some(checksum(&[both, &[0, UDP, high, low], packet.get(transport..)?]))
}

/// Internet checksum (RFC 1071) of parts of even length, the last of any.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let mut sum: u32 = words.map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

/// The first two bytes; an odd one at the end is padded.
fn word(bytes: &[u8]) -> u32 {
    let byte = |at| u32::from(bytes.get(at).copied().unwrap_or_default());
    byte(0) << 8 | byte(1)
}

fn put(packet: &mut [u8], offset: usize, value: u16) {
    if let Some(field) = packet.get_mut(offset..offset + 2) {
        field.copy_from_slice(&value.to_be_bytes());
    }
}
