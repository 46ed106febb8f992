//! The filter in a real kernel, on a socket of our own.

use std::{mem::MaybeUninit, net::TcpStream, time::Duration};

use peerward::passive::{Share, filter};
use peerward_lab::{Branch, MICROSOFT_IPV4, MICROSOFT_IPV6, Namespace, TCP_PORT};
use socket2::{Domain, Protocol, Socket, Type};

use crate::scene::connect;

/// A packet socket with the filter, which reads as much as the kernel is willing to give.
fn tap(router: &Namespace, interface: &str) -> Socket {
    let index = router.link(interface).state().unwrap().unwrap().index;
    let program = filter::program(&[index], Share::all(0)).unwrap();
    router.run(|| {
        let all = Protocol::from(i32::from(3_u16.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(all)).unwrap();
        socket.attach_filter(&filter::for_kernel(&program)).unwrap();
        socket.set_nonblocking(true).unwrap();
        while socket.recv(&mut [MaybeUninit::uninit(); 1]).is_ok() {}
        socket.set_nonblocking(false).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        socket
    })
}

/// Lengths of all that came, until nothing more does.
fn lengths(socket: &Socket) -> Vec<usize> {
    let mut buffer = [MaybeUninit::uninit(); 2_000];
    std::iter::from_fn(|| socket.recv(&mut buffer).ok()).collect()
}

pub fn agrees() {
    use std::io::{Read, Write};
    let branch = Branch::builder().build().unwrap();
    let (busy, idle) = (tap(branch.router(), "wan1"), tap(branch.router(), "wan0"));
    for server in [MICROSOFT_IPV4, MICROSOFT_IPV6] {
        branch.client().run(|| {
            let mut stream = TcpStream::connect((server, TCP_PORT)).unwrap();
            stream.write_all(b"secret").unwrap();
            stream.read_exact(&mut [0; 6]).unwrap();
        });
        connect(branch.client(), (server, TCP_PORT + 1), 1).unwrap_err();
    }
    // SYN and SYN-ACK of each connection, SYN and RST of each refusal: IP and bare TCP header.
    assert_eq!(lengths(&busy), [40, 40, 40, 40, 60, 60, 60, 60]);
    assert!(lengths(&idle).is_empty());
}
