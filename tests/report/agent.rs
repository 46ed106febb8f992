//! The reporting room of the agent, run as the agent runs it, with everything else played by the test.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use peerward::{
    clock::boot_time,
    config::{Endpoint, Report},
    domain::{
        ClassId, Event, EventKind, Family, PathState, ProbeFailure, ProbeKind,
        view::{ClassView, IspView, KernelView, PathView, ReportingView, Snapshot, UplinkView},
    },
    telemetry::{self, Identity, Record},
};
use peerward_lab::pki::{Authority, ClientFiles, ServerIdentity, Validity};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

/// Bound of every wait. Far above what is needed, back-off included: a busy machine must not fail a test.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// The class of the one path.
pub const CLASS: &str = "m365.exchange.ipv4";

/// A PKI, with the files of one client in place.
pub struct Office {
    pub directory: TempDir,
    pub authority: Authority,
    pub client: ClientFiles,
}

impl Office {
    pub fn open() -> Self {
        let directory = TempDir::new().unwrap();
        let authority = Authority::create(directory.path(), "ca").unwrap();
        let client = authority.client("branch", Validity::Current).unwrap();
        Self { directory, authority, client }
    }

    /// A second authority, in the same directory.
    pub fn stranger(&self) -> Authority {
        Authority::create(self.directory.path(), "stranger").unwrap()
    }

    /// The identity of a collector on loopback.
    pub fn collector(&self) -> ServerIdentity {
        self.authority.server(&["localhost", "127.0.0.1"], Validity::Current).unwrap()
    }

    /// `[report]` to that address, five times a second.
    pub fn report_to(&self, address: SocketAddr) -> Report {
        Report {
            endpoint: Endpoint { host: address.ip().to_string(), port: address.port(), path: String::new() },
            ca: self.authority.file().to_owned(),
            cert: self.client.cert.clone(),
            key: self.client.key.clone(),
            interval: Duration::from_millis(200),
            queue_bytes: 4 << 20,
        }
    }
}

/// A listener on a port of loopback that the kernel chose.
pub fn listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

/// An address where nobody listens, and a way to listen there later.
pub fn vacant() -> SocketAddr {
    listener().local_addr().unwrap()
}

/// The running room. Dropped without [`stop`](Self::stop), it ends by itself, and nobody waits for it.
pub struct Reporting {
    records: mpsc::Sender<Record>,
    status: watch::Receiver<ReportingView>,
    thread: JoinHandle<()>,
}

impl Reporting {
    pub fn start(report: Report) -> Self {
        let (records, incoming) = mpsc::channel(1024);
        let (publish, status) = watch::channel(ReportingView::default());
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (_snapshots, snapshot) = watch::channel(Arc::new(snapshot()));
                telemetry::run(report, identity(), incoming, snapshot, publish).await;
            });
        });
        Self { records, status, thread }
    }

    /// Hands over the result of one TCP probe.
    pub fn probe(&self, rtt: Option<Duration>) {
        self.probe_of(ProbeKind::Tcp, rtt.ok_or(ProbeFailure::Timeout), None);
    }

    /// Hands over the result of one probe of any kind.
    pub fn probe_of(&self, kind: ProbeKind, outcome: Result<Duration, ProbeFailure>, service_time: Option<Duration>) {
        let (uplink, isp, class) = ("wan0".into(), "north".into(), ClassId::new(CLASS));
        self.hand_over(Record::Probe { at: boot_time(), uplink, isp, class, kind, outcome, service_time });
    }

    /// Hands over one handshake of a user.
    pub fn handshake(&self, rtt: Duration) {
        let (uplink, isp, class) = ("wan0".into(), "north".into(), ClassId::new(CLASS));
        self.hand_over(Record::Handshake { uplink, isp, class, rtt });
    }

    /// Hands over one event.
    pub fn event(&self, kind: EventKind) {
        self.hand_over(Record::Event(Event { at: boot_time(), kind }));
    }

    fn hand_over(&self, record: Record) {
        self.records.blocking_send(record).unwrap();
    }

    /// What `status` would show now.
    pub fn status(&self) -> ReportingView {
        self.status.borrow().clone()
    }

    /// Waits until `status` shows what `holds` says.
    pub fn wait_until(&self, what: &str, mut holds: impl FnMut(&ReportingView) -> bool) -> ReportingView {
        let start = Instant::now();
        loop {
            let status = self.status();
            if holds(&status) {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}; status is {status:?}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until reporting fails with a reason that holds `words`; the whole reason.
    pub fn wait_for_error(&self, words: &str) -> String {
        let status = self.wait_until(&format!("an error with {words:?}"), |status| {
            status.state == "failing" && status.error.as_deref().is_some_and(|error| error.contains(words))
        });
        status.error.unwrap()
    }

    /// Waits until the collector acknowledges what is sent.
    pub fn wait_for_recovery(&self) {
        self.wait_until("state ok", |status| status.state == "ok" && status.acknowledged > 0);
    }

    /// Closes the channel, as the agent does when it stops; the status at the end.
    pub fn stop(self) -> ReportingView {
        drop(self.records);
        self.thread.join().unwrap();
        self.status.borrow().clone()
    }
}

/// Replaces the content of a file, keeping its permissions.
pub fn install(from: &Path, to: &Path) {
    std::fs::write(to, std::fs::read(from).unwrap()).unwrap();
}

fn identity() -> Identity {
    Identity { site: "akl-07".to_owned(), market: "New Zealand".to_owned(), version: "9.8.7".to_owned() }
}

/// One path on which the class is, and the kernel in step.
fn snapshot() -> Snapshot {
    let uplink = UplinkView {
        name: "wan0".to_owned(),
        interface: "ppp0".to_owned(),
        state: PathState::Up,
        reason: "carrier".to_owned(),
        next_hop_ipv4: None,
        next_hop_ipv6: None,
        rtt_ms: None,
        loss_ratio: None,
    };
    let isp = IspView {
        name: "north".to_owned(),
        partner: None,
        qualified: true,
        qualification: String::new(),
        uplinks: vec![uplink],
    };
    Snapshot {
        uptime_s: 77,
        isps: vec![isp],
        classes: vec![class()],
        paths: vec![path()],
        kernel: KernelView { in_step: true, routes_primary: 9, writes: 31, repairs: 2, ..KernelView::default() },
        ..Snapshot::default()
    }
}

fn class() -> ClassView {
    ClassView {
        id: ClassId::new(CLASS),
        family: Family::Ipv4,
        service: "exchange".to_owned(),
        region: None,
        prefixes: 14,
        routes: 9,
        uplink: Some("wan0".to_owned()),
        isp: Some("north".to_owned()),
        shares: Vec::new(),
        backup: None,
        reason: String::new(),
        since_s: 5,
        candidates: Vec::new(),
        in_kernel: None,
        kept: 0,
        kept_prefixes: Vec::new(),
    }
}

fn path() -> PathView {
    PathView {
        uplink: "wan0".to_owned(),
        isp: "north".to_owned(),
        class: ClassId::new(CLASS),
        state: PathState::Degraded,
        selected: true,
        rtt_min_ms: None,
        rtt_ms: None,
        rtt_p95_ms: None,
        rtt_p99_ms: None,
        jitter_smoothed_ms: Some(1.25),
        loss_bounds: Some([0.022, 0.471]),
        service_ms: None,
        jitter_ms: Some(1.5),
        loss_ratio: Some(0.125),
        probes: 8,
        age_s: None,
        since_s: 1,
        evidence: String::new(),
    }
}
