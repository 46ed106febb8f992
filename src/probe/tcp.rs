//! One TCP-connect probe: SYN out of the uplink, SYN-ACK back, RTT by the kernel's own clock.
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
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::{net::TcpStream, time};

use super::tcp_info;
use crate::domain::{ProbeFailure, ProbeOutcome};

/// Probes `target` once through `interface`, from `source` if one is given.
///
/// # Errors
/// When this machine could not try at all (out of descriptors, ports or memory, not permitted): nothing is learned about the
/// path. Everything else is an outcome.
pub(super) async fn probe(
    interface: &str,
    source: Option<IpAddr>,
    target: SocketAddr,
    timeout: Duration,
) -> io::Result<ProbeOutcome> {
    let started = Instant::now();
    let stream = match start(interface, source, target) {
        Ok(socket) => TcpStream::from_std(socket.into())?,
        Err(error) => return not_started(error, interface, target),
    };
    // `timeout` looks at the socket before it looks at the clock: an answer that came in time while this process was
    // held up is still an answer.
    match time::timeout(timeout, stream.writable()).await {
        Err(_) => Ok(ProbeOutcome::Failed(ProbeFailure::Timeout)),
        Ok(ready) => {
            ready?;
            judge(&stream, started, timeout)
        }
    }
}

/// Opens a socket on the uplink and sends the SYN.
fn start(interface: &str, source: Option<IpAddr>, target: SocketAddr) -> io::Result<Socket> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(target), kind, Some(Protocol::TCP))?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.set_linger(Some(Duration::ZERO))?;
    if let Some(source) = source {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    match socket.connect(&target.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(socket),
    }
}

/// What an error before the SYN was on its way means.
fn not_started(error: io::Error, interface: &str, target: SocketAddr) -> io::Result<ProbeOutcome> {
    match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS | libc::EPERM | libc::EADDRINUSE) => {
            Err(error)
        }
        Some(libc::ECONNREFUSED) => Ok(ProbeOutcome::Failed(ProbeFailure::Refused)),
        _ => {
            log::trace!("probe of {target} could not be sent through {interface}: {error}");
            Ok(ProbeOutcome::Failed(ProbeFailure::NotSent))
        }
    }
}

/// What became of an attempt that ended before the loss threshold.
fn judge(stream: &TcpStream, started: Instant, timeout: Duration) -> io::Result<ProbeOutcome> {
    let elapsed = started.elapsed();
    if let Some(failure) = stream.take_error()?.and_then(|error| failure_of(&error)) {
        return Ok(ProbeOutcome::Failed(failure));
    }
    Ok(outcome_of(tcp_info::of(stream).ok(), elapsed, timeout))
}

/// What an error after the SYN was sent means; none when the handshake was complete all the same.
fn failure_of(error: &io::Error) -> Option<ProbeFailure> {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => None,
        ErrorKind::ConnectionRefused => Some(ProbeFailure::Refused),
        ErrorKind::TimedOut => Some(ProbeFailure::Timeout),
        // ICMP: EHOSTUNREACH, ENETUNREACH, EACCES (ICMPv6 "prohibited"), EPROTO, ENOPROTOOPT and kin.
        _ => Some(ProbeFailure::Unreachable),
    }
}

/// What a completed handshake means.
fn outcome_of(info: Option<tcp_info::TcpInfo>, elapsed: Duration, timeout: Duration) -> ProbeOutcome {
    if info.is_some_and(|info| info.retransmissions > 0) {
        // The first SYN or its answer was lost, or came after the retransmission timer (1 s): either way it is lost
        // by the loss threshold's meaning, and its RTT is ambiguous (Karn's problem).
        return ProbeOutcome::Failed(ProbeFailure::Timeout);
    }
    let rtt = info.and_then(|info| info.rtt).unwrap_or(elapsed);
    if rtt > timeout { ProbeOutcome::Failed(ProbeFailure::Timeout) } else { ProbeOutcome::Answered(rtt) }
}

#[cfg(test)]
mod tests;
