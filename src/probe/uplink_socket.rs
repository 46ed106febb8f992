//! A socket that leaves by one uplink and no other, whatever the tables say; and whose fault it is when it cannot be had.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use nix::sys::socket::{
    setsockopt,
    sockopt::{Ipv4RecvErr, Ipv6RecvErr},
};
use socket2::{Domain, Protocol, Socket, Type};

/// Opens one, bound to the interface and to the source if one is given; it does not block, and no child process has it.
///
/// # Errors
/// Those of the kernel; [`is_own_fault`] tells whether the path has a part in them.
pub(super) fn open(
    interface: &str,
    source: Option<IpAddr>,
    domain: Domain,
    kind: Type,
    protocol: Protocol,
) -> io::Result<Socket> {
    let socket = Socket::new(domain, kind.nonblocking().cloexec(), Some(protocol))?;
    // A name may lead to an IPv4 address in the dress of IPv6 (RFC 4291 section 2.5.5.2): a path of IPv6 must not be
    // measured by IPv4. Raw sockets do not know them.
    if domain == Domain::IPV6 && kind != Type::RAW {
        socket.set_only_v6(true)?;
    }
    socket.bind_device(Some(interface.as_bytes()))?;
    if let Some(source) = source {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    Ok(socket)
}

/// Queues what the network reports of its packets (ICMP errors), apart from what the far side sends.
///
/// # Errors
/// When the socket is of another domain.
pub(super) fn hear_errors(socket: &Socket, domain: Domain) -> io::Result<()> {
    let set = if domain == Domain::IPV4 {
        setsockopt(socket, Ipv4RecvErr, &true)
    } else {
        setsockopt(socket, Ipv6RecvErr, &true)
    };
    Ok(set?)
}

/// Whether this machine alone is at fault (out of descriptors, ports or memory, not permitted): then nothing is learned
/// about the path.
pub(super) fn is_own_fault(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS | libc::EPERM | libc::EADDRINUSE)
    )
}
