//! Jumps, and an interpreter of the machine, with which the filter is tested too.

use super::*;

/// What the machine knows of a packet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Packet {
    pub bytes: Vec<u8>,
    pub protocol: u32,
    pub kind: u32,
    pub interface: u32,
}

/// Runs a program and returns how many bytes of the packet it lets through. Written from the description of the machine
/// (Documentation/networking/filter.rst), independent of the assembler.
pub(crate) fn interpret(program: &[Instruction], packet: &Packet) -> u32 {
    let bytes = |offset: u32, size: usize| -> Option<u32> {
        let part = packet.bytes.get(offset as usize..)?.get(..size)?;
        Some(part.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
    };
    let (mut a, mut x, mut next) = (0_u32, 0_u32, 0);
    loop {
        let Instruction { code, jt, jf, k } = program[next];
        next += 1;
        let loaded = match code {
            0x20 | 0x28 | 0x30 if k == 0xffff_f000 => Some(packet.protocol),
            0x20 | 0x28 | 0x30 if k == 0xffff_f004 => Some(packet.kind),
            0x20 | 0x28 | 0x30 if k == 0xffff_f008 => Some(packet.interface),
            0x20 => bytes(k, 4),
            0x28 => bytes(k, 2),
            0x30 => bytes(k, 1),
            0x40 => bytes(x.wrapping_add(k), 4),
            0x48 => bytes(x.wrapping_add(k), 2),
            0x50 => bytes(x.wrapping_add(k), 1),
            0xb1 => match bytes(k, 1) {
                Some(byte) => {
                    x = (byte & 0xf) * 4;
                    continue;
                }
                None => return 0,
            },
            _ => {
                let mut branch = |condition| next += usize::from(if condition { jt } else { jf });
                match code {
                    0x01 => x = k,
                    0x87 => a = x,
                    0x54 => a &= k,
                    0x04 => a = a.wrapping_add(k),
                    0x15 => branch(a == k),
                    0x35 => branch(a >= k),
                    0x45 => branch(a & k != 0),
                    0x05 => next += k as usize,
                    0x06 => return k,
                    0x16 => return a,
                    _ => panic!("unknown operation {code:#x}"),
                }
                continue;
            }
        };
        match loaded {
            Some(value) => a = value,
            None => return 0,
        }
    }
}

fn run(steps: &[Step<u8>], bytes: &[u8]) -> u32 {
    let packet = Packet { bytes: bytes.to_vec(), protocol: 7, kind: 8, interface: 9 };
    interpret(&assemble(steps).unwrap(), &packet)
}

#[test]
fn jumps_go_to_their_labels() {
    let steps = [
        Step::Byte(Place::Packet(1)),
        Step::IfIs(5, 1),
        Step::IfAnyOf(0x80, 2),
        Step::IfBelow(3, 2),
        Step::Goto(3),
        Step::At(1),
        Step::Add(100),
        Step::Pass,
        Step::At(2),
        Step::Add(10),
        Step::At(3),
        Step::IfNot(9, 4),
        Step::Drop,
        Step::At(4),
        Step::Pass,
    ];
    let outcomes = [5, 0x81, 2, 4, 9].map(|byte| run(&steps, &[0, byte]));
    assert_eq!(outcomes, [105, 0x8b, 12, 4, 0]);
    assert_eq!(run(&steps, &[0]), 0, "a load beyond the end drops");
}

#[test]
fn loads_take_what_they_name() {
    let bytes = [0x45, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 0x20, 0x21, 0x22, 0x23];
    let load = |step| run(&[Step::SetXToIpv4Header, step, Step::Pass], &bytes);
    assert_eq!(load(Step::Word(Place::Packet(1))), 0x0102_0304);
    assert_eq!(load(Step::Half(Place::BehindX(1))), 0x2122);
    assert_eq!(load(Step::TakeX), 20);
    assert_eq!(load(Step::Word(Place::Kernel(libc::SKF_AD_PROTOCOL))), 7);
    assert_eq!(load(Step::Word(Place::Kernel(libc::SKF_AD_PKTTYPE))), 8);
    assert_eq!(load(Step::Word(Place::Kernel(libc::SKF_AD_IFINDEX))), 9);
    assert_eq!(run(&[Step::SetX(3), Step::Byte(Place::BehindX(1)), Step::And(6), Step::Pass], &bytes), 4);
}

#[test]
fn a_jump_that_cannot_be_made_is_an_error() {
    assert_eq!(assemble(&[Step::At(1), Step::Goto(1)]), Err(AssembleError::NoSuchPlace));
    let mut far = vec![Step::IfIs(1, 1)];
    far.extend([Step::<u8>::Add(1); 256]);
    far.extend([Step::At(1), Step::Drop]);
    assert_eq!(assemble(&far), Err(AssembleError::TooFar));
}
