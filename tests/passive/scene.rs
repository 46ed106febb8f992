//! The watcher under test, run inside a router's namespace.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpStream},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use peerward::{
    domain::{ClassId, UplinkId, view::HandshakeView},
    passive::{self, Handshake, Handshakes, Settings, Watched},
};
use peerward_lab::{MICROSOFT_IPV4, MICROSOFT_IPV6, Namespace};
use tokio::sync::{mpsc, watch};

/// Long enough for the slowest machine; nothing waits for its end when all is well.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The local port of a connection that is the agent's own.
pub const OWN_PORT: u16 = 45_001;

/// A running watcher. Stops when dropped.
pub struct Watching {
    pub uplinks: watch::Sender<Arc<[Watched]>>,
    known: watch::Receiver<Arc<Handshakes>>,
    measured: Arc<Mutex<Vec<Handshake>>>,
    thread: Option<JoinHandle<()>>,
}

impl Watching {
    /// Watches `wan0` and `wan1`, from when the kernel has the filter.
    pub fn start(router: &Namespace) -> Self {
        let watching = Self::start_with(router, Settings::default(), &["wan0", "wan1"], || {});
        watching.wait("both uplinks are watched", |known| {
            known.uplinks.len() == 2 && known.uplinks.iter().all(|(_, state)| *state == passive::Watch::Watching)
        });
        watching
    }

    /// The same with other settings, interfaces, and something to do on its thread before it starts.
    pub fn start_with(
        router: &Namespace,
        settings: Settings,
        interfaces: &[&str],
        prepare: impl FnOnce() + Send + 'static,
    ) -> Self {
        let (uplinks, list) = watch::channel(watched(interfaces));
        let (out, known) = watch::channel(Arc::default());
        let measured = Arc::new(Mutex::new(Vec::new()));
        let collected = Arc::clone(&measured);
        let settings = Settings { publish: Duration::from_millis(100), ..settings };
        let thread = router.spawn_thread("watcher", move || {
            prepare();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (sender, mut receiver) = mpsc::channel(16);
                tokio::spawn(async move {
                    while let Some(batch) = receiver.recv().await {
                        collected.lock().unwrap().extend(batch);
                    }
                });
                passive::run(settings, list, class_of, |port| port == OWN_PORT, out, sender).await;
            });
        });
        Self { uplinks, known, measured, thread: Some(thread.unwrap()) }
    }

    /// What it knows now.
    pub fn known(&self) -> Arc<Handshakes> {
        Arc::clone(&self.known.borrow())
    }

    /// What it knows of a path, once that satisfies `enough`.
    pub fn path(&self, uplink: u16, class: &str, enough: impl Fn(&HandshakeView) -> bool) -> HandshakeView {
        let class = ClassId::new(class);
        let of = |known: &Handshakes| known.of(UplinkId(uplink), &class).cloned();
        of(&self.wait(&format!("uplink {uplink}, {class}"), |known| of(known).is_some_and(|view| enough(&view))))
            .unwrap()
    }

    pub fn wait(&self, what: &str, enough: impl Fn(&Handshakes) -> bool) -> Arc<Handshakes> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let known = self.known();
            if enough(&known) {
                return known;
            }
            assert!(Instant::now() < deadline, "never: {what}; last was {known:#?}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Times handed over for telemetry.
    pub fn measured(&self, uplink: u16, class: &str) -> Vec<Duration> {
        let measured = self.measured.lock().unwrap();
        let of_path = measured.iter().filter(|one| one.uplink == UplinkId(uplink) && one.class.as_str() == class);
        of_path.map(|one| one.rtt).collect()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let (_, nobody) = watch::channel(Arc::default());
        drop(std::mem::replace(&mut self.known, nobody));
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the watcher panicked");
        }
    }
}

/// Uplinks 0, 1 and so on, with these interfaces.
pub fn watched(interfaces: &[&str]) -> Arc<[Watched]> {
    let uplinks = interfaces.iter().zip(0..);
    uplinks.map(|(interface, id)| Watched { uplink: UplinkId(id), interface: (*interface).to_owned() }).collect()
}

/// Microsoft's addresses in the lab, by their class; nothing else is steered.
fn class_of(server: IpAddr) -> Option<ClassId> {
    match server {
        _ if server == MICROSOFT_IPV4 => Some(ClassId::new("v4")),
        _ if server == MICROSOFT_IPV6 => Some(ClassId::new("v6")),
        IpAddr::V4(server) if server.octets().starts_with(&[52, 112]) => Some(ClassId::new("teams")),
        _ => None,
    }
}

/// Connects so many times, one after the other.
pub fn connect(from: &Namespace, server: impl Into<SocketAddr>, times: usize) -> io::Result<()> {
    let server = server.into();
    from.run(|| {
        (0..times).try_for_each(|_| {
            TcpStream::connect_timeout(&server, Duration::from_secs(10))
                .and_then(|stream| socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)))
        })
    })
}
