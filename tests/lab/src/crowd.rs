//! Thousands of connections a second that nobody makes: SYNs written to the wire on one side of a link, and their answers
//! on the other. No stack, no state; what a router's uplink carries at the busiest time of the day.

use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::{LabError, Namespace};

const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 10);
const SERVER: Ipv4Addr = Ipv4Addr::new(13, 107, 6, 152);

/// Packets are sent in one go for so long.
const TURN: Duration = Duration::from_millis(2);

const FIRST_PORT: u16 = 1_024;
const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;
const HEADERS: usize = 40;

/// A crowd that connects until it is dropped; those that wait for an answer then still get it.
#[derive(Debug)]
pub struct Crowd {
    answered: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Crowd {
    /// Lets so many connections a second from [`crate::CLIENT_IPV4`] to [`crate::MICROSOFT_IPV4`] leave `router`, and each
    /// be answered from `far` after `rtt`. Both need a route to where their packets go.
    ///
    /// # Errors
    /// When raw sockets are refused.
    pub fn start(router: &Namespace, far: &Namespace, rate: u32, rtt: Duration) -> Result<Self, LabError> {
        let [out, back] = [router, far].map(|namespace| namespace.run(raw_socket));
        let open = |socket: io::Result<Socket>| {
            socket.map_err(|source| LabError::system("open a raw socket for a crowd", source))
        };
        let mut line = Line { out: open(out)?, back: open(back)?, rtt, waiting: VecDeque::new() };
        let (answered, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, stopped) = (Arc::clone(&answered), Arc::clone(&stop));
        let run = move || {
            let (start, mut begun) = (Instant::now(), 0_u64);
            loop {
                let stopped = stopped.load(Ordering::Relaxed);
                if stopped && line.waiting.is_empty() {
                    break;
                }
                let rate = if stopped { 0 } else { rate };
                let due = start.elapsed().as_secs_f64() * f64::from(rate);
                while (begun as f64) < due {
                    line.ask(begun);
                    begun += 1;
                }
                count.fetch_add(line.answer(), Ordering::Relaxed);
                thread::sleep(TURN);
            }
        };
        let thread = thread::Builder::new().name("crowd".to_owned()).spawn(run);
        let thread = thread.map_err(|source| LabError::system("start a crowd", source))?;
        Ok(Self { answered, stop, thread: Some(thread) })
    }

    /// Connections that were answered so far.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed already; a second one here would abort.
            let _ = thread.join();
        }
    }
}

struct Line {
    out: Socket,
    back: Socket,
    rtt: Duration,
    waiting: VecDeque<(Instant, u64)>,
}

impl Line {
    fn ask(&mut self, number: u64) {
        let packet = packet((CLIENT, port(number)), (SERVER, 443), number, SYN);
        // A packet that is lost here is one that is lost on the way: not this one's business.
        let _ = self.out.send_to(&packet, &address(SERVER));
        self.waiting.push_back((Instant::now(), number));
    }

    fn answer(&mut self) -> u64 {
        let mut answered = 0;
        while let Some((asked, number)) = self.waiting.front().copied()
            && asked.elapsed() >= self.rtt
        {
            self.waiting.pop_front();
            let packet = packet((SERVER, 443), (CLIENT, port(number)), number, SYN_ACK);
            let _ = self.back.send_to(&packet, &address(CLIENT));
            answered += 1;
        }
        answered
    }
}

fn raw_socket() -> io::Result<Socket> {
    // The protocol that means "the header is in the packet".
    Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))
}

fn address(host: Ipv4Addr) -> SockAddr {
    SocketAddr::from((host, 0)).into()
}

/// Even ports alone, as Linux chooses them.
#[allow(clippy::cast_possible_truncation, reason = "the remainder is below the number of ports")]
fn port(number: u64) -> u16 {
    let ports = u64::from(u16::MAX - FIRST_PORT) / 2;
    FIRST_PORT + (number % ports) as u16 * 2
}

#[allow(clippy::cast_possible_truncation, reason = "sequence numbers wrap around")]
fn packet(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), number: u64, flags: u8) -> [u8; HEADERS] {
    let sequence = (number as u32).wrapping_mul(100_003);
    let (sequence, confirmed) = if flags == SYN { (sequence, 0) } else { (77, sequence.wrapping_add(1)) };
    let mut packet = [0; HEADERS];
    let parts: [&[u8]; 9] = [
        // The kernel fills in length, identification and checksum.
        &[0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0],
        &from.0.octets(),
        &to.0.octets(),
        &from.1.to_be_bytes(),
        &to.1.to_be_bytes(),
        &sequence.to_be_bytes(),
        &confirmed.to_be_bytes(),
        &[0x50, flags],
        &[0xff, 0xff, 0, 0, 0, 0],
    ];
    packet.iter_mut().zip(parts.concat()).for_each(|(to, from)| *to = from);
    packet
}
