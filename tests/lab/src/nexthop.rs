//! Next-hop objects as the kernel holds them, read by hand: no crate of the lab knows the message, and the agent's own
//! codec must not judge itself.

use std::{
    io::{self, Read, Write},
    net::IpAddr,
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::{LabError, Namespace};

/// One next-hop object or group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextHopRow {
    /// Id, unique in the namespace.
    pub id: u32,
    /// Route protocol number of its owner.
    pub protocol: u8,
    /// Members and their weights; empty when it is no group.
    pub group: Vec<(u32, u8)>,
    /// Interface index; absent for groups and black holes.
    pub interface: Option<u32>,
    /// Gateway.
    pub gateway: Option<IpAddr>,
    /// It drops what it gets.
    pub blackhole: bool,
}

impl Namespace {
    /// All next-hop objects, sorted by id.
    ///
    /// # Errors
    /// When the kernel cannot be asked, or has no such objects (Linux before 5.3).
    pub fn nexthops(&self) -> Result<Vec<NextHopRow>, LabError> {
        let mut rows = self
            .run(dump)
            .map_err(|source| LabError::system(format!("read next-hop objects in {}", self.name()), source))?;
        rows.sort_by_key(|row| row.id);
        Ok(rows)
    }
}

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWNEXTHOP: u16 = 104;
const RTM_GETNEXTHOP: u16 = 106;
const NLM_F_REQUEST_DUMP: u16 = 0x301;

const NHA_ID: u16 = 1;
const NHA_GROUP: u16 = 2;
const NHA_BLACKHOLE: u16 = 4;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;

/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;
/// Length of `struct nhmsg`.
const BODY: usize = 8;

fn dump() -> io::Result<Vec<NextHopRow>> {
    let socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, Some(Protocol::from(libc::NETLINK_ROUTE)))?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut request = Vec::with_capacity(HEADER + BODY);
    request.extend(24_u32.to_ne_bytes());
    request.extend(RTM_GETNEXTHOP.to_ne_bytes());
    request.extend(NLM_F_REQUEST_DUMP.to_ne_bytes());
    request.resize(HEADER + BODY, 0);
    // A netlink socket that is not connected talks to the kernel.
    (&socket).write_all(&request)?;
    let (mut rows, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        let length = (&socket).read(&mut buffer)?;
        let mut rest = buffer.get(..length).unwrap_or_default();
        while let Some((kind, payload, following)) = split_message(rest) {
            match kind {
                NLMSG_DONE => return Ok(rows),
                NLMSG_ERROR => return Err(kernel_error(payload)),
                RTM_NEWNEXTHOP => rows.extend(row(payload)),
                _ => {}
            }
            rest = following;
        }
    }
}

/// Type and payload of the first message, and what follows it.
fn split_message(buffer: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32_at(buffer, 0)?).ok()?;
    let payload = buffer.get(HEADER..length)?;
    Some((u16_at(buffer, 4)?, payload, buffer.get(align(length)..).unwrap_or_default()))
}

fn row(payload: &[u8]) -> Option<NextHopRow> {
    let protocol = *payload.get(2)?;
    let mut row = NextHopRow { id: 0, protocol, group: Vec::new(), interface: None, gateway: None, blackhole: false };
    let mut rest = payload.get(BODY..)?;
    while let Some(length) = u16_at(rest, 0).map(usize::from).filter(|length| *length >= 4) {
        let value = rest.get(4..length)?;
        match u16_at(rest, 2)? {
            NHA_ID => row.id = u32_at(value, 0)?,
            NHA_GROUP => row.group = value.chunks_exact(8).filter_map(member).collect(),
            NHA_BLACKHOLE => row.blackhole = true,
            NHA_OIF => row.interface = u32_at(value, 0),
            NHA_GATEWAY => row.gateway = address(value),
            _ => {}
        }
        rest = rest.get(align(length)..).unwrap_or_default();
    }
    Some(row)
}

/// A member of a group; the kernel stores weights less one.
fn member(entry: &[u8]) -> Option<(u32, u8)> {
    Some((u32_at(entry, 0)?, entry.get(4)?.saturating_add(1)))
}

fn address(value: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(value) {
        return Some(octets.into());
    }
    <[u8; 16]>::try_from(value).ok().map(IpAddr::from)
}

fn kernel_error(payload: &[u8]) -> io::Error {
    let code = u32_at(payload, 0).map_or(0, u32::cast_signed);
    io::Error::from_raw_os_error(code.saturating_neg())
}

fn align(length: usize) -> usize {
    length.next_multiple_of(4)
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..offset + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..offset + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_and_a_group_are_read_with_all_their_attributes() {
        let object = [
            &[2, 0, 77, 0, 0, 0, 0, 0][..],
            &attribute(NHA_ID, &7_u32.to_ne_bytes()),
            &attribute(NHA_OIF, &3_u32.to_ne_bytes()),
            &attribute(NHA_GATEWAY, &[203, 0, 113, 1]),
        ];
        let read = row(&object.concat()).unwrap();
        assert_eq!((read.id, read.protocol, read.interface), (7, 77, Some(3)));
        assert_eq!(read.gateway, Some("203.0.113.1".parse().unwrap()));

        let members = [7_u32.to_ne_bytes(), [0; 4], 8_u32.to_ne_bytes(), [9, 0, 0, 0]].concat();
        let group = [&[0, 0, 77, 0, 0, 0, 0, 0][..], &attribute(NHA_GROUP, &members)].concat();
        assert_eq!(row(&group).unwrap().group, [(7, 1), (8, 10)]);
    }

    #[test]
    fn a_stump_is_no_row() {
        assert_eq!(row(&[2, 0]), None);
        assert_eq!(row(&[2, 0, 77, 0, 0, 0, 0, 0, 8, 0, 1, 0]), None);
        assert_eq!(split_message(&[24, 0, 0, 0, 104, 0]), None);
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = u16::try_from(4 + value.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes
    }
}
