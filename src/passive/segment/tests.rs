//! Packets as the wire has them, made for the tests of this room.

use super::*;

/// A packet as the stack sends it, with twelve bytes of TCP options and a payload behind the header.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    pub source: SocketAddr,
    pub destination: SocketAddr,
    pub flags: u8,
    pub sequence: u32,
    pub acknowledged: u32,
    /// Four-byte words of IPv4 options.
    pub options: u8,
    /// The IPv4 fragment field.
    pub fragment: u16,
    pub protocol: u8,
}

impl Wire {
    pub fn new(source: &str, destination: &str, flags: u8) -> Self {
        Self {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            flags,
            sequence: if flags & 0x04 != 0 { 0 } else { 1000 },
            acknowledged: 1001,
            options: 0,
            fragment: 0x4000,
            protocol: 6,
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut packet = match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let mut header = vec![0; 20 + usize::from(self.options) * 4];
                header[0] = 0x45 + self.options;
                header[6..8].copy_from_slice(&self.fragment.to_be_bytes());
                header[9] = self.protocol;
                header[12..16].copy_from_slice(&source.octets());
                header[16..20].copy_from_slice(&destination.octets());
                header
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let mut header = vec![0; 40];
                header[0] = 0x60;
                header[6] = self.protocol;
                header[8..24].copy_from_slice(&source.octets());
                header[24..40].copy_from_slice(&destination.octets());
                header
            }
            _ => panic!("two families"),
        };
        packet.extend(self.source.port().to_be_bytes());
        packet.extend(self.destination.port().to_be_bytes());
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(self.acknowledged.to_be_bytes());
        packet.extend([0x80, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        packet.extend([1; 12]);
        packet.extend(b"secret");
        packet
    }
}

const PAIRS: [[&str; 2]; 2] =
    [["192.168.77.10:40000", "13.107.6.152:443"], ["[2001:db8:77::10]:40000", "[2620:1ec:4::152]:443"]];

#[test]
fn a_request_and_its_answers_name_the_same_ends_and_number() {
    for [client, server] in PAIRS {
        let expected =
            |act| Segment { act, client: client.parse().unwrap(), server: server.parse().unwrap(), confirms: 1001 };
        for ecn in [0, 0xc0] {
            let ask = Wire::new(client, server, 0x02 | ecn).bytes();
            assert_eq!(Segment::parse(&ask, true), Some(expected(Act::Ask)));
            let grant = Wire::new(server, client, 0x12 | ecn).bytes();
            assert_eq!(Segment::parse(&grant, false), Some(expected(Act::Grant)));
        }
        let refuse = Wire::new(server, client, 0x14).bytes();
        assert_eq!(Segment::parse(&refuse, false), Some(expected(Act::Refuse)));
    }
}

#[test]
fn the_wrong_direction_is_nothing() {
    for [client, server] in PAIRS {
        assert_eq!(Segment::parse(&Wire::new(client, server, 0x02).bytes(), false), None);
        assert_eq!(Segment::parse(&Wire::new(server, client, 0x12).bytes(), true), None);
        assert_eq!(Segment::parse(&Wire::new(server, client, 0x14).bytes(), true), None);
    }
}

#[test]
fn fragments_other_protocols_and_resets_of_open_connections_are_nothing() {
    let [client, server] = PAIRS[0];
    let syn = Wire::new(client, server, 0x02);
    assert!(Segment::parse(&Wire { options: 10, ..syn.clone() }.bytes(), true).is_some(), "options are skipped");
    assert_eq!(Segment::parse(&Wire { fragment: 0x2000, ..syn.clone() }.bytes(), true), None);
    assert_eq!(Segment::parse(&Wire { fragment: 0x0001, ..syn.clone() }.bytes(), true), None);
    assert_eq!(Segment::parse(&Wire { protocol: 17, ..syn.clone() }.bytes(), true), None);
    for flags in [0x10, 0x18, 0x11, 0x03, 0x06, 0x04, 0x00] {
        assert_eq!(Segment::parse(&Wire { flags, ..syn.clone() }.bytes(), true), None, "{flags:#x}");
    }
    let reset = Wire { sequence: 77, ..Wire::new(server, client, 0x14) };
    assert_eq!(Segment::parse(&reset.bytes(), false), None);
}

#[test]
fn a_packet_that_is_cut_off_anywhere_is_nothing() {
    for [client, server] in PAIRS {
        let packet = Wire::new(client, server, 0x02).bytes();
        let headers = packet.len() - 12 - b"secret".len();
        for length in 0..headers {
            assert_eq!(Segment::parse(&packet[..length], true), None, "{length} bytes");
        }
        assert!(Segment::parse(&packet[..headers], true).is_some());
    }
}
