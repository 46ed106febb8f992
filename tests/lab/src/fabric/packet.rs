//! The little that the fabric must know of a packet: who talks to whom, and how to send it back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The two ends of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Ends {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
}

impl Ends {
    /// Reads them from an IP header; `None` when it is not a whole one.
    pub(crate) fn of(packet: &[u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => Some(Self {
                source: Ipv4Addr::from(field::<4>(packet, 12)?).into(),
                destination: Ipv4Addr::from(field::<4>(packet, 16)?).into(),
            }),
            6 => Some(Self {
                source: Ipv6Addr::from(field::<16>(packet, 8)?).into(),
                destination: Ipv6Addr::from(field::<16>(packet, 24)?).into(),
            }),
            _ => None,
        }
    }

    pub(crate) fn reversed(self) -> Self {
        Self { source: self.destination, destination: self.source }
    }
}

/// Turns a UDP datagram to `port` round in place. Returns whether it was one.
///
/// Swapping both addresses and both ports changes no sum, so every checksum stays right.
pub(crate) fn turn_round(packet: &mut [u8], port: u16) -> bool {
    let Some((addresses, width, transport)) = udp_layout(packet) else { return false };
    if field::<2>(packet, transport + 2) != Some(port.to_be_bytes()) {
        return false;
    }
    swap(packet, addresses, width);
    swap(packet, transport, 2);
    true
}

/// Protocol number of what is inside, without IPv6 extensions.
pub(crate) fn protocol(packet: &[u8]) -> Option<u8> {
    packet.get(if packet.first()? >> 4 == 4 { 9 } else { 6 }).copied()
}

/// Port that a UDP datagram goes to.
pub(super) fn udp_port(packet: &[u8]) -> Option<u16> {
    let (_, _, transport) = udp_layout(packet)?;
    field::<2>(packet, transport + 2).map(u16::from_be_bytes)
}

/// Offset and width of the addresses and offset of the UDP header, for an unfragmented datagram without extensions.
pub(super) fn udp_layout(packet: &[u8]) -> Option<(usize, usize, usize)> {
    const UDP: u8 = 17;
    match packet.first()? >> 4 {
        4 => {
            let fragmented = u16::from_be_bytes(field::<2>(packet, 6)?) & 0x3fff != 0;
            let header = usize::from(packet.first()? & 0x0f) * 4;
            (*packet.get(9)? == UDP && !fragmented).then_some((12, 4, header))
        }
        6 => (*packet.get(6)? == UDP).then_some((8, 16, 40)),
        _ => None,
    }
}

/// Swaps two neighbouring fields of `width` bytes at `offset`.
pub(super) fn swap(packet: &mut [u8], offset: usize, width: usize) {
    if let Some(both) = packet.get_mut(offset..offset + 2 * width) {
        both.rotate_left(width);
    }
}

pub(crate) fn field<const N: usize>(packet: &[u8], offset: usize) -> Option<[u8; N]> {
    packet.get(offset..offset + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 192.0.2.1:9 → 198.51.100.7:7, two bytes of payload; checksums are not looked at here.
    fn datagram() -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 30, 0, 0, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 7];
        packet.extend([0, 9, 0, 7, 0, 10, 0, 0, 0xca, 0xfe]);
        packet
    }

    #[test]
    fn a_datagram_to_the_echo_port_goes_back_to_where_it_came_from() {
        let mut packet = datagram();
        let ends = Ends::of(&packet).unwrap();
        assert!(turn_round(&mut packet, 7));
        assert_eq!(Ends::of(&packet), Some(ends.reversed()));
        assert_eq!(packet[20..24], [0, 7, 0, 9]);
        assert_eq!(packet[28..], [0xca, 0xfe]);
    }

    #[test]
    fn another_port_a_fragment_and_a_stump_are_left_alone() {
        assert!(!turn_round(&mut datagram(), 8));
        let mut fragment = datagram();
        fragment[7] = 1;
        assert!(!turn_round(&mut fragment, 7));
        assert!(!turn_round(&mut datagram()[..21], 7));
        assert_eq!(Ends::of(&datagram()[..19]), None);
        assert_eq!(Ends::of(&[]), None);
    }

    #[test]
    fn ipv6_is_turned_round_too() {
        let mut packet = vec![0x60, 0, 0, 0, 0, 8, 17, 64];
        let (near, far): (Ipv6Addr, Ipv6Addr) =
            ("2001:db8:77::10".parse().unwrap(), "2620:1ec:4::152".parse().unwrap());
        packet.extend(near.octets());
        packet.extend(far.octets());
        packet.extend([0, 9, 0, 7, 0, 8, 0, 0]);
        assert!(turn_round(&mut packet, 7));
        assert_eq!(Ends::of(&packet), Some(Ends { source: far.into(), destination: near.into() }));
    }
}
