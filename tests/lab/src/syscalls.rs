//! The only unsafe code of the lab: system calls that have no safe wrapper.
#![allow(unsafe_code, reason = "each block is one system call with its argument beside it")]

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
};

use rustix::thread::UnshareFlags;
use socket2::{Domain, Socket, Type};

/// Gives the calling thread a network namespace of its own.
pub(crate) fn unshare_network() -> io::Result<()> {
    // SAFETY: only CLONE_FILES can break file descriptor safety, and it is not asked for.
    Ok(unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }?)
}

/// Moves the process, which must have one thread, into a new user namespace.
pub(crate) fn unshare_user() -> io::Result<()> {
    // SAFETY: only CLONE_FILES can break file descriptor safety, and it is not asked for.
    Ok(unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWUSER) }?)
}

/// Makes an open `/dev/net/tun` the TUN interface `name`, without packet information headers.
pub(crate) fn attach_tun(fd: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    // SAFETY: `ifreq` is plain data; all zeroes is a valid value of it.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // One byte less than the field, so that the name stays terminated.
    let room = request.ifr_name.len() - 1;
    if name.is_empty() || name.len() > room {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("interface name of 1 to {room} bytes")));
    }
    for (slot, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *slot = byte.cast_signed() as libc::c_char;
    }
    #[allow(clippy::cast_possible_truncation, reason = "both flags fit in 16 bits")]
    {
        request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    }
    // SAFETY: TUNSETIFF reads and writes one `ifreq`, which lives until after the call.
    if unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETIFF as _, &raw mut request) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// A socket that sees every packet on an interface, without its link-layer header; reads do not block.
pub(crate) fn packet_socket(interface: u32) -> io::Result<OwnedFd> {
    // Without a protocol it sees nothing; with one, it would see every interface until it is bound.
    let socket = Socket::new(Domain::PACKET, Type::DGRAM.nonblocking().cloexec(), None)?;
    // SAFETY: `sockaddr_ll` is plain data; all zeroes is a valid value of it.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?;
    address.sll_protocol = u16::try_from(libc::ETH_P_ALL).map_err(io::Error::other)?.to_be();
    address.sll_ifindex = i32::try_from(interface).map_err(io::Error::other)?;
    // SAFETY: the address lives until after the call, and the length is its own.
    if unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length_of(&address)) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(socket.into())
}

/// The next packet of a packet socket: as much of it as fits, its whole length, and whether it was sent by this machine.
pub(crate) fn receive_packet(socket: BorrowedFd<'_>, to: &mut [u8]) -> io::Result<(usize, bool)> {
    // SAFETY: `sockaddr_ll` is plain data; all zeroes is a valid value of it.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    let mut length = length_of(&address);
    // SAFETY: buffer and address live until after the call, and the lengths are their own.
    let read = unsafe {
        libc::recvfrom(
            socket.as_raw_fd(),
            to.as_mut_ptr().cast(),
            to.len(),
            libc::MSG_TRUNC,
            (&raw mut address).cast(),
            &raw mut length,
        )
    };
    let read = usize::try_from(read).map_err(|_| io::Error::last_os_error())?;
    Ok((read, address.sll_pkttype == libc::PACKET_OUTGOING))
}

#[allow(clippy::cast_possible_truncation, reason = "20 bytes")]
fn length_of(address: &libc::sockaddr_ll) -> libc::socklen_t {
    size_of_val(address) as libc::socklen_t
}

/// Has the calling thread run before every ordinary one (`SCHED_FIFO`, lowest priority).
pub(crate) fn make_thread_real_time() -> io::Result<()> {
    let lowest = libc::sched_param { sched_priority: 1 };
    // The C library's function is for whole processes, and not everywhere there.
    // SAFETY: the kernel reads one `sched_param`, which lives until after the call; 0 is the calling thread.
    if unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, libc::SCHED_FIFO, &raw const lowest) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
