//! How long the handshakes of users' connections take: the time from SYN to SYN-ACK of flows that the router forwards to
//! steered destinations, per uplink and class. No probe is sent. Opt-in: `[probe] passive = true`.
//!
//! ```text
//!   kernel ── filter ──► tap ──► segment ──► table ──► tally ──► figures per path
//!    all packets     bare headers         one per handshake      aggregates
//! ```
//!
//! | file | its one idea |
//! |---|---|
//! | `assembler` | pure: classic BPF with names instead of distances |
//! | `filter` | pure: the program that decides, in the kernel, what this process may see |
//! | `tap` | the packet socket: batches of headers, with the kernel's time stamps |
//! | `segment` | pure: a header that opens a connection, or answers |
//! | `stamp` | pure: time stamps on a clock that may be set meanwhile |
//! | `table` | pure: handshakes under way |
//! | `tally` | pure: what became of them in the last quarter of an hour |
//! | `thinning` | pure: which flows are looked at when there are too many |
//! | `watcher` | pure: the state that binds these together |
//! | this file | the task |
//!
//! May know the domain types and the sketch of [`crate::quality`].
//!
//! **Privacy.** The filter cuts every packet behind the fixed part of its TCP header: no payload and no TCP option ever
//! leaves the kernel. No address is kept: handshakes under way are known by a keyed hash, for at most 64 seconds, and
//! what is shown or reported are aggregates of a path.
//!
//! **What is counted.** Connections whose SYN leaves by an uplink: those of the LAN, and of the router itself but for the
//! agent's own probes. With NAT both directions carry the translated address there, so nothing needs to be known of it.
//! The time is that of the access line and beyond: the queue of the uplink's own qdisc is before the point where the SYN
//! is seen. A SYN that was repeated is no measurement, because nobody knows which one was answered (Karn's algorithm).
//!
//! **What hides handshakes.** Generic receive offload leaves SYNs alone, and a software flow table takes over only after
//! the handshake. Hardware flow offload may, on some chips, keep SYN-ACKs from the kernel: then handshakes look
//! unanswered, and passive figures should be turned off.

mod assembler;
pub mod filter;
mod segment;
mod stamp;
mod table;
mod tally;
mod tap;
mod thinning;
mod watcher;

use std::{collections::BTreeMap, fmt, future, io, net::IpAddr, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval, sleep},
};

pub use self::thinning::Share;
use self::{
    tap::{Tap, clocks},
    watcher::Watcher,
};
use crate::domain::{BootTime, ClassId, UplinkId, view::HandshakeView};

/// Packets are left to gather for so long: their stamps are the kernel's, and a packet each would be a wake-up each.
const NAP: Duration = Duration::from_millis(20);

/// How often interfaces are looked for, and handshakes given up.
const LOOK: Duration = Duration::from_secs(1);

/// Looks between two attempts to open the socket.
const LOOKS_BETWEEN_ATTEMPTS: u32 = 60;

/// Batches that are read before others on this thread have their turn.
const BATCHES: usize = 8;

/// How much is looked at, and how often it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// New connections a second beyond which only a share of them is looked at.
    pub budget: u32,
    /// Time between two publications.
    pub publish: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { budget: 2_000, publish: Duration::from_secs(5) }
    }
}

/// An uplink to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Uplink.
    pub uplink: UplinkId,
    /// Its interface.
    pub interface: String,
}

/// Whether an uplink is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watch {
    /// It is.
    Watching,
    /// Its interface does not exist now.
    Absent,
    /// It cannot be, for this reason.
    Unavailable(String),
}

impl Watch {
    fn shared(interface: &str) -> Self {
        Self::Unavailable(format!(
            "{interface} is the interface of another uplink too: handshakes cannot be told apart"
        ))
    }

    fn too_many() -> Self {
        Self::Unavailable(format!("more than {} interfaces", filter::MOST_INTERFACES))
    }
}

impl fmt::Display for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Watching => f.pad("watching"),
            Self::Absent => f.pad("no such interface"),
            Self::Unavailable(reason) => write!(f, "unavailable: {reason}"),
        }
    }
}

/// One measured handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// Uplink.
    pub uplink: UplinkId,
    /// Class of the destination.
    pub class: ClassId,
    /// From SYN to SYN-ACK.
    pub rtt: Duration,
}

/// What is known of users' handshakes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Handshakes {
    /// Whether each uplink is watched, in the order in which they were given.
    pub uplinks: Vec<(UplinkId, Watch)>,
    /// Figures of the last quarter of an hour, of paths that had any.
    pub paths: BTreeMap<(UplinkId, ClassId), HandshakeView>,
    /// Packets looked at since the start.
    pub packets: u64,
    /// Packets for which the kernel had no room.
    pub dropped: u64,
    /// Handshakes that were forgotten for lack of room.
    pub crowded_out: u64,
    /// How often the wall clock was set; handshakes of that moment are not measured.
    pub clock_steps: u32,
    /// One connection in so many is looked at.
    pub one_in: u32,
}

impl Handshakes {
    /// Figures of a path.
    pub fn of(&self, uplink: UplinkId, class: &ClassId) -> Option<&HandshakeView> {
        self.paths.get(&(uplink, class.clone()))
    }
}

/// Watches the newest list of uplinks until nobody wants to know.
///
/// `classify` names the class of a destination by longest match, or none when it is not steered; it is asked for every
/// new connection and must be quick. `is_own` knows the local ports of the agent's own probes, for at least a second
/// after they are closed. What was measured is handed over in batches; when their channel is full they are let go, the
/// figures stay right. The list may stay without a sender: then it stays as it is.
pub async fn run(
    settings: Settings,
    mut uplinks: watch::Receiver<Arc<[Watched]>>,
    classify: impl Fn(IpAddr) -> Option<ClassId> + Send,
    is_own: impl Fn(u16) -> bool + Send,
    out: watch::Sender<Arc<Handshakes>>,
    measured: mpsc::Sender<Vec<Handshake>>,
) {
    let mut task = Task::new(settings);
    task.watcher.watch(Arc::clone(&uplinks.borrow_and_update()));
    let mut listed_by_someone = true;
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = out.closed() => return,
            changed = uplinks.changed(), if listed_by_someone => match changed {
                Ok(()) => {
                    task.watcher.watch(Arc::clone(&uplinks.borrow_and_update()));
                    task.look();
                }
                Err(_) => listed_by_someone = false,
            },
            _ = looks.tick() => task.look(),
            readable = task.readable() => {
                sleep(NAP).await;
                task.read(readable, &classify, &is_own);
                let batch = task.watcher.measured();
                if !batch.is_empty() {
                    // Full: the histogram has fewer values than there were, which is no error of those that it has.
                    let _ = measured.try_send(batch);
                }
            }
        }
        task.publish_if_due(&out);
    }
}

struct Task {
    settings: Settings,
    watcher: Watcher,
    tap: Option<Tap>,
    /// Looks until the next attempt to open the socket.
    attempt_in: u32,
    /// What earlier sockets dropped.
    dropped_before: u64,
    published: Option<BootTime>,
}

impl Task {
    fn new(settings: Settings) -> Self {
        Self {
            settings,
            watcher: Watcher::new(&settings, clocks()),
            tap: None,
            attempt_in: 0,
            dropped_before: 0,
            published: None,
        }
    }

    async fn readable(&self) -> io::Result<()> {
        match &self.tap {
            Some(tap) => tap.readable().await,
            None => future::pending().await,
        }
    }

    /// Opens the socket if need be, finds interfaces, gives up handshakes.
    fn look(&mut self) {
        let fresh = self.tap.is_none();
        if fresh {
            self.attempt_in = self.attempt_in.saturating_sub(1);
            if self.attempt_in == 0 {
                self.open();
            }
        }
        if let Some(tap) = &self.tap {
            let indices = self.watcher.look(|name| tap.index_of(name));
            if indices.is_some() || fresh {
                self.set_filter();
            }
        }
        let now = clocks();
        self.watcher.tick(now);
        if self.watcher.end(0, false, now.boot) {
            self.set_filter();
        }
    }

    fn open(&mut self) {
        match Tap::open() {
            Ok(tap) => self.tap = Some(tap),
            Err(error) => self.fail(&error),
        }
    }

    fn set_filter(&mut self) {
        let Some(tap) = &self.tap else { return };
        let program = filter::program(&self.watcher.indices(), self.watcher.share()).map_err(io::Error::other);
        if let Err(error) = program.and_then(|program| tap.filter(&program)) {
            self.fail(&error);
        }
    }

    fn read(
        &mut self,
        readable: io::Result<()>,
        classify: &impl Fn(IpAddr) -> Option<ClassId>,
        is_own: &impl Fn(u16) -> bool,
    ) {
        let Some(tap) = &mut self.tap else { return };
        let dropped_before = tap.dropped();
        let mut asked = 0;
        let mut outcome = readable;
        for _ in 0..BATCHES {
            match tap.read() {
                Ok(batch) => {
                    asked += self.watcher.take(&batch, classify, is_own);
                    if batch.emptied {
                        break;
                    }
                }
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        let dropped = tap.dropped() != dropped_before;
        if let Err(error) = outcome {
            return self.fail(&error);
        }
        if self.watcher.end(asked, dropped, clocks().boot) {
            self.set_filter();
        }
    }

    /// Closes the socket and says why, once; it is tried again later.
    fn fail(&mut self, error: &io::Error) {
        if let Some(tap) = self.tap.take() {
            self.dropped_before += u64::from(tap.dropped());
        }
        self.attempt_in = LOOKS_BETWEEN_ATTEMPTS;
        self.watcher.unavailable(&remedy(error));
    }

    fn publish_if_due(&mut self, out: &watch::Sender<Arc<Handshakes>>) {
        let now = crate::clock::boot_time();
        if self.published.is_some_and(|before| !now.at_least_after(before, self.settings.publish)) {
            return;
        }
        self.published = Some(now);
        let dropped = self.dropped_before + self.tap.as_ref().map_or(0, |tap| tap.dropped().into());
        let known = Arc::new(self.watcher.publish(dropped, now));
        out.send_if_modified(|before| {
            let changed = **before != *known;
            *before = known;
            changed
        });
    }
}

/// What stands in the way, and what to do about it.
fn remedy(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            "not permitted: give the agent CAP_NET_RAW, or set passive = false in [probe]".to_owned()
        }
        Some(libc::EAFNOSUPPORT) => {
            "the kernel has no packet sockets (CONFIG_PACKET), or the service may not use them: add AF_PACKET to \
             RestrictAddressFamilies="
                .to_owned()
        }
        _ => error.to_string(),
    }
}
