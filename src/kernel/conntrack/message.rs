//! Messages of nfnetlink_conntrack (linux/netfilter/nfnetlink_conntrack.h), as far as translated flows need them.

use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_core::{DecodeError, DefaultNla, Emitable, NLA_F_NESTED, parse_ip};

use super::{super::frame::attributes, Flow, FlowKey};
use crate::domain::Family;

/// `NFNL_SUBSYS_CTNETLINK`, in the upper byte of a message type.
const CTNETLINK: u16 = 1 << 8;
pub(super) const CT_NEW: u16 = CTNETLINK;
pub(super) const CT_GET: u16 = CTNETLINK | 1;
pub(super) const CT_DELETE: u16 = CTNETLINK | 2;

const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_STATUS: u16 = 3;
const CTA_ID: u16 = 12;
const CTA_ZONE: u16 = 18;
const CTA_FILTER: u16 = 25;
const CTA_STATUS_MASK: u16 = 26;

const CTA_TUPLE_IP: u16 = 1;
const CTA_IP_V4_SRC: u16 = 1;
const CTA_IP_V4_DST: u16 = 2;
const CTA_IP_V6_SRC: u16 = 3;
const CTA_IP_V6_DST: u16 = 4;

const CTA_FILTER_ORIG_FLAGS: u16 = 1;
const CTA_FILTER_REPLY_FLAGS: u16 = 2;
/// `CTA_FILTER_F_CTA_IP_DST` (net/netfilter/nf_conntrack_netlink.c): compare the tuple's destination address.
const FILTER_DESTINATION: u32 = 1 << 1;

/// `IPS_SRC_NAT`: the source is translated.
const IPS_SRC_NAT: u32 = 1 << 4;

/// Length of `struct nfgenmsg`.
const HEADER_LEN: usize = 4;

/// A request: the family in `struct nfgenmsg`, and attributes.
#[derive(Debug)]
pub(super) struct ConntrackRequest {
    family: Family,
    attributes: Vec<DefaultNla>,
}

impl ConntrackRequest {
    /// Lists the flows of a family with a translated source, and other flows: kernels before 5.16 do not look at the
    /// status.
    pub(super) fn translated(family: Family) -> Self {
        let status = |kind| DefaultNla::new(kind, IPS_SRC_NAT.to_be_bytes().to_vec());
        Self { family, attributes: vec![status(CTA_STATUS), status(CTA_STATUS_MASK)] }
    }

    /// Of these, those whose answers go to `address`; kernels before 5.8 do not look at it. There is no such thing for
    /// IPv6: the kernel lists all flows but those that match then (seen on 6.18: an inverted comparison).
    pub(super) fn translated_to(address: Ipv4Addr) -> Self {
        let mut request = Self::translated(Family::Ipv4);
        let destination = DefaultNla::new(CTA_IP_V4_DST, address.octets().to_vec());
        let ip = nested(CTA_TUPLE_IP, &[destination]);
        let flags = |kind, flags: u32| DefaultNla::new(kind, flags.to_ne_bytes().to_vec());
        let which = [flags(CTA_FILTER_ORIG_FLAGS, 0), flags(CTA_FILTER_REPLY_FLAGS, FILTER_DESTINATION)];
        request.attributes.extend([nested(CTA_TUPLE_REPLY, &[ip]), nested(CTA_FILTER, &which)]);
        request
    }

    /// Deletes one entry. It is named by the tuple of its answers, which holds the translated source: an entry that took
    /// its place with another source is another one. (By the original tuple it would not be, whatever its id: that is
    /// made of the tuple and of the entry's place in memory, which is given to the next entry at once.)
    pub(super) fn delete(key: &FlowKey) -> Self {
        // A deletion that names no tuple empties the whole table: a key has one by construction.
        let mut attributes = vec![
            DefaultNla::new(CTA_TUPLE_REPLY | NLA_F_NESTED, key.answers.to_vec()),
            DefaultNla::new(CTA_ID, key.id.to_vec()),
        ];
        attributes.extend(key.zone.map(|zone| DefaultNla::new(CTA_ZONE, zone.to_vec())));
        Self { family: key.family, attributes }
    }
}

impl Emitable for ConntrackRequest {
    fn buffer_len(&self) -> usize {
        HEADER_LEN + self.attributes.as_slice().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        let (header, attributes) = buffer.split_at_mut(HEADER_LEN);
        let family = match self.family {
            Family::Ipv4 => libc::AF_INET,
            Family::Ipv6 => libc::AF_INET6,
        };
        // Version 0 (NFNETLINK_V0) and no resource.
        header.copy_from_slice(&[u8::try_from(family).unwrap_or_default(), 0, 0, 0]);
        self.attributes.as_slice().emit(attributes);
    }
}

fn nested(kind: u16, inner: &[DefaultNla]) -> DefaultNla {
    let mut value = vec![0; inner.buffer_len()];
    inner.emit(&mut value);
    DefaultNla::new(kind | NLA_F_NESTED, value)
}

/// One entry of the table, undecoded where nobody looks.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) flow: Flow,
    family: Family,
    answers: &'a [u8],
    id: [u8; 4],
    zone: Option<[u8; 2]>,
}

impl<'a> Entry<'a> {
    /// Reads what is needed of an entry; `None` when it lacks some of it: nothing can be said of it then.
    pub(super) fn parse(payload: &'a [u8]) -> Result<Option<Self>, DecodeError> {
        let (mut original, mut reply, mut id, mut zone) = (None, None, None, None);
        for attribute in attributes(payload, HEADER_LEN) {
            let (kind, value) = attribute?;
            match kind {
                CTA_TUPLE_ORIG => original = ends(value)?,
                CTA_TUPLE_REPLY => reply = ends(value)?.map(|ends| (ends, value)),
                CTA_ID => id = value.try_into().ok(),
                CTA_ZONE => zone = value.try_into().ok(),
                _ => {}
            }
        }
        let (Some((source, _)), Some(((destination, translated), answers)), Some(id)) = (original, reply, id) else {
            return Ok(None);
        };
        let flow = Flow { source, destination, translated };
        Ok(Some(Self { flow, family: Family::of(source), answers, id, zone }))
    }

    /// Whether packets leave with another source than they came with.
    pub(super) fn is_source_translated(&self) -> bool {
        self.flow.source != self.flow.translated
    }

    pub(super) fn key(&self) -> FlowKey {
        FlowKey { family: self.family, answers: self.answers.into(), id: self.id, zone: self.zone }
    }
}

/// Source and destination address of a tuple.
fn ends(tuple: &[u8]) -> Result<Option<(IpAddr, IpAddr)>, DecodeError> {
    for attribute in attributes(tuple, 0) {
        let (kind, value) = attribute?;
        if kind != CTA_TUPLE_IP {
            continue;
        }
        let (mut source, mut destination) = (None, None);
        for address in attributes(value, 0) {
            match address? {
                (CTA_IP_V4_SRC | CTA_IP_V6_SRC, octets) => source = Some(parse_ip(octets)?),
                (CTA_IP_V4_DST | CTA_IP_V6_DST, octets) => destination = Some(parse_ip(octets)?),
                _ => {}
            }
        }
        return Ok(source.zip(destination));
    }
    Ok(None)
}
