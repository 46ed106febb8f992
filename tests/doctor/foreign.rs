//! What other programs put into a router, under no name of ours.

use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use peerward_lab::Namespace;

/// A rule as another program would add it.
pub struct ForeignRule(RuleMessage);

impl ForeignRule {
    /// `from all lookup TABLE`, without a preference: the kernel chooses one.
    pub fn lookup(table: u32) -> Self {
        let mut message = RuleMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.action = RuleAction::ToTable;
        message.attributes.push(RuleAttribute::Table(table));
        Self(message)
    }

    pub fn ipv6(mut self) -> Self {
        self.0.header.family = AddressFamily::Inet6;
        self
    }

    pub fn preference(self, preference: u32) -> Self {
        self.with(RuleAttribute::Priority(preference))
    }

    pub fn mark(self, mark: u32, mask: u32) -> Self {
        self.with(RuleAttribute::FwMark(mark)).with(RuleAttribute::FwMask(mask))
    }

    pub fn on_interface(self, name: &str) -> Self {
        self.with(RuleAttribute::Iifname(name.to_owned()))
    }

    pub fn protocol(self, number: u8) -> Self {
        self.with(RuleAttribute::Protocol(number.into()))
    }

    pub fn without_default(self) -> Self {
        self.with(RuleAttribute::SuppressPrefixLen(0))
    }

    pub fn inverted(mut self) -> Self {
        self.0.header.flags |= RuleFlags::Invert;
        self
    }

    pub fn unreachable(mut self) -> Self {
        self.0.header.action = RuleAction::Unreachable;
        self.0.attributes.retain(|attribute| !matches!(attribute, RuleAttribute::Table(_)));
        self
    }

    fn with(mut self, attribute: RuleAttribute) -> Self {
        self.0.attributes.push(attribute);
        self
    }

    pub fn add_to(self, router: &Namespace) {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
        let payload = NetlinkPayload::from(RouteNetlinkMessage::NewRule(self.0));
        let mut message = NetlinkMessage::new(header, payload);
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        router.run(|| acknowledged(&bytes)).unwrap();
    }
}

fn acknowledged(request: &[u8]) -> io::Result<()> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.send_to(request, &SocketAddr::new(0, 0), 0)?;
    let (answer, _) = socket.recv_from_full()?;
    let answer = NetlinkBuffer::new_checked(&answer[..]).map_err(io::Error::other)?;
    // An error number of 0 is the acknowledgement.
    let code = i32::from_ne_bytes(answer.payload()[..4].try_into().map_err(io::Error::other)?);
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(-code)) }
}
