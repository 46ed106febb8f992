//! Continuous traffic from the client, which counts what it loses: what a user of the branch would feel.

mod record;
mod tcp;
mod udp;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

pub use record::GapReport;

use crate::{LabError, Namespace};
use record::{PATIENCE, Record};

/// A flow that runs until it is dropped.
#[derive(Debug)]
pub struct ClientFlow {
    name: String,
    destination: IpAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    record: Mutex<Record>,
    reconnects: AtomicU64,
    stop: AtomicBool,
}

impl Shared {
    /// No code panics while it holds the lock.
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl ClientFlow {
    /// Sends a numbered UDP datagram to the echo port of `destination` every `interval`.
    ///
    /// # Errors
    /// When the client has no socket or no route to it.
    pub fn udp(client: &Namespace, destination: IpAddr, interval: Duration) -> Result<Self, LabError> {
        let any: IpAddr =
            if destination.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        Self::udp_from(client, any, destination, interval)
    }

    /// As [`ClientFlow::udp`], from one of the client's addresses.
    ///
    /// # Errors
    /// When the client does not have it, or no route to the destination.
    pub fn udp_from(
        client: &Namespace,
        source: IpAddr,
        destination: IpAddr,
        interval: Duration,
    ) -> Result<Self, LabError> {
        Self::start(client, "UDP", destination, |shared| udp::prepare(shared, source, destination, interval))
    }

    /// Sends a numbered request on a TCP connection to port 443 of `destination` every `interval`, or as soon as the
    /// one before was answered; connects again when that takes too long.
    ///
    /// # Errors
    /// When the flow's thread cannot be started.
    pub fn tcp(client: &Namespace, destination: IpAddr, interval: Duration) -> Result<Self, LabError> {
        Self::start(client, "TCP", destination, |shared| Ok(move || tcp::run(&shared, destination, interval)))
    }

    fn start<Run: FnOnce() + Send + 'static>(
        client: &Namespace,
        protocol: &str,
        destination: IpAddr,
        prepare: impl FnOnce(Arc<Shared>) -> io::Result<Run> + Send,
    ) -> Result<Self, LabError> {
        let name = format!("{protocol} to {destination}");
        let shared = Arc::new(Shared::default());
        let run = client
            .run(|| prepare(Arc::clone(&shared)))
            .map_err(|source| LabError::system(format!("start flow {name}"), source))?;
        let thread = client.spawn_thread("flow", run)?;
        Ok(Self { name, destination, shared, thread: Some(thread) })
    }

    /// Protocol and destination, for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it goes.
    pub fn destination(&self) -> IpAddr {
        self.destination
    }

    /// Reports will begin now, with the requests that are under way.
    pub fn mark(&self) {
        self.shared.record().mark(Instant::now());
    }

    /// What happened since the mark, or since the start.
    pub fn since_mark(&self) -> GapReport {
        self.shared.record().report(Instant::now())
    }

    /// The same, after waiting until everything sent so far is either answered or lost.
    pub fn settled_since_mark(&self) -> GapReport {
        std::thread::sleep(PATIENCE + Duration::from_millis(20));
        self.since_mark()
    }

    /// Median round-trip time since the mark; `None` when nothing was answered.
    pub fn median_rtt(&self) -> Option<Duration> {
        let trips = self.shared.record().round_trips();
        trips.get(trips.len() / 2).copied()
    }

    /// How often a TCP flow had to connect anew.
    pub fn reconnects(&self) -> u64 {
        self.shared.reconnects.load(Ordering::Relaxed)
    }
}

impl Drop for ClientFlow {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed already; a second one here would abort.
            let _ = thread.join();
        }
    }
}
