//! The emulator's loop: read what came, hold it as long as its path demands, hand it on.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, HashMap},
    fs::File,
    io::{self, Read, Write},
    num::NonZeroU64,
    os::fd::{AsFd, BorrowedFd},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{ECHO_PORT, Seen, Shared, lock, packet, packet::Ends, profile::Line};

/// Largest packet that a TUN interface of 1500 bytes hands out, with room to spare.
const LARGEST_PACKET: usize = 2048;

/// Packets read from one interface before the others have their turn.
const BATCH: usize = 64;

/// Where a packet goes after its time on the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// To the edge, having come through this ISP.
    Edge { by: usize },
    /// To the branch through this ISP.
    Isp(usize),
}

struct Flying {
    due: Instant,
    /// Keeps the order of packets that are due at the same time.
    order: u64,
    exit: Exit,
    packet: Vec<u8>,
}

pub(super) struct Engine {
    shared: Arc<Mutex<Shared>>,
    isps: Vec<File>,
    edge: File,
    towards_edge: Vec<Line>,
    from_edge: Vec<Line>,
    flying: BinaryHeap<Reverse<Flying>>,
    launched: u64,
    /// By which ISP each pair of addresses last reached the edge.
    way_back: HashMap<Ends, usize>,
    random: fastrand::Rng,
}

impl Engine {
    pub(super) fn new(shared: Arc<Mutex<Shared>>, isps: Vec<File>, edge: File, seed: u64) -> Self {
        let lines = || isps.iter().map(|_| Line::default()).collect();
        Self {
            shared,
            towards_edge: lines(),
            from_edge: lines(),
            isps,
            edge,
            flying: BinaryHeap::new(),
            launched: 0,
            way_back: HashMap::new(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Runs until `stopped` is hung up.
    pub(super) fn run(mut self, stopped: BorrowedFd<'_>) {
        // The default timer slack of 50 µs would be added to every delay.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        loop {
            match self.wait(stopped) {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => panic!("the fabric cannot poll its interfaces: {error}"),
            }
            for isp in 0..self.isps.len() {
                self.read_isp(isp);
            }
            self.read_edge();
            self.deliver_due();
        }
    }

    /// Waits for a packet or for the next delivery. Returns whether to stop.
    fn wait(&self, stopped: BorrowedFd<'_>) -> io::Result<bool> {
        let mut waits: Vec<_> = [stopped, self.edge.as_fd()]
            .into_iter()
            .chain(self.isps.iter().map(AsFd::as_fd))
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        let patience = self.flying.peek().map(|next| next.0.due.saturating_duration_since(Instant::now()));
        poll(&mut waits, patience.map(timespec).as_ref())?;
        Ok(waits.first().is_some_and(|stop| !stop.revents().is_empty()))
    }

    fn read_isp(&mut self, isp: usize) {
        for _ in 0..BATCH {
            let Some(packet) = self.isps.get_mut(isp).and_then(next_packet) else { return };
            if let Some(ends) = Ends::of(&packet).filter(|ends| self.admits(isp, *ends)) {
                let now = Instant::now();
                self.note(ends, isp, now);
                let profile = lock(&self.shared).paths.get(isp).map(|path| path.towards_edge);
                let line = self.towards_edge.get_mut(isp);
                let due = line
                    .zip(profile)
                    .and_then(|(line, profile)| line.deliver(&profile, packet.len(), now, &mut self.random));
                self.launch(due, Exit::Edge { by: isp }, packet);
            }
        }
    }

    fn read_edge(&mut self) {
        for _ in 0..BATCH {
            let Some(packet) = next_packet(&mut self.edge) else { return };
            self.send_back(packet);
        }
    }

    /// Puts a packet from the edge on its way to the branch.
    fn send_back(&mut self, packet: Vec<u8>) {
        let Some(isp) = Ends::of(&packet).and_then(|ends| self.way_back.get(&ends.reversed()).copied()) else {
            return;
        };
        let profile = lock(&self.shared).paths.get(isp).map(|path| path.from_edge);
        let line = self.from_edge.get_mut(isp);
        let due = line
            .zip(profile)
            .and_then(|(line, profile)| line.deliver(&profile, packet.len(), Instant::now(), &mut self.random));
        self.launch(due, Exit::Isp(isp), packet);
    }

    fn launch(&mut self, due: Option<Instant>, exit: Exit, packet: Vec<u8>) {
        if let Some(due) = due {
            self.launched += 1;
            self.flying.push(Reverse(Flying { due, order: self.launched, exit, packet }));
        }
    }

    fn deliver_due(&mut self) {
        while self.flying.peek().is_some_and(|next| next.0.due <= Instant::now()) {
            let Some(Reverse(Flying { exit, mut packet, .. })) = self.flying.pop() else { return };
            match exit {
                Exit::Edge { by } => {
                    if let Some(ends) = Ends::of(&packet) {
                        self.way_back.insert(ends, by);
                    }
                    if packet::turn_round(&mut packet, ECHO_PORT) {
                        self.send_back(packet);
                    } else {
                        hand_over(&mut self.edge, &packet);
                    }
                }
                Exit::Isp(isp) => {
                    if let Some(file) = self.isps.get_mut(isp) {
                        hand_over(file, &packet);
                    }
                }
            }
        }
    }

    fn admits(&self, isp: usize, ends: Ends) -> bool {
        lock(&self.shared).ingress.get_mut(isp).is_some_and(|ingress| ingress.admit(ends.source))
    }

    fn note(&self, ends: Ends, isp: usize, at: Instant) {
        let mut shared = lock(&self.shared);
        let seen = shared.seen.entry(ends).or_insert_with(|| Seen { isp, at, packets: vec![0; self.isps.len()] });
        (seen.isp, seen.at) = (isp, at);
        if let Some(count) = seen.packets.get_mut(isp) {
            *count += 1;
        }
    }
}

/// The next packet that waits on an interface, if one does.
fn next_packet(file: &mut File) -> Option<Vec<u8>> {
    let mut packet = vec![0; LARGEST_PACKET];
    let length = file.read(&mut packet).ok()?;
    packet.truncate(length);
    Some(packet)
}

/// A full or downed interface drops the packet, as a line card would.
fn hand_over(file: &mut File, packet: &[u8]) {
    let _ = file.write(packet);
}

fn timespec(span: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX), tv_nsec: span.subsec_nanos().into() }
}

impl Ord for Flying {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.due, self.order).cmp(&(other.due, other.order))
    }
}

impl PartialOrd for Flying {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Flying {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Flying {}
