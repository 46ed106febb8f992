//! Raw netlink: what it costs when nobody looks into the messages.

use std::{
    io,
    net::IpAddr,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use rustix::net::sockopt::set_socket_recv_buffer_size_force;

/// As large as the agent's own.
const DATAGRAM: usize = 64 * 1024;
const QUEUE: usize = 1024 * 1024;
/// Bytes of requests that go to the kernel in one go; the send buffer holds more.
const BATCH: usize = 32 * 1024;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const RTM_GETRULE: u16 = 34;
const RTM_GETNEXTHOP: u16 = 106;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_TABLE: u16 = 15;
const RTN_UNICAST: u8 = 1;
/// `RTPROT_STATIC`: neither BIRD nor zebra takes such routes for its own.
const PROTOCOL: u8 = 4;

/// A netlink socket; lives in the namespace of the thread that opens it.
pub(super) struct Wire {
    socket: Socket,
    buffer: Vec<u8>,
}

/// What a dump was.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Dump {
    pub(super) bytes: usize,
    pub(super) messages: usize,
    pub(super) took: Duration,
}

/// A way out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    pub(super) interface: u32,
    pub(super) gateway: IpAddr,
}

impl Wire {
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        if set_socket_recv_buffer_size_force(&socket, QUEUE).is_err() {
            socket.set_rx_buf_sz(libc::c_int::try_from(QUEUE).unwrap_or(libc::c_int::MAX))?;
        }
        socket.set_netlink_get_strict_chk(true)?;
        Ok(Self { socket, buffer: Vec::with_capacity(DATAGRAM) })
    }

    /// Receives the routes of both families and all tables, and counts messages only by their length.
    pub(super) fn discard_all_routes(&mut self) -> io::Result<Dump> {
        let mut sum = Dump::default();
        for family in [libc::AF_INET, libc::AF_INET6] {
            let dump = self.discard_routes(family, None)?;
            sum.bytes += dump.bytes;
            sum.messages += dump.messages;
            sum.took += dump.took;
        }
        Ok(sum)
    }

    /// Receives the routes of one family, of one table and protocol if these are given.
    pub(super) fn discard_routes(&mut self, family: i32, of: Option<(u32, u8)>) -> io::Result<Dump> {
        let (table, protocol) = of.unwrap_or_default();
        self.discard(RTM_GETROUTE, |body| {
            body.extend_from_slice(&[family_number(family), 0, 0, 0, 0, protocol, 0, 0, 0, 0, 0, 0]);
            if of.is_some() {
                attribute(body, RTA_TABLE, &table.to_ne_bytes());
            }
        })
    }

    /// Receives all next-hop objects.
    pub(super) fn discard_next_hops(&mut self) -> io::Result<Dump> {
        self.discard(RTM_GETNEXTHOP, |body| body.extend_from_slice(&[0; 8]))
    }

    /// Receives the rules of one family.
    pub(super) fn discard_rules(&mut self, family: i32) -> io::Result<Dump> {
        self.discard(RTM_GETRULE, |body| {
            body.extend_from_slice(&[family_number(family), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        })
    }

    fn discard(&mut self, kind: u16, body: impl FnOnce(&mut Vec<u8>)) -> io::Result<Dump> {
        let mut request = Vec::new();
        message(&mut request, kind, NLM_F_REQUEST | NLM_F_DUMP, body);
        let began = Instant::now();
        self.send(&request)?;
        let mut dump = Dump::default();
        loop {
            let datagram = self.receive()?;
            dump.bytes += datagram.len();
            let mut rest = datagram;
            while let Some((length, kind)) = head(rest) {
                match kind {
                    NLMSG_DONE => {
                        dump.took = began.elapsed();
                        return Ok(dump);
                    }
                    // A table without routes.
                    NLMSG_ERROR if error_number(rest) == Some(-libc::ENOENT) => return Ok(dump),
                    NLMSG_ERROR => return Err(refusal(rest)),
                    _ => dump.messages += 1,
                }
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            }
        }
    }

    /// Adds routes to a table, in batches, with one acknowledgement at the end; refusals of single routes are errors.
    pub(super) fn load(&mut self, prefixes: &[IpNet], table: u32, way: impl Fn(IpNet) -> Way) -> io::Result<()> {
        let mut batch = Vec::with_capacity(BATCH + 256);
        let mut left = prefixes.iter().copied().peekable();
        while let Some(prefix) = left.next() {
            let full = batch.len() >= BATCH || left.peek().is_none();
            append_route(&mut batch, prefix, table, way(prefix), full);
            if full {
                self.send(&batch)?;
                batch.clear();
                // Refusals come before the acknowledgement of the last.
                let answer = self.receive()?;
                if error_number(answer) != Some(0) {
                    return Err(refusal(answer));
                }
            }
        }
        Ok(())
    }

    fn send(&self, datagram: &[u8]) -> io::Result<()> {
        self.socket.send_to(datagram, &SocketAddr::new(0, 0), 0).map(drop)
    }

    fn receive(&mut self) -> io::Result<&[u8]> {
        self.buffer.clear();
        self.socket.recv(&mut self.buffer, 0)?;
        Ok(&self.buffer)
    }
}

fn append_route(batch: &mut Vec<u8>, prefix: IpNet, table: u32, way: Way, acknowledged: bool) {
    let acknowledge = if acknowledged { NLM_F_ACK } else { 0 };
    message(batch, RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | acknowledge, |body| {
        let family = family_number(if prefix.addr().is_ipv4() { libc::AF_INET } else { libc::AF_INET6 });
        body.extend_from_slice(&[family, prefix.prefix_len(), 0, 0, 0, PROTOCOL, 0, RTN_UNICAST, 0, 0, 0, 0]);
        address(body, RTA_DST, prefix.network());
        attribute(body, RTA_OIF, &way.interface.to_ne_bytes());
        address(body, RTA_GATEWAY, way.gateway);
        attribute(body, RTA_TABLE, &table.to_ne_bytes());
    });
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "AF_INET and AF_INET6 are small")]
const fn family_number(family: i32) -> u8 {
    family as u8
}

/// Appends one message; its length is filled in when the body is known.
fn message(to: &mut Vec<u8>, kind: u16, flags: u16, body: impl FnOnce(&mut Vec<u8>)) {
    let start = to.len();
    to.extend_from_slice(&[0; 4]);
    to.extend_from_slice(&kind.to_ne_bytes());
    to.extend_from_slice(&flags.to_ne_bytes());
    to.extend_from_slice(&[0; 8]);
    body(to);
    let length = u32::try_from(to.len() - start).unwrap_or(u32::MAX).to_ne_bytes();
    if let Some(field) = to.get_mut(start..start + 4) {
        field.copy_from_slice(&length);
    }
}

fn attribute(to: &mut Vec<u8>, kind: u16, value: &[u8]) {
    to.extend_from_slice(&u16::try_from(4 + value.len()).unwrap_or(u16::MAX).to_ne_bytes());
    to.extend_from_slice(&kind.to_ne_bytes());
    // All values here are multiples of four bytes: no padding.
    to.extend_from_slice(value);
}

fn address(to: &mut Vec<u8>, kind: u16, address: IpAddr) {
    match address {
        IpAddr::V4(address) => attribute(to, kind, &address.octets()),
        IpAddr::V6(address) => attribute(to, kind, &address.octets()),
    }
}

/// Length and type of the next message.
fn head(datagram: &[u8]) -> Option<(usize, u16)> {
    let length = u32::from_ne_bytes(datagram.get(..4)?.try_into().ok()?) as usize;
    let kind = u16::from_ne_bytes(datagram.get(4..6)?.try_into().ok()?);
    (length >= 16).then_some((length, kind))
}

fn error_number(message: &[u8]) -> Option<i32> {
    Some(i32::from_ne_bytes(message.get(16..20)?.try_into().ok()?))
}

fn refusal(message: &[u8]) -> io::Error {
    io::Error::from_raw_os_error(error_number(message).map_or(libc::EPROTO, |number| -number))
}
