//! The fabric between the ISPs and the Microsoft edge: a path emulator in user space, because the kernel's own
//! (netem) is not everywhere.
//!
//! One thread reads the TUN interface of every ISP and of the edge, holds each packet as long as its path demands and
//! hands it on. Two simplifications, both deliberate:
//!
//! * Packets from the edge go back by the ISP by which that pair of addresses last reached the edge. Source addresses
//!   therefore stay the same when a flow moves, as with provider-independent space, and what a client loses was lost
//!   by forwarding alone.
//! * UDP datagrams to [`ECHO_PORT`] are turned round where the edge would be, without a socket, for every address; so
//!   are queries of name servers and STUN requests answered.

mod datagram;
mod engine;
mod isp_path;
mod packet;
mod profile;

use std::{
    collections::HashMap,
    fs::File,
    net::IpAddr,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Instant,
};

pub use isp_path::{IspPath, Portal};
pub use profile::PathProfile;
use rustix::pipe::PipeFlags;

use ipnet::IpNet;

use crate::{LabError, edge::Zone};
use engine::Engine;
pub(crate) use packet::{Ends, field, protocol};

/// UDP port that is echoed for every address (RFC 862).
pub const ECHO_PORT: u16 = 7;

/// By which ISP packets of one source to one destination left the branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// ISP of the newest packet.
    pub isp: usize,
    /// When it came.
    pub at: Instant,
    /// Packets by ISP, those counted that the path then lost.
    pub packets: Vec<u64>,
}

#[derive(Debug, Default)]
struct Shared {
    isps: Vec<Conditions>,
    seen: HashMap<Ends, Seen>,
}

/// What one ISP does to packets.
#[derive(Debug, Clone, Default)]
struct Conditions {
    towards_edge: PathProfile,
    from_edge: PathProfile,
    ingress: Ingress,
    portal: Option<Portal>,
    mtu: Option<usize>,
    return_by: Option<usize>,
}

impl Conditions {
    fn fits(&self, packet: &[u8]) -> bool {
        self.mtu.is_none_or(|mtu| packet.len() <= mtu)
    }
}

/// Where packets leave the kernel for the fabric.
#[derive(Debug)]
pub(crate) struct Ports {
    /// The ISPs'.
    pub(crate) isps: Vec<File>,
    /// The edge's.
    pub(crate) edge: File,
    /// That of whoever answers in the edge's stead.
    pub(crate) portal: File,
}

/// What an ISP lets in from the branch.
#[derive(Debug, Clone, Default)]
struct Ingress {
    /// Sources that it accepts; all of them when absent.
    accepted: Option<Vec<IpNet>>,
    /// Packets that it refused.
    filtered: u64,
}

impl Ingress {
    fn admit(&mut self, source: IpAddr) -> bool {
        let admitted = self.accepted.as_ref().is_none_or(|nets| nets.iter().any(|net| net.contains(&source)));
        self.filtered += u64::from(!admitted);
        admitted
    }
}

/// How the emulator works.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Of losses and jitter: the same seed loses the same packets.
    pub(crate) seed: u64,
    /// Delivers within microseconds of the time, at the price of a busy core while packets are under way.
    pub(crate) precise: bool,
}

/// The running emulator. Stops when dropped.
#[derive(Debug)]
pub struct Fabric {
    shared: Arc<Mutex<Shared>>,
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Fabric {
    /// Starts it; name servers know `zone`.
    pub(crate) fn start(ports: Ports, zone: Arc<Zone>, settings: Settings) -> Result<Self, LabError> {
        let isps = vec![Conditions::default(); ports.isps.len()];
        let shared = Arc::new(Mutex::new(Shared { isps, ..Shared::default() }));
        // The reading end is hung up when the writing end is dropped; no child process may hold a copy of it.
        let (stopped, stop) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)
            .map_err(|error| LabError::system("make a pipe for the fabric", error))?;
        let engine = Engine::new(Arc::clone(&shared), ports, zone, settings);
        let thread = std::thread::Builder::new()
            .name("fabric".to_owned())
            .spawn(move || engine.run(stopped.as_fd()))
            .map_err(|source| LabError::system("start the fabric's thread", source))?;
        Ok(Self { shared, stop: Some(stop), thread: Some(thread) })
    }

    /// The path through one ISP, counted from 0.
    pub fn isp(&self, index: usize) -> IspPath<'_> {
        IspPath::new(self, index)
    }

    /// By which ISP packets from `source` to `destination` leave; `None` before the first.
    pub fn seen(&self, source: IpAddr, destination: IpAddr) -> Option<Seen> {
        lock(&self.shared).seen.get(&Ends { source, destination }).cloned()
    }

    pub(crate) fn divert(&self) -> Divert {
        Divert { shared: Arc::clone(&self.shared) }
    }
}

/// Tells who stands in the way of whom.
#[derive(Debug)]
pub(crate) struct Divert {
    shared: Arc<Mutex<Shared>>,
}

impl Divert {
    /// The portal of the ISP by which `client` came to `server` last.
    pub(crate) fn portal(&self, client: IpAddr, server: IpAddr) -> Option<Portal> {
        let shared = lock(&self.shared);
        let seen = shared.seen.get(&Ends { source: client, destination: server })?;
        shared.isps.get(seen.isp)?.portal
    }
}

impl Drop for Fabric {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed already; a second one here would abort.
            let _ = thread.join();
        }
    }
}

/// No code panics while it holds the lock, and the data is valid at every step.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
