//! The program in an interpreter, against the parser as its independent judge.

use proptest::prelude::*;

use super::*;
use crate::passive::{
    assembler::tests::{Packet, interpret},
    segment::{Act, Segment, tests::Wire},
};

const UPLINKS: [u32; 2] = [3, 300];

fn packet(wire: &Wire, outgoing: bool) -> Packet {
    Packet {
        bytes: wire.bytes(),
        protocol: if wire.source.is_ipv4() { ETH_P_IPV4 } else { ETH_P_IPV6 },
        kind: if outgoing { OUTGOING.into() } else { 0 },
        interface: 300,
    }
}

fn passes(packet: &Packet) -> u32 {
    interpret(&program(&UPLINKS, Share::all(0)).unwrap(), packet)
}

#[test]
fn the_headers_of_a_handshake_pass_and_nothing_behind_them() {
    let syn = Wire::new("192.168.77.10:40000", "13.107.6.152:443", 0x02);
    assert_eq!(passes(&packet(&syn, true)), 40);
    assert_eq!(passes(&packet(&Wire { options: 10, ..syn.clone() }, true)), 80);
    let v6 = Wire::new("[2001:db8:77::10]:40000", "[2620:1ec:4::152]:443", 0xc2);
    assert_eq!(passes(&packet(&v6, true)), 60);
    assert_eq!(passes(&packet(&Wire::new("13.107.6.152:443", "192.168.77.10:40000", 0x12), false)), 40);
    assert_eq!(passes(&packet(&Wire::new("13.107.6.152:443", "192.168.77.10:40000", 0x14), false)), 40);
}

#[test]
fn other_interfaces_and_other_protocols_stay_in_the_kernel() {
    let syn = packet(&Wire::new("192.168.77.10:40000", "13.107.6.152:443", 0x02), true);
    assert_eq!(passes(&Packet { interface: 4, ..syn.clone() }), 0);
    assert_eq!(passes(&Packet { protocol: 0x0806, ..syn.clone() }), 0);
    assert_eq!(passes(&Packet { protocol: ETH_P_IPV6, ..syn.clone() }), 0);
    assert_eq!(interpret(&program(&[], Share::all(0)).unwrap(), &syn), 0);
}

#[test]
fn as_many_interfaces_as_promised_fit() {
    let interfaces: Vec<u32> = (1..).take(MOST_INTERFACES).collect();
    let program = program(&interfaces, Share::all(0)).unwrap();
    let syn = packet(&Wire::new("192.168.77.10:40000", "13.107.6.152:443", 0x02), true);
    for interface in [0, 1, 64, 128, 129] {
        let passed = interpret(&program, &Packet { interface, ..syn.clone() });
        assert_eq!(passed, if interfaces.contains(&interface) { 40 } else { 0 }, "{interface}");
    }
}

fn address(v6: bool) -> BoxedStrategy<std::net::IpAddr> {
    if v6 {
        any::<std::net::Ipv6Addr>().prop_map_into().boxed()
    } else {
        any::<std::net::Ipv4Addr>().prop_map_into().boxed()
    }
}

/// Mostly what a stack would send, with any of it wrong now and then.
fn wire() -> impl Strategy<Value = Wire> {
    let ends = any::<bool>().prop_flat_map(|v6| (address(v6), any::<u16>(), address(v6), any::<u16>()));
    let flags = prop_oneof![3 => Just(0x02), 3 => Just(0x12), 2 => Just(0x14), 2 => any::<u8>()];
    let fragment = prop_oneof![4 => Just(0x4000), 1 => Just(0), 1 => Just(0x2000), 1 => any::<u16>()];
    let protocol = prop_oneof![6 => Just(6), 1 => any::<u8>()];
    let sequence = prop_oneof![Just(0), any::<u32>()];
    (ends, flags, fragment, protocol, sequence, any::<u32>(), 0..=10_u8).prop_map(
        |((source, sport, destination, dport), flags, fragment, protocol, sequence, acknowledged, options)| Wire {
            source: (source, sport).into(),
            destination: (destination, dport).into(),
            flags,
            sequence,
            acknowledged,
            options,
            fragment,
            protocol,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_passes_is_what_the_parser_understands(
        wire in wire(),
        first in prop_oneof![6 => Just(None), 1 => any::<u8>().prop_map(Some)],
        length in prop_oneof![3 => Just(usize::MAX), 1 => 0..110_usize],
        outgoing: bool,
        crowd in 0..5_u32,
        phase: u16,
    ) {
        let mut packet = packet(&wire, outgoing);
        packet.bytes.truncate(length);
        if let (Some(first), Some(byte)) = (first, packet.bytes.first_mut()) {
            *byte = first;
        }
        let mut thinning = crate::passive::thinning::Thinning::new(1, phase, crate::domain::BootTime::default());
        thinning.saw(1 << crowd, false, crate::domain::BootTime::default());
        let share = thinning.share();
        let segment = Segment::parse(&packet.bytes, outgoing).filter(|_| {
            packet.bytes[0] >> 4 == if wire.source.is_ipv4() { 4 } else { 6 }
        });
        let expected = segment.is_some_and(|segment| share.contains(segment.client.port()));
        let passed = interpret(&program(&UPLINKS, share).unwrap(), &packet);
        let cut = &packet.bytes[..packet.bytes.len().min(passed as usize)];
        // A header that is cut off behind the flags passes, and is refused by the parser.
        let whole = passed as usize <= packet.bytes.len();
        prop_assert_eq!(passed > 0 && whole, expected);
        if let Some(segment) = segment.filter(|_| expected) {
            prop_assert_eq!(Segment::parse(cut, outgoing), Some(segment));
            prop_assert!(!cut.windows(6).any(|part| part == b"secret"));
            prop_assert_eq!(outgoing, segment.act == Act::Ask);
        }
    }
}
