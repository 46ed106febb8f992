//! The UDP flow: numbered datagrams, whatever becomes of those before.

use std::{
    io,
    net::{IpAddr, UdpSocket},
    os::fd::AsFd,
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Shared;
use crate::ECHO_PORT;

/// Opens the socket inside the namespace; the returned closure is the flow.
pub(super) fn prepare(
    shared: Arc<Shared>,
    source: IpAddr,
    destination: IpAddr,
    interval: Duration,
) -> io::Result<impl FnOnce() + Send + use<>> {
    let socket = UdpSocket::bind((source, 0))?;
    socket.connect((destination, ECHO_PORT))?;
    socket.set_nonblocking(true)?;
    Ok(move || run(&shared, &socket, interval))
}

fn run(shared: &Shared, socket: &UdpSocket, interval: Duration) {
    let mut next = Instant::now();
    while !shared.stopped() {
        let now = Instant::now();
        if now >= next {
            let number = shared.record().send(now);
            // A refusal (no route, no buffer) is a lost request like any other.
            let _ = socket.send(&number.to_be_bytes());
            // After a pause of this very thread the schedule moves on instead of bursting.
            next = (next + interval).max(now);
        }
        receive(shared, socket);
        wait(socket, next.saturating_duration_since(Instant::now()));
    }
}

fn receive(shared: &Shared, socket: &UdpSocket) {
    let mut number = [0; 8];
    // An ICMP error of an earlier datagram ends the loop too; what waits behind it is read next time.
    while let Ok(length) = socket.recv(&mut number) {
        if length == number.len() {
            shared.record().answer(u64::from_be_bytes(number), Instant::now());
        }
    }
}

fn wait(socket: &UdpSocket, patience: Duration) {
    let timeout = Timespec { tv_sec: 0, tv_nsec: patience.subsec_nanos().into() };
    // An interrupted wait only makes the loop look earlier.
    let _ = poll(&mut [PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN)], Some(&timeout));
}
