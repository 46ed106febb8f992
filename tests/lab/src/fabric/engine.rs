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

use super::{
    Conditions, ECHO_PORT, Portal, Ports, Seen, Settings, Shared, datagram, lock,
    packet::{self, Ends},
    profile::{Line, PathProfile},
};
use crate::{
    edge::{DNS_PORT, Zone},
    syscalls,
};

/// Largest packet that a TUN interface of 1500 bytes hands out, with room to spare.
const LARGEST_PACKET: usize = 2048;

/// Packets read from one interface before the others have their turn.
const BATCH: usize = 64;

/// Longer than a timer of a virtual machine is late as a rule (0.1 to 0.2 ms measured).
const VIGIL: Duration = Duration::from_micros(300);

/// Where a packet goes after its time on the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// To the edge, having come through this ISP.
    Edge { by: usize },
    /// To who answers in the edge's stead, having come through this ISP.
    Portal { by: usize },
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
    zone: Arc<Zone>,
    ports: Ports,
    towards_edge: Vec<Line>,
    from_edge: Vec<Line>,
    flying: BinaryHeap<Reverse<Flying>>,
    launched: u64,
    /// By which ISP each pair of addresses last reached the edge.
    way_back: HashMap<Ends, usize>,
    random: fastrand::Rng,
    /// How long before a delivery the thread is awake already.
    vigil: Duration,
}

impl Engine {
    pub(super) fn new(shared: Arc<Mutex<Shared>>, ports: Ports, zone: Arc<Zone>, settings: Settings) -> Self {
        let lines = || ports.isps.iter().map(|_| Line::default()).collect();
        Self {
            shared,
            towards_edge: lines(),
            from_edge: lines(),
            zone,
            ports,
            flying: BinaryHeap::new(),
            launched: 0,
            way_back: HashMap::new(),
            random: fastrand::Rng::with_seed(settings.seed),
            vigil: if settings.precise { VIGIL } else { Duration::ZERO },
        }
    }

    /// Runs until `stopped` is hung up.
    pub(super) fn run(mut self, stopped: BorrowedFd<'_>) {
        // The default timer slack of 50 µs would be added to every delay.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        // Nor is the emulator to wait for a busy machine. Where that is not allowed, paths are only a little less exact.
        let _ = syscalls::make_thread_real_time();
        loop {
            match self.wait(stopped) {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => panic!("the fabric cannot poll its interfaces: {error}"),
            }
            for isp in 0..self.ports.isps.len() {
                self.read_isp(isp);
            }
            for _ in 0..BATCH {
                let Some(packet) = next_packet(&mut self.ports.edge) else { break };
                self.send_back(packet);
            }
            for _ in 0..BATCH {
                let Some(packet) = next_packet(&mut self.ports.portal) else { break };
                self.send_back(packet);
            }
            self.deliver_due();
        }
    }

    /// Waits for a packet or for the next delivery. Returns whether to stop.
    fn wait(&self, stopped: BorrowedFd<'_>) -> io::Result<bool> {
        let mut waits: Vec<_> = [stopped, self.ports.edge.as_fd(), self.ports.portal.as_fd()]
            .into_iter()
            .chain(self.ports.isps.iter().map(AsFd::as_fd))
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        let until_due = self.flying.peek().map(|next| next.0.due.saturating_duration_since(Instant::now()));
        let patience = until_due.map(|until_due| until_due.saturating_sub(self.vigil));
        poll(&mut waits, patience.map(timespec).as_ref())?;
        Ok(waits.first().is_some_and(|stop| !stop.revents().is_empty()))
    }

    fn read_isp(&mut self, isp: usize) {
        for _ in 0..BATCH {
            let Some(packet) = self.ports.isps.get_mut(isp).and_then(next_packet) else { return };
            let Some(ends) = Ends::of(&packet) else { continue };
            let Some((profile, exit)) = self.admit(isp, ends, &packet) else { continue };
            let now = Instant::now();
            self.note(ends, isp, now);
            let line = self.towards_edge.get_mut(isp);
            let due = line.and_then(|line| line.deliver(&profile, packet.len(), now, &mut self.random));
            self.launch(due, exit, packet);
        }
    }

    /// What becomes of a packet that an ISP got from the branch; `None` when it swallows it.
    fn admit(&self, isp: usize, ends: Ends, packet: &[u8]) -> Option<(PathProfile, Exit)> {
        let mut shared = lock(&self.shared);
        let conditions = shared.isps.get_mut(isp)?;
        let admitted = conditions.ingress.admit(ends.source) && conditions.fits(packet);
        let exit = admitted.then(|| exit(conditions, isp, packet)).flatten()?;
        Some((conditions.towards_edge, exit))
    }

    /// Puts a packet from the edge, or from who answers in its stead, on its way to the branch.
    fn send_back(&mut self, packet: Vec<u8>) {
        let Some(by) = Ends::of(&packet).and_then(|ends| self.way_back.get(&ends.reversed()).copied()) else {
            return;
        };
        let Some((isp, profile)) = self.way_to_branch(by, &packet) else { return };
        let line = self.from_edge.get_mut(isp);
        let due = line.and_then(|line| line.deliver(&profile, packet.len(), Instant::now(), &mut self.random));
        self.launch(due, Exit::Isp(isp), packet);
    }

    /// The ISP that carries the answer to what came by `by`; `None` when it swallows it.
    fn way_to_branch(&self, by: usize, packet: &[u8]) -> Option<(usize, PathProfile)> {
        let shared = lock(&self.shared);
        let isp = shared.isps.get(by)?.return_by.unwrap_or(by);
        let conditions = shared.isps.get(isp)?;
        conditions.fits(packet).then_some((isp, conditions.from_edge))
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
                    self.remember_way(&packet, by);
                    if packet::turn_round(&mut packet, ECHO_PORT) {
                        self.send_back(packet);
                    } else if let Some(answer) = datagram::answer(&packet, &self.zone) {
                        self.send_back(answer);
                    } else {
                        hand_over(&mut self.ports.edge, &packet);
                    }
                }
                Exit::Portal { by } => {
                    self.remember_way(&packet, by);
                    hand_over(&mut self.ports.portal, &packet);
                }
                Exit::Isp(isp) => {
                    if let Some(file) = self.ports.isps.get_mut(isp) {
                        hand_over(file, &packet);
                    }
                }
            }
        }
    }

    fn remember_way(&mut self, packet: &[u8], by: usize) {
        if let Some(ends) = Ends::of(packet) {
            self.way_back.insert(ends, by);
        }
    }

    fn note(&self, ends: Ends, isp: usize, at: Instant) {
        let mut shared = lock(&self.shared);
        let seen =
            shared.seen.entry(ends).or_insert_with(|| Seen { isp, at, packets: vec![0; self.ports.isps.len()] });
        (seen.isp, seen.at) = (isp, at);
        if let Some(count) = seen.packets.get_mut(isp) {
            *count += 1;
        }
    }
}

/// Where a packet from the branch goes through an ISP; `None` when nobody lets it through.
fn exit(conditions: &Conditions, isp: usize, packet: &[u8]) -> Option<Exit> {
    const TCP: u8 = 6;
    let (to_edge, to_portal) = (Exit::Edge { by: isp }, Exit::Portal { by: isp });
    let tcp = packet::protocol(packet) == Some(TCP);
    match conditions.portal {
        Some(_) if tcp => Some(to_portal),
        Some(Portal::Tcp) => (packet::udp_port(packet) == Some(DNS_PORT)).then_some(to_edge),
        Some(Portal::Proxy | Portal::Silent) | None => Some(to_edge),
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
