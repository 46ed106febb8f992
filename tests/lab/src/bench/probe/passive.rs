//! What it costs to watch the handshakes of users' connections when there are very many.

use std::{
    net::IpAddr,
    sync::Arc,
    thread::{JoinHandle, sleep},
    time::{Duration, Instant},
};

use ipnet::IpNet;
use peerward::{
    domain::{ClassId, UplinkId},
    passive::{self, Handshakes, Settings, Watch, Watched},
};
use tokio::sync::{mpsc, watch};

use super::{
    super::{
        process::time_of_tasks,
        report::{Report, Row},
    },
    extent::Extent,
};
use crate::{CLIENT_IPV4, Crowd, LabError, MICROSOFT_IPV4, Namespace, Route, veth};

/// New connections a second.
const RATE: u32 = 10_000;

/// From SYN to SYN-ACK.
const RTT: Duration = Duration::from_millis(20);

/// Until the socket is there, and until the share that is looked at has been found.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running watcher, on a thread of its own.
struct Watcher {
    known: watch::Receiver<Arc<Handshakes>>,
    task: i32,
    thread: JoinHandle<()>,
}

/// What some seconds cost.
#[derive(Debug, Clone, Copy)]
struct Cost {
    /// Processor time of the whole process, per connection: the crowd's own, the kernel's, the watcher's.
    each: Duration,
    /// Share of one core that the watcher took.
    watcher: f64,
    /// Connections a second that there were.
    rate: f64,
}

/// With the default share of connections, and with all of them.
pub(super) fn run(extent: &Extent, report: &mut Report) -> Result<(), LabError> {
    report.part("passive", &format!("Watch the handshakes of {RATE} connections a second"));
    let [router, isp] = line()?;
    let crowd = Crowd::start(&router, &isp, RATE, RTT)?;
    sleep(Duration::from_secs(1));
    let without = cost(&crowd, None, extent);
    for (settings, subject) in [
        (Settings::default(), "the default share of them"),
        (Settings { budget: u32::MAX, ..Settings::default() }, "each of them"),
    ] {
        let watcher = Watcher::start(&router, settings)?;
        watcher.wait("wan0 is watched", |known| known.uplinks.iter().any(|(_, state)| *state == Watch::Watching))?;
        // The share is found within some seconds.
        sleep(extent.idle / 8);
        let with = cost(&crowd, Some(&watcher), extent);
        let known = Arc::clone(&watcher.known.borrow());
        report.row(&Row {
            subject: subject.to_owned(),
            took: None,
            repetitions: 1,
            rss_mib: None,
            note: format!(
                "{:.2} % of one core at {:.0} connections/s, one in {} looked at; {:+.2} µs for each connection in \
                 all, the filter on its way included; {} packets dropped",
                with.watcher * 100.0,
                with.rate,
                known.one_in.max(1),
                (with.each.as_secs_f64() - without.each.as_secs_f64()) * 1e6,
                known.dropped,
            ),
        });
        if settings == Settings::default() {
            report.figure("passive_cpu_percent_10k", with.watcher * 100.0);
        }
        watcher.stop();
    }
    Ok(())
}

fn cost(crowd: &Crowd, watcher: Option<&Watcher>, extent: &Extent) -> Cost {
    let of_process = || time_of_tasks(std::process::id(), None);
    let of_watcher = || watcher.map_or(Duration::ZERO, |it| time_of_tasks(std::process::id(), Some(it.task)));
    let (process, own, answered, began) = (of_process(), of_watcher(), crowd.answered(), Instant::now());
    sleep(extent.idle / 4);
    let took = began.elapsed().as_secs_f64();
    let (process, own) = (of_process().saturating_sub(process), of_watcher().saturating_sub(own));
    let answered = (crowd.answered() - answered).max(1) as f64;
    Cost { each: process.div_f64(answered), watcher: own.as_secs_f64() / took, rate: answered / took }
}

impl Watcher {
    fn start(router: &Namespace, settings: Settings) -> Result<Self, LabError> {
        let (out, known) = watch::channel(Arc::default());
        let (named, task) = std::sync::mpsc::channel();
        let thread = router.spawn_thread("watcher", move || {
            let _ = named.send(rustix::thread::gettid().as_raw_nonzero().get());
            if let Err(error) = watch_until_nobody_asks(settings, out) {
                eprintln!("the watcher ended: {error}");
            }
        })?;
        let task = task.recv().unwrap_or_default();
        Ok(Self { known, task, thread })
    }

    fn wait(&self, what: &str, holds: impl Fn(&Handshakes) -> bool) -> Result<(), LabError> {
        let deadline = Instant::now() + PATIENCE;
        while !holds(&self.known.borrow()) {
            if Instant::now() > deadline {
                let last = format!("{:?}", self.known.borrow().uplinks);
                return Err(LabError::Deadline { what: what.to_owned(), seconds: PATIENCE.as_secs_f64(), last });
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn stop(self) {
        drop(self.known);
        // What it had to say was said.
        let _ = self.thread.join();
    }
}

fn watch_until_nobody_asks(settings: Settings, out: watch::Sender<Arc<Handshakes>>) -> std::io::Result<()> {
    let class = ClassId::new("m365.exchange.ipv4");
    let classify = move |server: IpAddr| (server == MICROSOFT_IPV4).then(|| class.clone());
    let watched = Watched { uplink: UplinkId(0), interface: "wan0".to_owned() };
    let (_uplinks, list) = watch::channel(Arc::from([watched]));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (measured, mut batches) = mpsc::channel(16);
        tokio::spawn(async move { while batches.recv().await.is_some() {} });
        passive::run(settings, list, classify, |_| false, out, measured).await;
    });
    Ok(())
}

/// A router whose only uplink leads to an ISP; neither forwards anything.
fn line() -> Result<[Namespace; 2], LabError> {
    let (router, isp) = (Namespace::new("router")?, Namespace::new("isp")?);
    let (near, far) = (router.link("wan0"), isp.link("lan"));
    veth(&near, &far)?;
    let [at_router, at_isp] = [2, 1].map(|host| IpAddr::from([10, 0, 0, host]));
    near.add_address(IpNet::new_assert(at_router, 24))?;
    far.add_address(IpNet::new_assert(at_isp, 24))?;
    near.up()?;
    far.up()?;
    router.add_route(&Route::to(MICROSOFT_IPV4.into(), "wan0").via(at_isp))?;
    isp.add_route(&Route::to(CLIENT_IPV4.into(), "lan").via(at_router))?;
    Ok([router, isp])
}
