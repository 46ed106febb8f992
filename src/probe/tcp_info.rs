//! What the kernel itself measured of a TCP connection (`TCP_INFO`): no scheduling delay of this process is in it.
//!
//! The only unsafe code of the agent. Neither std, tokio, socket2 nor rustix offers this socket option.

#![allow(unsafe_code, reason = "one getsockopt call, with its argument for safety")]

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
    time::Duration,
};

/// The first 104 bytes of `struct tcp_info` (linux/tcp.h) as 32-bit words: the part that every kernel since 2.6 has.
/// Its first two words hold single bytes; the rest are `__u32` each.
const WORDS: usize = 26;
const WORD_RTT: usize = 17;
const WORD_TOTAL_RETRANS: usize = 25;

/// What a connection attempt tells about its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TcpInfo {
    /// Smoothed RTT; right after the handshake it is the time from SYN to SYN-ACK, in whole microseconds. Absent
    /// when the kernel has no unambiguous measurement.
    pub rtt: Option<Duration>,
    /// Segments sent again since the start; right after the handshake: SYNs.
    pub retransmissions: u32,
}

/// Reads it.
///
/// # Errors
/// When the descriptor is no TCP socket.
pub(super) fn of(socket: &impl AsFd) -> io::Result<TcpInfo> {
    let mut words = [0_u32; WORDS];
    let capacity = size_of_val(&words);
    let mut length = libc::socklen_t::try_from(capacity).map_err(io::Error::other)?;
    // SAFETY: the descriptor is borrowed, so it stays open during the call. `words` is valid for writes of `length`
    // bytes, the kernel writes at most that many (man 2 getsockopt), both pointers outlive the call and do not alias,
    // and any bytes are valid `u32`s.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            words.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let microseconds = Some(words[WORD_RTT]).filter(|microseconds| *microseconds != 0);
    Ok(TcpInfo {
        rtt: microseconds.map(|microseconds| Duration::from_micros(microseconds.into())),
        retransmissions: words[WORD_TOTAL_RETRANS],
    })
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read,
        net::{TcpListener, TcpStream, UdpSocket},
    };

    use super::*;

    #[test]
    fn a_connection_on_loopback_has_a_small_rtt_and_no_retransmission() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let info = of(&stream).unwrap();
        assert!(info.rtt.unwrap_or_default() < Duration::from_secs(1), "{info:?}");
        assert_eq!(info.retransmissions, 0);
    }

    #[test]
    fn it_agrees_with_the_layout_of_the_c_library() {
        assert_eq!(std::mem::offset_of!(libc::tcp_info, tcpi_rtt), WORD_RTT * 4);
        assert_eq!(std::mem::offset_of!(libc::tcp_info, tcpi_total_retrans), WORD_TOTAL_RETRANS * 4);
    }

    #[test]
    fn the_rtt_outlives_a_reset_by_the_peer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (peer, _) = listener.accept().unwrap();
        socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
        let before = of(&stream).unwrap();
        drop(peer);
        assert!(stream.read(&mut [0]).is_err());
        assert_eq!(of(&stream).unwrap(), before);
    }

    #[test]
    fn a_socket_that_is_not_tcp_is_an_error() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(of(&socket).is_err());
    }
}
