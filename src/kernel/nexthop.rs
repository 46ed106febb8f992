//! Next-hop messages (linux/nexthop.h), which netlink-packet-route does not have.

use std::net::IpAddr;

use netlink_packet_core::{DecodeError, DefaultNla, Emitable, parse_ip, parse_u16, parse_u32};
use netlink_packet_route::AddressFamily;

use super::frame::attributes;

const NHA_ID: u16 = 1;
const NHA_GROUP: u16 = 2;
const NHA_GROUP_TYPE: u16 = 3;
const NHA_BLACKHOLE: u16 = 4;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;
const NHA_RES_GROUP: u16 = 12;
const NHA_RES_GROUP_BUCKETS: u16 = 1;
/// `NLA_F_NESTED`.
const NESTED: u16 = 1 << 15;

/// A resilient group; those of type 0 (`NEXTHOP_GRP_TYPE_MPATH`) share packets out by hash thresholds.
pub(super) const NEXTHOP_GRP_TYPE_RES: u16 = 1;

/// `RTNH_F_ONLINK`: the gateway is on the link although no connected prefix covers it.
pub(super) const RTNH_F_ONLINK: u32 = 4;

/// Length of `struct nhmsg`.
const HEADER_LEN: usize = 8;
/// Length of `struct nexthop_grp`.
const MEMBER_LEN: usize = 8;

/// One next-hop object or group, as in a netlink message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct NextHopMessage {
    /// Address family of the gateway; unspecified for groups.
    pub(super) family: AddressFamily,
    /// `RTPROT_*`.
    pub(super) protocol: u8,
    /// `RTNH_F_*`.
    pub(super) flags: u32,
    /// `NHA_ID`.
    pub(super) id: Option<u32>,
    /// `NHA_GROUP`: members in order.
    pub(super) group: Option<Vec<GroupMember>>,
    /// `NHA_GROUP_TYPE`.
    pub(super) group_type: Option<u16>,
    /// `NHA_RES_GROUP_BUCKETS`; written only.
    pub(super) buckets: Option<u16>,
    /// `NHA_BLACKHOLE`.
    pub(super) blackhole: bool,
    /// `NHA_OIF`.
    pub(super) interface: Option<u32>,
    /// `NHA_GATEWAY`.
    pub(super) gateway: Option<IpAddr>,
}

/// `struct nexthop_grp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GroupMember {
    /// Id of a next-hop object.
    pub(super) id: u32,
    /// Weight less one.
    pub(super) weight: u8,
}

impl NextHopMessage {
    /// Decodes the payload of a message; attributes that are not listed above are skipped.
    pub(super) fn parse(payload: &[u8]) -> Result<Self, DecodeError> {
        let [family, _scope, protocol, _reserved, flags @ ..] = payload
            .first_chunk::<HEADER_LEN>()
            .ok_or_else(|| DecodeError::buffer_too_small(payload.len(), HEADER_LEN))?;
        let mut message = Self {
            family: (*family).into(),
            protocol: *protocol,
            flags: u32::from_ne_bytes(*flags),
            ..Self::default()
        };
        for attribute in attributes(payload, HEADER_LEN) {
            let (kind, value) = attribute?;
            match kind {
                NHA_ID => message.id = Some(parse_u32(value)?),
                NHA_GROUP => message.group = Some(parse_group(value)?),
                NHA_GROUP_TYPE => message.group_type = Some(parse_u16(value)?),
                NHA_BLACKHOLE => message.blackhole = true,
                NHA_OIF => message.interface = Some(parse_u32(value)?),
                NHA_GATEWAY => message.gateway = Some(parse_ip(value)?),
                _ => {}
            }
        }
        Ok(message)
    }

    fn attributes(&self) -> Vec<DefaultNla> {
        let number =
            |kind, value: Option<u32>| value.map(|value| DefaultNla::new(kind, value.to_ne_bytes().to_vec()));
        let octets = |address: &IpAddr| match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        [
            number(NHA_ID, self.id),
            self.group.as_deref().map(|members| DefaultNla::new(NHA_GROUP, group_bytes(members))),
            self.group_type.map(|kind| DefaultNla::new(NHA_GROUP_TYPE, kind.to_ne_bytes().to_vec())),
            self.buckets.map(|buckets| DefaultNla::new(NHA_RES_GROUP | NESTED, resilience_bytes(buckets))),
            self.blackhole.then(|| DefaultNla::new(NHA_BLACKHOLE, Vec::new())),
            number(NHA_OIF, self.interface),
            self.gateway.as_ref().map(|address| DefaultNla::new(NHA_GATEWAY, octets(address))),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl Emitable for NextHopMessage {
    fn buffer_len(&self) -> usize {
        HEADER_LEN + self.attributes().as_slice().buffer_len()
    }

    #[allow(clippy::indexing_slicing, reason = "the trait's contract: the buffer holds at least `buffer_len` bytes")]
    fn emit(&self, buffer: &mut [u8]) {
        let [a, b, c, d] = self.flags.to_ne_bytes();
        buffer[..HEADER_LEN].copy_from_slice(&[self.family.into(), 0, self.protocol, 0, a, b, c, d]);
        self.attributes().as_slice().emit(&mut buffer[HEADER_LEN..]);
    }
}

fn parse_group(value: &[u8]) -> Result<Vec<GroupMember>, DecodeError> {
    let (members, rest) = value.as_chunks::<MEMBER_LEN>();
    if !rest.is_empty() {
        return Err(DecodeError::invalid_number(value.len().next_multiple_of(MEMBER_LEN), value.len()));
    }
    let member = |[a, b, c, d, weight, ..]: &[u8; MEMBER_LEN]| GroupMember {
        id: u32::from_ne_bytes([*a, *b, *c, *d]),
        weight: *weight,
    };
    Ok(members.iter().map(member).collect())
}

fn group_bytes(members: &[GroupMember]) -> Vec<u8> {
    let bytes = |member: &GroupMember| {
        let [a, b, c, d] = member.id.to_ne_bytes();
        [a, b, c, d, member.weight, 0, 0, 0]
    };
    members.iter().flat_map(bytes).collect()
}

fn resilience_bytes(buckets: u16) -> Vec<u8> {
    let nested = [DefaultNla::new(NHA_RES_GROUP_BUCKETS, buckets.to_ne_bytes().to_vec())];
    let mut bytes = vec![0; nested.as_slice().buffer_len()];
    nested.as_slice().emit(&mut bytes);
    bytes
}
