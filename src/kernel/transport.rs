//! A netlink datagram socket on the runtime: what is sent goes to the kernel, what is received is from the kernel.

use std::{fmt, future::poll_fn, io, time::Duration};

use netlink_sys::{AsyncSocket, Socket, SocketAddr, TokioSocket};
use rustix::net::sockopt::set_socket_recv_buffer_size_force;
use tokio::time::timeout;

use super::KernelError;

/// Larger than any datagram of the kernel: dumps are cut at 32 KiB, and a link without its virtual functions fits.
const DATAGRAM: usize = 64 * 1024;

/// A socket bound to a port of its own.
pub(super) struct Transport {
    socket: TokioSocket,
    buffer: Vec<u8>,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("socket", self.socket.socket_ref()).finish_non_exhaustive()
    }
}

impl Transport {
    /// Opens a socket of a `NETLINK_*` protocol, whose receive queue holds about `queue` bytes where the privileges allow it, and as much as
    /// `net.core.rmem_max` allows elsewhere.
    pub(super) fn open(protocol: isize, queue: usize) -> Result<Self, KernelError> {
        let open = || -> io::Result<TokioSocket> {
            // Registering a socket without a runtime would panic.
            tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
            let mut socket = TokioSocket::new(protocol)?;
            prepare(socket.socket_mut(), queue)?;
            Ok(socket)
        };
        let socket = open().map_err(|error| KernelError::socket("open a netlink socket", error))?;
        Ok(Self { socket, buffer: Vec::with_capacity(DATAGRAM) })
    }

    /// Subscribes to a multicast group (`RTNLGRP_*`), those beyond 31 included.
    pub(super) fn subscribe(&self, group: u32) -> Result<(), KernelError> {
        let joined = self.socket.socket_ref().add_membership(group);
        joined.map_err(|error| KernelError::socket(format!("subscribe to netlink group {group}"), error))
    }

    /// Sends one datagram to the kernel.
    pub(super) async fn send(&self, datagram: &[u8]) -> io::Result<()> {
        let kernel = SocketAddr::new(0, 0);
        poll_fn(|context| self.socket.poll_send_to(context, datagram, &kernel)).await.map(drop)
    }

    /// The next datagram from the kernel. Safe to cancel. A datagram that does not fit counts as an overrun
    /// (`ENOBUFS`): something was lost either way.
    pub(super) async fn receive(&mut self) -> io::Result<&[u8]> {
        loop {
            let Self { socket, buffer } = self;
            buffer.clear();
            let sender = poll_fn(|context| socket.poll_recv_from(context, buffer)).await?;
            if is_whole(&sender, buffer)? {
                return Ok(&self.buffer);
            }
        }
    }

    /// As [`Self::receive`], with a deadline: `None` when it passed.
    pub(super) async fn receive_within(&mut self, deadline: Duration) -> io::Result<Option<&[u8]>> {
        // A dump answers at once, datagram after datagram: no timer then.
        if self.fill_from_queue()? {
            return Ok(Some(&self.buffer));
        }
        match timeout(deadline, self.receive()).await {
            Ok(received) => received.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// The next datagram if one is queued.
    pub(super) fn receive_queued(&mut self) -> io::Result<Option<&[u8]>> {
        Ok(self.fill_from_queue()?.then_some(&self.buffer))
    }

    /// Throws away what is queued.
    pub(super) fn discard_queued(&mut self) {
        // Bounded, because in a flood the queue may never run dry.
        for _ in 0..100_000 {
            if let Ok(false) = self.fill_from_queue() {
                return;
            }
        }
    }

    fn fill_from_queue(&mut self) -> io::Result<bool> {
        loop {
            self.buffer.clear();
            match self.socket.socket_ref().recv_from(&mut self.buffer, 0) {
                Ok((_, sender)) if is_whole(&sender, &self.buffer)? => return Ok(true),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }
}

fn prepare(socket: &mut Socket, queue: usize) -> io::Result<()> {
    socket.bind_auto()?;
    if set_socket_recv_buffer_size_force(&*socket, queue).is_err() {
        socket.set_rx_buf_sz(libc::c_int::try_from(queue).unwrap_or(libc::c_int::MAX))?;
    }
    // Conveniences that old kernels lack: the explanation of a refusal, short acknowledgements, and dumps that are
    // filtered by the kernel instead of by us.
    for offered in [socket.set_ext_ack(true), socket.set_cap_ack(true), socket.set_netlink_get_strict_chk(true)] {
        if let Err(error) = offered {
            log::debug!("this kernel lacks a netlink option: {error}");
        }
    }
    Ok(())
}

/// False when it is not the kernel's.
fn is_whole(sender: &SocketAddr, datagram: &[u8]) -> io::Result<bool> {
    // Any local process may send to our port; only the kernel has port id 0.
    if sender.port_number() != 0 {
        return Ok(false);
    }
    if datagram.len() >= DATAGRAM {
        return Err(io::Error::from_raw_os_error(libc::ENOBUFS));
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_datagrams_of_the_kernel_are_taken() {
        let (kernel, process) = (SocketAddr::new(0, 0), SocketAddr::new(4711, 0));
        assert!(is_whole(&kernel, &[0; 16]).unwrap());
        assert!(!is_whole(&process, &[0; 16]).unwrap(), "any process may send to our port");
        let cut = is_whole(&kernel, &vec![0; DATAGRAM]).unwrap_err();
        assert_eq!(cut.raw_os_error(), Some(libc::ENOBUFS), "what was cut off is lost");
        assert!(!is_whole(&process, &vec![0; DATAGRAM]).unwrap(), "nothing of ours was lost by that");
    }
}
