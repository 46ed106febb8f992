//! One packet out of the uplink and its answer, on a socket of its own: what ICMP echo and STUN have in common.
//!
//! The socket is bound to the interface and connected: the kernel gives it only what comes through that very interface, and
//! the ICMP errors that quote its packet. Ping sockets are given what anybody sends, so the sender is looked at here. The
//! stamps of packets come with the answer, and those of sending through the error queue.

use std::{
    io::{self, ErrorKind, IoSliceMut},
    net::IpAddr,
    os::fd::{AsRawFd, RawFd},
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::{
        socket::{
            ControlMessageOwned, MsgFlags, SockaddrStorage, TimestampingFlag, recvmsg, setsockopt,
            sockopt::{ReceiveTimestampns, Timestamping},
        },
        time::TimeSpec,
    },
};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::{io::Interest, net::UdpSocket, task, time};

use super::{
    attempt::Attempt,
    timestamps::{Journey, Moment, Wall},
    uplink_socket,
};
use crate::domain::{ProbeFailure, ProbeOutcome};

/// What a packet from the target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// The answer.
    Answer,
    /// Sent to this probe, but not what it asked for.
    Noise,
    /// Somebody else's.
    NotOurs,
}

/// Most packets looked at before others get their turn.
const MOST_AT_ONCE: usize = 64;

/// Beyond a request, what an answer may have that the request has not: IP header, attributes.
const ROOM: usize = 1024;

/// Origins of errors (linux/errqueue.h) that the network reported; stamps of sending come by the same queue.
const FROM_NETWORK: [u8; 3] = [libc::SO_EE_ORIGIN_LOCAL, libc::SO_EE_ORIGIN_ICMP, libc::SO_EE_ORIGIN_ICMP6];

/// The error queue first: the stamp of sending is there before any answer.
const QUEUES: [(Interest, MsgFlags); 2] =
    [(Interest::ERROR, MsgFlags::MSG_ERRQUEUE), (Interest::READABLE, MsgFlags::empty())];

/// Opens a socket for this attempt.
///
/// # Errors
/// Those of the kernel; [`not_sent`] says what they mean.
pub(super) fn open(attempt: &Attempt<'_>, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let domain = Domain::for_address(attempt.address);
    let socket = uplink_socket::open(attempt.interface, attempt.source, domain, kind, protocol)?;
    uplink_socket::hear_errors(&socket, domain)?;
    let stamps = TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE
        | TimestampingFlag::SOF_TIMESTAMPING_RX_SOFTWARE
        | TimestampingFlag::SOF_TIMESTAMPING_TX_SOFTWARE
        | TimestampingFlag::SOF_TIMESTAMPING_OPT_TSONLY;
    if setsockopt(&socket, Timestamping, &stamps).is_err() {
        // Without any, the monotonic clock does.
        let _ = setsockopt(&socket, ReceiveTimestampns, &true);
    }
    socket.connect(&attempt.address.into())?;
    Ok(socket)
}

/// What it means that a packet could not be handed to the kernel.
///
/// # Errors
/// When this machine is at fault (out of descriptors, ports or memory, not permitted): nothing is learned about the path.
pub(super) fn not_sent(error: io::Error, attempt: &Attempt<'_>) -> io::Result<ProbeOutcome> {
    if uplink_socket::is_own_fault(&error) {
        return Err(error);
    }
    Ok(ProbeOutcome::Failed(match error.raw_os_error() {
        // Larger than the interface, or a router that said so before, lets through unfragmented.
        Some(libc::EMSGSIZE) => ProbeFailure::MtuHole,
        _ => {
            log::trace!("probe of {} could not be sent through {}: {error}", attempt.address, attempt.interface);
            ProbeFailure::NotSent
        }
    }))
}

/// Sends `request`, once, and waits for its answer: `heard` says what a packet is, `is_ours` whether an ICMP error that
/// quotes so much of a packet is about this request.
///
/// # Errors
/// When this machine could not try at all.
pub(super) async fn exchange(
    socket: Socket,
    request: &[u8],
    attempt: &Attempt<'_>,
    heard: impl Fn(&[u8]) -> Heard,
    is_ours: impl Fn(&[u8]) -> bool,
) -> io::Result<ProbeOutcome> {
    // Tokio's word for any socket of datagrams; not one of its methods here knows of UDP.
    let socket = UdpSocket::from_std(socket.into())?;
    let before = Moment::now();
    match SockRef::from(&socket).send(request) {
        // To sockets that hear of errors the kernel tells so that the interface's own queue dropped the packet. Users'
        // packets meet the same queue: a modem that takes nothing more must not pass for a path of which nothing is known.
        Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
            return Ok(ProbeOutcome::Failed(ProbeFailure::NotSent));
        }
        Err(error) => return not_sent(error, attempt),
        Ok(_) => {}
    }
    let mut waiting = Waiting {
        descriptor: socket.as_raw_fd(),
        target: attempt.address.ip(),
        before,
        sent: None,
        noise: false,
        buffer: vec![0; request.len() + ROOM],
        heard,
        is_ours,
    };
    // `timeout` looks at the socket before it looks at the clock: an answer that came in time while this process was
    // held up is still an answer, by its stamp.
    let end = time::timeout(attempt.timeout, async {
        loop {
            socket.ready(Interest::READABLE | Interest::ERROR).await?;
            // Apart, because tokio forgets readiness of one interest at a time alone.
            for (interest, queue) in QUEUES {
                match socket.try_io(interest, || waiting.look(queue)) {
                    Ok(Seen::End(end)) => return Ok(end),
                    Ok(Seen::TooMuch) => task::yield_now().await,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            // Whatever the kernel reports again and again, the clock is looked at.
            task::consume_budget().await;
        }
    });
    Ok(match end.await {
        Ok(end) => match end? {
            Ok(rtt) if rtt <= attempt.timeout => ProbeOutcome::Answered(rtt),
            Ok(_) => ProbeOutcome::Failed(ProbeFailure::Timeout),
            Err(failure) => ProbeOutcome::Failed(failure),
        },
        Err(_) if waiting.noise => ProbeOutcome::Failed(ProbeFailure::Unexpected),
        Err(_) => ProbeOutcome::Failed(ProbeFailure::Timeout),
    })
}

/// What a look at the socket came to.
enum Seen {
    End(Result<Duration, ProbeFailure>),
    /// Somebody floods us.
    TooMuch,
}

struct Waiting<H, Q> {
    descriptor: RawFd,
    target: IpAddr,
    before: Moment,
    sent: Option<Wall>,
    noise: bool,
    buffer: Vec<u8>,
    heard: H,
    is_ours: Q,
}

impl<H: Fn(&[u8]) -> Heard, Q: Fn(&[u8]) -> bool> Waiting<H, Q> {
    /// Looks through one queue.
    ///
    /// # Errors
    /// `WouldBlock` when there is nothing more in it until the kernel says so.
    fn look(&mut self, queue: MsgFlags) -> io::Result<Seen> {
        for _ in 0..MOST_AT_ONCE {
            match self.take(queue) {
                Taken::End(end) => return Ok(Seen::End(end)),
                Taken::Other => {}
                Taken::Empty => return Err(ErrorKind::WouldBlock.into()),
            }
        }
        Ok(Seen::TooMuch)
    }

    fn take(&mut self, queue: MsgFlags) -> Taken {
        let mut control = Control([0; 256]);
        let mut room = [IoSliceMut::new(&mut self.buffer)];
        let (length, sender, stamp, error) = match recvmsg::<SockaddrStorage>(
            self.descriptor,
            &mut room,
            Some(&mut control.0),
            queue | MsgFlags::MSG_DONTWAIT,
        ) {
            Ok(message) => {
                let (stamp, error) = read(message.cmsgs().into_iter().flatten());
                (message.bytes, message.address.and_then(address_of), stamp, error)
            }
            Err(Errno::EAGAIN) => return Taken::Empty,
            // What was reported, the error queue tells with more detail; on a raw socket it may be another's.
            Err(_) => return Taken::Other,
        };
        let packet = self.buffer.get(..length).unwrap_or_default();
        if queue.contains(MsgFlags::MSG_ERRQUEUE) {
            return match error {
                Some(failure) if (self.is_ours)(packet) => Taken::End(Err(failure)),
                Some(_) => Taken::Other,
                None => {
                    self.sent = self.sent.or(stamp);
                    Taken::Other
                }
            };
        }
        if sender.is_some_and(|sender| sender != self.target) {
            return Taken::Other;
        }
        match (self.heard)(packet) {
            Heard::Answer => {
                let journey = Journey { before: self.before, after: Moment::now(), sent: self.sent, received: stamp };
                Taken::End(Ok(journey.rtt()))
            }
            Heard::Noise => {
                self.noise = true;
                Taken::Other
            }
            Heard::NotOurs => Taken::Other,
        }
    }
}

enum Taken {
    End(Result<Duration, ProbeFailure>),
    Other,
    Empty,
}

/// Room for control messages, aligned as their headers are.
#[repr(align(8))]
struct Control([u8; 256]);

/// The stamp of a packet, and what the network said of it.
fn read(messages: impl Iterator<Item = ControlMessageOwned>) -> (Option<Wall>, Option<ProbeFailure>) {
    let (mut stamp, mut failure) = (None, None);
    for message in messages {
        match message {
            ControlMessageOwned::ScmTimestampsns(stamps) => stamp = wall(stamps.system),
            ControlMessageOwned::ScmTimestampns(time) => stamp = wall(time),
            ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _) => {
                failure = failure_of(&error);
            }
            _ => {}
        }
    }
    (stamp, failure)
}

fn address_of(sender: SockaddrStorage) -> Option<IpAddr> {
    let ipv4 = sender.as_sockaddr_in().map(|sender| sender.ip().into());
    ipv4.or_else(|| sender.as_sockaddr_in6().map(|sender| sender.ip().into()))
}

fn wall(stamp: TimeSpec) -> Option<Wall> {
    let time = Wall::new(u64::try_from(stamp.tv_sec()).ok()?, u32::try_from(stamp.tv_nsec()).ok()?);
    Some(time).filter(|time| !time.is_zero())
}

fn failure_of(error: &libc::sock_extended_err) -> Option<ProbeFailure> {
    if !FROM_NETWORK.contains(&error.ee_origin) {
        return None;
    }
    Some(match i32::try_from(error.ee_errno).unwrap_or_default() {
        // ICMP port unreachable: the host is there, the service is not.
        libc::ECONNREFUSED => ProbeFailure::Refused,
        // ICMP fragmentation needed, ICMPv6 packet too big.
        libc::EMSGSIZE => ProbeFailure::MtuHole,
        _ => ProbeFailure::Unreachable,
    })
}
