//! What the kernel lets through to this process: the first packets of TCP connections on the uplinks, and of them the
//! bare headers. All else stays in the kernel.

use socket2::SockFilter;

pub use super::assembler::{AssembleError, Instruction};
use super::{
    assembler::{Place, Step, assemble},
    thinning::Share,
};

/// Interfaces that one filter can tell from others.
pub const MOST_INTERFACES: usize = 128;

/// A packet that leaves (`PACKET_OUTGOING`, linux/if_packet.h).
pub const OUTGOING: u8 = 4;

const ETH_P_IPV4: u32 = 0x0800;
const ETH_P_IPV6: u32 = 0x86dd;
const TCP: u32 = 6;
/// The part of a TCP header that every segment has.
const TCP_HEADER: u32 = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    OnUplink,
    Ipv4,
    Ipv6,
    Tcp,
    Ask,
    Refuse,
    Answer,
    ByPort,
    Drop,
}

/// The program: requests that leave, answers that come, both of flows in `share` alone. What passes is cut behind the
/// fixed part of the TCP header, so that neither options nor payload get out of the kernel.
///
/// Packets begin with the IP header, whatever the link: that is what a `SOCK_DGRAM` packet socket sees. IPv6 extension
/// headers and fragments do not pass; Microsoft's front doors see neither on a SYN.
///
/// # Errors
/// Never with at most [`MOST_INTERFACES`] of them.
pub fn program(interfaces: &[u32], share: Share) -> Result<Vec<Instruction>, AssembleError> {
    use Label::{Answer, Ask, ByPort, Drop, Ipv4, Ipv6, OnUplink, Refuse, Tcp};
    let mut steps = vec![Step::Word(Place::Kernel(libc::SKF_AD_IFINDEX))];
    steps.extend(interfaces.iter().map(|interface| Step::IfIs(*interface, OnUplink)));
    steps.extend([
        Step::Drop,
        Step::At(OnUplink),
        Step::Word(Place::Kernel(libc::SKF_AD_PROTOCOL)),
        Step::IfIs(ETH_P_IPV4, Ipv4),
        Step::IfIs(ETH_P_IPV6, Ipv6),
        Step::Drop,
        Step::At(Ipv4),
        Step::Byte(Place::Packet(9)),
        Step::IfNot(TCP, Drop),
        // More fragments, or not the first one.
        Step::Half(Place::Packet(6)),
        Step::IfAnyOf(0x3fff, Drop),
        Step::Byte(Place::Packet(0)),
        Step::IfBelow(0x45, Drop),
        Step::And(0xf0),
        Step::IfNot(0x40, Drop),
        Step::SetXToIpv4Header,
        Step::Goto(Tcp),
        Step::At(Ipv6),
        Step::Byte(Place::Packet(6)),
        Step::IfNot(TCP, Drop),
        Step::Byte(Place::Packet(0)),
        Step::And(0xf0),
        Step::IfNot(0x60, Drop),
        Step::SetX(40),
        Step::At(Tcp),
        Step::Byte(Place::BehindX(13)),
        // FIN, SYN, RST, ACK.
        Step::And(0x17),
        Step::IfIs(0x02, Ask),
        Step::IfIs(0x12, Answer),
        Step::IfIs(0x14, Refuse),
        Step::Drop,
        Step::At(Ask),
        Step::Word(Place::Kernel(libc::SKF_AD_PKTTYPE)),
        Step::IfNot(OUTGOING.into(), Drop),
        Step::Half(Place::BehindX(0)),
        Step::Goto(ByPort),
        // A reset of an open connection has a sequence number; that of a closed port has none.
        Step::At(Refuse),
        Step::Word(Place::BehindX(4)),
        Step::IfNot(0, Drop),
        Step::At(Answer),
        Step::Word(Place::Kernel(libc::SKF_AD_PKTTYPE)),
        Step::IfIs(OUTGOING.into(), Drop),
        Step::Half(Place::BehindX(2)),
        Step::At(ByPort),
        Step::And(share.mask().into()),
        Step::IfNot(share.wanted().into(), Drop),
        Step::TakeX,
        Step::Add(TCP_HEADER),
        Step::Pass,
        Step::At(Drop),
        Step::Drop,
    ]);
    assemble(&steps)
}

/// The program in the form in which the kernel takes it.
pub fn for_kernel(program: &[Instruction]) -> Vec<SockFilter> {
    program.iter().map(|step| SockFilter::new(step.code, step.jt, step.jf, step.k)).collect()
}

#[cfg(test)]
mod tests;
