//! The packet socket: one for all uplinks, with the filter in the kernel.
//!
//! It is bound to no interface, because the filter tells interfaces apart: one that is made again under a new index only
//! needs a new filter, and there is no moment at which a socket listens to the wrong one. The price is that the filter
//! runs, to its first instructions, for packets of other interfaces too.

use std::{
    io::{self, IoSliceMut},
    os::fd::{AsFd, AsRawFd},
    time::Duration,
};

use nix::sys::socket::{
    ControlMessageOwned, LinkAddr, MsgFlags, MultiHeaders, recvmmsg, setsockopt,
    sockopt::{RcvBufForce, ReceiveTimestampns, RxqOvfl},
};
use rustix::{
    net::netdevice::name_to_index,
    time::{ClockId, clock_gettime},
};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::{io::Interest, net::UdpSocket};

use super::{
    assembler::Instruction,
    filter::{OUTGOING, for_kernel},
    stamp::Clocks,
};
use crate::clock::boot_time;

/// Packets taken by one system call.
const BATCH: usize = 64;

/// The longest that the filter lets through: an IPv4 header with all its options, and the bare TCP header.
pub const LONGEST: usize = 80;

/// Holds what comes in the time of one nap at many times the budget; a packet of 80 bytes takes about 1 kB here.
const QUEUE: usize = 1024 * 1024;

/// Room for the time stamp, the count of drops, and for what musl adds to them on 32-bit machines.
type Control = [u64; 12];

/// A packet that the filter let through.
#[derive(Debug, Clone, Copy)]
pub struct Passed {
    bytes: [u8; LONGEST],
    length: usize,
    /// Interface.
    pub interface: u32,
    /// Whether it left.
    pub outgoing: bool,
    /// Wall time since 1970, by the kernel.
    pub wall: Duration,
}

impl Passed {
    /// One of these bytes, as far as they fit.
    pub fn new(content: &[u8], interface: u32, outgoing: bool, wall: Duration) -> Self {
        let mut bytes = [0; LONGEST];
        bytes.iter_mut().zip(content).for_each(|(to, from)| *to = *from);
        Self { bytes, length: content.len().min(LONGEST), interface, outgoing, wall }
    }

    /// From its IP header on.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// What one reading found.
#[derive(Debug)]
pub struct Batch {
    /// Packets, oldest first.
    pub packets: Vec<Passed>,
    /// The clocks after it.
    pub clocks: Clocks,
    /// Whether it left the queue empty.
    pub emptied: bool,
}

/// An open packet socket.
#[derive(Debug)]
pub struct Tap {
    /// The packet socket, in the one wrapper of the runtime that takes any datagram socket.
    socket: UdpSocket,
    /// Packets for which there was no room, as the kernel last said.
    dropped: u32,
}

impl Tap {
    /// Opens it; nothing passes before the first filter is set.
    ///
    /// # Errors
    /// Without `CAP_NET_RAW`, or when the kernel has no packet sockets.
    pub fn open() -> io::Result<Self> {
        let all = Protocol::from(i32::from(u16::try_from(libc::ETH_P_ALL).unwrap_or_default().to_be()));
        let socket = Socket::new(Domain::PACKET, Type::DGRAM.nonblocking(), Some(all))?;
        socket.attach_filter(&[drop_all()])?;
        // Whatever came between these two calls is thrown away unread.
        for _ in 0..u16::MAX {
            if socket.recv(&mut []).is_err() {
                break;
            }
        }
        setsockopt(&socket, ReceiveTimestampns, &true)?;
        setsockopt(&socket, RxqOvfl, &1)?;
        if setsockopt(&socket, RcvBufForce, &QUEUE).is_err() {
            // Without CAP_NET_ADMIN the system's limit holds.
            socket.set_recv_buffer_size(QUEUE)?;
        }
        Ok(Self { socket: UdpSocket::from_std(socket.into())?, dropped: 0 })
    }

    /// Sets another filter; the old one works until it does.
    ///
    /// # Errors
    /// When the kernel refuses it.
    pub fn filter(&self, program: &[Instruction]) -> io::Result<()> {
        SockRef::from(&self.socket).attach_filter(&for_kernel(program))
    }

    /// Index of an interface; absent when there is none of that name.
    pub fn index_of(&self, interface: &str) -> Option<u32> {
        name_to_index(self.socket.as_fd(), interface).ok().filter(|index| *index != 0)
    }

    /// Waits until there are packets.
    ///
    /// # Errors
    /// When the runtime has gone.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Takes a batch of packets.
    ///
    /// # Errors
    /// When the socket is broken.
    pub fn read(&mut self) -> io::Result<Batch> {
        let (socket, dropped) = (&self.socket, &mut self.dropped);
        match socket.try_io(Interest::READABLE, || read_batch(socket, dropped)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Ok(Batch { packets: Vec::new(), clocks: clocks(), emptied: true })
            }
            read => read,
        }
    }

    /// Packets for which the kernel had no room, since it was opened.
    pub fn dropped(&self) -> u32 {
        self.dropped
    }
}

fn read_batch(socket: &UdpSocket, dropped: &mut u32) -> io::Result<Batch> {
    let mut buffers = [[0_u8; LONGEST]; BATCH];
    let mut slices: Vec<_> = buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
    // Made anew each time: the kernel leaves in them how much it used.
    let mut headers = MultiHeaders::<LinkAddr>::preallocate(BATCH, Some(nix::cmsg_space!(Control)));
    let flags = MsgFlags::MSG_DONTWAIT;
    let messages = recvmmsg(socket.as_raw_fd(), &mut headers, slices.iter_mut(), flags, None)?;
    let clocks = clocks();
    let mut batch = Batch { packets: Vec::with_capacity(BATCH), clocks, emptied: false };
    let mut received = 0;
    for message in messages {
        received += 1;
        let mut stamp = None;
        for control in message.cmsgs().into_iter().flatten() {
            match control {
                ControlMessageOwned::ScmTimestampns(time) => stamp = Some(Duration::from(time)),
                ControlMessageOwned::RxqOvfl(all) => *dropped = all,
                _ => {}
            }
        }
        let Some((address, wall)) = message.address.zip(stamp) else { continue };
        let Some((interface, content)) = u32::try_from(address.ifindex()).ok().zip(message.iovs().next()) else {
            continue;
        };
        batch.packets.push(Passed::new(content, interface, address.pkttype() == OUTGOING, wall));
    }
    batch.emptied = received < BATCH;
    Ok(batch)
}

fn drop_all() -> socket2::SockFilter {
    socket2::SockFilter::new(0x06, 0, 0, 0)
}

/// Both clocks now, read as closely together as this machine lets us.
pub fn clocks() -> Clocks {
    let read = || {
        let before = boot_time();
        let wall = clock_gettime(ClockId::Realtime);
        let boot = boot_time();
        let seconds = u64::try_from(wall.tv_sec).unwrap_or_default();
        let wall = Duration::new(seconds, u32::try_from(wall.tv_nsec).unwrap_or_default());
        (boot.since(before), Clocks { wall, boot })
    };
    // Interrupted in between, one would look like a step of the clock.
    let readings = [read(), read(), read()];
    let [first, ..] = readings;
    readings.into_iter().min_by_key(|(took, _)| *took).unwrap_or(first).1
}
