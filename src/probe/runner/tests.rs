//! On loopback, with clocks that jump and a name server of our own.

use std::{
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::time::{Instant, timeout};

use super::*;
use crate::domain::{ClassId, Family, Host, Target, UplinkId};

const PATIENCE: Duration = Duration::from_secs(20);

/// Seconds by which the clocks of a test are ahead: that of boot, and that of being awake.
#[derive(Default)]
struct Ahead {
    boot: AtomicU64,
    awake: AtomicU64,
}

impl Ahead {
    fn jump(&self, boot: u64, awake: u64) {
        self.boot.fetch_add(boot, Ordering::SeqCst);
        self.awake.fetch_add(awake, Ordering::SeqCst);
    }

    fn now(&self) -> Moment {
        let seconds = |clock: &AtomicU64| Duration::from_secs(clock.load(Ordering::SeqCst));
        Moment { boot: boot_time() + seconds(&self.boot), awake: awake_time() + seconds(&self.awake) }
    }
}

struct Task {
    samples: mpsc::Receiver<ProbeSample>,
    ahead: Arc<Ahead>,
    _paths: watch::Sender<Arc<[ProbePath]>>,
}

fn start(probe_timeout: Duration, name_port: u16, list: Vec<ProbePath>) -> Task {
    let settings = ProbeSettings {
        interval: Duration::from_millis(200),
        timeout: probe_timeout,
        resolvers: Arc::from([]),
        trust: None,
        ports: Arc::default(),
    };
    let ahead = Arc::new(Ahead::default());
    let clocks = Arc::clone(&ahead);
    let surroundings = Surroundings { now: Box::new(move || clocks.now()), name_port };
    let (paths, list) = watch::channel(Arc::from(list));
    let (sender, samples) = mpsc::channel(64);
    tokio::spawn(Runner::new(settings, sender, surroundings).run(list));
    Task { samples, ahead, _paths: paths }
}

impl Task {
    async fn next(&mut self) -> ProbeSample {
        timeout(PATIENCE, self.samples.recv()).await.expect("no sample").expect("the task ended")
    }
}

fn path(targets: Vec<Target>) -> ProbePath {
    ProbePath {
        uplink: UplinkId(0),
        class: ClassId::new("a"),
        interface: "lo".to_owned(),
        source: None,
        family: Family::Ipv4,
        resolvers: [IpAddr::from([127, 0, 0, 1])].into(),
        targets: targets.into(),
    }
}

fn named(name: &str, port: u16) -> Target {
    Target { host: Host::Name(Arc::from(name)), ..Target::tcp(([0, 0, 0, 0], port).into()) }
}

/// A listener that takes no connection any more: SYNs to it are dropped.
fn silent() -> (SocketAddr, Vec<TcpStream>, socket2::Socket) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let soon = Duration::from_millis(200);
    let filling = std::iter::from_fn(|| TcpStream::connect_timeout(&address, soon).ok()).collect();
    (address, filling, socket)
}

/// A name server that answers every query with the address that it is told.
fn name_server(address: Arc<Mutex<Option<[u8; 4]>>>) -> u16 {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, client)) = server.recv_from(&mut buffer) {
            let mut answer = buffer[..length].to_vec();
            (answer[2], answer[3]) = (0x81, 0x83);
            if let Some(address) = *address.lock().unwrap() {
                (answer[3], answer[7]) = (0x80, 1);
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4]);
                answer.extend(address);
            }
            let _ = server.send_to(&answer, client);
        }
    });
    port
}

#[tokio::test]
async fn a_probe_that_was_under_way_in_a_suspend_has_no_sample() {
    let (address, _filling, _socket) = silent();
    let mut task = start(Duration::from_secs(5), 53, vec![path(vec![Target::tcp(address)])]);
    // Under way after a few milliseconds, over after five seconds.
    sleep(Duration::from_millis(500)).await;
    let asleep = task.ahead.now().boot;
    task.ahead.jump(3_600, 0);
    let first = task.next().await;
    assert!(first.sent_at.since(asleep) >= Duration::from_secs(3_600), "{first:?}");
}

#[tokio::test]
async fn a_target_that_was_renumbered_is_followed_when_the_life_of_its_name_is_over() {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let address = Arc::new(Mutex::new(Some([127, 0, 0, 2])));
    let name_port = name_server(Arc::clone(&address));
    let mut task = start(Duration::from_millis(800), name_port, vec![path(vec![named("a.example", port)])]);
    let first = task.next().await;
    assert_eq!(first.address, Some(([127, 0, 0, 2], port).into()));
    assert!(matches!(first.outcome, ProbeOutcome::Answered(_)), "{first:?}");
    *address.lock().unwrap() = Some([127, 0, 0, 3]);
    // Not before.
    for _ in 0..3 {
        assert_eq!(task.next().await.address, first.address);
    }
    task.ahead.jump(31, 31);
    let deadline = Instant::now() + PATIENCE;
    while task.next().await.address != Some(([127, 0, 0, 3], port).into()) {
        assert!(Instant::now() < deadline, "still at the old address");
    }
    // And the last good one is kept when the name is gone.
    *address.lock().unwrap() = None;
    task.ahead.jump(31, 31);
    for _ in 0..4 {
        assert_eq!(task.next().await.address, Some(([127, 0, 0, 3], port).into()));
    }
}

#[tokio::test]
async fn a_name_without_address_is_told_and_the_other_target_is_probed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = Target::tcp(listener.local_addr().unwrap());
    let name_port = name_server(Arc::default());
    let list = vec![path(vec![named("a.example", 1), other])];
    let mut task = start(Duration::from_millis(800), name_port, list);
    let samples = [task.next().await, task.next().await, task.next().await, task.next().await];
    let unresolved: Vec<_> = samples.iter().filter(|sample| sample.address.is_none()).collect();
    assert_eq!(unresolved.len(), 1, "{samples:?}");
    assert_eq!(unresolved[0].outcome, ProbeOutcome::Failed(ProbeFailure::NotResolved));
    assert_eq!((unresolved[0].target, unresolved[0].service_time), (0, None));
}
