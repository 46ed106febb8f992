//! The TCP flow: one small request after the other on one connection, as an interactive application does.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, TcpStream},
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use super::Shared;
use crate::TCP_PORT;

/// How long an application would wait before it connects anew; retransmissions get several chances before.
const GIVE_UP: Duration = Duration::from_millis(1500);

/// How often the stop signal is looked at while nothing answers.
const GLANCE: Duration = Duration::from_millis(100);

pub(super) fn run(shared: &Shared, destination: IpAddr, interval: Duration) {
    let mut first = true;
    while !shared.stopped() {
        if !first {
            shared.reconnects.fetch_add(1, Ordering::Relaxed);
        }
        first = false;
        // Whatever ends a connection, the answer is a new one; what was lost is in the record.
        let _ = converse(shared, destination, interval);
    }
}

fn converse(shared: &Shared, destination: IpAddr, interval: Duration) -> io::Result<()> {
    let number = shared.record().send(Instant::now());
    let mut stream = TcpStream::connect_timeout(&(destination, TCP_PORT).into(), GIVE_UP)
        .inspect_err(|_| std::thread::sleep(Duration::from_millis(10)))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(GLANCE))?;
    // The handshake is the first request of a connection.
    shared.record().answer(number, Instant::now());
    while !shared.stopped() {
        let now = Instant::now();
        let number = shared.record().send(now);
        stream.write_all(&number.to_be_bytes())?;
        await_echo(shared, &mut stream, number)?;
        shared.record().answer(number, Instant::now());
        std::thread::sleep((now + interval).saturating_duration_since(Instant::now()));
    }
    Ok(())
}

fn await_echo(shared: &Shared, stream: &mut TcpStream, number: u64) -> io::Result<()> {
    let (mut held, mut length, started) = ([0; 8], 0, Instant::now());
    while length < held.len() {
        match stream.read(held.get_mut(length..).unwrap_or_default()) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(more) => length += more,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                if shared.stopped() || started.elapsed() > GIVE_UP {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
    if u64::from_be_bytes(held) == number { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}
