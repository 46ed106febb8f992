//! The truth about round trips: when their packets passed the router's interface, by the kernel's clock.
//!
//! What the emulator was told to do is not what it did: its thread is woken late, and on a busy machine later. What a
//! measurer says is therefore held against what passed the interface during that very series, and how far that is from
//! what was configured is told apart.

use std::{
    collections::HashMap,
    io::{self, IoSliceMut},
    os::fd::AsRawFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{JoinHandle, sleep},
    time::Duration,
};

use nix::{
    cmsg_space,
    sys::{
        socket::{ControlMessageOwned, LinkAddr, MsgFlags, recvmsg, setsockopt, sockopt::ReceiveTimestampns},
        time::TimeSpec,
    },
};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{LabError, Link};

/// Bytes that are looked at: IPv4 header with options and the beginning of what is in it.
const SNAP: usize = 128;

/// How long the thread waits for a packet before it looks whether to stop.
const GLANCE: Duration = Duration::from_millis(20);

/// How long packets that were stamped already may need to reach the thread.
const SETTLE: Duration = Duration::from_millis(60);

/// `PACKET_OUTGOING` of if_packet.h.
const OUTGOING: u8 = 4;

/// Watches one interface until told to stop.
pub(super) struct Witness {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<Wire>>,
}

/// What passed the interface.
#[derive(Debug, Clone, Default)]
pub(super) struct Wire {
    /// Of the answered requests.
    pub(super) rtts: Vec<Duration>,
    /// All requests.
    pub(super) sent: usize,
    open: HashMap<Exchange, Duration>,
}

/// A request and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Exchange {
    /// SYN and SYN-ACK, by the local port.
    Handshake(u16),
    /// ICMP echo, by identifier and sequence number.
    Echo(u16, u16),
    /// UDP there and back, by the local port.
    Datagram(u16),
}

/// Which half of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    Request,
    Answer,
}

impl Witness {
    /// Begins to watch.
    pub(super) fn start(link: &Link) -> Result<Self, LabError> {
        let failed = |source| LabError::system(format!("watch {}", link.name()), source);
        let index = link.state()?.map_or(0, |state| state.index);
        let socket = link.namespace().run(open).map_err(failed)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = link.namespace().spawn_thread("witness", move || watch(&socket, index, &stopped))?;
        Ok(Self { stop, thread })
    }

    /// What it saw.
    pub(super) fn stop(self) -> Result<Wire, LabError> {
        sleep(SETTLE);
        self.stop.store(true, Ordering::Relaxed);
        let seen = self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        seen.map_err(|source| LabError::system("receive packets that passed the uplink", source))
    }
}

fn open() -> io::Result<Socket> {
    let protocol = i32::from(u16::to_be(libc::ETH_P_ALL.try_into().unwrap_or_default()));
    let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(protocol)))?;
    setsockopt(&socket, ReceiveTimestampns, &true)?;
    socket.set_read_timeout(Some(GLANCE))?;
    // As much as the kernel allows.
    socket.set_recv_buffer_size(8 << 20)?;
    Ok(socket)
}

fn watch(socket: &Socket, index: u32, stopped: &AtomicBool) -> io::Result<Wire> {
    let mut wire = Wire::default();
    while !stopped.load(Ordering::Relaxed) {
        match receive(socket, index) {
            Ok(Some((outgoing, at, packet))) => wire.take(outgoing, at, &packet),
            Ok(None) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(wire)
}

/// The next packet of the interface, with its direction and time; nothing when it is another's.
fn receive(socket: &Socket, index: u32) -> io::Result<Option<(bool, Duration, Vec<u8>)>> {
    let mut packet = vec![0; SNAP];
    let mut control = cmsg_space!(TimeSpec);
    let (length, from, at) = {
        let mut slices = [IoSliceMut::new(&mut packet)];
        let message = recvmsg::<LinkAddr>(socket.as_raw_fd(), &mut slices, Some(&mut control), MsgFlags::empty())?;
        let at = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
            _ => None,
        });
        (message.bytes, message.address, at)
    };
    packet.truncate(length);
    let Some((from, at)) = from.filter(|from| from.ifindex() == index as usize).zip(at) else { return Ok(None) };
    Ok(Some((from.pkttype() == OUTGOING, at, packet)))
}

impl Wire {
    fn take(&mut self, outgoing: bool, at: Duration, packet: &[u8]) {
        match (outgoing, exchange(packet)) {
            (true, Some((exchange, Half::Request))) => self.begin(exchange, at),
            (false, Some((exchange, Half::Answer))) => {
                self.rtts.extend(self.open.remove(&exchange).map(|began| at.saturating_sub(began)));
            }
            _ => {}
        }
    }
}

impl Wire {
    /// A SYN that is sent again was lost, and nobody knows which of the two an answer belongs to.
    fn begin(&mut self, exchange: Exchange, at: Duration) {
        if self.open.remove(&exchange).is_none() {
            self.sent += 1;
            self.open.insert(exchange, at);
        }
    }
}

/// Which exchange an IPv4 packet is half of. Any UDP datagram can be either half; its port is that on the side of the
/// router, which is not the well-known one.
fn exchange(packet: &[u8]) -> Option<(Exchange, Half)> {
    const SYN: u8 = 0x02;
    const ACK: u8 = 0x10;
    let first = *packet.first()?;
    let inner = packet.get(usize::from(first & 0x0f) * 4..).filter(|_| first >> 4 == 4)?;
    let field = |offset: usize| Some(u16::from_be_bytes(inner.get(offset..offset + 2)?.try_into().ok()?));
    match *packet.get(9)? {
        1 => match *inner.first()? {
            8 => Some((Exchange::Echo(field(4)?, field(6)?), Half::Request)),
            0 => Some((Exchange::Echo(field(4)?, field(6)?), Half::Answer)),
            _ => None,
        },
        6 => match *inner.get(13)? & (SYN | ACK) {
            SYN => Some((Exchange::Handshake(field(0)?), Half::Request)),
            both if both == SYN | ACK => Some((Exchange::Handshake(field(2)?), Half::Answer)),
            _ => None,
        },
        17 if field(2)? == 3478 => Some((Exchange::Datagram(field(0)?), Half::Request)),
        17 if field(0)? == 3478 => Some((Exchange::Datagram(field(2)?), Half::Answer)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(protocol: u8, inner: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend(inner);
        packet
    }

    fn tcp(source: u16, destination: u16, flags: u8) -> Vec<u8> {
        let [source, destination] = [source, destination].map(u16::to_be_bytes);
        let mut inner = [source, destination].concat();
        inner.extend([0; 8]);
        inner.extend([0x50, flags]);
        packet(6, &inner)
    }

    #[test]
    fn round_trips_are_those_of_the_same_exchange() {
        let ms = Duration::from_millis;
        let mut wire = Wire::default();
        wire.take(true, ms(0), &tcp(4000, 443, 0x02));
        wire.take(true, ms(5), &tcp(4001, 443, 0x02));
        wire.take(false, ms(12), &tcp(443, 4001, 0x12));
        wire.take(false, ms(13), &tcp(443, 4009, 0x12));
        wire.take(true, ms(14), &tcp(4001, 443, 0x10));
        wire.take(true, ms(20), &packet(1, &[8, 0, 0, 0, 1, 2, 0, 7]));
        wire.take(false, ms(29), &packet(1, &[0, 0, 0, 0, 1, 2, 0, 7]));
        assert_eq!((wire.sent, wire.rtts), (3, vec![ms(7), ms(9)]));
    }

    #[test]
    fn a_request_that_is_repeated_is_one_that_was_lost() {
        let ms = Duration::from_millis;
        let mut wire = Wire::default();
        wire.take(true, ms(0), &tcp(4000, 443, 0x02));
        wire.take(true, ms(1000), &tcp(4000, 443, 0x02));
        wire.take(false, ms(1010), &tcp(443, 4000, 0x12));
        assert_eq!((wire.sent, wire.rtts), (1, vec![]));
    }

    #[test]
    fn stumps_and_other_packets_are_nothing() {
        for packet in
            [vec![], vec![0x45], tcp(1, 2, 0x10), tcp(1, 2, 0x04), packet(17, &[0, 53, 0, 99]), vec![0x60; 40]]
        {
            assert_eq!(exchange(&packet), None, "{packet:?}");
        }
    }
}
