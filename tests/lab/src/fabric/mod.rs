//! The fabric between the ISPs and the Microsoft edge: a path emulator in user space, because the kernel's own
//! (netem) is not everywhere.
//!
//! One thread reads the TUN interface of every ISP and of the edge, holds each packet as long as its path demands and
//! hands it on. Two simplifications, both deliberate:
//!
//! * Packets from the edge go back by the ISP by which that pair of addresses last reached the edge. Source addresses
//!   therefore stay the same when a flow moves, as with provider-independent space, and what a client loses was lost
//!   by forwarding alone.
//! * UDP datagrams to [`ECHO_PORT`] are turned round where the edge would be, without a socket, for every address.

mod engine;
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

pub use profile::PathProfile;
use rustix::pipe::PipeFlags;

use ipnet::IpNet;

use crate::LabError;
use engine::Engine;
use packet::Ends;

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
    paths: Vec<Profiles>,
    ingress: Vec<Ingress>,
    seen: HashMap<Ends, Seen>,
}

/// Both directions of the path through one ISP.
#[derive(Debug, Clone, Copy, Default)]
struct Profiles {
    towards_edge: PathProfile,
    from_edge: PathProfile,
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

/// The running emulator. Stops when dropped.
#[derive(Debug)]
pub struct Fabric {
    shared: Arc<Mutex<Shared>>,
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Fabric {
    /// Starts it on the TUN files of the ISPs and of the edge. The same seed loses the same packets.
    pub(crate) fn start(isps: Vec<File>, edge: File, seed: u64) -> Result<Self, LabError> {
        let paths = vec![Profiles::default(); isps.len()];
        let shared = Arc::new(Mutex::new(Shared {
            ingress: vec![Ingress::default(); paths.len()],
            paths,
            ..Shared::default()
        }));
        // The reading end is hung up when the writing end is dropped; no child process may hold a copy of it.
        let (stopped, stop) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)
            .map_err(|error| LabError::system("make a pipe for the fabric", error))?;
        let engine = Engine::new(Arc::clone(&shared), isps, edge, seed);
        let thread = std::thread::Builder::new()
            .name("fabric".to_owned())
            .spawn(move || engine.run(stopped.as_fd()))
            .map_err(|source| LabError::system("start the fabric's thread", source))?;
        Ok(Self { shared, stop: Some(stop), thread: Some(thread) })
    }

    /// The path through one ISP, counted from 0.
    pub fn isp(&self, index: usize) -> IspPath<'_> {
        IspPath { fabric: self, index }
    }

    /// By which ISP packets from `source` to `destination` leave; `None` before the first.
    pub fn seen(&self, source: IpAddr, destination: IpAddr) -> Option<Seen> {
        lock(&self.shared).seen.get(&Ends { source, destination }).cloned()
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

/// The knobs of the path through one ISP; they act on the next packet.
#[derive(Debug, Clone, Copy)]
pub struct IspPath<'a> {
    fabric: &'a Fabric,
    index: usize,
}

impl IspPath<'_> {
    /// Sets both directions.
    pub fn set(self, profile: PathProfile) {
        self.set_towards_edge(profile);
        self.set_from_edge(profile);
    }

    /// Sets the direction from the branch to the edge.
    pub fn set_towards_edge(self, profile: PathProfile) {
        if let Some(path) = lock(&self.fabric.shared).paths.get_mut(self.index) {
            path.towards_edge = profile;
        }
    }

    /// Sets the direction from the edge to the branch.
    pub fn set_from_edge(self, profile: PathProfile) {
        if let Some(path) = lock(&self.fabric.shared).paths.get_mut(self.index) {
            path.from_edge = profile;
        }
    }

    /// Accepts packets of these sources alone from the branch, as ISPs do (BCP 38): others are swallowed without a
    /// word, and [`Fabric::seen`] does not see them. `None`, the beginning, accepts all.
    pub fn filter_sources(self, accepted: Option<Vec<IpNet>>) {
        if let Some(ingress) = lock(&self.fabric.shared).ingress.get_mut(self.index) {
            ingress.accepted = accepted;
        }
    }

    /// Packets that were swallowed because of their source.
    pub fn filtered(self) -> u64 {
        lock(&self.fabric.shared).ingress.get(self.index).map_or(0, |ingress| ingress.filtered)
    }
}

/// No code panics while it holds the lock, and the data is valid at every step.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
