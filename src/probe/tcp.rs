//! One TCP handshake: SYN out of the uplink, SYN-ACK back, RTT by the kernel's own clock.
//!
//! The connection is closed with RST (`SO_LINGER` 0), not FIN. A FIN would leave a `TIME_WAIT` of 60 s on this router
//! for every probe (600 per path at ten a second, against a limit of a few thousand on small machines), 120 s in its
//! connection tracking and in that of every NAT on the way, and would cost both sides three packets more. RST frees
//! all of them with one packet. The handshake is completed before it, because a SYN that is never acknowledged looks
//! like a flood or a scan to the far side.
//!
//! Measured is the handshake alone: what the far side does after its SYN-ACK, a reset included, changes nothing.
//! Otherwise the result would depend on how soon this process looks.

use std::{
    io::{self, ErrorKind},
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use nix::sys::socket::{MsgFlags, recvmsg};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{net::TcpStream, time};

use super::{attempt::Attempt, tcp_info, uplink_socket};
use crate::domain::{Check, ProbeFailure, ProbeOutcome};

/// A handshake that is complete.
#[derive(Debug)]
pub(super) struct Connection {
    pub stream: TcpStream,
    /// From SYN to SYN-ACK.
    pub rtt: Duration,
    /// When the SYN was sent.
    pub started: Instant,
}

/// What a handshake came to. A failure comes with the time from SYN to RST, where it was the target that refused the first.
pub(super) type Connected = Result<Connection, (ProbeFailure, Option<Duration>)>;

/// One probe that is over with the handshake.
///
/// # Errors
/// As [`connect`].
pub(super) async fn probe(attempt: &Attempt<'_>) -> io::Result<ProbeOutcome> {
    Ok(match connect(attempt, None).await? {
        Ok(connection) => ProbeOutcome::Answered(connection.rtt),
        Err((ProbeFailure::Refused, Some(after))) if refusal_answers(attempt) && after <= attempt.timeout => {
            ProbeOutcome::Answered(after)
        }
        Err((failure, _)) => ProbeOutcome::Failed(failure),
    })
}

fn refusal_answers(attempt: &Attempt<'_>) -> bool {
    matches!(attempt.check, Check::Tcp { refusal_answers: true })
}

/// Connects; with `segment`, both sides keep their segments to so many bytes.
///
/// # Errors
/// When this machine could not try at all (out of descriptors, ports or memory, not permitted): nothing is learned about the
/// path. Everything else is an outcome.
pub(super) async fn connect(attempt: &Attempt<'_>, segment: Option<u32>) -> io::Result<Connected> {
    let started = Instant::now();
    let stream = match start(attempt, segment) {
        Ok(socket) => TcpStream::from_std(socket.into())?,
        Err(error) => return not_started(error, attempt, started).map(Err),
    };
    // `timeout` looks at the socket before it looks at the clock: an answer that came in time while this process was
    // held up is still an answer.
    match time::timeout(attempt.timeout, stream.writable()).await {
        Err(_) => Ok(Err((ProbeFailure::Timeout, None))),
        Ok(ready) => {
            ready?;
            judge(stream, started, attempt.timeout)
        }
    }
}

/// Opens a socket on the uplink and sends the SYN.
fn start(attempt: &Attempt<'_>, segment: Option<u32>) -> io::Result<Socket> {
    let domain = Domain::for_address(attempt.address);
    let socket = uplink_socket::open(attempt.interface, attempt.source, domain, Type::STREAM, Protocol::TCP)?;
    socket.set_linger(Some(Duration::ZERO))?;
    if refusal_answers(attempt) {
        uplink_socket::hear_errors(&socket, domain)?;
    }
    if let Some(segment) = segment {
        socket.set_tcp_mss(segment)?;
    }
    let sent = socket.connect(&attempt.address.into());
    if let (Some(ports), Some(local)) = (attempt.ports, socket.local_addr()?.as_socket()) {
        ports.note(local.port());
    }
    match sent {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(socket),
    }
}

/// What an error before the SYN was on its way means.
fn not_started(
    error: io::Error,
    attempt: &Attempt<'_>,
    started: Instant,
) -> io::Result<(ProbeFailure, Option<Duration>)> {
    if uplink_socket::is_own_fault(&error) {
        return Err(error);
    }
    if error.raw_os_error() == Some(libc::ECONNREFUSED) {
        return Ok((ProbeFailure::Refused, Some(started.elapsed())));
    }
    log::trace!("probe of {} could not be sent through {}: {error}", attempt.address, attempt.interface);
    Ok((ProbeFailure::NotSent, None))
}

/// What became of an attempt that ended before the loss threshold.
fn judge(stream: TcpStream, started: Instant, timeout: Duration) -> io::Result<Connected> {
    let elapsed = started.elapsed();
    if let Some(failure) = stream.take_error()?.and_then(|error| failure_of(&error)) {
        return Ok(Err((failure, Some(elapsed).filter(|_| is_first_word_of_target(&stream)))));
    }
    Ok(match rtt_of(tcp_info::of(&stream).ok(), elapsed, timeout) {
        Some(rtt) => Ok(Connection { stream, rtt, started }),
        None => Err((ProbeFailure::Timeout, None)),
    })
}

/// Whether it was the target that refused, and the first SYN that it refused. A firewall on the way says much the same by
/// ICMP (port unreachable), which the error queue tells apart since Linux 5.9.
fn is_first_word_of_target(stream: &TcpStream) -> bool {
    let again = tcp_info::of(stream).is_ok_and(|info| info.retransmissions > 0);
    let queue = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    !again && recvmsg::<()>(stream.as_raw_fd(), &mut [], None, queue).is_err()
}

/// What an error after the SYN was sent means; none when the handshake was complete all the same.
pub(super) fn failure_of(error: &io::Error) -> Option<ProbeFailure> {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => None,
        ErrorKind::ConnectionRefused => Some(ProbeFailure::Refused),
        ErrorKind::TimedOut => Some(ProbeFailure::Timeout),
        // ICMP: EHOSTUNREACH, ENETUNREACH, EACCES (ICMPv6 "prohibited"), EPROTO, ENOPROTOOPT and kin.
        _ => Some(ProbeFailure::Unreachable),
    }
}

/// The RTT of a completed handshake, if it counts as answered.
fn rtt_of(info: Option<tcp_info::TcpInfo>, elapsed: Duration, timeout: Duration) -> Option<Duration> {
    if info.is_some_and(|info| info.retransmissions > 0) {
        // The first SYN or its answer was lost, or came after the retransmission timer (1 s): either way it is lost
        // by the loss threshold's meaning, and its RTT is ambiguous (Karn's problem).
        return None;
    }
    Some(info.and_then(|info| info.rtt).unwrap_or(elapsed)).filter(|rtt| *rtt <= timeout)
}

#[cfg(test)]
mod tests;
